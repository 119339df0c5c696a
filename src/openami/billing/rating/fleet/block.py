"""Energy by block for a whole fleet: ladders filled by pooled or own totals, shared out by largest remainder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from openami.billing.rating.fleet.billed import BilledEnergy
from openami.billing.rating.fleet.number import LARGEST
from openami.billing.rating.pool import Pool
from openami.billing.rating.usage import I64
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope


def block_energy(schedule: RateSchedule, billed: BilledEnergy, pool: Pool, before_wh: I64) -> list[list[I64]]:
    """Return Wh by (block, period of the pool), (n,) each: what the scalar engine does one at a time, in columns.

    Args:
        schedule: the rate.
        billed: the energy billed.
        pool: which of its price periods.
        before_wh: (n,) energy that filled the ladder before this bill.
    """
    blocks = range(len(pool.ends_wh) + 1)
    if schedule.versions[pool.version].scope is BlockScope.RUNNING:
        none = np.zeros(billed.rows, np.int64)
        return [[billed.blocks.get((pool.version, p, b), none) for p in pool.periods] for b in blocks]
    columns = [billed.of(pool.version, p) for p in pool.periods]
    if len(blocks) == 1:
        return [columns]
    return list(_filled(columns, pool.ends_wh, before_wh))


def _filled(columns: list[I64], ends_wh: tuple[int, ...], before_wh: I64) -> Iterator[list[I64]]:
    left = np.stack(columns, axis=1)
    after = before_wh + left.sum(axis=1)
    edges = [before_wh, *(np.clip(end, before_wh, after) for end in ends_wh)]
    for low, high in itertools.pairwise(edges):
        row = shared_out(high - low, left)
        left = left - row
        yield list(row.T)
    yield list(left.T)


def shared_out(amount: I64, shares: I64) -> I64:
    """Largest remainder by row, as :func:`openami.billing.rating.share.shared_out` does one at a time.

    Args:
        amount: (n,) not negative.
        shares: (n, k) not negative.
    """
    total = shares.sum(axis=1)[:, None]
    if shares.shape[1] == 1:
        return np.asarray(amount[:, None] * (total > 0), np.int64)
    divisor = np.maximum(total, 1)
    if amount.size and int(amount.max()) * int(shares.max()) >= LARGEST:
        product = amount[:, None].astype(object) * shares
        parts, rest = (product // divisor).astype(np.int64), (product % divisor).astype(np.int64)
    else:
        parts, rest = np.divmod(amount[:, None] * shares, divisor)
    spare = np.where(total[:, 0] == 0, 0, amount - parts.sum(axis=1))
    order = np.argsort(-rest, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return np.asarray(parts + (rank < spare[:, None]), np.int64)
