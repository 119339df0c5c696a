"""The sum check: intervals against the register difference over the same span.

Source: CPUC D.98-12-080 Attachment VEE, section A, sum check; EEI Uniform Business Practices, volume 2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.outcome import Coverage, Outcome, Statement
from openami.mdm.vee.rules.rule import ENERGY, Look, Rule, Spot, Thresholds
from openami.mdm.vee.rules.seen import Seen


def check_sums(outcome: Outcome, good: BOOLS, brackets: Brackets, coverage: Coverage) -> None:
    """Compare registers and intervals where no interval is missing."""
    if not len(brackets.row):
        return
    found = span_sums(outcome.values, brackets)
    holes = span_sums(coverage.touched & ~good, brackets)
    residual = brackets.energy - found
    for b in np.flatnonzero((holes == 0) & (np.abs(residual) > brackets.tolerance)).tolist():
        raise_residual(outcome, brackets, b, int(residual[b]))


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
    if not len(brackets.row):
        return np.zeros(0, np.int64)
    if (brackets.lo == 0).all() and (brackets.hi == columns).all():
        # One day of a fleet: a row is a bracket, and its sum is had without a running one.
        whole = np.count_nonzero(cells, axis=1) if cells.dtype == bool else cells.sum(axis=1, dtype=np.int64)
        return np.asarray(whole, dtype=np.int64)[brackets.row]
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(cells.ravel(), dtype=np.int64)])
    return np.asarray(running[brackets.row * columns + brackets.hi] - running[brackets.row * columns + brackets.lo])


def _is_asked(seen: Seen, s: Statement, wanted: BOOLS) -> bool:
    """Tell whether the last of the judged days that a statement touches is among these (S, D).

    A span of several days may meet an edge of the rules, and is still one statement: that of its last day's rules.
    """
    first, last = int(seen.grid.day_of[s.lo]), int(seen.grid.day_of[s.hi - 1])
    every = seen.around.wanted
    judged = np.arange(first, last + 1) if every is None else first + np.flatnonzero(every[s.row, first : last + 1])
    return bool(len(judged) and wanted[s.row, judged[-1]])


def _raised(rule: str) -> Look:
    """Return a rule that takes over what the kernel itself raised while it filled and added up."""

    def look(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
        for s in seen.outcome.statements:
            if s.rule == rule and _is_asked(seen, s, wanted):
                yield Spot(s.row, s.lo, s.hi, s.evidence, is_mild=not s.is_failure)

    return look


RULES = (
    Rule(
        "sum_check",
        "The intervals do not add up to what the register advanced.",
        ENERGY,
        _raised("sum_check"),
        is_about_cells=True,
    ),
    Rule(
        "storm_hold",
        "A gap lies in a storm that took many meters: nothing is estimated until they are heard again.",
        ENERGY,
        _raised("storm_hold"),
    ),
)
