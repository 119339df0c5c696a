"""The energy lines of a bill: each block of each price period, in whole Wh that add up to the use."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.ladder import filled
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.pool import Pool
from openami.billing.rating.share import shared_out
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope, BlockUnit, PricePeriod

_PRINTED_PLACES = Decimal("0.000001")


def block_energy(schedule: RateSchedule, found: Determinants, pool: Pool, before_wh: int = 0) -> list[list[int]]:
    """Return Wh by (block, period of the pool). Rows add up to blocks and columns to periods, exactly.

    Args:
        schedule: the rate.
        found: energy as billed.
        pool: which of its price periods.
        before_wh: energy that filled the ladder before this bill: the year's so far, for blocks of a year.
    """
    blocks = len(pool.ends_wh) + 1
    if schedule.versions[pool.version].scope is BlockScope.RUNNING:
        return [[found.blocks_wh.get((pool.version, p, b), 0) for p in pool.periods] for b in range(blocks)]
    left = [found.energy_wh.get((pool.version, p), 0) for p in pool.periods]
    rows = []
    for amount in filled(sum(left), pool.ends_wh, before_wh=before_wh):
        row = shared_out(amount, left)
        left = [a - b for a, b in zip(left, row, strict=True)]
        rows.append(row)
    return rows


def energy_lines(
    schedule: RateSchedule,
    found: Determinants,
    billed: Determinants,
    all_pools: Sequence[Pool],
    rates: Sequence[DayRate],
    year_wh: int,
) -> list[BillLine]:
    """Return a line for each block of each price period, also where it is empty of use but in force.

    Args:
        schedule: the rate.
        found: as metered.
        billed: as billed: the same, or in whole kWh.
        all_pools: which price periods fill blocks together.
        rates: how each day is priced.
        year_wh: energy of the rate year before this bill.
    """
    lines: list[BillLine] = []
    for pool in all_pools:
        tariff = schedule.versions[pool.version]
        seasons = {r.season for r in rates if r.version == pool.version}
        ordinary = {w.period for s in seasons for plan in tariff.seasons[s].energy for w in plan}
        annual = tariff.block_unit is BlockUnit.KWH_ANNUAL
        rows = block_energy(schedule, billed, pool, year_wh if annual else 0)
        year_wh += sum(sum(row) for row in rows)
        for column, index in enumerate(pool.periods):
            blocks = [row[column] for row in rows]
            lines += _period_lines(pool.version, tariff.periods[index], blocks, is_shown=index in ordinary)
            lines += _signal_lines(pool.version, tariff.periods[index], (pool.version, index), found, billed)
    return lines


def _period_lines(version: int, period: PricePeriod, blocks: Sequence[int], *, is_shown: bool) -> list[BillLine]:
    """A price in force is shown also without use; a price of events only where an event was."""
    lines = []
    tiered = len(period.blocks) > 1
    for number, wh in enumerate(blocks):
        if not wh and (number > 0 or any(blocks) or not is_shown):
            continue
        tier = number + 1 if tiered else None
        price = period.blocks[number].price
        name = f"Energy, {period.name}" + (f", block {tier}" if tiered else "")
        clause = f"versions[{version}].periods[{period.name}].blocks[{number}]"
        lines.append(
            BillLine(
                LineKind.ENERGY, name, period.name, tier, Decimal(wh) / 1000, "kWh", price, price * wh / 1000, version,
                clause,
            )
        )  # fmt: skip
    return lines


def _signal_lines(
    version: int, period: PricePeriod, key: tuple[int, int], found: Determinants, billed: Determinants
) -> list[BillLine]:
    """The part of a price that follows a series: one line, whose price is the mean of the energy billed."""
    if not period.signal or not found.energy_wh.get(key, 0):
        return []
    wh, metered = billed.energy_wh[key], found.energy_wh[key]
    amount = found.signal_amounts[key] * Fraction(period.factor) * wh / metered
    mean = exact_decimal(amount * 1000 / wh).quantize(_PRINTED_PLACES) if wh else Decimal(0)
    name = f"Energy, {period.name}, at the price of {period.signal}"
    clause = f"versions[{version}].periods[{period.name}].signal"
    return [
        BillLine(
            LineKind.ENERGY, name, period.name, None, Decimal(wh) / 1000, "kWh", mean, exact_decimal(amount), version,
            clause,
        )
    ]  # fmt: skip
