"""Filling: estimates for what is missing, scaled to what the registers leave for it, never touching a good value.

No cell is negative or beyond what the service can carry. What registers and good values cannot both be true for is
raised, never clipped away. A cell is a true zero only by the meter's own evidence: it reported the power failure at
both ends, or in its log, or its register did not move.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import DEFAULT_ORDER, NO_REFERENCES, Estimate, References, Step, estimated
from openami.mdm.vee.estimate.band import band
from openami.mdm.vee.estimate.cells import F64, Gaps
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.hold import hold
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Outcome
from openami.mdm.vee.rules.sums import span_sums
from openami.mdm.vee.scale import scale

_COARSE = 5
"""A register tells what is left in a gap where that is so many times what the register leaves open."""


def fill(
    grid: Grid,
    matrix: Matrix,
    outcome: Outcome,
    good: BOOLS,
    missing: BOOLS,
    brackets: Brackets,
    limit: I64,
    *,
    with_like_days: bool,
    references: References = NO_REFERENCES,
    method_order: Sequence[Step] = DEFAULT_ORDER,
) -> None:
    """Estimate the missing cells and scale them to the registers.

    Args:
        grid: the columns.
        matrix: raw readings.
        outcome: filled in place.
        good: (S, N) cells that stay as they are.
        missing: (S, N) cells to fill.
        brackets: what the registers know.
        limit: (S,) the most a cell can hold.
        with_like_days: False leaves longer gaps for a wider window.
        references: what else estimates may refer to.
        method_order: methods, first to last.
    """
    if references.suspended is not None:
        missing, brackets = hold(outcome, missing, brackets, references.suspended, good)
    power_down = matrix.present & ((matrix.flags & RawQuality.POWER_DOWN) != 0)
    failed_day = np.logical_or.reduceat(power_down, grid.day_at[:-1], axis=1)
    row, column = np.nonzero(missing)
    cells = Estimate.of(missing, brackets.holding(row, column, grid.columns), grid.day_of)
    if not len(row):
        return
    known = span_sums(np.where(good, outcome.values, 0), brackets) if len(brackets.row) else brackets.energy
    target = brackets.energy - known
    estimated(
        grid, outcome.values, good, cells, energy=_left(brackets, target), failed_day=failed_day, references=references,
        order=method_order, with_like_days=with_like_days,
    )  # fmt: skip
    dark = _dark(cells, power_down, good | power_down, references.dark)
    cells.value[dark] = 0.0
    np.minimum(cells.value, limit[cells.row], out=cells.value)
    _write_unscaled(outcome, cells, dark=dark, gap_s=_gap_s(grid, cells), limit=limit)
    if len(brackets.row):
        scale(outcome, cells, brackets, target=target, limit=limit, dark=dark, gap_s=_gap_s(grid, cells))


def _left(brackets: Brackets, target: I64) -> F64:
    """Return what registers leave for the cells of each bracket (B,); NaN where they are too coarse to say."""
    return np.where(_COARSE * brackets.slack <= target, target.astype(float), np.nan)


def _dark(cells: Estimate, power_down: BOOLS, told: BOOLS, logged: BOOLS | None) -> BOOLS:
    """Return which missing cells had no power by the meter's own word.

    Either its log says so, or it reported a power failure in the readings next before and next after, across midnights
    and brackets: an outage knows neither.
    """
    lines, at = np.unique(cells.row, return_inverse=True)
    column = np.arange(told.shape[1])
    before = np.maximum.accumulate(np.where(told[lines], column, -1), axis=1)[at, cells.column]
    after = np.minimum.accumulate(np.where(told[lines], column, len(column))[:, ::-1], axis=1)[:, ::-1][
        at, cells.column
    ]
    inside = (before >= 0) & (after < len(column))
    last = len(column) - 1
    flagged = power_down[cells.row, np.maximum(before, 0)] & power_down[cells.row, np.minimum(after, last)]
    dark = inside & flagged
    if logged is not None:
        dark |= logged[cells.row, cells.column]
    return np.asarray(dark)


def _gap_s(grid: Grid, cells: Estimate) -> I64:
    return Gaps.of(cells).length[cells.gap] * grid.interval_s


def _write_unscaled(outcome: Outcome, cells: Estimate, *, dark: BOOLS, gap_s: I64, limit: I64) -> None:
    """Write estimates as they are; a cell that nothing speaks for stays missing."""
    has = (cells.method != Method.NONE) | dark
    at = (cells.row[has], cells.column[has])
    value = np.rint(cells.value[has]).astype(np.int64)
    low, high = band(cells.value[has], cells.spread[has], gap_s[has], is_scaled=False)
    outcome.values[at] = value
    outcome.quality[at] = np.where(dark[has], QualityState.OUTAGE_ZERO, QualityState.ESTIMATED)
    outcome.method[at] = np.where(dark[has], Method.POWER_FAIL_ZERO, cells.method[has])
    outcome.low[at] = np.where(dark[has], 0, np.minimum(np.floor(low), value))
    most = np.minimum(np.ceil(high), limit[cells.row[has]])
    outcome.high[at] = np.where(dark[has], 0, np.maximum(most, value))
