"""The grid: the intervals of consecutive local days of one zone, as columns of a matrix.

A quarter-hour day has 92, 96 or 100 columns. Each column knows its local *slot*, the wall-clock place in the day, by
which like days are compared across daylight-saving days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import MisuseError
from openami.kernel.time import epoch_s, instant_from_epoch_s, local_midnight

I64 = npt.NDArray[np.int64]
BOOLS = npt.NDArray[np.bool_]
DAY_S = 86_400
_SATURDAY = 5


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Columns of local days.

    Args:
        zone: of the local days.
        first, last: calendar days, both included.
        interval_s: length of an interval [s]; divides a day.
        start_s: (N,) start of each interval, seconds since the epoch.
        edge_s: (N + 1,) the same and the end of the last interval.
        day_at: (D + 1,) column at which each day begins; the last is N.
        day_of: (N,) index of the day of each column.
        slot: (N,) wall-clock place of the column in its day, 0 to ``slots - 1``.
        is_weekend: (D,) Saturday or Sunday.
    """

    zone: ZoneInfo
    first: date
    last: date
    interval_s: int
    start_s: I64
    edge_s: I64
    day_at: I64
    day_of: I64
    slot: I64
    is_weekend: BOOLS

    @property
    def columns(self) -> int:
        """Number of intervals."""
        return len(self.start_s)

    @property
    def days(self) -> int:
        """Number of local days."""
        return len(self.day_at) - 1

    @property
    def slots(self) -> int:
        """Number of wall-clock slots of a day of 24 hours."""
        return max(1, DAY_S // self.interval_s)

    def day(self, index: int) -> date:
        """Return the calendar day of an index."""
        return self.first + timedelta(days=index)

    def index_of(self, day: date) -> int:
        """Return the index of a calendar day; it may lie outside the grid."""
        return (day - self.first).days

    def column_of(self, start_s: I64) -> I64:
        """Return the column that starts at each instant, or -1 where none does."""
        at = np.searchsorted(self.start_s, start_s)
        hit = self.start_s[np.minimum(at, self.columns - 1)] == start_s
        return np.where(hit, at, -1)

    def floor_column(self, at_s: I64) -> I64:
        """Return the column that holds each instant, clipped to the grid."""
        return np.clip(np.searchsorted(self.start_s, at_s, side="right") - 1, 0, self.columns - 1)

    def ceiling_edge(self, at_s: I64) -> I64:
        """Return the first edge at or after each instant, clipped to the grid."""
        return np.clip(np.searchsorted(self.edge_s, at_s, side="left"), 0, self.columns)


def interval_count(day_length_s: int, interval_s: int) -> int:
    """Return how many intervals a local day has.

    >>> interval_count(82_800, 900), interval_count(90_000, 3600), interval_count(82_800, 86_400)
    (92, 25, 1)
    """
    return max(1, round(day_length_s / interval_s))


@lru_cache(maxsize=64)
def grid_of(zone: ZoneInfo, first: date, last: date, interval_s: int) -> Grid:
    """Return the grid of the local days from first to last, both included.

    Raises:
        MisuseError: last is before first, or the interval does not divide a day.
    """
    if last < first or interval_s <= 0 or DAY_S % interval_s:
        raise MisuseError(f"no grid of {interval_s} s intervals from {first} to {last}")
    days = (last - first).days + 1
    midnights = [epoch_s(local_midnight(first + timedelta(days=d), zone)) for d in range(days + 1)]
    counts = [interval_count(b - a, interval_s) for a, b in pairwise(midnights)]
    day_at = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    start_s = np.concatenate([m + interval_s * np.arange(n) for m, n in zip(midnights[:-1], counts, strict=True)])
    day_of = np.repeat(np.arange(days), counts)
    slot = np.concatenate(
        [_slots(m, n, zone=zone, interval_s=interval_s) for m, n in zip(midnights[:-1], counts, strict=True)]
    )
    return Grid(
        zone=zone,
        first=first,
        last=last,
        interval_s=interval_s,
        start_s=start_s.astype(np.int64),
        edge_s=np.append(start_s, midnights[-1]).astype(np.int64),
        day_at=day_at,
        day_of=day_of.astype(np.int64),
        slot=slot,
        is_weekend=np.array([(first + timedelta(days=d)).weekday() >= _SATURDAY for d in range(days)]),
    )


def _slots(midnight_s: int, count: int, *, zone: ZoneInfo, interval_s: int) -> I64:
    """Return the wall-clock slot of each interval of a day; only a change of offset needs a look at each of them."""
    plain = np.arange(count, dtype=np.int64)
    if count * interval_s == DAY_S:
        return plain
    walls = [instant_from_epoch_s(midnight_s + int(k) * interval_s).astimezone(zone) for k in plain]
    return np.array([(w.hour * 3600 + w.minute * 60 + w.second) // interval_s for w in walls], dtype=np.int64)
