"""The demand lines of a bill: metered peaks, held up by ratchets, at their prices and for their days."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from openami.billing.rating.billed_demand import BilledDemand, billed_demand
from openami.billing.rating.calendar import DayRate
from openami.billing.rating.carried import Carried
from openami.billing.rating.demand import DemandKey
from openami.billing.rating.demand_finding import demand_findings, kilo
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.finding import RatingFinding
from openami.billing.rating.ladder import filled
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.months import months_of, season_dates
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import Block

_FIRST = Carried()


def demand_lines(
    schedule: RateSchedule,
    found: Determinants,
    rates: list[DayRate],
    terms: BillTerms = NO_TERMS,
    carried: Carried = _FIRST,
) -> tuple[list[BillLine], list[RatingFinding]]:
    """Return a line for each block of each demand period in force, and what was noticed.

    A price in force on part of the bill's days is charged for that share of them.
    """
    month = (terms.revenue_month or found.span.last).replace(day=1)
    lines: list[BillLine] = []
    billed: dict[DemandKey, BilledDemand] = {}
    in_force = demand_in_force(schedule, found.span, rates)
    for key, days in in_force.items():
        version, charge, period = key
        tariff = schedule.versions[version]
        priced, name = tariff.demand[charge], tariff.demand[charge].periods[period].name
        if all(b.price == 0 for b in priced.periods[period].blocks):
            continue
        step_w = tariff.rounding.demand_step_w
        billed[key] = billed_demand(priced, name, found.peaks.get(key), month, carried.peaks, step_w=step_w)
        if key in found.peaks or billed[key].watts:
            lines += _block_lines(schedule, key, billed[key], days, found.span, terms.whole(found.span))
    days_of = {key: len(days) for key, days in in_force.items()}
    return lines, demand_findings(schedule, found, billed, days_of, month, terms.most_left_out)


def demand_in_force(schedule: RateSchedule, span: BillSpan, rates: list[DayRate]) -> dict[DemandKey, list[date]]:
    """Return the days of the bill on whose seasons each demand period is in force."""
    found = {}
    for version, dates_of in season_dates(schedule, span, rates).items():
        tariff = schedule.versions[version]
        for charge, priced in enumerate(tariff.demand):
            for period in range(len(priced.periods)):
                used = [
                    s.name for s in tariff.seasons if any(w.period == period for plan in s.demand[charge] for w in plan)
                ]
                days = sorted(d for name in used for d in dates_of.get(name, []))
                if days:
                    found[version, charge, period] = days
    return found


def _block_lines(
    schedule: RateSchedule, key: DemandKey, billed: BilledDemand, days: list[date], span: BillSpan, whole: BillSpan
) -> list[BillLine]:
    version, charge, period = key
    priced = schedule.versions[version].demand[charge]
    price_period = priced.periods[period]
    proration = schedule.versions[version].proration
    months = months_of(proration, whole, days) if proration.demand else Fraction(len(days), whole.days)
    name = f"{priced.name}, {price_period.name}{_reason(billed)}"
    clause = f"versions[{version}].demand[{priced.name}].periods[{price_period.name}]"
    lines = []
    for tier, (block, watts) in enumerate(_demand_blocks(price_period.blocks, billed.watts), start=1):
        if block.price == 0 or (watts == 0 and tier > 1):
            continue
        number = tier if len(price_period.blocks) > 1 else None
        exact = exact_decimal(Fraction(block.price) * watts * months / 1000)
        lines.append(
            BillLine(
                LineKind.DEMAND, name, price_period.name, number, kilo(watts), "kW", block.price, exact, version,
                f"{clause}.blocks[{tier - 1}]", len(days) if len(days) < span.days else None,
            )
        )  # fmt: skip
    return lines


def _reason(billed: BilledDemand) -> str:
    """Say why billed demand is not the metered one."""
    past = billed.held_up_by
    if past is None or billed.percent is None:
        return ""
    return f" (at least {billed.percent:f} % of {kilo(past.watts):f} kW of {_month(past.month)})"


def _month(day: date) -> str:
    return f"{day.year}-{day.month:02}"


def _demand_blocks(blocks: tuple[Block, ...], watts: int) -> list[tuple[Block, int]]:
    ends = tuple(int(b.up_to * 1000) for b in blocks if b.up_to is not None)
    return list(zip(blocks, filled(watts, ends), strict=True))
