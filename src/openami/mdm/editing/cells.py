"""From decisions to what the kernel obeys: masks over the cells of a matrix. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.editing.decision import OF_CELLS, UNSEEN, Decision, DecisionKind, Target
from openami.mdm.vee.decided import Decided, Settled
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Statement

OVERTAKEN = "edit_overtaken"
"""Rule of the statement that a reading came after a person had entered a value in its place."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A target on the grid: columns lo to hi of a row, which interval of the target each is, and what matches."""

    row: int
    lo: int
    hi: int
    interval: I64
    same: BOOLS


def decided_cells(
    grid: Grid,
    points: Sequence[UUID],
    channel: Channel,
    decisions: Sequence[Decision],
    *,
    matrix: Matrix,
    coverage: Coverage,
) -> tuple[Decided | None, list[Statement]]:
    """Return the masks of decisions, None where none touches the grid, and statements about overtaken edits.

    Of two decisions about one cell the later made stands. A decision speaks of the readings that were seen: where
    another reading is there now, an acceptance or a refusal is silent, and an entered value stays and says so.

    Args:
        grid: the columns.
        points: (S,) service point of each row.
        channel: of the matrix.
        decisions: in force, in any order.
        matrix: raw readings, corrected where decisions of the raw kind say so.
        coverage: where a meter hung.
    """
    rows = {point: row for row, point in enumerate(points)}
    decided, settled, overtaken = None, list[Settled](), list[Statement]()
    for decision in sorted(decisions, key=lambda d: (d.at, d.id.bytes)):
        if decision.kind not in OF_CELLS:
            continue
        for target in decision.targets:
            span = _span(grid, rows, channel, target, matrix)
            if span is None:
                continue
            decided = decided or Decided.none(len(points), grid.columns)
            _write(decided, decision, target, span, matrix, coverage)
            if decision.kind is DecisionKind.ACCEPT and span.same.all():
                settled.append(Settled(span.row, span.lo, span.hi, frozenset(decision.rules)))
            if decision.kind is DecisionKind.REPLACE:
                overtaken += _overtaken(decision, span, matrix)
    if decided is None:
        return None, []
    found = Decided(decided.accepted, decided.refused, decided.replaced, decided.value, tuple(settled))
    return found, [s for s in overtaken if decided.replaced[s.row, s.lo : s.hi].any()]


def _span(grid: Grid, rows: Mapping[UUID, int], channel: Channel, target: Target, matrix: Matrix) -> _Span | None:
    row = rows.get(target.service_point_id)
    if row is None or target.channel is not channel or target.interval_s != grid.interval_s:
        return None
    lo, hi = (int(c) for c in np.searchsorted(grid.start_s, [target.period.start_s, target.period.end_s]))
    if lo >= hi:
        return None
    interval = (grid.start_s[lo:hi] - target.period.start_s) // target.interval_s
    same = np.ones(hi - lo, bool)
    if target.seen:
        seen = np.array(target.seen, dtype=np.int64)[interval]
        present = matrix.present[row, lo:hi]
        same = np.where(seen == UNSEEN, ~present, present & (matrix.values[row, lo:hi] == seen))
    return _Span(row, lo, hi, interval, same)


def _write(
    decided: Decided, decision: Decision, target: Target, span: _Span, matrix: Matrix, coverage: Coverage
) -> None:
    """Write one target's cells; whatever an earlier decision said of them is over."""
    at = (span.row, slice(span.lo, span.hi))
    present = matrix.present[at]
    if decision.kind is DecisionKind.REPLACE:
        cells = coverage.touched[at].copy()
        mine, others = decided.replaced[at], (decided.accepted[at], decided.refused[at])
        decided.value[at][cells] = np.array(target.values, dtype=np.int64)[span.interval][cells]
    elif decision.kind is DecisionKind.ACCEPT:
        cells = span.same & present & (matrix.values[at] >= 0)
        mine, others = decided.accepted[at], (decided.refused[at], decided.replaced[at])
    else:
        cells = span.same & present
        mine, others = decided.refused[at], (decided.accepted[at], decided.replaced[at])
    mine[cells] = True
    for other in others:
        other[cells] = False


def _overtaken(decision: Decision, span: _Span, matrix: Matrix) -> list[Statement]:
    came = matrix.present[span.row, span.lo : span.hi] & ~span.same
    if not came.any():
        return []
    evidence: dict[str, int | float | str] = {"intervals": int(came.sum()), "decision": str(decision.id)}
    return [Statement(span.row, span.lo, span.hi, OVERTAKEN, is_failure=False, evidence=evidence)]
