"""Estimates of missing energy before scaling: linear to two hours, like days beyond, else nothing.

Order of preference: linear between good neighbors for a gap of at most two hours; the mean of the same wall-clock
slot on the three nearest earlier days of the same kind (weekday or weekend); earlier days of the other kind; later
days. Days on which the meter reported a power failure are no reference. Nothing is invented: where none of this is
there, the cell keeps method NONE and only a register can fill it.

Source: CPUC D.98-12-080 Attachment VEE, estimation; research note on VEE, 1.1 and 3.
"""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import Estimate
from openami.mdm.vee.estimate.like_days import like_days
from openami.mdm.vee.estimate.linear import linear
from openami.mdm.vee.grid import BOOLS, I64, Grid


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
        linear(grid, values, good, result)
    if count and with_like_days:
        like_days(grid, values, good, result, failed_day=failed_day)
    return result
