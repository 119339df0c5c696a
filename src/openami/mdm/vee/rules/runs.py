"""Runs of cells, cut at local midnights, so that every statement belongs to one local day."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.mdm.vee.grid import BOOLS, Grid

MAX_RUNS = 1_000_000
"""Most runs that one rule reports in one call: a matrix of noise must not eat the memory."""


def runs(grid: Grid, mask: BOOLS) -> Iterator[tuple[int, int, int]]:
    """Yield (row, lo, hi) of each run of true cells within one local day."""
    if not mask.any():
        return
    row, column = np.nonzero(mask)
    fresh = np.ones(len(row), bool)
    fresh[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1] + 1)
    fresh[1:] |= grid.day_of[column[1:]] != grid.day_of[column[:-1]]
    first = np.flatnonzero(fresh)[:MAX_RUNS]
    last = np.append(np.flatnonzero(fresh)[1:], len(row))[:MAX_RUNS] - 1
    yield from zip(row[first].tolist(), column[first].tolist(), (column[last] + 1).tolist(), strict=True)
