"""How much each day before a gap is like the day of the gap: the weights that the weighted average and the donor use.

Only the four weeks before count: the same gap is filled alike whenever it is filled, and whatever comes after.

A reference day counts more the nearer it is, if it is of the same kind, if it was used alike in the two hours before
and after the gap, and if its energy in the slots of the gap is near what the registers leave for the gap.

The square root tames the spikes of a home: distances and means are of square roots of counts, so that one dryer run
in four weeks does not lift every estimate. Source of the constants: chosen on the tuning half of real homes and on
simulated ones (``openami bench gaps`` measures on the other half); the idea of nearest days: Energies 2017, 10, 1668.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.mdm.vee.estimate.cells import F64, U8, Estimate, Gaps, index_of
from openami.mdm.vee.grid import BOOLS, I64, Grid

LOOK_BACK_DAYS = 28
_RECENT_DAYS = 30.0
_OTHER_KIND = 0.25
_CONTEXT_S = 7_200
_CONTEXT_WIDTH = 0.7
_ENERGY_WIDTH = 0.25
_ENERGY_FLOOR = 0.06
"""Share of a gap's usual energy below which a difference does not matter."""
_UNLIKE = 1.5
"""Distance, in mean distances, of a day whose surroundings of the gap were not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class AlikeDays:
    """What K earlier days say of M cells.

    Args:
        root: (M, K) square root of the counts in the same wall-clock slot; 0 where there are none.
        weight: (M, K) how much each counts; 0 where there are none.
    """

    root: F64
    weight: F64


def alike_days(
    grid: Grid,
    values: I64,
    good: BOOLS,
    cells: Estimate,
    *,
    energy: F64,
    day_kind: U8,
    failed_day: BOOLS,
) -> AlikeDays:
    """Weigh the days before for each cell.

    Args:
        grid: the columns.
        values: (S, N) counts.
        good: (S, N) cells that may be used.
        cells: whole gaps, by (row, column).
        energy: (M,) what the registers leave for the cells of the same gap and bracket together; NaN where unknown.
        day_kind: (S, D) days of one number are alike.
        failed_day: (S, D) days with a power failure: no reference days.
    """
    gaps = Gaps.of(cells)
    lags = -np.arange(1, min(LOOK_BACK_DAYS, grid.days - 1) + 1)
    table = _column_table(grid)
    root, ok = _roots(grid, values, good, cells.row, cells.column, lags, table=table, failed_day=failed_day)
    gap = index_of(cells.gap)
    near = np.exp(-_unlikeness(grid, values, good, gaps, lags, table=table, failed_day=failed_day) / _CONTEXT_WIDTH)
    day = grid.day_of[cells.column]
    kind = day_kind[cells.row[:, None], np.clip(day[:, None] + lags, 0, grid.days - 1)]
    weight = np.where(kind == day_kind[cells.row, day][:, None], 1.0, _OTHER_KIND) * np.exp(
        -np.abs(lags) / _RECENT_DAYS
    )
    weight *= ok * near[gap] * _energy_factor(root, ok, weight, cells, gap, energy)
    return AlikeDays(root, weight)


def usual(grid: Grid, values: I64, good: BOOLS, cells: Estimate, *, failed_day: BOOLS) -> F64:
    """Return the plain mean of the slot over the days before for each cell (M,); 1 where there is none."""
    lags = -np.arange(1, min(LOOK_BACK_DAYS, grid.days - 1) + 1)
    table = _column_table(grid)
    root, ok = _roots(grid, values, good, cells.row, cells.column, lags, table=table, failed_day=failed_day)
    count = ok.sum(axis=1)
    return np.where(count > 0, (root**2).sum(axis=1) / np.maximum(count, 1), 1.0)


def _column_table(grid: Grid) -> I64:
    """Return the column of each (day, wall-clock slot), or -1; of an hour that comes twice, the second."""
    table = np.full((grid.days, grid.slots), -1, np.int64)
    table[grid.day_of, grid.slot] = np.arange(grid.columns)
    return table


def _roots(
    grid: Grid, values: I64, good: BOOLS, row: I64, column: I64, lags: I64, *, table: I64, failed_day: BOOLS
) -> tuple[F64, BOOLS]:
    """Return the square roots in the same slot ``lags`` days away, and whether they may be used; both (M, K)."""
    day = grid.day_of[column][:, None] + lags
    inside = (day >= 0) & (day < grid.days)
    day = np.clip(day, 0, grid.days - 1)
    at = table[day, grid.slot[column][:, None]]
    ok = inside & (at >= 0)
    rows = row[:, None]
    ok &= good[rows, at] & ~failed_day[rows, day]
    return np.sqrt(np.where(ok, values[rows, at], 0)), ok


def _unlikeness(grid: Grid, values: I64, good: BOOLS, gaps: Gaps, lags: I64, *, table: I64, failed_day: BOOLS) -> F64:
    """Return how unlike the hours around each gap were (G, K), in mean distances of the gap's days."""
    width = max(1, _CONTEXT_S // grid.interval_s)
    offsets = np.arange(1, width + 1)
    around = np.concatenate([gaps.first[:, None] - offsets, (gaps.first + gaps.length - 1)[:, None] + offsets], axis=1)
    inside = (around >= 0) & (around < grid.columns)
    around = np.clip(around, 0, grid.columns - 1)
    rows = np.repeat(gaps.row, around.shape[1])
    there, ok = _roots(grid, values, good, rows, around.ravel(), lags, table=table, failed_day=failed_day)
    here_ok = (inside & good[gaps.row[:, None], around]).ravel()
    here = np.sqrt(np.where(here_ok, np.maximum(values[rows, around.ravel()], 0), 0))
    ok &= here_ok[:, None]
    shape = (len(gaps.row), around.shape[1], len(lags))
    distance = (np.abs(there - here[:, None]) * ok).reshape(shape).sum(axis=1)
    count = ok.reshape(shape).sum(axis=1)
    distance /= np.maximum(count, 1)
    measured = count > 0
    usual = (distance * measured).sum(axis=1) / np.maximum(measured.sum(axis=1), 1)
    return np.where(measured, distance / np.maximum(usual, 1e-9)[:, None], _UNLIKE)


def _energy_factor(root: F64, ok: BOOLS, weight: F64, cells: Estimate, gap: I64, energy: F64) -> F64:
    """Return a factor (M, K) that falls with the difference between a day's energy in the gap and the known one."""
    known = ~np.isnan(energy)
    if not known.any():
        return np.ones((len(gap), 1))
    fresh = np.ones(len(gap), bool)
    fresh[1:] = (gap[1:] != gap[:-1]) | (cells.bracket[1:] != cells.bracket[:-1])
    part, first = np.cumsum(fresh) - 1, np.flatnonzero(fresh)
    count = np.add.reduceat(ok, first, axis=0, dtype=np.int64)
    length = np.diff(np.append(first, len(gap)))[:, None]
    used = np.add.reduceat(root**2, first, axis=0) * length / np.maximum(count, 1)
    share = np.where(count > 0, weight[first], 0.0)
    usual = (used * share).sum(axis=1) / np.maximum(share.sum(axis=1), 1e-12)
    floor = np.maximum(_ENERGY_FLOOR * usual, 1.0)[:, None]
    left = np.where(known[first], energy[first], 0.0)[:, None]
    factor = np.exp(-np.abs(np.log((np.maximum(left, 0.0) + floor) / (used + floor))) / _ENERGY_WIDTH)
    return np.asarray(np.where(known[first][:, None], factor, 1.0)[part])
