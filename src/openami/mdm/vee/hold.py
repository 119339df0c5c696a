"""Holding estimation back: in a storm, what is missing stays missing by name and its energy is named, never invented.

Without it a system bills usage that never was, in homes that had no power. Source: research note on VEE, 1.2.
"""

from __future__ import annotations

import numpy as np

from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate.cells import Estimate, Gaps
from openami.mdm.vee.grid import BOOLS
from openami.mdm.vee.outcome import Outcome, Statement
from openami.mdm.vee.rules.sums import span_sums

RULE = "storm_hold"


def hold(outcome: Outcome, missing: BOOLS, brackets: Brackets, suspended: BOOLS, good: BOOLS) -> tuple[BOOLS, Brackets]:
    """Return what is still to be filled, and with which brackets; state what is held.

    A gap that touches a suspended cell is held whole, and so is every other gap of its bracket: what the register
    leaves for them cannot be told apart.

    Args:
        outcome: gets the statements.
        missing: (S, N) cells to fill.
        brackets: what the registers know.
        suspended: (S, N) cells of which nothing is to be estimated.
        good: (S, N) cells that stay as they are.
    """
    if not (missing & suspended).any():
        return missing, brackets
    row, column = (np.asarray(a, np.int64) for a in np.nonzero(missing))
    cells = Estimate.of(missing, brackets.holding(row, column, missing.shape[1]))
    waits = _spread(cells, (missing & suspended)[row, column])
    held = np.zeros_like(missing)
    held[row[waits], column[waits]] = True
    if len(brackets.row):
        _state_brackets(outcome, cells, brackets, held, good)
    _state_gaps(outcome, cells, waits & (cells.bracket < 0))
    return missing & ~held, brackets.kept(span_sums(held, brackets) == 0) if len(brackets.row) else brackets


def _spread(cells: Estimate, waits: BOOLS) -> BOOLS:
    """Return the cells that share a gap or a bracket, however indirectly, with one that waits."""
    while True:
        wider = waits | (np.bincount(cells.gap, weights=waits) > 0)[cells.gap]
        inside = cells.bracket >= 0
        if inside.any():
            by_bracket = np.bincount(cells.bracket[inside], weights=wider[inside]) > 0
            wider[inside] |= by_bracket[cells.bracket[inside]]
        if (wider == waits).all():
            return waits
        waits = wider


def _state_brackets(outcome: Outcome, cells: Estimate, brackets: Brackets, held: BOOLS, good: BOOLS) -> None:
    counts = span_sums(held, brackets)
    left = brackets.energy - span_sums(np.where(good, outcome.values, 0), brackets)
    for b in np.flatnonzero(counts).tolist():
        mine = cells.column[cells.bracket == b]
        evidence: dict[str, int | float | str] = {"intervals": int(counts[b]), "left_wh": int(left[b])}
        span = (int(brackets.row[b]), int(mine[0]), int(mine[-1]) + 1)
        outcome.statements.append(Statement(*span, RULE, is_failure=False, evidence=evidence))


def _state_gaps(outcome: Outcome, cells: Estimate, waits: BOOLS) -> None:
    gaps = Gaps.of(cells)
    for gap in np.unique(cells.gap[waits]).tolist():
        lo, length = int(gaps.first[gap]), int(gaps.length[gap])
        span = (int(gaps.row[gap]), lo, lo + length)
        outcome.statements.append(Statement(*span, RULE, is_failure=False, evidence={"intervals": length}))
