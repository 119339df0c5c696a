"""Intervals that were rounded one by one: their sum misses the register by up to half a step each.

A meter makes intervals as differences of its register, so that the remainder is carried and nothing is lost. A file may
hold values that somebody rounded to two decimals. Such a series shows itself: all its values are multiples of a step
that is coarser than the register's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.history import MIN_DISTINCT
from openami.mdm.vee.rules.sums import span_sums


def allow_rounding(brackets: Brackets, values: I64, good: BOOLS) -> Brackets:
    """Return the brackets with n x step / 2 added to the tolerance of those that miss the register by less.

    Args:
        brackets: what the registers know.
        values: (S, N) counts.
        good: (S, N) cells that were measured.
    """
    if not len(brackets.row):
        return brackets
    whole = span_sums(~good, brackets) == 0
    off = whole & (np.abs(brackets.energy - span_sums(np.where(good, values, 0), brackets)) > brackets.tolerance)
    if not off.any():
        return brackets
    rows, at = np.unique(brackets.row[off], return_inverse=True)
    step = np.array([_step(values[r][good[r]]) for r in rows.tolist()], dtype=np.int64)[at]
    rounds = step > brackets.tolerance[off]
    tolerance = brackets.tolerance.copy()
    tolerance[off] += np.where(rounds, (brackets.hi - brackets.lo)[off] * step // 2, 0)
    return replace(brackets, tolerance=tolerance)


def _step(values: I64) -> int:
    """Return the step that all values are multiples of; 0 for a series too plain to tell."""
    different = np.unique(values)
    return int(np.gcd.reduce(different)) if len(different) >= MIN_DISTINCT else 0
