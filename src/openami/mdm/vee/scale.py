"""Scaling: the estimates of a bracket add up exactly to what its registers leave for them, no cell beyond capacity."""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method, QualityState
from openami.mdm.vee.apportion import apportion_within
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import Estimate
from openami.mdm.vee.estimate.band import band
from openami.mdm.vee.estimate.cells import F64
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.outcome import U8, Outcome
from openami.mdm.vee.rules.sums import raise_residual

_WEIGHT_SCALE = 256
"""Estimates become integer weights of 1/256 count, so that small ones keep their shape."""
_SCALED = {
    Method.LINEAR: Method.LINEAR_SCALED,
    Method.LIKE_DAYS: Method.LIKE_DAYS_SCALED,
    Method.WEIGHTED: Method.WEIGHTED_SCALED,
    Method.CLASS_PROFILE: Method.CLASS_PROFILE_SCALED,
    Method.DONOR: Method.DONOR_SCALED,
    # A check meter stays what it is: scaling takes out what two meters of one class differ by.
    Method.CHECK_METER: Method.CHECK_METER,
}


def scale(
    outcome: Outcome, cells: Estimate, brackets: Brackets, *, target: I64, limit: I64, dark: BOOLS, gap_s: I64
) -> None:
    """Make the cells of each bracket add up to what its registers leave for them.

    Args:
        outcome: written in place; an impossible target is stated as a residual, and the estimates stay.
        cells: what is estimated, or not (method NONE: spread evenly).
        brackets: what the registers know.
        target: (B,) counts left for the cells of each bracket.
        limit: (S,) the most a cell can hold.
        dark: (M,) cells without power by the meter's own word.
        gap_s: (M,) length of the gap of each cell [s].
    """
    total = len(brackets.row)
    held = cells.bracket >= 0
    in_bracket = np.bincount(cells.bracket[held], minlength=total)
    lit = np.bincount(cells.bracket[held & ~dark], minlength=total)
    # Darkness claimed for every hole cannot be true if the register went on: then all of them are scaled.
    believed = dark & (lit[cells.bracket] > 0) & held
    most = np.where(lit > 0, lit, in_bracket) * limit[brackets.row]
    possible = (target >= -brackets.tolerance) & (target <= most + brackets.tolerance)
    for b in np.flatnonzero((in_bracket > 0) & ~possible).tolist():
        written = int(outcome.values[brackets.row[b], brackets.lo[b] : brackets.hi[b]].sum())
        raise_residual(outcome, brackets, b, int(brackets.energy[b]) - written)
    use = np.flatnonzero(held & ~believed & possible[cells.bracket])
    if not len(use):
        return
    totals, moved = _totals(cells, use, brackets, target, most)
    _write(outcome, cells, use, totals=totals, moved=moved, is_known=brackets.slack == 0, limit=limit, gap_s=gap_s)
    still = (brackets.energy == 0) & (brackets.slack == 0)
    _write_zeros(outcome, cells, use[still[cells.bracket[use]]], dark)
    zero = use[dark[use] & (totals[cells.bracket[use]] == 0)]
    at = (cells.row[zero], cells.column[zero])
    outcome.quality[at], outcome.method[at] = QualityState.OUTAGE_ZERO, Method.POWER_FAIL_ZERO


def _totals(cells: Estimate, use: I64, brackets: Brackets, target: I64, most: I64) -> tuple[I64, BOOLS]:
    """Return what the cells of each bracket are to add up to (B,), and whether that moves the estimates.

    A register that resolves single counts is met exactly. One that is coarser, or was read off the boundary, moves the
    estimates only as far as they contradict it.
    """
    group = cells.bracket[use]
    said = np.rint(np.bincount(group, weights=cells.value[use], minlength=len(target))).astype(np.int64)
    is_spoken = np.bincount(group[cells.method[use] == Method.NONE], minlength=len(target)) == 0
    room = np.where(is_spoken, brackets.slack, 0)
    totals = np.clip(np.clip(said, target - room, target + room), 0, most)
    return totals, (room == 0) | (totals != said)


def _write_zeros(outcome: Outcome, cells: Estimate, use: I64, dark: BOOLS) -> None:
    """Call cells across which the register did not move what they are: true zeros, by the register."""
    zero = use[~dark[use]]
    at = (cells.row[zero], cells.column[zero])
    outcome.quality[at], outcome.method[at] = QualityState.DERIVED, Method.CALCULATED


def _write(
    outcome: Outcome,
    cells: Estimate,
    use: I64,
    *,
    totals: I64,
    moved: BOOLS,
    is_known: BOOLS,
    limit: I64,
    gap_s: I64,
) -> None:
    """Apportion each bracket's total over its cells and write values, methods and bands.

    Of each bracket (B,) ``moved`` says whether its total is not what was estimated, ``is_known`` whether it is exact.
    """
    group = cells.bracket[use]
    count = np.bincount(group, minlength=len(totals))
    weights = np.rint(cells.value[use] * _WEIGHT_SCALE).astype(np.int64)
    unspoken = cells.method[use] == Method.NONE
    even = totals[group] // np.maximum(count[group], 1) * _WEIGHT_SCALE
    weights = np.where(unspoken, np.maximum(even, 1), weights)
    most = limit[cells.row[use]]
    value = apportion_within(totals, weights, group, most)
    sums = np.bincount(group, weights=weights, minlength=len(totals))
    spread = unspoken | (sums[group] == 0)
    factor = np.sqrt(totals[group] * _WEIGHT_SCALE / np.maximum(sums[group], 1.0))
    known = is_known[group]
    low, high = _band(value, cells.spread[use] * factor, gap_s[use], known)
    ceiling = np.maximum(np.where(known, np.minimum(totals[group], most), most), value)
    low, high = np.where(spread, 0, np.floor(low)), np.where(spread, ceiling, np.ceil(high))
    exact = ((count[group] == 1) | (totals[group] == 0)) & known
    at = (cells.row[use], cells.column[use])
    outcome.values[at] = value
    outcome.quality[at] = QualityState.ESTIMATED
    outcome.method[at] = _named(cells.method[use], spread, moved[group])
    outcome.low[at] = np.where(exact, value, np.minimum(low, value)).astype(np.int64)
    outcome.high[at] = np.where(exact, value, np.clip(high, value, ceiling)).astype(np.int64)


def _band(value: I64, spread: F64, gap_s: I64, known: BOOLS) -> tuple[F64, F64]:
    """Return the band of each cell: narrower where its bracket's energy is known to the count."""
    scaled = band(value.astype(float), spread, gap_s, is_scaled=True)
    free = band(value.astype(float), spread, gap_s, is_scaled=False)
    return np.where(known, scaled[0], free[0]), np.where(known, scaled[1], free[1])


def _named(method: U8, spread: BOOLS, moved: BOOLS) -> U8:
    """Return the names of methods: scaled where a register moved the estimates, spread where it alone spoke."""
    scaled = np.arange(256, dtype=np.uint8)
    scaled[list(_SCALED)] = list(_SCALED.values())
    return np.where(spread, np.uint8(Method.REGISTER_SPREAD), np.where(moved, scaled[method], method))
