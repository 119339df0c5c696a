"""The mean of the same wall-clock slot on the nearest days like it: the rule that utilities know.

Order of preference: three earlier days of the same kind; earlier days of the other kind; later days.

Source: CPUC D.98-12-080 Attachment VEE, estimation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import F64, U8, Estimate
from openami.mdm.vee.estimate.days import LOOK_BACK_DAYS
from openami.mdm.vee.grid import BOOLS, I64, Grid

LIKE_DAYS = 3
_SPREAD_SHARE = 0.35
"""Least spread as a share of the square root of the value: three days may agree too well."""


def like_days(grid: Grid, values: I64, good: BOOLS, cells: Estimate, *, day_kind: U8, failed_day: BOOLS) -> None:
    """Fill what is still empty from days like it.

    Args:
        grid: the columns.
        values: (S, N) counts.
        good: (S, N) cells that may be used.
        cells: filled in place.
        day_kind: (S, D) days of one number are alike.
        failed_day: (S, D) days with a power failure: no reference days.
    """
    open_cells = cells.open()
    if not len(open_cells) or grid.days < 2:
        return
    rows, at = np.unique(cells.row[open_cells], return_inverse=True)
    cube, usable = _cube(grid, values[rows], good[rows] & ~failed_day[rows][:, grid.day_of])
    day_of, slot_of = grid.day_of[cells.column[open_cells]], grid.slot[cells.column[open_cells]]
    kind = day_kind[rows]
    by_day = np.argsort(day_of, kind="stable")
    days, begin = np.unique(day_of[by_day], return_index=True)
    for day, mine in zip(days.tolist(), np.split(by_day, begin[1:]), strict=True):
        left, alike = mine, kind == kind[:, day : day + 1]
        for candidates, is_alike in _tiers(grid, day):
            if not len(left):
                break
            seen = _seen(cube, usable, at[left], slot_of[left], candidates, alike == is_alike)
            has = seen.count > 0
            mean, root = seen.total[has] / seen.count[has], seen.roots[has] / seen.count[has]
            spread = np.maximum(np.sqrt(np.maximum(mean - root**2, 0.0)), _SPREAD_SHARE * np.sqrt(mean))
            cells.write(open_cells[left[has]], mean, spread, Method.LIKE_DAYS)
            left = left[~has]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the nearest usable days say of k cells: how many days, their sum and the sum of their roots, each (k,)."""

    count: I64
    total: F64
    roots: F64


def _seen(cube: I64, usable: BOOLS, row: I64, slot: I64, candidates: I64, wanted: BOOLS) -> _Seen:
    """Look at one wanted day (row, day) after the other, nearest first, until each cell has found enough."""
    k = len(row)
    seen = _Seen(np.zeros(k, np.int64), np.zeros(k), np.zeros(k))
    open_at = np.arange(k)
    for day in candidates.tolist():
        hit = open_at[usable[row[open_at], day, slot[open_at]] & wanted[row[open_at], day]]
        value = cube[row[hit], day, slot[hit]].astype(float)
        seen.count[hit] += 1
        seen.total[hit] += value
        seen.roots[hit] += np.sqrt(value)
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


def _tiers(grid: Grid, day: int) -> list[tuple[I64, bool]]:
    """Return candidate days, nearest first, and of which kind: earlier alike, earlier others, later alike, others."""
    every = np.arange(grid.days)
    earlier = every[(every < day) & (every >= day - LOOK_BACK_DAYS)][::-1]
    later = every[(every > day) & (every <= day + LOOK_BACK_DAYS)]
    return [(earlier, True), (earlier, False), (later, True), (later, False)]
