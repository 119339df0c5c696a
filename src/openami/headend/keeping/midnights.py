"""Register reads at local midnight: which came, which came before the billing office opens, which no meter has.

A local day is one bit of a meter's 64-bit number, at place ``day % 64`` of the days since 1970-01-01. Local time
exists only here, by named zone; a day of 23 or 25 hours has one midnight like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.kernel.time import epoch_s, instant_from_epoch_s, local_date, local_midnight

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
RING_DAYS = 64
KEPT_DAYS = 60
OFFICE_OPENS = time(7)
"""Billing-window register reads are there by 07:00 local time on read day (utility practice)."""
_UNIX_DAY = date(1970, 1, 1).toordinal()
_ONE = np.uint64(1)


def day_bit(day: date) -> np.uint64:
    """Return the bit of a local day."""
    return _ONE << np.uint64((day.toordinal() - _UNIX_DAY) % RING_DAYS)


def office_opens_s(day: date, zone: ZoneInfo) -> int:
    """Return when 07:00 of a local day is, seconds since the epoch: six hours after midnight where clocks jump ahead.

    >>> zone = ZoneInfo("America/Chicago")
    >>> [office_opens_s(d, zone) - epoch_s(local_midnight(d, zone)) for d in (date(2026, 3, 7), date(2026, 3, 8))]
    [25200, 21600]
    """
    return epoch_s(datetime.combine(day, OFFICE_OPENS, tzinfo=zone))


@lru_cache(maxsize=256)
def _midnights(last: date, zone: ZoneInfo) -> I64:
    """Return the midnights of the kept days up to ``last``, oldest first."""
    days = (last - timedelta(days=k) for k in reversed(range(KEPT_DAYS)))
    return np.array([epoch_s(local_midnight(d, zone)) for d in days], np.int64)


@dataclass(slots=True, eq=False)
class Midnights:
    """Bits of local days, one number a meter: reads that came, came by 07:00, and that the meter does not have."""

    came: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    in_time: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    absent: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    today: int = -1

    def grow(self, meters: int) -> None:
        """Make room for that many meters."""
        more = meters - len(self.came)
        if more > 0:
            for name in ("came", "in_time", "absent"):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.uint64)]))

    def roll(self, now_s: int) -> None:
        """Begin the local days that may begin before the next call."""
        tomorrow = now_s // 86_400 + 1
        if self.today < 0:
            self.today = tomorrow
        for day in range(max(self.today + 1, tomorrow - RING_DAYS + 1), tomorrow + 1):
            gone = ~(_ONE << np.uint64(day % RING_DAYS))
            self.came &= gone
            self.in_time &= gone
            self.absent &= gone
        self.today = max(self.today, tomorrow)

    def receive(self, number: I64, at_s: I64, arrived_s: I64, *, zone: ZoneInfo, now_s: int) -> None:
        """Note register reads of meters of one zone; those at another time than a kept midnight say nothing here.

        Args:
            number: (m,) meter of each read.
            at_s: (m,) instant of the read, seconds since the epoch.
            arrived_s: (m,) when its frame was collected.
            zone: the meters' zone.
            now_s: domain time.
        """
        self.roll(now_s)
        last = local_date(instant_from_epoch_s(now_s), zone)
        midnights = _midnights(last, zone)
        place = np.minimum(np.searchsorted(midnights, at_s), len(midnights) - 1)
        good = midnights[place] == at_s
        for one in np.unique(place[good]).tolist():
            day = last - timedelta(days=KEPT_DAYS - 1 - one)
            here = good & (place == one)
            np.bitwise_or.at(self.came, number[here], day_bit(day))
            early = here & (arrived_s <= office_opens_s(day, zone))
            np.bitwise_or.at(self.in_time, number[early], day_bit(day))

    def find_absent(self, number: int, first: date, last: date) -> None:
        """Note that a meter was asked for the midnights of these days and has no more than what came."""
        for k in range((last - first).days + 1):
            bit = day_bit(first + timedelta(days=k))
            if not self.came[number] & bit:
                self.absent[number] |= bit

    def has_all(self, number: int, first: date, last: date) -> bool:
        """Tell whether the reads at the midnights of these days have come, both ends included."""
        bits = [day_bit(first + timedelta(days=k)) for k in range((last - first).days + 1)]
        return all(self.came[number] & bit for bit in bits)

    def missing(
        self, numbers: I64, since_s: I64, until_s: I64, *, zone: ZoneInfo, now_s: int, grace_s: int, days: int
    ) -> Iterator[tuple[date, I64]]:
        """Yield (local day, meters whose read at its midnight is missing), newest first.

        Args:
            numbers: (n,) meters of one zone.
            since_s: (n,) from when on each owes reads, seconds since the epoch.
            until_s: (n,) until when.
            zone: their zone.
            now_s: domain time.
            grace_s: how long a push may take [s].
            days: how far back, 1 to 60.
        """
        self.roll(now_s)
        today = local_date(instant_from_epoch_s(now_s), zone)
        have = self.came[numbers] | self.absent[numbers]
        for k in range(min(days, KEPT_DAYS)):
            day = today - timedelta(days=k)
            at_s = epoch_s(local_midnight(day, zone))
            if at_s + grace_s > now_s:
                continue
            lost = (have & day_bit(day) == 0) & (since_s <= at_s) & (until_s > at_s)
            if lost.any():
                yield day, numbers[lost]
