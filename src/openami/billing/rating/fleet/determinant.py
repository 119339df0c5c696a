"""Determinants of a whole fleet at once: energy by price, blocks in order of time, peaks, and what was estimated."""

from __future__ import annotations

from datetime import date

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE
from openami.billing.rating.fleet.found import FleetDeterminants
from openami.billing.rating.fleet.index import STRIDE, FleetIndex
from openami.billing.rating.fleet.matrix import Flags, UsageMatrix
from openami.billing.rating.fleet.number import LARGEST, Numbers
from openami.billing.rating.fleet.peak import peak_columns
from openami.billing.rating.fleet.runs import summed_groups, summed_runs
from openami.billing.rating.pool import Pool
from openami.billing.rating.usage import I64
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope


def fleet_determinants(schedule: RateSchedule, index: FleetIndex, usage: UsageMatrix) -> FleetDeterminants:
    """Return the determinants of every row and bill, equal to those of the scalar engine one by one."""
    of_runs = summed_runs(index.energy, usage.wh)
    return FleetDeterminants(
        index=index,
        wh=summed_groups(index.energy, of_runs),
        blocks=_running(schedule, index, of_runs),
        peaks=tuple(peak_columns(one, usage, _columns_of(index, one.bill)[0]) for one in index.windows),
        received_wh=_by_bill(index, len(usage.wh), usage.received_wh),
        intervals=_count(index, usage.wh.shape, usage.absent),
        estimated=_by_bill(index, len(usage.wh), usage.estimated),
        estimated_wh=_by_bill(index, len(usage.wh), None if usage.estimated is None else usage.wh * usage.estimated),
        pieces=_pieces(index, usage.wh),
        signals=_signals(index, usage.wh),
    )


def _by_bill(index: FleetIndex, rows: int, matrix: I64 | Flags | None) -> I64:
    """Sum a matrix by bill: (rows, bills)."""
    found = np.zeros((rows, len(index.parts)), np.int64)
    if matrix is not None:
        sums = summed_groups(index.bills, summed_runs(index.bills, matrix.astype(np.int64, copy=False)))
        inside = np.flatnonzero(index.bills.group >= 0)
        found[:, index.bills.group[inside]] = sums[:, inside]
    return found


def _count(index: FleetIndex, shape: tuple[int, ...], absent: Flags | None) -> I64:
    """Return how many intervals of each bill are there: (rows, bills)."""
    whole = _by_bill(index, 1, np.ones((1, shape[1]), np.bool_))
    return np.asarray(np.broadcast_to(whole, (shape[0], whole.shape[1])) - _by_bill(index, shape[0], absent), np.int64)


def _running(schedule: RateSchedule, index: FleetIndex, of_runs: I64) -> dict[tuple[int, int, int, int], I64]:
    """Split runs over the blocks that the running total passes: within a run the price period is one."""
    found: dict[tuple[int, int, int, int], I64] = {}
    for bill, part in enumerate(index.parts):
        for pool in part.pools:
            if schedule.versions[pool.version].scope is BlockScope.RUNNING:
                for (period, block), wh in _climbed(index, pool, bill, of_runs).items():
                    found[bill, pool.version, period, block] = wh
    return found


def _climbed(index: FleetIndex, pool: Pool, bill: int, of_runs: I64) -> dict[tuple[int, int], I64]:
    codes = np.array([(bill + 1) * STRIDE + pool.version * KEY_STRIDE + p + 1 for p in pool.periods])
    mine = np.flatnonzero(np.isin(index.energy.code, codes))
    after = np.cumsum(of_runs[:, mine], axis=1)
    before = after - of_runs[:, mine]
    period = (index.energy.code[mine] - 1) % KEY_STRIDE
    found, low = {}, 0
    for block, high in enumerate((*pool.ends_wh, None)):
        part = np.clip(after, low, high) - np.clip(before, low, high)
        for one in np.unique(period).tolist():
            found[one, block] = part[:, period == one].sum(axis=1)
        low = 0 if high is None else high
    return found


def _pieces(index: FleetIndex, wh: I64) -> dict[tuple[int, date], I64]:
    """Sum energy by the parts of a bill in which no rider changes."""
    found: dict[tuple[int, date], I64] = {}
    for bill, part in enumerate(index.parts):
        if len(part.edges) > 1:
            found |= {(bill, day): np.zeros(len(wh), np.int64) for day in part.edges}
        if part.pieces is not None:
            first, last = _columns_of(index, bill)
            sums = np.add.reduceat(wh[:, first:last], part.pieces.heads - first, axis=1)
            found |= {(bill, day): sums[:, place] for place, day in enumerate(part.pieces.days)}
    return found


def _columns_of(index: FleetIndex, bill: int) -> tuple[int, int]:
    """Return the first column of a bill and one past its last: a bill's intervals lie in a row."""
    run = int(np.flatnonzero(index.bills.code == bill)[0])
    bounds = [*index.bills.starts.tolist(), index.columns]
    return bounds[run], bounds[run + 1]


def _signals(index: FleetIndex, wh: I64) -> dict[tuple[int, int, int], tuple[Numbers, int]]:
    """Multiply energy by the prices of a series, in whole numbers."""
    found: dict[tuple[int, int, int], tuple[Numbers, int]] = {}
    for bill, part in enumerate(index.parts):
        for one in part.signals:
            mine, prices = wh[:, one.columns], one.prices
            highest = int(mine.sum(axis=1).max(initial=0)) * int(np.abs(prices).max())
            if prices.dtype == object or highest >= LARGEST:
                mine, prices = mine.astype(object), prices.astype(object)
            found[bill, one.version, one.period] = (mine @ prices, one.divisor)
    return found
