"""Estimates of missing energy before scaling: linear to two hours, like days beyond, else nothing.

Order of preference: linear between good neighbors for a gap of at most two hours; the mean of the same wall-clock
slot on the three nearest earlier days of the same kind (weekday or weekend); earlier days of the other kind; later
days. Days on which the meter reported a power failure are no reference. Nothing is invented: where none of this is
there, the cell keeps method NONE and only a register can fill it.

Source: CPUC D.98-12-080 Attachment VEE, estimation; research note on VEE, 1.1 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import Method
from openami.mdm.vee.grid import BOOLS, I64, Grid

LINEAR_MAX_S = 7_200
LIKE_DAYS = 3
LOOK_BACK_DAYS = 28
_LINEAR_HALF_WIDTH = 0.5
"""Half width of a linear estimate's band, as a share of the mean of its neighbors: nMAE is 28 to 44 %."""
_LIKE_HALF_WIDTH = 0.5
"""Half width of a like-day band around the estimate where its references agree too well: nMAE is 50 %."""

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Estimates of M missing cells.

    Args:
        row, column: (M,) place of each cell, by (row, column).
        value: (M,) counts, not rounded; 0 where the method is NONE.
        low, high: (M,) band.
        method: (M,) LINEAR, LIKE_DAYS or NONE.
        gap: (M,) number of the gap the cell belongs to, rising.
    """

    row: I64
    column: I64
    value: F64
    low: F64
    high: F64
    method: npt.NDArray[np.uint8]
    gap: I64


def estimated(
    grid: Grid, values: I64, good: BOOLS, missing: BOOLS, *, failed_day: BOOLS, with_like_days: bool = True
) -> Estimate:
    """Estimate each missing cell from good ones.

    Args:
        grid: the columns.
        values: (S, N) counts.
        good: (S, N) cells that may be used.
        missing: (S, N) cells to estimate.
        failed_day: (S, D) days with a power failure: no reference days.
        with_like_days: False leaves longer gaps empty.
    """
    row, column = np.nonzero(missing)
    count = len(row)
    fresh = np.ones(count, bool)
    fresh[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1] + 1)
    gap = np.cumsum(fresh) - 1
    result = Estimate(
        row, column, np.zeros(count), np.zeros(count), np.zeros(count), np.full(count, Method.NONE, np.uint8), gap
    )
    if count:
        _linear(grid, values, good, result)
    if count and with_like_days:
        _like_days(grid, values, good, result, failed_day=failed_day)
    return result


def _linear(grid: Grid, values: I64, good: BOOLS, cells: Estimate) -> None:
    """Fill gaps of at most two hours between good neighbors."""
    first = np.searchsorted(cells.gap, np.arange(cells.gap[-1] + 1))
    length = np.diff(np.append(first, len(cells.gap)))
    row, before = cells.row[first], cells.column[first] - 1
    after = before + length + 1
    usable = (before >= 0) & (after < grid.columns) & (length * grid.interval_s <= LINEAR_MAX_S)
    a_at, b_at = np.maximum(before, 0), np.minimum(after, grid.columns - 1)
    usable &= good[row, a_at] & good[row, b_at]
    a, b = values[row, a_at].astype(float)[cells.gap], values[row, b_at].astype(float)[cells.gap]
    step = (cells.column - before[cells.gap]) / (length[cells.gap] + 1)
    here = usable[cells.gap]
    half = _LINEAR_HALF_WIDTH * (a + b) / 2
    cells.value[here] = (a + (b - a) * step)[here]
    cells.low[here] = np.maximum(np.minimum(a, b) - half, 0)[here]
    cells.high[here] = (np.maximum(a, b) + half)[here]
    cells.method[here] = Method.LINEAR


def _like_days(grid: Grid, values: I64, good: BOOLS, cells: Estimate, *, failed_day: BOOLS) -> None:
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
