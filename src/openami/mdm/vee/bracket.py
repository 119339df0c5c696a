"""A bracket: a span of the grid whose energy the registers know, and how exactly they know it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from openami.mdm.vee.grid import BOOLS, I64, Grid


def _nothing() -> I64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Brackets:
    """Disjoint spans of known energy, by (row, lo). All columns have one length B.

    Args:
        row, lo, hi: (B,) the span is columns lo to hi (exclusive) of the row.
        energy: (B,) counts after the multiplier.
        tolerance: (B,) counts by which intervals and registers may differ: what the register resolves, and what a read
            off the boundary leaves open.
        slack: (B,) counts by which estimates may miss the registers' difference: 0 where the register resolves single
            counts, else as the tolerance. A register of whole kWh says little of a quarter-hour.
        off_lo_s, off_hi_s: (B,) the reads were taken so much after (before, if negative) the edges lo and hi [s].
    """

    row: I64
    lo: I64
    hi: I64
    energy: I64
    tolerance: I64
    slack: I64 = field(default_factory=_nothing)
    off_lo_s: I64 = field(default_factory=_nothing)
    off_hi_s: I64 = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        for name in ("slack", "off_lo_s", "off_hi_s"):
            if len(getattr(self, name)) != len(self.row):
                object.__setattr__(self, name, np.zeros(len(self.row), np.int64))

    def kept(self, mask: BOOLS) -> Brackets:
        """Return the brackets of a mask (B,)."""
        return self.at(mask)

    def at(self, index: I64 | BOOLS) -> Brackets:
        """Return some of the brackets, in the order of the index."""
        return Brackets(
            self.row[index], self.lo[index], self.hi[index], self.energy[index], self.tolerance[index],
            self.slack[index], self.off_lo_s[index], self.off_hi_s[index],
        )  # fmt: skip

    def holding(self, row: I64, column: I64, columns: int) -> I64:
        """Return the bracket that holds each cell, or -1; ``columns`` is the width of the grid."""
        if not len(self.row):
            return np.full(len(row), -1, np.int64)
        stride = columns + 1
        at = np.searchsorted(self.row * stride + self.lo, row * stride + column, side="right") - 1
        inside = (at >= 0) & (self.row[at] == row) & (column < self.hi[at])
        return np.where(inside, at, -1)

    def at_edges(self, grid: Grid, values: I64, good: BOOLS, limit: I64) -> Brackets:
        """Return the brackets with the energy between each read and its edge taken in or out, and left open.

        The interval in which a read was taken is taken to be even; how uneven it was is not known, so all of it is left
        open: it goes to the tolerance and the slack. Of an interval that was not measured, all that can be.

        Args:
            grid: the columns.
            values: (S, N) counts.
            good: (S, N) cells that were measured.
            limit: (S,) the most a cell can hold.
        """
        if not (self.off_lo_s.any() or self.off_hi_s.any()):
            return self
        energy, open_counts = self.energy.copy(), np.zeros(len(self.row), np.int64)
        for edge, off_s, sign in ((self.lo, self.off_lo_s, 1), (self.hi, self.off_hi_s, -1)):
            column = np.clip(np.where(off_s >= 0, edge, edge - 1), 0, grid.columns - 1)
            known = good[self.row, column]
            held = np.where(known, values[self.row, column], limit[self.row])
            energy += np.where(known, sign * np.rint(held * off_s / grid.interval_s).astype(np.int64), 0)
            open_counts += np.where(off_s != 0, held, 0)
        return replace(
            self, energy=energy, tolerance=self.tolerance + open_counts, slack=self.slack + open_counts,
            off_lo_s=_nothing(), off_hi_s=_nothing(),
        )  # fmt: skip
