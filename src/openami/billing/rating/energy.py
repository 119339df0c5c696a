"""The energy lines of a bill: each block of each price period, in whole Wh that add up to the use."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.rating.determinant import Determinants
from openami.billing.rating.ladder import filled
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.pool import Pool
from openami.billing.rating.share import shared_out
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope


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


def energy_lines(schedule: RateSchedule, found: Determinants, all_pools: list[Pool]) -> list[BillLine]:
    """Return a line for each block of each price period, also where it is empty of use but in force."""
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
                    clause = f"versions[{pool.version}].periods[{period.name}].blocks[{block}]"
                    lines.append(
                        BillLine(kind, name, period.name, tier, quantity, "kWh", price, exact, pool.version, clause)
                    )
    return lines
