"""What billed demand stands on: windows without actual intervals, listed; too many of them hold the bill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from openami.billing.rating.billed_demand import BilledDemand
from openami.billing.rating.demand import DemandKey, LeftOut
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.finding import RatingCode, RatingFinding
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import instant_from_epoch_s

MOST_LISTED = 12
"""Ranges that one finding spells out; all of them are in the determinants."""


def kilo(count: int) -> Decimal:
    """Return W as kW or Wh as kWh, exactly."""
    return Decimal(count) / 1000


def left_out_of(schedule: RateSchedule, found: Determinants, clause: str) -> tuple[int, tuple[LeftOut, ...]]:
    """Return how many windows the demand period of a line has, and those of them that set no peak.

    Args:
        schedule: the rate.
        found: the bill's determinants.
        clause: the line's: ``versions[n].demand[name].periods[name]`` and what follows.
    """
    for key, count in found.windows.items():
        version, charge, period = key
        priced = schedule.versions[version].demand[charge]
        if clause.startswith(f"versions[{version}].demand[{priced.name}].periods[{priced.periods[period].name}]"):
            return count, tuple(r for r in found.left_out if (r.version, r.charge, r.period) == key)
    return 0, ()


def demand_findings(
    schedule: RateSchedule,
    found: Determinants,
    billed: Mapping[DemandKey, BilledDemand],
    days: Mapping[DemandKey, int],
    month: date,
    most_left_out: Decimal,
) -> list[RatingFinding]:
    """Return what was noticed about the demand that a bill charges.

    Args:
        schedule: the rate.
        found: the bill's determinants.
        billed: the demand periods that are charged.
        days: of the bill on which each is in force: a price of few days weighs little, and may lack as much more.
        month: the bill's revenue month.
        most_left_out: share of a period's windows without actual intervals above which the bill is held, 0 to 1.
    """
    findings = []
    for key, demand in billed.items():
        version, charge, period = key
        priced = schedule.versions[version].demand[charge]
        name = f"{priced.name}, {priced.periods[period].name}"
        count = found.windows.get(key, 0)
        out = [row for row in found.left_out if (row.version, row.charge, row.period) == key]
        without = sum(row.windows for row in out)
        if without:
            most = most_left_out * count * found.span.days / days[key]
            findings.append(_left_out(name, count, without, out, most))
        asked = priced.ratchet
        if asked is not None and month.month in asked.applies_in and demand.known_months < asked.months:
            words = f"{name}: the ratchet looks at {asked.months} months before and {demand.known_months} are known"
            findings.append(RatingFinding(RatingCode.RATCHET_SHORT, words))
    return findings


def _left_out(name: str, count: int, without: int, out: list[LeftOut], most: Decimal) -> RatingFinding:
    times = ", ".join(
        f"{_at(r.start_s)} to {_at(r.end_s)} ({'estimated' if r.is_estimated else 'missing'})"
        for r in out[:MOST_LISTED]
    )
    more = f" and {len(out) - MOST_LISTED} more ranges" if len(out) > MOST_LISTED else ""
    words = f"{name}: {without} of {count} windows lack actual intervals and set no peak: {times}{more}"
    if without == count:
        reason = "; no window is left, so the demand is not known: get the readings, or bill it by hand"
        return RatingFinding(RatingCode.DEMAND_NOT_SURE, words + reason, holds=True)
    if without > most:
        reason = f"; more than {int(most)} may hide the peak: get the readings, or release the bill"
        return RatingFinding(RatingCode.DEMAND_NOT_SURE, words + reason, holds=True)
    return RatingFinding(RatingCode.DEMAND_LEFT_OUT, words)


def _at(second: int) -> str:
    return instant_from_epoch_s(second).strftime("%Y-%m-%d %H:%MZ")
