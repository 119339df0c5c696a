"""Rows of readings laid out as a matrix (series x intervals), with what does not fit counted, never dropped unsaid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import RawQuality
from openami.mdm.vee.grid import BOOLS, I64, Grid

U16 = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Raw readings of S series on a grid of N columns.

    Args:
        values: (S, N) counts after the multiplier; 0 where absent.
        present: (S, N) whether a reading came.
        flags: (S, N) :class:`~openami.contracts.quality.RawQuality` bits.
        duplicated: (S, N) the same reading came more than once.
        conflicting: (S, N) readings of one interval differ; the last in order is kept.
        off_grid: (S, D) readings whose start is no interval start.
    """

    values: I64
    present: BOOLS
    flags: U16
    duplicated: BOOLS
    conflicting: BOOLS
    off_grid: I64

    def at(self, rows: I64) -> Matrix:
        """Return some of the series; itself where these are all of them in order."""
        if len(rows) == len(self.values) and (rows == np.arange(len(rows))).all():
            return self
        return Matrix(
            self.values[rows], self.present[rows], self.flags[rows], self.duplicated[rows], self.conflicting[rows],
            self.off_grid[rows],
        )  # fmt: skip


def placed(grid: Grid, series: int, *, row: I64, start_s: I64, value: I64, quality: U16) -> Matrix:
    """Lay readings out on the grid; those outside it are ignored.

    Args:
        grid: the columns.
        series: S, number of rows of the matrix.
        row: (n,) row of each reading, 0 to S - 1.
        start_s: (n,) interval starts, seconds since the epoch.
        value: (n,) counts after the multiplier.
        quality: (n,) raw quality bits.
    """
    shape = (series, grid.columns)
    inside = (start_s >= grid.edge_s[0]) & (start_s < grid.edge_s[-1])
    if not inside.all():
        row, start_s, value, quality = row[inside], start_s[inside], value[inside], quality[inside]
    column = grid.column_of(start_s)
    off_grid = np.zeros((series, grid.days), np.int64)
    fits = column >= 0
    if not fits.all():
        astray = ~fits
        np.add.at(off_grid, (row[astray], grid.day_of[grid.floor_column(start_s[astray])]), 1)
        row, column, value, quality = row[fits], column[fits], value[fits], quality[fits]
    cell = row * grid.columns + column
    values = np.zeros(shape, np.int64)
    flags = np.zeros(shape, np.uint16)
    present = np.zeros(shape, bool)
    values.ravel()[cell], flags.ravel()[cell], present.ravel()[cell] = value, quality, True
    duplicated, conflicting = np.zeros(shape, bool), np.zeros(shape, bool)
    if np.count_nonzero(present) != len(cell):
        differs = values.ravel()[cell] != value
        conflicting.ravel()[cell[differs]] = True
        duplicated = (np.bincount(cell, minlength=values.size).reshape(shape) > 1) & ~conflicting
    # The store gives one reading of an interval and says where it has others.
    conflicting |= (flags & RawQuality.CONFLICTING) != 0
    return Matrix(values, present, flags, duplicated & ~conflicting, conflicting, off_grid)
