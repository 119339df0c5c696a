"""Demand in a customer's words: which hours set it, how near the next ones are, and what each kilowatt costs.

Windows are the bill's own: aligned to the clock as the rate says, complete ones alone, without an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import day_rates
from openami.billing.rating.demand import Peak
from openami.billing.rating.line import BillLine, LineKind, RatedBill
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.rating.window import DemandWindows, demand_grid, demand_windows
from openami.billing.tariff.model import RateSchedule

HIGHEST = 5


@dataclass(frozen=True, slots=True)
class DemandMonth:
    """The demand of one bill.

    Args:
        span: the bill's days.
        name: the charge, as printed.
        period: the demand period's name.
        window_minutes: length of what is called an hour below.
        highest: the five highest windows, highest first.
        per_kw: what the last kilowatt of the highest cost [currency per kW], the bill's own share of days included.
        amount: what demand cost in the bill.
        billed_w: what was charged for [W]: above the highest where a ratchet or a least demand sets it.
    """

    span: BillSpan
    name: str
    period: str
    window_minutes: int
    highest: tuple[Peak, ...]
    per_kw: Decimal
    amount: Decimal
    billed_w: int

    @property
    def is_set_here(self) -> bool:
        """Whether the bill's own highest window sets what is charged, not an earlier month's or a least demand."""
        return bool(self.highest) and self.billed_w <= self.highest[0].watts

    @property
    def worth(self) -> Decimal:
        """What the bill would have been less, had the highest window alone been as low as the second."""
        if len(self.highest) < 2 or not self.is_set_here:
            return Decimal(0)
        return self.per_kw * (self.highest[0].watts - self.highest[1].watts) / 1000


def demand_of(
    schedule: RateSchedule,
    bills: Sequence[RatedBill],
    usage: Usage,
    zone: ZoneInfo,
    terms: Mapping[BillSpan, BillTerms] | None = None,
) -> tuple[DemandMonth, ...]:
    """Return the demand that each bill charges for; empty for a rate without demand.

    Args:
        schedule: the rate.
        bills: rated by it.
        usage: what they were rated from.
        zone: of the service point.
        terms: what they were rated with, by span; neutral where there are none.

    Raises:
        TariffError: not where the bills could be rated.
    """
    found: list[DemandMonth] = []
    for bill in bills:
        lines = [line for line in bill.lines if line.kind is LineKind.DEMAND]
        if lines:
            found += _of_bill(schedule, bill, lines, usage, zone, (terms or {}).get(bill.span, NO_TERMS))
    return tuple(found)


def _of_bill(
    schedule: RateSchedule, bill: RatedBill, lines: list[BillLine], usage: Usage, zone: ZoneInfo, terms: BillTerms
) -> list[DemandMonth]:
    found = []
    grid, rates = demand_grid(usage, bill.span, zone), day_rates(schedule, bill.span, terms)
    for version, charge, period in sorted(bill.determinants.peaks):
        charged = schedule.versions[version].demand[charge]
        name = charged.periods[period].name
        mine = [line for line in lines if line.version == version and line.period == name and line.quantity]
        if not mine:
            continue
        windows = demand_windows(schedule, grid, rates, charge, version)
        found.append(
            DemandMonth(
                span=bill.span,
                name=charged.name,
                period=name,
                window_minutes=windows.minutes,
                highest=_highest(windows, period),
                per_kw=mine[-1].exact_amount / mine[-1].quantity,
                amount=sum((line.amount for line in mine), Decimal(0)),
                billed_w=int(sum((line.quantity for line in mine), Decimal(0)) * 1000),
            )
        )
    return found


def _highest(windows: DemandWindows, period: int) -> tuple[Peak, ...]:
    """Return the highest windows of a demand period that may set a peak and do not overlap, highest first."""
    rows = np.flatnonzero(windows.is_complete & (windows.period == period))
    found: list[Peak] = []
    for row in rows[np.argsort(-windows.watts[rows], kind="stable")].tolist():
        start = int(windows.start_s[row])
        if all(abs(start - p.start_s) >= windows.minutes * 60 for p in found):
            found.append(Peak(int(windows.watts[row]), start))
        if len(found) == HIGHEST:
            break
    return tuple(found)
