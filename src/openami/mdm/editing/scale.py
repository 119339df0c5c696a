"""Decisions about size: counts of a span times a fraction, and what registers know across it. Pure.

A register that runs at half speed makes half the energy in both the intervals and the reads, so both are scaled. A pair
of reads with only one of them inside such a span, or inside a span of crossed channels, knows no energy: it is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.editing.decision import SWAPPED, Decision, DecisionKind, Target
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import I64, Grid
from openami.mdm.vee.matrix import Matrix

Scaled = tuple[Matrix, Brackets, I64]


def scaled(
    grid: Grid,
    points: Sequence[UUID],
    channel: Channel,
    decisions: Sequence[Decision],
    *,
    matrix: Matrix,
    brackets: Brackets,
    limit: I64,
) -> Scaled:
    """Return matrix, brackets and limits as decisions of scale and of crossed channels leave them.

    Args:
        grid: the columns.
        points: (S,) service point of each row.
        channel: of the matrix.
        decisions: in force, in any order.
        matrix: raw readings.
        brackets: what the registers know.
        limit: (S,) the most an interval can hold.
    """
    rows = {point: row for row, point in enumerate(points)}
    for decision in sorted(decisions, key=lambda d: (d.at, d.id.bytes)):
        for target in decision.targets:
            span = _span(grid, rows, channel, decision, target)
            if span is None:
                continue
            brackets = _cut(brackets, *span)
            if decision.kind is DecisionKind.SCALE:
                factor = (decision.numerator, decision.denominator)
                matrix = _times(matrix, *span, *factor)
                brackets = _times_brackets(brackets, *span, *factor)
                most = -(-int(limit[span[0]]) * factor[0] // factor[1])
                limit = np.where(np.arange(len(limit)) == span[0], np.maximum(limit, most), limit)
    return matrix, brackets, limit


def _span(
    grid: Grid, rows: Mapping[UUID, int], channel: Channel, decision: Decision, target: Target
) -> tuple[int, int, int] | None:
    """Return (row, lo, hi) of a target of scale or crossed channels on the grid, or None."""
    swaps = decision.kind is DecisionKind.SWAP_CHANNELS
    if not swaps and decision.kind is not DecisionKind.SCALE:
        return None
    row = rows.get(target.service_point_id)
    if row is None or (target.channel is not channel and not (swaps and SWAPPED[target.channel] is channel)):
        return None
    lo, hi = (int(c) for c in np.searchsorted(grid.start_s, [target.period.start_s, target.period.end_s]))
    return (row, lo, hi) if lo < hi else None


def _cut(brackets: Brackets, row: int, lo: int, hi: int) -> Brackets:
    """Drop the brackets of a row that lie partly inside a span."""
    touches = (brackets.row == row) & (brackets.lo < hi) & (brackets.hi > lo)
    inside = (brackets.lo >= lo) & (brackets.hi <= hi)
    kept = ~touches | inside
    return brackets.kept(kept)


def _times(matrix: Matrix, row: int, lo: int, hi: int, numerator: int, denominator: int) -> Matrix:
    """Multiply a span, the remainder carried from interval to interval: the sum is exact to one count."""
    values = matrix.values.copy()
    running = np.cumsum(values[row, lo:hi]) * numerator // denominator
    values[row, lo:hi] = np.diff(running, prepend=0)
    return replace(matrix, values=values)


def _times_brackets(brackets: Brackets, row: int, lo: int, hi: int, numerator: int, denominator: int) -> Brackets:
    inside = (brackets.row == row) & (brackets.lo >= lo) & (brackets.hi <= hi)
    energy = np.where(inside, brackets.energy * numerator // denominator, brackets.energy)
    # One count for each end that was rounded.
    tolerance = np.where(inside, -(-brackets.tolerance * numerator // denominator) + 2, brackets.tolerance)
    slack = np.where(inside, -(-brackets.slack * numerator // denominator), brackets.slack)
    return replace(brackets, energy=energy, tolerance=tolerance, slack=slack)
