"""Today against a usual day: the median of the same weekday of the last four weeks, by the same wall-clock time.

Pure. A day that lacks an interval before the time compared is left out, so a gap never makes today look large.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.kernel.time import Period, instant_from_epoch_s, local_day

WEEKS = 4


@dataclass(frozen=True, slots=True, eq=False)
class UsualDay:
    """A usual day on the intervals of a given one.

    Args:
        value_wh: (n,) median by interval, NaN where no earlier day has one.
        by_now_wh: median of what those days had used by the time compared; None where fewer than two count.
        days: how many earlier days count.
    """

    value_wh: npt.NDArray[np.float64]
    by_now_wh: float | None
    days: int


def comparison_span(day: date, zone: ZoneInfo) -> Period:
    """Return the span of readings that a comparison of this local day needs."""
    return Period(local_day(day - timedelta(weeks=WEEKS), zone).start, local_day(day, zone).end)


def interval_starts(day: date, zone: ZoneInfo, interval_s: int) -> npt.NDArray[np.int64]:
    """Return the start of each interval of a local day: 92, 96 or 100 quarter-hours. Epoch seconds."""
    period = local_day(day, zone)
    return np.arange(period.start_s, period.end_s, interval_s, dtype=np.int64)


def usual_day(
    start_s: npt.NDArray[np.int64],
    value_wh: npt.NDArray[np.int64],
    *,
    is_known: npt.NDArray[np.bool_],
    day: date,
    zone: ZoneInfo,
    interval_s: int,
    by: datetime,
) -> UsualDay:
    """Compare a day with the same weekday of the four weeks before.

    Args:
        start_s: (m,) interval starts over :func:`comparison_span`, ascending, epoch seconds.
        value_wh: (m,) energy [Wh].
        is_known: (m,) False where the value is missing.
        day: the local day to compare.
        zone: its zone.
        interval_s: interval length [s].
        by: end of today's newest interval: the wall-clock time to which usage is summed.
    """
    today = interval_starts(day, zone, interval_s)
    slots = _wall_slots(today, zone)
    known = dict(zip(start_s[is_known].tolist(), value_wh[is_known].tolist(), strict=True))
    so_far = [i for i, s in enumerate(today.tolist()) if s + interval_s <= by.timestamp()]
    rows: list[list[float]] = []
    sums: list[float] = []
    for week in range(1, WEEKS + 1):
        earlier = interval_starts(day - timedelta(weeks=week), zone, interval_s)
        by_slot: dict[int, float] = {}
        for start, slot in zip(earlier.tolist(), _wall_slots(earlier, zone), strict=True):
            # The hour that a day has twice counts once, as its later reading; the lost hour of spring stays open.
            by_slot[slot] = float(known.get(start, np.nan))
        row = [by_slot.get(slot, np.nan) for slot in slots]
        rows.append(row)
        total = sum(row[i] for i in so_far)
        if so_far and not np.isnan(total):
            sums.append(total)
    by_now = float(np.median(sums)) if len(sums) >= 2 else None
    return UsualDay(_median_of_known(np.array(rows)), by_now, len(sums))


def _wall_slots(start_s: npt.NDArray[np.int64], zone: ZoneInfo) -> list[int]:
    """Return the wall-clock second of the day of each start."""
    local = (instant_from_epoch_s(s).astimezone(zone) for s in start_s.tolist())
    return [t.hour * 3600 + t.minute * 60 + t.second for t in local]


def _median_of_known(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    result = np.full(rows.shape[1], np.nan)
    has_any = ~np.isnan(rows).all(axis=0)
    result[has_any] = np.nanmedian(rows[:, has_any], axis=0)
    return result
