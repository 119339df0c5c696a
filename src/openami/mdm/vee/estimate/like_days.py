"""The mean of the same wall-clock slot on days like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import F64, Estimate
from openami.mdm.vee.grid import BOOLS, I64, Grid

LIKE_DAYS = 3
LOOK_BACK_DAYS = 28
_LIKE_HALF_WIDTH = 0.5
"""Half width of a like-day band around the estimate where its references agree too well: nMAE is 50 %."""


def like_days(grid: Grid, values: I64, good: BOOLS, cells: Estimate, *, failed_day: BOOLS) -> None:
    """Fill what is still empty from days like it."""
    open_cells = np.flatnonzero(cells.method == Method.NONE)
    if not len(open_cells) or grid.days < 2:
        return
    rows, at = np.unique(cells.row[open_cells], return_inverse=True)
    cube, usable = _cube(grid, values[rows], good[rows] & ~failed_day[rows][:, grid.day_of])
    day_of, slot_of = grid.day_of[cells.column[open_cells]], grid.slot[cells.column[open_cells]]
    by_day = np.argsort(day_of, kind="stable")
    days, begin = np.unique(day_of[by_day], return_index=True)
    for day, mine in zip(days.tolist(), np.split(by_day, begin[1:]), strict=True):
        left = mine
        for candidates in _tiers(grid, day):
            if not len(left):
                break
            seen = _seen(cube, usable, at[left], slot_of[left], candidates)
            has = seen.count > 0
            place, mean = open_cells[left[has]], seen.total[has] / seen.count[has]
            cells.value[place] = mean
            cells.low[place] = np.minimum(seen.low[has], mean * (1 - _LIKE_HALF_WIDTH))
            cells.high[place] = np.maximum(seen.high[has], mean * (1 + _LIKE_HALF_WIDTH))
            cells.method[place] = Method.LIKE_DAYS
            left = left[~has]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the nearest usable days say of k cells: how many days, their sum and extremes, each (k,)."""

    count: I64
    total: F64
    low: F64
    high: F64


def _seen(cube: I64, usable: BOOLS, row: I64, slot: I64, candidates: I64) -> _Seen:
    """Look at one day after the other, nearest first, until each cell has found enough."""
    k = len(row)
    seen = _Seen(np.zeros(k, np.int64), np.zeros(k), np.full(k, np.inf), np.full(k, -np.inf))
    open_at = np.arange(k)
    for day in candidates.tolist():
        hit = open_at[usable[row[open_at], day, slot[open_at]]]
        value = cube[row[hit], day, slot[hit]].astype(float)
        seen.count[hit] += 1
        seen.total[hit] += value
        seen.low[hit] = np.minimum(seen.low[hit], value)
        seen.high[hit] = np.maximum(seen.high[hit], value)
        open_at = open_at[seen.count[open_at] < LIKE_DAYS]
        if not len(open_at):
            break
    return seen


def _cube(grid: Grid, values: I64, usable: BOOLS) -> tuple[I64, BOOLS]:
    """Return values and usability by (row, day, wall-clock slot)."""
    shape = (len(values), grid.days, grid.slots)
    cube, ok = np.zeros(shape, np.int64), np.zeros(shape, bool)
    cube[:, grid.day_of, grid.slot] = values
    ok[:, grid.day_of, grid.slot] = usable
    return cube, ok


def _tiers(grid: Grid, day: int) -> list[I64]:
    """Return candidate days, nearest first: earlier of the same kind, earlier, later of the same kind, later."""
    every = np.arange(grid.days)
    same = grid.is_weekend == grid.is_weekend[day]
    earlier = every[(every < day) & (every >= day - LOOK_BACK_DAYS)][::-1]
    later = every[(every > day) & (every <= day + LOOK_BACK_DAYS)]
    return [earlier[same[earlier]], earlier[~same[earlier]], later[same[later]], later[~same[later]]]
