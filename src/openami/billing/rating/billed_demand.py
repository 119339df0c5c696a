"""From a metered peak to the demand that is billed: the rate's least demand, its ratchet and its rounding step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openami.billing.rating.bank import month_number
from openami.billing.rating.carried import MonthPeak
from openami.billing.rating.demand import DemandKey, Peak
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.ratchet import Ratchet

KEPT_MONTHS = 12
"""Peaks are handed on for a year at least, so that a ratchet that begins with a new price version finds them."""


@dataclass(frozen=True, slots=True)
class BilledDemand:
    """The demand of one demand period as billed.

    Args:
        watts: billed [W].
        metered_w: highest window of actual intervals [W]; 0 where there is none.
        held_up_by: the earlier peak that the ratchet takes, or None.
        percent: of it; None without.
        known_months: months that the ratchet asked for and found.
    """

    watts: int
    metered_w: int
    held_up_by: MonthPeak | None = None
    percent: Decimal | None = None
    known_months: int = 0


def billed_demand(
    charge: DemandCharge,
    period: str,
    peak: Peak | None,
    month: date,
    peaks: Iterable[MonthPeak],
    *,
    step_w: int = 1,
) -> BilledDemand:
    """Return the demand that is billed.

    Args:
        charge: the demand charge.
        period: name of the demand period.
        peak: the bill's own, or None where no window of actual intervals is there.
        month: the bill's revenue month.
        peaks: metered peaks of earlier bills.
        step_w: billed demand is the nearest multiple [W], half up; a ratchet and a least demand come before it.
    """
    metered = 0 if peak is None else peak.watts
    watts, by, percent, known = max(metered, charge.least_w), None, None, 0
    if charge.ratchet is not None and month.month in charge.ratchet.applies_in:
        earlier = _looked_at(charge, charge.ratchet, period, month, peaks)
        known = len({month_number(p.month) for p in earlier})
        for past in earlier:
            share = charge.ratchet.percents[past.month.month - 1]
            floor = int((share * past.watts / 100 + Decimal("0.5")) // 1)
            if floor > watts:
                watts, by, percent = floor, past, share
    rounded = (2 * watts + step_w) // (2 * step_w) * step_w
    return BilledDemand(rounded, metered, by, percent, known)


def _looked_at(
    charge: DemandCharge, ratchet: Ratchet, period: str, month: date, peaks: Iterable[MonthPeak]
) -> list[MonthPeak]:
    now = month_number(month)
    return [
        p
        for p in peaks
        if p.charge == charge.name
        and 1 <= now - month_number(p.month) <= ratchet.months
        and (not ratchet.by_period or p.period == period)
    ]


def peaks_after(
    schedule: RateSchedule, peaks: Iterable[MonthPeak], found: Mapping[DemandKey, Peak], month: date
) -> tuple[MonthPeak, ...]:
    """Return the metered peaks that the next bill may ask for, oldest first; none for a rate without demand.

    Args:
        schedule: the rate.
        peaks: handed on by the bill before.
        found: the bill's own.
        month: its revenue month.
    """
    charges = [d for v in schedule.versions for d in v.demand]
    if not charges:
        return ()
    kept = max(KEPT_MONTHS, *(0 if d.ratchet is None else d.ratchet.months for d in charges))
    own = []
    for (version, charge, period), peak in sorted(found.items()):
        priced = schedule.versions[version].demand[charge]
        own.append(MonthPeak(month, priced.name, priced.periods[period].name, peak.watts, peak.start_s))
    earlier = [p for p in peaks if month_number(month) - month_number(p.month) < kept]
    return tuple(sorted((*earlier, *own), key=lambda p: (p.month, p.charge, p.period, p.start_s)))
