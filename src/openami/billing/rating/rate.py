"""Rate determinants into a bill: exact decimals on every line, rounded once where the line is printed.

The total is the sum of the rounded lines, so a bill adds up on paper. Energy is whole Wh on every line, shared out by
largest remainder, so the lines add up to the usage.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openami.billing.rating.calendar import DayRate, day_rates
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.pool import Pool, pools, season_days
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import Block, BlockScope, ChargeUnit, FixedCharge, RateSchedule
from openami.kernel.money import rounded_to_cent


class LineKind(StrEnum):
    """What a line charges for."""

    ENERGY = "energy"
    DEMAND = "demand"
    FIXED = "fixed"
    MINIMUM = "minimum"
    RIDER = "rider"
    TAX = "tax"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill.

    Args:
        kind: what it charges for.
        name: as printed.
        period: the price period's name, or None.
        tier: block number from 1, or None.
        quantity: in ``unit``.
        unit: ``kWh``, ``kW``, ``month`` or ``day``.
        price: per unit.
        exact_amount: quantity times price, not rounded.
        amount: the same, rounded to a cent.
        version: index of the price version.
    """

    kind: LineKind
    name: str
    period: str | None
    tier: int | None
    quantity: Decimal
    unit: str
    price: Decimal
    exact_amount: Decimal
    version: int = 0

    @property
    def amount(self) -> Decimal:
        """The line's amount, rounded to a cent: the one rounding point."""
        return rounded_to_cent(self.exact_amount)


@dataclass(frozen=True, slots=True)
class RatedBill:
    """A bill's lines and totals, with the determinants that they were computed from."""

    span: BillSpan
    currency: str
    determinants: Determinants
    lines: tuple[BillLine, ...]

    @property
    def exact_total(self) -> Decimal:
        """Sum of the exact amounts."""
        return sum((line.exact_amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """Sum of the rounded amounts: what the customer pays."""
        return sum((line.amount for line in self.lines), Decimal(0))


def rate(schedule: RateSchedule, found: Determinants) -> RatedBill:
    """Return the bill of one span.

    Raises:
        TariffError: a day has no version in force.
    """
    span = found.span
    rates = day_rates(schedule, span)
    lines = _energy(schedule, found, pools(schedule, span, rates))
    lines += _demand(schedule, found, rates)
    lines += _fixed(schedule, span, rates)
    if found.received_wh:
        quantity = Decimal(found.received_wh) / 1000
        name = "Energy received from you (listed, not credited on this rate)"
        lines.append(BillLine(LineKind.CREDIT, name, None, None, quantity, "kWh", Decimal(0), Decimal(0)))
    lines += _minimum(schedule, span, rates, lines)
    return RatedBill(span, schedule.currency, found, tuple(lines))


def shared_out(amount: int, shares: list[int]) -> list[int]:
    """Share a whole amount in proportion, by largest remainder; no part exceeds its share when amount <= sum.

    >>> shared_out(10, [1, 1, 1])
    [4, 3, 3]
    """
    total = sum(shares)
    if total == 0:
        return [0] * len(shares)
    parts = [amount * s // total for s in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (-(amount * shares[i] % total), i))
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def filled(total_wh: int, ends_wh: tuple[int, ...]) -> list[int]:
    """Return the energy in each block of a ladder.

    >>> filled(900, (750,))
    [750, 150]
    """
    edges = [0, *(min(e, total_wh) for e in ends_wh), total_wh]
    return [b - a for a, b in itertools.pairwise(edges)]


def block_energy(schedule: RateSchedule, found: Determinants, pool: Pool) -> list[list[int]]:
    """Return Wh by (block, period of the pool). Rows add up to blocks and columns to periods, exactly."""
    blocks = len(pool.ends_wh) + 1
    if schedule.versions[pool.version].scope is BlockScope.RUNNING:
        return [[found.blocks_wh.get((pool.version, p, b), 0) for p in pool.periods] for b in range(blocks)]
    left = [found.energy_wh.get((pool.version, p), 0) for p in pool.periods]
    rows = []
    for amount in filled(sum(left), pool.ends_wh):
        row = shared_out(amount, left)
        left = [a - b for a, b in zip(left, row, strict=True)]
        rows.append(row)
    return rows


def _energy(schedule: RateSchedule, found: Determinants, all_pools: list[Pool]) -> list[BillLine]:
    lines = []
    for pool in all_pools:
        tariff = schedule.versions[pool.version]
        rows = block_energy(schedule, found, pool)
        for column, index in enumerate(pool.periods):
            period = tariff.periods[index]
            tiered = len(period.blocks) > 1
            for block, row in enumerate(rows):
                if row[column] or block == 0:
                    tier = block + 1 if tiered else None
                    price, wh = period.blocks[block].price, row[column]
                    name = f"Energy, {period.name}" + (f", block {tier}" if tiered else "")
                    quantity, exact = Decimal(wh) / 1000, price * wh / 1000
                    kind = LineKind.ENERGY
                    lines.append(BillLine(kind, name, period.name, tier, quantity, "kWh", price, exact, pool.version))
    return lines


def _demand(schedule: RateSchedule, found: Determinants, rates: list[DayRate]) -> list[BillLine]:
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
        share = Decimal(days) / found.span.days
        for tier, (block, watts) in enumerate(_demand_blocks(price_period.blocks, peak.watts), start=1):
            if block.price == 0 or (watts == 0 and tier > 1):
                continue
            number = tier if len(price_period.blocks) > 1 else None
            name = f"{tariff.demand[charge].name}, {price_period.name}"
            kw = Decimal(watts) / 1000
            exact = kw * block.price * share
            lines.append(
                BillLine(LineKind.DEMAND, name, price_period.name, number, kw, "kW", block.price, exact, version)
            )
    return lines


def _demand_blocks(blocks: tuple[Block, ...], watts: int) -> list[tuple[Block, int]]:
    ends = tuple(int(b.up_to * 1000) for b in blocks if b.up_to is not None)
    return list(zip(blocks, filled(watts, ends), strict=True))


def _fixed(schedule: RateSchedule, span: BillSpan, rates: list[DayRate]) -> list[BillLine]:
    lines = []
    for version, seasons in season_days(schedule, rates).items():
        days = sum(seasons.values())
        for charge in schedule.versions[version].fixed:
            quantity, unit = _charged(charge, days, span.days)
            exact = charge.amount * quantity
            lines.append(
                BillLine(LineKind.FIXED, charge.name, None, None, quantity, unit, charge.amount, exact, version)
            )
    return lines


def _charged(charge: FixedCharge, days: int, bill_days: int) -> tuple[Decimal, str]:
    """Once a bill, shared by days between versions; or once a day."""
    if charge.unit is ChargeUnit.DAY:
        return Decimal(days), "day"
    return (Decimal(1) if days == bill_days else Decimal(days) / bill_days), "month"


def _minimum(schedule: RateSchedule, span: BillSpan, rates: list[DayRate], lines: list[BillLine]) -> list[BillLine]:
    """Top the bill up to its minimum; the top-up is against printed amounts, so the total is the minimum exactly."""
    least, name = Decimal(0), ""
    for version, seasons in season_days(schedule, rates).items():
        charge = schedule.versions[version].minimum
        if charge is not None:
            name = charge.name
            least += charge.amount * _charged(charge, sum(seasons.values()), span.days)[0]
    short = rounded_to_cent(least) - sum((line.amount for line in lines), Decimal(0))
    if short <= 0:
        return []
    return [BillLine(LineKind.MINIMUM, name, None, None, Decimal(1), "month", short, short)]
