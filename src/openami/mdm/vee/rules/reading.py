"""The rules that look at readings: missing, interval count, duplicate, conflict, negative, out of range, flagged.

Each gives statements about runs of columns, cut at local midnights, so that every statement belongs to one local day.
Rules are pure and independent; the sum check is made with the filling that it guards, in
:mod:`openami.mdm.vee.rules.sums`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.vee.brackets import RegisterFault
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome, Statement

MAX_RUNS = 1_000_000
"""Most runs that one rule reports in one call: a matrix of noise must not eat the memory."""


def statements_of(
    grid: Grid,
    matrix: Matrix,
    outcome: Outcome,
    *,
    coverage: Coverage,
    limit: I64,
    faults: list[RegisterFault],
    wanted: BOOLS,
    is_energy: bool = True,
) -> list[Statement]:
    """Return what all rules say about the wanted days.

    Missing averages are plain in the day's states and have no finding: what was lost with them has one on energy.

    Args:
        grid: the columns.
        matrix: raw readings.
        outcome: what the kernel made of them.
        coverage: where a meter hung.
        limit: (S,) the most an interval can hold.
        faults: registers that cannot be.
        wanted: (S, D) days that are asked about.
        is_energy: False for an average such as voltage.
    """
    asked = wanted[:, grid.day_of]
    bad = outcome.refused & coverage.whole & asked
    found = list(_missing(grid, outcome, coverage.touched & ~_believed(outcome) & asked)) if is_energy else []
    if bad.any():
        over = bad & (matrix.values > limit[:, None])
        for rule, mask in (
            ("negative", bad & (matrix.values < 0)),
            ("out_of_range", over),
            ("flagged_invalid", bad & (matrix.values >= 0) & ~over),
        ):
            found += _by_value(grid, matrix, mask, rule, limit)
    for rule, mask, is_failure in (
        ("duplicate", matrix.duplicated & asked, False),
        ("conflict", matrix.conflicting & asked, True),
    ):
        for row, lo, hi in _runs(grid, mask) if mask.any() else ():
            found.append(Statement(row, lo, hi, rule, is_failure=is_failure, evidence={"intervals": hi - lo}))
    found += _interval_count(grid, matrix, coverage, wanted)
    found += [s for s in outcome.statements if wanted[s.row, grid.day_of[s.lo] : grid.day_of[s.hi - 1] + 1].any()]
    found += [_register(f) for f in faults if f.hi > f.lo and wanted[f.row, grid.day_of[f.hi - 1]]]
    return found


def _believed(outcome: Outcome) -> BOOLS:
    """Return cells that were read and believed, or that a person filled in."""
    known = (outcome.method == Method.MEASURED) | (outcome.method == Method.MANUAL)
    return np.asarray(known | _read_zero(outcome))


def _read_zero(outcome: Outcome) -> BOOLS:
    return np.asarray((outcome.method == Method.POWER_FAIL_ZERO) & (outcome.quality == QualityState.OUTAGE_ZERO))


def _missing(grid: Grid, outcome: Outcome, mask: BOOLS) -> Iterator[Statement]:
    for row, lo, hi in _runs(grid, mask):
        states = outcome.quality[row, lo:hi]
        open_count = int(np.count_nonzero(states == QualityState.MISSING))
        evidence: dict[str, int | float | str] = {
            "intervals": hi - lo,
            "estimated": hi - lo - open_count,
            "estimated_wh": int(outcome.values[row, lo:hi].sum()),
            "method": Method(int(outcome.method[row, lo])).name.lower(),
        }
        yield Statement(row, lo, hi, "missing", is_failure=open_count > 0, evidence=evidence)


def _by_value(grid: Grid, matrix: Matrix, mask: BOOLS, rule: str, limit: I64) -> Iterator[Statement]:
    for row, lo, hi in _runs(grid, mask):
        span = matrix.values[row, lo:hi]
        evidence: dict[str, int | float | str] = {"intervals": hi - lo, "limit_wh": int(limit[row])}
        if rule == "flagged_invalid":
            flags = int(np.bitwise_or.reduce(matrix.flags[row, lo:hi]))
            evidence = {"intervals": hi - lo, "flags": RawQuality(flags).name or str(flags)}
        else:
            evidence["worst_wh"] = int(span.min() if rule == "negative" else span.max())
        yield Statement(row, lo, hi, rule, is_failure=True, evidence=evidence)


def _interval_count(grid: Grid, matrix: Matrix, coverage: Coverage, wanted: BOOLS) -> Iterator[Statement]:
    """State each wanted day whose count of readings is not its elapsed time over the interval length.

    What is plainly missing has its own statement; this one is for readings that lie on no interval.
    """
    astray = wanted & (matrix.off_grid > 0)
    if not astray.any():
        return
    at = grid.day_at[:-1]
    received = np.add.reduceat(matrix.present & coverage.whole, at, axis=1, dtype=np.int64) + matrix.off_grid
    expected = np.add.reduceat(coverage.whole, at, axis=1, dtype=np.int64)
    for row, day in zip(*(a.tolist() for a in np.nonzero(astray)), strict=True):
        evidence: dict[str, int | float | str] = {
            "received": int(received[row, day]),
            "expected": int(expected[row, day]),
            "off_grid": int(matrix.off_grid[row, day]),
        }
        lo, hi = int(grid.day_at[day]), int(grid.day_at[day + 1])
        yield Statement(row, lo, hi, "interval_count", is_failure=False, evidence=evidence)


def _register(fault: RegisterFault) -> Statement:
    evidence: dict[str, int | float | str] = {"earlier_wh": fault.earlier_value, "register_wh": fault.value}
    return Statement(fault.row, fault.lo, fault.hi, fault.rule, is_failure=True, evidence=evidence)


def _runs(grid: Grid, mask: BOOLS) -> Iterator[tuple[int, int, int]]:
    """Yield (row, lo, hi) of each run of true cells within one local day."""
    row, column = np.nonzero(mask)
    if not len(row):
        return
    fresh = np.ones(len(row), bool)
    fresh[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1] + 1)
    fresh[1:] |= grid.day_of[column[1:]] != grid.day_of[column[:-1]]
    first = np.flatnonzero(fresh)[:MAX_RUNS]
    last = np.append(np.flatnonzero(fresh)[1:], len(row))[:MAX_RUNS] - 1
    yield from zip(row[first].tolist(), column[first].tolist(), (column[last] + 1).tolist(), strict=True)
