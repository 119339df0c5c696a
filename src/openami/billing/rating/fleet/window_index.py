"""Which windows of a demand charge lie in a bill's days, to which demand period each belongs, and where on the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.demand import DemandKey, at_instants, system_peaks
from openami.billing.rating.fleet.runs import Runs, runs_of
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.rating.window import DemandWindows, demand_grid, demand_windows
from openami.billing.tariff.demand import CoincidentRule
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True, eq=False)
class WindowIndex:
    """The windows of one demand charge of one version in one bill.

    Args:
        bill: which bill.
        version: index of the price version.
        charge: index of the demand charge in that version.
        rule: what several peaks of the system come to; None where every window counts.
        windows: their starts, length and demand periods; the other columns are of no usage.
        heads: (w,) first interval of each, of the bill's own ``intervals``.
        length: intervals that each has.
        intervals: how many the bill's days have.
        slots: (m,) place of each of the bill's columns among those intervals.
        periods: windows by demand period.
    """

    bill: int
    version: int
    charge: int
    rule: CoincidentRule | None
    windows: DemandWindows
    heads: I64
    length: int
    intervals: int
    slots: I64
    periods: Runs

    @property
    def counts(self) -> dict[DemandKey, int]:
        """How many windows each demand period has."""
        periods, counts = np.unique(self.windows.period, return_counts=True)
        return {(self.version, self.charge, p): n for p, n in zip(periods.tolist(), counts.tolist(), strict=True)}


def window_indexes(
    schedule: RateSchedule,
    start_s: I64,
    interval_s: int,
    inside: I64,
    bill: int,
    span: BillSpan,
    rates: list[DayRate],
    terms: BillTerms,
    zone: ZoneInfo,
) -> Iterator[WindowIndex]:
    """Yield the windows of each demand charge of each version in force in a bill that has any.

    Args:
        schedule: the rate.
        start_s: (intervals,) the grid.
        interval_s: [s].
        inside: the bill's intervals on the grid, in a row.
        bill: number of the bill.
        span: its days.
        rates: how each day is priced.
        terms: with the peaks of the system.
        zone: of the service points.

    Raises:
        TariffError: a window's length does not fit, or a coincident charge has no peak of the system.
    """
    versions = sorted({r.version for r in rates})
    if not any(schedule.versions[v].demand for v in versions):
        return
    mine = start_s[inside]
    grid = demand_grid(Usage(mine, np.zeros(len(mine), np.int64), interval_s), span, zone)
    instants = system_peaks(schedule, versions, span, zone, terms.coincident)
    for version in versions:
        for charge, priced in enumerate(schedule.versions[version].demand):
            windows = demand_windows(schedule, grid, rates, charge, version)
            if priced.coincident is not None:
                windows = at_instants(windows, instants)
            if len(windows.start_s):
                origin = grid.start_s[0]
                yield WindowIndex(
                    bill, version, charge, priced.coincident, windows, (windows.start_s - origin) // interval_s,
                    windows.minutes * 60 // interval_s, len(grid.start_s), (mine - origin) // interval_s,
                    runs_of(windows.period),
                )  # fmt: skip
