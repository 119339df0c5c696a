"""The demand lines of a bill."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.ladder import filled
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.pool import season_days
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import Block


def demand_lines(schedule: RateSchedule, found: Determinants, rates: list[DayRate]) -> list[BillLine]:
    """A demand price in force on part of the bill's days is charged for that share of them."""
    lines = []
    days_of = season_days(schedule, rates)
    for (version, charge, period), peak in sorted(found.peaks.items()):
        tariff = schedule.versions[version]
        price_period = tariff.demand[charge].periods[period]
        days = sum(
            days_of[version].get(s.name, 0)
            for s in tariff.seasons
            if any(w.period == period for plan in s.demand[charge] for w in plan)
        )
        for tier, (block, watts) in enumerate(_demand_blocks(price_period.blocks, peak.watts), start=1):
            if block.price == 0 or (watts == 0 and tier > 1):
                continue
            number = tier if len(price_period.blocks) > 1 else None
            name = f"{tariff.demand[charge].name}, {price_period.name}"
            kw = Decimal(watts) / 1000
            exact = kw * block.price * days / found.span.days
            clause = f"versions[{version}].demand[{tariff.demand[charge].name}].periods[{price_period.name}]"
            lines.append(
                BillLine(
                    LineKind.DEMAND, name, price_period.name, number, kw, "kW", block.price, exact, version,
                    f"{clause}.blocks[{tier - 1}]", days if days < found.span.days else None,
                )
            )  # fmt: skip
    return lines


def _demand_blocks(blocks: tuple[Block, ...], watts: int) -> list[tuple[Block, int]]:
    ends = tuple(int(b.up_to * 1000) for b in blocks if b.up_to is not None)
    return list(zip(blocks, filled(watts, ends), strict=True))
