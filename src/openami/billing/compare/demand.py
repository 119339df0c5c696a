"""Demand in a customer's words: which hours set it, how near the next ones are, and what each kilowatt costs.

Windows are the bill's own: aligned to the clock as the rate says, complete ones alone, without an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE, day_rates, local_times, minute_keys
from openami.billing.rating.demand import Peak, window_minutes
from openami.billing.rating.line import BillLine, LineKind, RatedBill
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.model import RateSchedule

HIGHEST = 5
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


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
        worth: what the bill would have been less, had the highest window alone been as low as the second.
    """

    span: BillSpan
    name: str
    period: str
    window_minutes: int
    highest: tuple[Peak, ...]
    per_kw: Decimal
    amount: Decimal

    @property
    def worth(self) -> Decimal:
        """What the bill would have been less, had the highest window alone been as low as the second."""
        if len(self.highest) < 2:
            return Decimal(0)
        return self.per_kw * (self.highest[0].watts - self.highest[1].watts) / 1000


def demand_of(
    schedule: RateSchedule, bills: Sequence[RatedBill], usage: Usage, zone: ZoneInfo
) -> tuple[DemandMonth, ...]:
    """Return the demand that each bill charges for; empty for a rate without demand.

    Args:
        schedule: the rate.
        bills: rated by it.
        usage: what they were rated from.
        zone: of the service point.
    """
    found: list[DemandMonth] = []
    for bill in bills:
        lines = [line for line in bill.lines if line.kind is LineKind.DEMAND]
        if lines:
            found += _of_bill(schedule, bill, lines, usage, zone)
    return tuple(found)


def _of_bill(
    schedule: RateSchedule, bill: RatedBill, lines: list[BillLine], usage: Usage, zone: ZoneInfo
) -> list[DemandMonth]:
    found = []
    for version, charge, period in sorted(bill.determinants.peaks):
        charged = schedule.versions[version].demand[charge]
        name = charged.periods[period].name
        mine = [line for line in lines if line.version == version and line.period == name and line.quantity]
        if not mine:
            continue
        last = mine[-1]
        amount = sum((line.amount for line in mine), Decimal(0))
        minutes = window_minutes(schedule, charge, version, usage.interval_s)
        highest = _highest(schedule, (version, charge, period), bill.span, usage, zone)
        per_kw = last.exact_amount / last.quantity
        found.append(DemandMonth(bill.span, charged.name, name, minutes, highest, per_kw, amount))
    return found


def _highest(
    schedule: RateSchedule, key: tuple[int, int, int], span: BillSpan, usage: Usage, zone: ZoneInfo
) -> tuple[Peak, ...]:
    """Return the highest complete windows of a demand period in a bill, highest first, earliest of equals first."""
    version, charge, period = key
    minutes = window_minutes(schedule, charge, version, usage.interval_s)
    at = span.period(zone)
    low, high = np.searchsorted(usage.start_s, [at.start_s, at.end_s]).tolist()
    start, wh = usage.start_s[low:high], usage.wh[low:high]
    good: I64 = np.ones(len(wh), np.int64)
    if usage.estimated is not None:
        good = (~usage.estimated[low:high]).astype(np.int64)
    times = local_times(start, zone)
    fresh = (np.diff((start + times.offset_s) // (minutes * 60)) != 0) | (np.diff(times.offset_s) != 0)
    heads = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(fresh) + 1])
    complete = np.add.reduceat(good, heads) == minutes * 60 // usage.interval_s
    watts = np.add.reduceat(wh, heads) * (60 // minutes)
    keys = minute_keys(schedule, day_rates(schedule, span), charge)
    of = keys[times.day[heads] - (span.first.toordinal() - _EPOCH_ORDINAL), times.minute[heads]]
    rows = np.flatnonzero(complete & (of == version * KEY_STRIDE + period))
    best = rows[np.argsort(-watts[rows], kind="stable")[:HIGHEST]]
    return tuple(Peak(int(watts[i]), int(start[heads[i]])) for i in best)
