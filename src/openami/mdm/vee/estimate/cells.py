"""Cells to estimate and what is said of them before any scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import Method
from openami.mdm.vee.grid import BOOLS, I64, Grid

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
CELLS_AT_ONCE = 50_000
"""Cells weighed together: with 28 days and a float each, 11 MB a matrix."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Estimates of M missing cells; methods fill value, spread and method in place.

    Args:
        row, column: (M,) place of each cell, by (row, column).
        gap: (M,) number of the run of missing cells that the cell belongs to, rising from 0; a run ends where its
            bracket ends, and at midnight where no register holds it.
        bracket: (M,) bracket that holds the cell, or -1.
        value: (M,) counts, not rounded; 0 where the method is NONE.
        spread: (M,) how uncertain the value is: a standard deviation of the square root of counts.
        method: (M,) a method that is not scaled, or NONE.
    """

    row: I64
    column: I64
    gap: I64
    bracket: I64
    value: F64
    spread: F64
    method: U8

    @classmethod
    def of(cls, missing: BOOLS, bracket_of: I64 | None = None, day_of: I64 | None = None) -> Estimate:
        """Return the missing cells, of which nothing is said yet.

        A run looks at whole brackets, or at whole days where there is none. A gap that went on beyond would be filled
        otherwise by the run that sees all of it than by one that sees its part; so it is cut there, for every run.

        Args:
            missing: (S, N) cells to estimate.
            bracket_of: (M,) bracket of each of them in the order of ``np.nonzero``; None for none.
            day_of: (N,) local day of each column; None cuts at brackets alone.
        """
        row, column = (np.asarray(a, np.int64) for a in np.nonzero(missing))
        count = len(row)
        fresh = np.ones(count, bool)
        fresh[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1] + 1)
        held = np.full(count, -1, np.int64) if bracket_of is None else bracket_of
        fresh[1:] |= held[1:] != held[:-1]
        if day_of is not None:
            fresh[1:] |= (held[1:] < 0) & (day_of[column[1:]] != day_of[column[:-1]])
        none = np.full(count, Method.NONE, np.uint8)
        return cls(row, column, np.cumsum(fresh) - 1, held, np.zeros(count), np.zeros(count), none)

    def open(self) -> I64:
        """Return the cells that nothing is said of yet."""
        return np.flatnonzero(self.method == Method.NONE)

    def cut(self, cells: I64) -> Estimate:
        """Return these cells as estimates of their own; their numbers of gaps and brackets stay."""
        return Estimate(
            self.row[cells], self.column[cells], self.gap[cells], self.bracket[cells],
            self.value[cells], self.spread[cells], self.method[cells],
        )  # fmt: skip

    def put(self, cells: I64, part: Estimate) -> None:
        """Write back what is said of cells that were cut."""
        self.value[cells], self.spread[cells], self.method[cells] = part.value, part.spread, part.method

    def write(self, cells: I64, value: F64, spread: F64, method: Method) -> None:
        """Say something of these cells."""
        self.value[cells], self.spread[cells], self.method[cells] = value, spread, method


def starts_of(number: I64) -> I64:
    """Return where each run of equal numbers begins."""
    return np.flatnonzero(np.diff(number, prepend=-2))


def index_of(number: I64) -> I64:
    """Return 0, 1, 2 ... for runs of equal numbers."""
    return np.cumsum(np.diff(number, prepend=number[:1]) != 0)


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Runs of missing cells: first column, length, and row; all (G,)."""

    row: I64
    first: I64
    length: I64

    @classmethod
    def of(cls, cells: Estimate) -> Gaps:
        """Return the gaps of the cells."""
        at = starts_of(cells.gap)
        return cls(cells.row[at], cells.column[at], np.diff(np.append(at, len(cells.gap))))

    def edges(self, grid: Grid, good: BOOLS) -> tuple[I64, I64, BOOLS, BOOLS]:
        """Return the columns before and after each gap, clipped to the grid, and whether each holds a good value."""
        before, after = self.first - 1, self.first + self.length
        a_at, b_at = np.maximum(before, 0), np.minimum(after, grid.columns - 1)
        has_a = (before >= 0) & good[self.row, a_at]
        has_b = (after < grid.columns) & good[self.row, b_at]
        return a_at, b_at, np.asarray(has_a), np.asarray(has_b)
