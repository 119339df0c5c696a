"""Energy and demand lines of a fleet's bills in columns, in the order of :mod:`openami.billing.rating.rate`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from openami.billing.rating.demand import DemandKey
from openami.billing.rating.demand_line import demand_in_force
from openami.billing.rating.fleet.billed import BilledEnergy
from openami.billing.rating.fleet.block import block_energy
from openami.billing.rating.fleet.found import FleetDeterminants
from openami.billing.rating.fleet.line import LineColumn, OwnPrice
from openami.billing.rating.fleet.number import multiplied
from openami.billing.rating.fleet.peak import NO_PEAK
from openami.billing.rating.line import LineKind
from openami.billing.rating.months import months_of
from openami.billing.rating.usage import I64
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockUnit, PricePeriod
from openami.billing.tariff.proration import Proration


def energy_lines(
    schedule: RateSchedule, found: FleetDeterminants, billed: BilledEnergy, bill: int, year_wh: I64
) -> Iterator[LineColumn]:
    """Yield a line for each block of each price period, and for each part of a price that follows a series.

    Args:
        schedule: the rate.
        found: as metered.
        billed: the energy billed.
        bill: which bill.
        year_wh: (n,) energy of the rate year before this bill.
    """
    part = found.index.parts[bill]
    for pool in part.pools:
        tariff = schedule.versions[pool.version]
        seasons = {r.season for r in part.rates if r.version == pool.version}
        ordinary = {w.period for s in seasons for plan in tariff.seasons[s].energy for w in plan}
        annual = tariff.block_unit is BlockUnit.KWH_ANNUAL
        rows = block_energy(schedule, billed, pool, year_wh if annual else np.zeros_like(year_wh))
        for column, number in enumerate(pool.periods):
            blocks = [row[column] for row in rows]
            year_wh = year_wh + np.sum(blocks, axis=0)
            yield from _period_lines(pool.version, tariff.periods[number], blocks, is_shown=number in ordinary)
            if tariff.periods[number].signal and (bill, pool.version, number) in found.signals:
                yield _signal_line(pool.version, number, tariff.periods[number], found, billed, bill)


def _period_lines(version: int, period: PricePeriod, blocks: Sequence[I64], *, is_shown: bool) -> Iterator[LineColumn]:
    tiered = len(period.blocks) > 1
    used = [wh > 0 for wh in blocks]
    for number, wh in enumerate(blocks):
        tier = number + 1 if tiered else None
        price = period.blocks[number].price
        numerator, divisor = multiplied(wh, 1000, price)
        present = used[number] | ~np.any(used, axis=0) if number == 0 and is_shown else used[number]
        yield LineColumn(
            LineKind.ENERGY, f"Energy, {period.name}" + (f", block {tier}" if tiered else ""), period.name, tier,
            "kWh", price, wh, numerator, divisor, None if present.all() else present, version,
            f"versions[{version}].periods[{period.name}].blocks[{number}]",
        )  # fmt: skip


def _signal_line(
    version: int, number: int, period: PricePeriod, found: FleetDeterminants, billed: BilledEnergy, bill: int
) -> LineColumn:
    amounts, parts = found.signals[bill, version, number]
    metered, wh = found.energy(bill, version, number), billed.of(version, number)
    if (wh != metered).any():
        # Whole kWh take their share of the metered amount: a fraction of each row's own.
        shares = zip(amounts.tolist(), wh.tolist(), metered.tolist(), strict=True)
        amounts = np.array([Fraction(a * w, max(m, 1)) for a, w, m in shares], object)
    numerator, divisor = multiplied(amounts, parts, period.factor)
    return LineColumn(
        LineKind.ENERGY, f"Energy, {period.name}, at the price of {period.signal}", period.name, None, "kWh",
        OwnPrice.MEAN, wh, numerator, divisor, metered > 0, version,
        f"versions[{version}].periods[{period.name}].signal",
    )  # fmt: skip


def demand_lines(schedule: RateSchedule, found: FleetDeterminants, bill: int) -> Iterator[LineColumn]:
    """Yield a line for each block of each demand period in force, where no ratchet looks at earlier bills."""
    part = found.index.parts[bill]
    peaks = {
        (one.index.version, one.index.charge, period): watts
        for one in found.peaks
        if one.index.bill == bill
        for period, watts in one.watts.items()
    }
    none = np.full(len(found.wh), NO_PEAK)
    for key, days in demand_in_force(schedule, part.span, part.rates).items():
        tariff = schedule.versions[key[0]]
        priced, step_w = tariff.demand[key[1]], tariff.rounding.demand_step_w
        metered = peaks.get(key, none)
        watts = np.maximum(np.maximum(metered, priced.least_w), 0)
        billed = (2 * watts + step_w) // (2 * step_w) * step_w
        months = months_of(
            tariff.proration if tariff.proration.demand else Proration(), part.terms.whole(part.span), days
        )
        yield from _demand_blocks(
            key, priced, metered, billed, months, len(days) if len(days) < part.span.days else None
        )


def _demand_blocks(
    key: DemandKey, priced: DemandCharge, metered: I64, watts: I64, months: Fraction, days: int | None
) -> Iterator[LineColumn]:
    version, _, period = key
    price_period = priced.periods[period]
    ends = [int(b.up_to * 1000) for b in price_period.blocks if b.up_to is not None]
    clause = f"versions[{version}].demand[{priced.name}].periods[{price_period.name}]"
    for tier, (low, high) in enumerate(itertools.pairwise((0, *ends, None)), start=1):
        block = price_period.blocks[tier - 1]
        taken = _between(watts, low or 0, high)
        present = ((metered != NO_PEAK) | (watts > 0)) & ((taken > 0) | (tier == 1))
        if block.price == 0 or not present.any():
            continue
        numerator, divisor = multiplied(taken, 1000, Fraction(block.price) * months)
        yield LineColumn(
            LineKind.DEMAND, f"{priced.name}, {price_period.name}", price_period.name,
            tier if len(price_period.blocks) > 1 else None, "kW", block.price, taken, numerator, divisor, present,
            version, f"{clause}.blocks[{tier - 1}]", days,
        )  # fmt: skip


def received_lines(found: FleetDeterminants, bill: int) -> Iterator[LineColumn]:
    """Yield the line that lists energy sent out, where some was."""
    wh = found.received_wh[:, bill]
    if wh.any():
        name = "Energy received from you (listed, not credited on this rate)"
        version = found.index.parts[bill].rates[-1].version
        none = np.zeros_like(wh)
        yield LineColumn(LineKind.CREDIT, name, None, None, "kWh", Decimal(0), wh, none, 1, wh > 0, version)


def _between(watts: I64, low: int, high: int | None) -> I64:
    return np.asarray((watts if high is None else np.minimum(watts, high)) - np.minimum(watts, low), np.int64)
