"""Sums of a matrix by group of columns: the one reduction of the columnar engine.

Columns of one group in a row are a run. Runs are summed where they lie in memory, then runs of one group are added up:
a year of quarter-hours is read once and what is left is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.billing.rating.usage import I64


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of columns of one group.

    Args:
        starts: (r,) first column of each run, rising from 0.
        code: (r,) group of each run.
        order: (r,) runs sorted by group, in order of columns within one.
        heads: (k,) first run of each group in that order.
        group: (k,) each group once, rising.
    """

    starts: I64
    code: I64
    order: I64
    heads: I64
    group: I64


def runs_of(code: I64) -> Runs:
    """Return the runs of a row of group codes (n,), n > 0."""
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(code)) + 1])
    order = np.argsort(code[starts], kind="stable")
    heads = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(code[starts][order])) + 1])
    return Runs(starts, code[starts], order, heads, code[starts][order][heads])


def summed_runs(runs: Runs, matrix: I64) -> I64:
    """Return the sum of each run: (rows, r) int64."""
    if len(runs.starts) == matrix.shape[1]:
        return matrix
    return np.asarray(np.add.reduceat(matrix, runs.starts, axis=1, dtype=np.int64), np.int64)


def summed_groups(runs: Runs, of_runs: I64) -> I64:
    """Return the sum of each group from the sums of the runs: (rows, k) int64."""
    return np.asarray(np.add.reduceat(of_runs[:, runs.order], runs.heads, axis=1), np.int64)


def highest_of_groups(runs: Runs, matrix: I64) -> I64:
    """Return the highest value of each group: (rows, k) int64."""
    of_runs = np.maximum.reduceat(matrix, runs.starts, axis=1)
    return np.asarray(np.maximum.reduceat(of_runs[:, runs.order], runs.heads, axis=1), np.int64)
