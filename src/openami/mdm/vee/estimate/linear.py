"""The line between the good neighbors of a short gap."""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import Estimate, Gaps
from openami.mdm.vee.grid import BOOLS, I64, Grid

_LEVEL_SHARE, _STEP_SHARE = 0.15, 0.5
"""Spread of a line: a share of the level of its ends and of the step between them, as square roots."""


def linear(
    grid: Grid, values: I64, good: BOOLS, cells: Estimate, *, max_gap_s: int, needs_register: bool = False
) -> None:
    """Fill open gaps of at most ``max_gap_s`` between good neighbors, or only those in brackets."""
    gaps = Gaps.of(cells)
    a_at, b_at, has_a, has_b = gaps.edges(grid, good)
    usable = has_a & has_b & (gaps.length * grid.interval_s <= max_gap_s)
    here = usable[cells.gap] & (cells.method == Method.NONE)
    if needs_register:
        here &= cells.bracket >= 0
    here = np.flatnonzero(here)
    gap = cells.gap[here]
    a, b = values[gaps.row, a_at][gap].astype(float), values[gaps.row, b_at][gap].astype(float)
    step = (cells.column[here] - gaps.first[gap] + 1) / (gaps.length[gap] + 1)
    spread = _LEVEL_SHARE * np.sqrt((a + b) / 2) + _STEP_SHARE * np.abs(np.sqrt(a) - np.sqrt(b))
    cells.write(here, a + (b - a) * step, spread, Method.LINEAR)
