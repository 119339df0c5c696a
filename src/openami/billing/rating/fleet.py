"""Rate a whole fleet at once: (service points x intervals) integers to cents, equal to the scalar engine.

One period index serves every row; energy is summed by runs of equal price. Amounts are integers of a nano-dollar, so
they are exact; they are rounded half up per line as :func:`openami.kernel.money.rounded_to_cent` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.rating.calendar import KEY_STRIDE, day_rates, price_keys
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.pool import Pool, pools
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope

NANO = 10**9
CENT_NANO = 10**7


@dataclass(frozen=True, slots=True, eq=False)
class FleetDeterminants:
    """Energy of many service points by bill and price.

    Args:
        bill: (k,) which bill each column belongs to.
        key: (k,) price key, ``version * KEY_STRIDE + period``.
        wh: (n, k) int64 energy.
    """

    bill: I64
    key: I64
    wh: I64


@dataclass(frozen=True, slots=True, eq=False)
class PriceIndex:
    """Where each interval's energy goes: made once per (rate, zone, range).

    Args:
        starts: (r,) first interval of each run of one bill and price.
        order: (r,) runs sorted by column.
        heads: (k,) first run of each column in that order.
        bill: (k,) bill of each column; -1 is outside every bill.
        key: (k,) price key of each column.
    """

    starts: I64
    order: I64
    heads: I64
    bill: I64
    key: I64


def price_index(
    schedule: RateSchedule, start_s: I64, interval_s: int, spans: list[BillSpan], zone: ZoneInfo
) -> PriceIndex:
    """Return the index of an unbroken grid of intervals.

    Raises:
        TariffError: as :func:`~openami.billing.rating.calendar.price_keys`.
    """
    bill, key = price_keys(schedule, start_s, interval_s, spans, zone)
    column = (bill + 1) * (KEY_STRIDE * KEY_STRIDE) + key + 1
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(column)) + 1])
    order = np.argsort(column[starts], kind="stable")
    heads = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(column[starts][order])) + 1])
    first = starts[order][heads]
    return PriceIndex(starts, order, heads, bill[first], key[first])


def fleet_determinants(index: PriceIndex, wh: I64) -> FleetDeterminants:
    """Return energy by bill and price for every row of ``wh`` (n, intervals) int64."""
    runs = np.add.reduceat(wh, index.starts, axis=1)
    return FleetDeterminants(index.bill, index.key, np.add.reduceat(runs[:, index.order], index.heads, axis=1))


def fleet_totals_cents(
    schedule: RateSchedule, found: FleetDeterminants, spans: list[BillSpan]
) -> npt.NDArray[np.int64]:
    """Return the total of each bill in cents: (n, bills) int64.

    Raises:
        TariffError: the rate has demand, a minimum, running blocks or a price finer than a nano-dollar per Wh: those
            are rated one by one.
    """
    totals = np.zeros((len(found.wh), len(spans)), np.int64)
    for number, span in enumerate(spans):
        rates = day_rates(schedule, span)
        for pool in pools(schedule, span, rates):
            totals[:, number] += _pool_cents(schedule, found, pool, number)
        totals[:, number] += _fixed_cents(schedule, span)
    return totals


def _pool_cents(schedule: RateSchedule, found: FleetDeterminants, pool: Pool, bill: int) -> I64:
    tariff = schedule.versions[pool.version]
    if tariff.demand or tariff.minimum or tariff.scope is BlockScope.RUNNING:
        raise TariffError(f"{schedule.code}.fleet", "demand, minimum and running blocks are rated one by one")
    columns = [_column(found, bill, pool.version * KEY_STRIDE + p) for p in pool.periods]
    left = np.stack(columns, axis=1)
    usage = left.sum(axis=1)
    cents = np.zeros(len(usage), np.int64)
    low = 0
    for block, high in enumerate((*pool.ends_wh, None)):
        amount = (
            np.minimum(usage, high) - np.minimum(usage, low) if high is not None else usage - np.minimum(usage, low)
        )
        row = left if high is None else _shared_out(amount, left)
        left = left - row
        for column, period in enumerate(pool.periods):
            cents += _cents(row[:, column] * _nano(schedule, tariff.periods[period].blocks[block].price))
        low = low if high is None else high
    return cents


def _column(found: FleetDeterminants, bill: int, key: int) -> I64:
    where = np.flatnonzero((found.bill == bill) & (found.key == key))
    return found.wh[:, where[0]] if len(where) else np.zeros(len(found.wh), np.int64)


def _shared_out(amount: I64, shares: I64) -> I64:
    """Largest remainder by row, as :func:`openami.billing.rating.rate.shared_out` does one at a time."""
    total = np.maximum(shares.sum(axis=1), 1)
    product = amount[:, None] * shares
    parts = product // total[:, None]
    spare = amount - parts.sum(axis=1)
    spare[shares.sum(axis=1) == 0] = 0
    order = np.argsort(-(product % total[:, None]), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return np.asarray(parts + (rank < spare[:, None]), np.int64)


def _cents(nano: I64) -> I64:
    """Round half away from zero."""
    return np.asarray(np.sign(nano) * ((np.abs(nano) + CENT_NANO // 2) // CENT_NANO), np.int64)


def _nano(schedule: RateSchedule, price: Decimal) -> int:
    scaled = price * NANO / 1000
    if scaled != scaled.to_integral_value():
        raise TariffError(f"{schedule.code}.fleet", f"price {price} is finer than 10^-9 per Wh")
    return int(scaled)


def _fixed_cents(schedule: RateSchedule, span: BillSpan) -> int:
    # A bill without use holds the fixed lines alone.
    return int(rate(schedule, Determinants(span, 0, {})).total * 100)
