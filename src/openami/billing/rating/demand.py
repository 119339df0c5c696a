"""Demand: the highest mean power of a clock-aligned window of the bill, by demand period.

A window with a missing or an estimated interval sets no peak and is counted as left out. Windows are aligned to the
wall clock; in the autumn hour that comes twice, each of the two hours is a window of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE, DayRate, local_times, minute_keys
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

_EPOCH_ORDINAL = 719_163


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest mean power of a complete window [W], and the instant at which that window starts [s]."""

    watts: int
    start_s: int


Peaks = dict[tuple[int, int, int], Peak]


def window_minutes(schedule: RateSchedule, charge: int, version: int, interval_s: int) -> int:
    """Return the length of a demand charge's window in minutes.

    Raises:
        TariffError: the window does not divide an hour, or is not a whole number of intervals.
    """
    stated = schedule.versions[version].demand[charge].window_minutes
    minutes = interval_s // 60 if stated is None else stated
    clause = f"{schedule.code}.{schedule.versions[version].demand[charge].name}.window"
    if minutes <= 0 or 60 % minutes:
        raise TariffError(clause, f"a window of {minutes} minutes does not divide an hour")
    if minutes * 60 % interval_s:
        raise TariffError(clause, f"a window of {minutes} minutes is not a whole number of {interval_s} s intervals")
    return minutes


def peaks_of(
    schedule: RateSchedule, usage: Usage, span: BillSpan, rates: list[DayRate], zone: ZoneInfo
) -> tuple[Peaks, int]:
    """Return the peak of every demand period in force in the bill, and how many windows were left out."""
    peaks: Peaks = {}
    left_out = 0
    if not len(usage.start_s):
        return peaks, left_out
    times = local_times(usage.start_s, zone)
    local_s = usage.start_s + times.offset_s
    first = span.first.toordinal() - _EPOCH_ORDINAL
    for version in sorted({r.version for r in rates}):
        for charge in range(len(schedule.versions[version].demand)):
            minutes = window_minutes(schedule, charge, version, usage.interval_s)
            window = local_s // (minutes * 60)
            fresh = (np.diff(window) != 0) | (np.diff(times.offset_s) != 0)
            starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(fresh) + 1])
            good = np.ones(len(usage.wh), np.int64) if usage.estimated is None else (~usage.estimated).astype(np.int64)
            complete = np.add.reduceat(good, starts) == minutes * 60 // usage.interval_s
            watts = np.add.reduceat(usage.wh, starts) * (60 // minutes)
            table = minute_keys(schedule, rates, charge)
            key = table[times.day[starts] - first, times.minute[starts]]
            mine = (key // KEY_STRIDE == version) & (key >= 0)
            left_out += int((mine & ~complete).sum())
            for period in np.unique(key[mine & complete] % KEY_STRIDE):
                rows = np.flatnonzero(mine & complete & (key % KEY_STRIDE == period))
                best = rows[int(np.argmax(watts[rows]))]
                peaks[version, charge, int(period)] = Peak(int(watts[best]), int(usage.start_s[starts[best]]))
    return peaks, left_out
