"""Cells to estimate and what is said of them before any scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.mdm.vee.grid import I64

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
