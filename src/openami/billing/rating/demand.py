"""Billed demand's raw material: the highest mean power of a window of actual intervals, by demand period.

A window with a missing or an estimated interval sets no peak and is listed as left out. A coincident charge looks
only at the windows in which the system peaked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.rating.window import DemandWindows, demand_grid, demand_windows, window_minutes
from openami.billing.tariff.demand import CoincidentRule
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

__all__ = [
    "DemandKey",
    "FoundDemand",
    "LeftOut",
    "Peak",
    "at_instants",
    "demand_of",
    "left_out_ranges",
    "system_peaks",
    "window_minutes",
]

DemandKey = tuple[int, int, int]
"""Price version, demand charge and demand period, all as indexes."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest mean power of a complete window [W], and the instant at which that window starts [s]."""

    watts: int
    start_s: int


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Windows one after another that set no peak.

    Args:
        version, charge, period: of the demand charge, as indexes.
        start_s, end_s: from the first window's start to the last one's end [s since the epoch].
        windows: how many.
        is_estimated: they hold an estimate; else an interval is missing.
    """

    version: int
    charge: int
    period: int
    start_s: int
    end_s: int
    windows: int
    is_estimated: bool


@dataclass(frozen=True, slots=True)
class FoundDemand:
    """The demand determinants of one bill.

    Args:
        peaks: of every demand period that has a complete window.
        windows: how many windows each demand period has, complete or not.
        left_out: those that set no peak, by charge and time.
    """

    peaks: Mapping[DemandKey, Peak] = field(default_factory=dict)
    windows: Mapping[DemandKey, int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()


def demand_of(
    schedule: RateSchedule,
    usage: Usage,
    span: BillSpan,
    rates: list[DayRate],
    zone: ZoneInfo,
    coincident: Sequence[datetime] = (),
) -> FoundDemand:
    """Return the peak of every demand period in force in the bill, and the windows that were left out.

    Raises:
        TariffError: a window's length does not fit, or a coincident charge has no peak of the system.
    """
    peaks: dict[DemandKey, Peak] = {}
    counts: dict[DemandKey, int] = {}
    left_out: list[LeftOut] = []
    versions = sorted({r.version for r in rates})
    if not any(schedule.versions[v].demand for v in versions):
        return FoundDemand()
    grid = demand_grid(usage, span, zone)
    instants = system_peaks(schedule, versions, span, zone, coincident)
    for version in versions:
        for charge, priced in enumerate(schedule.versions[version].demand):
            windows = demand_windows(schedule, grid, rates, charge, version)
            if priced.coincident is not None:
                windows = at_instants(windows, instants)
            for period in np.unique(windows.period).tolist():
                rows = np.flatnonzero(windows.period == period)
                counts[version, charge, period] = len(rows)
                sure = rows[windows.is_complete[rows]]
                if len(sure):
                    peaks[version, charge, period] = _peak(windows, sure, priced.coincident)
                left_out += left_out_ranges(windows, rows[~windows.is_complete[rows]], (version, charge, period))
    return FoundDemand(peaks, counts, tuple(sorted(left_out)))


def system_peaks(
    schedule: RateSchedule, versions: Sequence[int], span: BillSpan, zone: ZoneInfo, instants: Sequence[datetime]
) -> I64:
    """Return the instants within the bill in which the system peaked [s since the epoch], rising.

    Raises:
        TariffError: a charge needs one and none is given.
    """
    period = span.period(zone)
    inside = sorted(s for s in (int(i.timestamp()) for i in instants) if period.start_s <= s < period.end_s)
    for version in versions:
        for priced in schedule.versions[version].demand:
            if priced.coincident is not None and not inside:
                raise TariffError(
                    f"{schedule.code}.versions[{version}].demand[{priced.name}].coincident",
                    f"the system's peak from {span.first} to {span.last} is not known; give its instant with the bill",
                )
    return np.array(inside, dtype=np.int64)


def at_instants(windows: DemandWindows, instants: I64) -> DemandWindows:
    """Return the windows that hold an instant; of rolling windows those that begin with it."""
    before = np.searchsorted(windows.start_s, instants, side="right") - 1
    rows = np.unique(before[before >= 0])
    held = np.searchsorted(instants, windows.start_s[rows] + windows.minutes * 60, side="left")
    rows = rows[held > np.searchsorted(instants, windows.start_s[rows], side="left")]
    return DemandWindows(
        windows.start_s[rows], windows.minutes, windows.watts[rows], windows.period[rows],
        windows.is_complete[rows], windows.has_estimate[rows],
    )  # fmt: skip


def _peak(windows: DemandWindows, rows: I64, rule: CoincidentRule | None) -> Peak:
    if rule is CoincidentRule.MEAN:
        total, count = int(windows.watts[rows].sum()), len(rows)
        return Peak((2 * total + count) // (2 * count), int(windows.start_s[rows[0]]))
    best = rows[int(np.argmax(windows.watts[rows]))]
    return Peak(int(windows.watts[best]), int(windows.start_s[best]))


def left_out_ranges(windows: DemandWindows, rows: I64, key: DemandKey) -> list[LeftOut]:
    """Join windows that touch or overlap and have one reason."""
    if not len(rows):
        return []
    start, guessed = windows.start_s[rows], windows.has_estimate[rows]
    length_s = windows.minutes * 60
    fresh = (np.diff(start) > length_s) | (np.diff(guessed.astype(np.int8)) != 0)
    heads = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(fresh) + 1])
    tails = np.append(heads[1:], len(rows)) - 1
    return [
        LeftOut(*key, int(start[a]), int(start[b]) + length_s, int(b - a + 1), bool(guessed[a]))
        for a, b in zip(heads, tails, strict=True)
    ]
