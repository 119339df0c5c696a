"""The shape of one day: where the highest interval is billed, an average would flatten it.

The donor is the day that is most like the day of the gap, whole: its two neighbors do not blend in. Less accurate by
interval than the weighted average and right about peaks.

Source: research note on VEE, 3 (c); the idea: Weber et al., Copy-Paste Imputation, IEEE TSG 12 (6), 2021.
"""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import Estimate, index_of, starts_of
from openami.mdm.vee.estimate.days import AlikeDays
from openami.mdm.vee.grid import BOOLS


def donor(cells: Estimate, days: AlikeDays, *, wanted: BOOLS) -> None:
    """Fill open wanted cells (M,) of each gap from the one day that counts most over the gap and has all its cells."""
    first = starts_of(cells.gap)
    gap = index_of(cells.gap)
    whole = np.logical_and.reduceat(days.weight > 0, first, axis=0)
    best = np.where(whole, np.add.reduceat(days.weight, first, axis=0), 0.0)
    chosen = best.argmax(axis=1)
    has = best[np.arange(len(first)), chosen] > 0
    here = np.flatnonzero(has[gap] & wanted & (cells.method == Method.NONE))
    total = days.weight[here].sum(axis=1)
    mean = (days.weight[here] * days.root[here]).sum(axis=1) / total
    variance = (days.weight[here] * days.root[here] ** 2).sum(axis=1) / total - mean**2
    root = days.root[here, chosen[gap[here]]]
    cells.write(here, root**2, np.sqrt(np.maximum(2.0 * variance, 0.25)), Method.DONOR)
