"""Filling: estimates for what is missing, scaled to what the registers leave for it, never touching a good value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.vee.apportion import apportion
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import Estimate, estimated
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Outcome
from openami.mdm.vee.rules.sums import raise_residual, span_sums

_WEIGHT_SCALE = 256
"""Estimates become integer weights of 1/256 count, so that small ones keep their shape."""


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
) -> None:
    """Estimate the missing cells and scale them to the registers."""
    power_down = matrix.present & ((matrix.flags & RawQuality.POWER_DOWN) != 0)
    failed_day = np.logical_or.reduceat(power_down, grid.day_at[:-1], axis=1)
    cells = estimated(grid, outcome.values, good, missing, failed_day=failed_day, with_like_days=with_like_days)
    dark = _dark(cells, power_down)
    bracket = _bracket_of(cells, brackets, grid.columns)
    cells = replace(cells, value=np.where(dark, 0.0, cells.value))
    _write_unscaled(outcome, cells, dark=dark)
    if len(brackets.row):
        known = span_sums(np.where(good, outcome.values, 0), brackets)
        _scale(outcome, cells, bracket, brackets, target=brackets.energy - known, limit=limit, dark=dark)


def _dark(cells: Estimate, power_down: BOOLS) -> BOOLS:
    """Return which missing cells lie between two intervals in which the meter itself reported a power failure."""
    last = power_down.shape[1] - 1
    first = np.searchsorted(cells.gap, np.arange(cells.gap[-1] + 1))
    final = np.append(first[1:], len(cells.gap)) - 1
    row, before, after = cells.row[first], cells.column[first] - 1, cells.column[final] + 1
    flagged = power_down[row, np.maximum(before, 0)] & power_down[row, np.minimum(after, last)]
    return np.asarray((flagged & (before >= 0) & (after <= last))[cells.gap])


def _bracket_of(cells: Estimate, brackets: Brackets, columns: int) -> I64:
    """Return the bracket that holds each cell, or -1."""
    if not len(brackets.row):
        return np.full(len(cells.row), -1, np.int64)
    stride = columns + 1
    at = np.searchsorted(brackets.row * stride + brackets.lo, cells.row * stride + cells.column, side="right") - 1
    inside = (at >= 0) & (brackets.row[at] == cells.row) & (cells.column < brackets.hi[at])
    return np.where(inside, at, -1)


def _write_unscaled(outcome: Outcome, cells: Estimate, *, dark: BOOLS) -> None:
    """Write estimates as they are; a cell that nothing speaks for stays missing."""
    has = (cells.method != Method.NONE) | dark
    at = (cells.row[has], cells.column[has])
    value = np.rint(cells.value[has]).astype(np.int64)
    outcome.values[at] = value
    outcome.quality[at] = np.where(dark[has], QualityState.OUTAGE_ZERO, QualityState.ESTIMATED)
    outcome.method[at] = np.where(dark[has], Method.POWER_FAIL_ZERO, cells.method[has])
    outcome.low[at] = np.where(dark[has], 0, np.minimum(np.floor(cells.low[has]), value))
    outcome.high[at] = np.where(dark[has], 0, np.maximum(np.ceil(cells.high[has]), value))


def _scale(
    outcome: Outcome, cells: Estimate, bracket: I64, brackets: Brackets, *, target: I64, limit: I64, dark: BOOLS
) -> None:
    """Make the cells of each bracket add up to what its registers leave for them."""
    total = len(brackets.row)
    held = bracket >= 0
    in_bracket = np.bincount(bracket[held], minlength=total)
    lit = np.bincount(bracket[held & ~dark], minlength=total)
    # Darkness claimed for every hole cannot be true if the register went on: then all of them are scaled.
    believed = dark & (lit[bracket] > 0) & held
    open_cells = np.where(lit > 0, lit, in_bracket)
    possible = (target >= -brackets.tolerance) & (target <= open_cells * limit[brackets.row] + brackets.tolerance)
    for b in np.flatnonzero((in_bracket > 0) & ~possible).tolist():
        written = int(outcome.values[brackets.row[b], brackets.lo[b] : brackets.hi[b]].sum())
        raise_residual(outcome, brackets, b, int(brackets.energy[b]) - written)
    use = held & ~believed & possible[bracket]
    group, totals = bracket[use], np.maximum(target, 0)
    _write_scaled(outcome, cells, use=use, group=group, totals=totals, count=np.bincount(group, minlength=total))
    zero = use & dark & (totals[bracket] == 0)
    at = (cells.row[zero], cells.column[zero])
    outcome.quality[at], outcome.method[at] = QualityState.OUTAGE_ZERO, Method.POWER_FAIL_ZERO


def _write_scaled(outcome: Outcome, cells: Estimate, *, use: BOOLS, group: I64, totals: I64, count: I64) -> None:
    """Apportion each bracket's total over its cells and write values, methods and bands."""
    weights = np.rint(cells.value[use] * _WEIGHT_SCALE).astype(np.int64)
    unspoken = cells.method[use] == Method.NONE
    even = totals[group] // np.maximum(count[group], 1) * _WEIGHT_SCALE
    weights = np.where(unspoken, np.maximum(even, 1), weights)
    value = apportion(totals, weights, group)
    sums = np.zeros(len(totals), np.int64)
    np.add.at(sums, group, weights)
    spread = unspoken | (sums[group] == 0)
    factor = totals[group] * _WEIGHT_SCALE / np.maximum(sums[group], 1)
    low = np.where(spread, 0, np.floor(cells.low[use] * factor))
    high = np.where(spread, totals[group], np.ceil(cells.high[use] * factor))
    exact = (count[group] == 1) | (totals[group] == 0)
    at = (cells.row[use], cells.column[use])
    outcome.values[at] = value
    outcome.quality[at] = QualityState.ESTIMATED
    scaled = np.where(cells.method[use] == Method.LINEAR, Method.LINEAR_SCALED, Method.LIKE_DAYS_SCALED)
    outcome.method[at] = np.where(spread, Method.REGISTER_SPREAD, scaled)
    outcome.low[at] = np.where(exact, value, np.minimum(low, value)).astype(np.int64)
    outcome.high[at] = np.where(exact, value, np.clip(high, value, np.maximum(totals[group], value))).astype(np.int64)
