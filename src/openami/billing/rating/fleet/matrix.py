"""What the columnar engine takes in: the intervals of many service points on one grid of instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.billing.rating.errors import UsageError
from openami.billing.rating.usage import I64, MAX_WH, Usage

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class UsageMatrix:
    """Interval energy of service points, one row each, on the grid of a :class:`~.index.FleetIndex`.

    Args:
        wh: (n, intervals) int64 delivered energy, not negative; zero where absent.
        absent: (n, intervals) bool, where there is no value; None is nowhere.
        estimated: (n, intervals) bool, where the value was estimated; None is nowhere.
        received_wh: (n, intervals) int64 received energy, not negative; None is not measured.

    Raises:
        UsageError: shapes differ, or energy is negative, beyond 2**52 Wh a row, or given where absent.
    """

    wh: I64
    absent: Flags | None = None
    estimated: Flags | None = None
    received_wh: I64 | None = None

    def __post_init__(self) -> None:
        for part in (self.absent, self.estimated, self.received_wh):
            if part is not None and part.shape != self.wh.shape:
                raise UsageError("the matrices of usage differ in shape")
        for energy in (self.wh, self.received_wh):
            if energy is None or not energy.size:
                continue
            low, high = int(energy.min()), int(energy.max())
            if low < 0 or (high > MAX_WH // energy.shape[1] and int(energy.sum(axis=1).max()) > MAX_WH):
                raise UsageError("a row holds energy that cannot be billed (negative, or beyond 2**52 Wh)")
            if self.absent is not None and bool((energy[self.absent] != 0).any()):
                raise UsageError("an interval is absent and has energy")

    def part(self, rows: Sequence[int]) -> UsageMatrix:
        """Return some rows, in that order."""
        return UsageMatrix(
            wh=self.wh[rows],
            absent=None if self.absent is None else self.absent[rows],
            estimated=None if self.estimated is None else self.estimated[rows],
            received_wh=None if self.received_wh is None else self.received_wh[rows],
        )

    def one(self, start_s: I64, interval_s: int, row: int) -> Usage:
        """Return one row's intervals, those alone that are there."""
        there = np.ones(len(start_s), np.bool_) if self.absent is None else ~self.absent[row]
        return Usage(
            start_s=start_s[there],
            wh=self.wh[row][there],
            interval_s=interval_s,
            estimated=None if self.estimated is None else self.estimated[row][there],
            received_wh=None if self.received_wh is None else self.received_wh[row][there],
        )
