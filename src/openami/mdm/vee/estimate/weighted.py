"""The optimally weighted average: the line near the edges of a gap, the days like it inside.

With the square root of counts throughout, because it tames spikes: x = w line + (1 - w) like days, with
w = 0.9 exp(-1.3 h) at h hours from the nearest good neighbor. Where no register knows the gap's energy, the estimate
is scaled to the plain weighted mean, so that its energy is not low on average.

Source: Peppanen, Zhang, Grijalva and Reno 2016 for the blend; weights of days in :mod:`openami.mdm.vee.estimate.days`.
"""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import F64, Estimate, Gaps, index_of, starts_of
from openami.mdm.vee.estimate.days import AlikeDays
from openami.mdm.vee.grid import BOOLS, I64, Grid

_EDGE_WEIGHT = 0.9
_DECAY_PER_H = 1.3
_LEAST_SPREAD = 0.5
"""Of a root of counts: below one count, integers round."""


def weighted(grid: Grid, values: I64, good: BOOLS, cells: Estimate, days: AlikeDays) -> None:
    """Fill open cells that have a reference day.

    Args:
        grid: the columns.
        values: (S, N) counts.
        good: (S, N) cells that may be used.
        cells: whole gaps; filled in place.
        days: what the days around say of each.
    """
    total = days.weight.sum(axis=1)
    here = np.flatnonzero((total > 0) & (cells.method == Method.NONE))
    if not len(here):
        return
    safe = np.where(total > 0, total, 1.0)
    like = (days.weight * days.root).sum(axis=1) / safe
    variance = np.maximum((days.weight * days.root**2).sum(axis=1) / safe - like**2, 0.0)
    line, weight = _line(grid, values, good, cells)
    root = weight * line + (1.0 - weight) * like
    plain = weight * line**2 + (1.0 - weight) * (like**2 + variance)
    value = root**2 * _unbiased(root, plain, cells)
    spread = np.sqrt(variance * (1.0 - weight**2) + weight * (1.0 - weight) * (line - like) ** 2)
    cells.write(here, value[here], np.maximum(spread, _LEAST_SPREAD)[here], Method.WEIGHTED)


def _line(grid: Grid, values: I64, good: BOOLS, cells: Estimate) -> tuple[F64, F64]:
    """Return the line through the roots of the good neighbors, and its weight: 0 where there is no neighbor."""
    gaps = Gaps.of(cells)
    gap = index_of(cells.gap)
    a_at, b_at, has_a, has_b = gaps.edges(grid, good)
    a = np.sqrt(np.maximum(values[gaps.row, a_at], 0))
    b = np.sqrt(np.maximum(values[gaps.row, b_at], 0))
    # A gap that is open at one side is held at the level of the other.
    a, b = np.where(has_a, a, b), np.where(has_b, b, a)
    place = cells.column - gaps.first[gap] + 1
    length = gaps.length[gap]
    far = np.iinfo(np.int64).max
    from_a, from_b = np.where(has_a[gap], place, far), np.where(has_b[gap], length + 1 - place, far)
    away = np.minimum(from_a, from_b)
    hours = (np.minimum(away, 10_000) - 1) * (grid.interval_s / 3600)
    weight = np.where(away == far, 0.0, _EDGE_WEIGHT * np.exp(-_DECAY_PER_H * hours))
    return a[gap] + (b - a)[gap] * place / (length + 1), weight


def _unbiased(root: F64, plain: F64, cells: Estimate) -> F64:
    """Return the factor of each cell that gives its gap the energy of the plain mean."""
    first = starts_of(cells.gap)
    squares, energy = np.add.reduceat(root**2, first), np.add.reduceat(plain, first)
    factor = np.where(squares > 0, energy / np.where(squares > 0, squares, 1.0), 1.0)
    return factor[index_of(cells.gap)]
