"""The sum check: intervals against the register difference over the same span.

Source: CPUC D.98-12-080 Attachment VEE, section A, sum check; EEI Uniform Business Practices, volume 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.outcome import Coverage, Outcome, Statement


def check_sums(outcome: Outcome, good: BOOLS, brackets: Brackets, coverage: Coverage) -> None:
    """Compare registers and intervals where no interval is missing."""
    if not len(brackets.row):
        return
    found = span_sums(outcome.values, brackets)
    holes = span_sums(coverage.touched & ~good, brackets)
    residual = brackets.energy - found
    for b in np.flatnonzero((holes == 0) & (np.abs(residual) > brackets.tolerance)).tolist():
        raise_residual(outcome, brackets, b, int(residual[b]))
        span = outcome.quality[brackets.row[b], brackets.lo[b] : brackets.hi[b]]
        span[span == QualityState.ACTUAL] = QualityState.QUESTIONABLE


def raise_residual(outcome: Outcome, brackets: Brackets, b: int, residual: int) -> None:
    """State what the registers of bracket b say more than its cells; never clipped away."""
    energy = int(brackets.energy[b])
    evidence: dict[str, int | float | str] = {
        "register_wh": energy,
        "intervals_wh": energy - residual,
        "residual_wh": residual,
        "tolerance_wh": int(brackets.tolerance[b]),
    }
    span = (int(brackets.row[b]), int(brackets.lo[b]), int(brackets.hi[b]))
    outcome.statements.append(Statement(*span, "sum_check", is_failure=True, evidence=evidence))


def span_sums(cells: npt.NDArray[np.generic], brackets: Brackets) -> I64:
    """Return the sum of the cells of each bracket."""
    columns = cells.shape[1]
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(cells.ravel(), dtype=np.int64)])
    return np.asarray(running[brackets.row * columns + brackets.hi] - running[brackets.row * columns + brackets.lo])
