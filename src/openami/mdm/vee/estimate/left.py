"""What the registers leave for each gap: a bracket's energy shared out over the gaps in it by their usual energy."""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import CELLS_AT_ONCE, F64, Estimate
from openami.mdm.vee.estimate.days import usual
from openami.mdm.vee.grid import BOOLS, I64, Grid


def left_for(grid: Grid, values: I64, good: BOOLS, cells: Estimate, energy: F64, *, failed_day: BOOLS) -> F64:
    """Return for each cell (M,) what is left for its part of its gap, as a whole; NaN where no register knows.

    A part is what one gap has in one bracket. A bracket of one part is all for it.

    Args:
        grid: the columns.
        values: (S, N) counts.
        good: (S, N) cells that may be used.
        cells: all missing cells, some of them estimated already.
        energy: (B,) what the registers of each bracket leave for its cells; NaN where they cannot say.
        failed_day: (S, D) days with a power failure: no reference days.
    """
    held = cells.bracket >= 0
    if not held.any():
        return np.full(len(cells.row), np.nan)
    fresh = np.ones(len(cells.row), bool)
    fresh[1:] = (cells.gap[1:] != cells.gap[:-1]) | (cells.bracket[1:] != cells.bracket[:-1])
    first = np.flatnonzero(fresh)
    bracket = cells.bracket[first]
    parts = np.bincount(bracket[bracket >= 0], minlength=len(energy))
    share = np.ones(len(first))
    if (parts > 1).any():
        mine = np.add.reduceat(_said(grid, values, good, cells, held & (parts[cells.bracket] > 1), failed_day), first)
        total = np.bincount(bracket[bracket >= 0], weights=mine[bracket >= 0], minlength=len(energy))
        several = (bracket >= 0) & (parts[bracket] > 1)
        share = np.where(several, mine / np.where(total[bracket] > 0, total[bracket], 1.0), share)
    left = np.where(bracket >= 0, np.maximum(energy[bracket], 0) * share, np.nan)
    return np.asarray(left[np.cumsum(fresh) - 1])


def _said(grid: Grid, values: I64, good: BOOLS, cells: Estimate, wanted: BOOLS, failed_day: BOOLS) -> F64:
    """Return what wanted cells (M,) would hold: the estimate if there is one, else what is usual."""
    said = np.where(cells.method == Method.NONE, 0.0, cells.value)
    at = np.flatnonzero(wanted & (cells.method == Method.NONE))
    for lo in range(0, len(at), CELLS_AT_ONCE):
        piece = at[lo : lo + CELLS_AT_ONCE]
        said[piece] = usual(grid, values, good, cells.cut(piece), failed_day=failed_day)
    return said
