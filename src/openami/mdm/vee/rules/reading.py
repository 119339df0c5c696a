"""Rules that look at single readings: missing, negative, out of range, flagged, duplicate, conflict, count, size.

Sources: CPUC D.98-12-080 Attachment VEE (pulse overflow, test mode, interval count, clock); Oracle Utilities MDM (Raise
Missing Quantity, Negative Consumption Check, Duplicate IMD Check, Interval Size Validation).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.rules.rule import ALL, ENERGY, Evidence, Look, Rule, Spot, Thresholds
from openami.mdm.vee.rules.runs import runs
from openami.mdm.vee.rules.screen import INVALID, OVERFLOW, TEST_MODE
from openami.mdm.vee.rules.seen import Seen


def _missing(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    out = seen.outcome
    # MEASURED is 0: rows of nothing else, nearly all of a fleet's, are left out before anything is compared.
    odd = np.flatnonzero(out.method.max(axis=1, initial=0))
    if not len(odd):
        return
    method, quality, asked = out.method[odd], out.quality[odd], wanted[odd][:, seen.grid.day_of]
    read_zero = (method == Method.POWER_FAIL_ZERO) & (quality == QualityState.OUTAGE_ZERO)
    measured = (method == Method.MEASURED) | (method == Method.MANUAL)
    # A register that did not move proves its zeros.
    known = measured | read_zero | (method == Method.CALCULATED)
    found = np.array(list(runs(seen.grid, seen.coverage.touched[odd] & ~known & asked)), np.int64).reshape(-1, 3)
    place, lo, hi = found.T
    values, high, day = out.values[odd], out.high[odd], seen.grid.day_of[lo]
    open_count, energy = _sums_of(quality == QualityState.MISSING, found), _sums_of(values, found)
    peak = np.maximum.reduceat(np.append(high.ravel(), 0), _bounds(found, high.shape[1]))[::2]
    # The day's highest interval may be among the estimated ones: then demand of the day is estimated.
    most = np.maximum.reduceat(np.where(measured, values, -1), seen.grid.day_at[:-1], axis=1)[place, day]
    named = method[place, lo]
    columns = (odd[place], lo, hi, open_count, energy, peak, most, named)
    for row, a, b, missing, total, highest, known_most, kind in zip(*(c.tolist() for c in columns), strict=True):
        evidence: Evidence = {
            "intervals": b - a, "estimated": b - a - missing, "estimated_wh": total,
            "method": Method(kind).name.lower(),
        }  # fmt: skip
        if highest > known_most:
            evidence["peak_to_wh"] = highest
        yield Spot(row, a, b, evidence, is_mild=missing == 0)


def _bounds(found: I64, columns: int) -> I64:
    """Return where each run (row, lo, hi) begins and ends in the raveled matrix, one after the other."""
    row, lo, hi = found.T
    return np.stack([row * columns + lo, row * columns + hi], axis=1).ravel()


def _sums_of(cells: npt.NDArray[Any], found: I64) -> I64:
    """Return the sum of the cells of each run (row, lo, hi)."""
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(cells.ravel(), dtype=np.int64)])
    ends = running[_bounds(found, cells.shape[1])]
    return np.asarray(ends[1::2] - ends[::2])


def _came(seen: Seen, wanted: BOOLS) -> BOOLS:
    """Return readings of wanted days from a meter that hung there, but for those that a person found true."""
    found_true = (seen.outcome.quality == QualityState.VERIFIED) & (seen.outcome.method == Method.MEASURED)
    return np.asarray(seen.matrix.present & seen.coverage.whole & ~found_true & wanted[:, seen.grid.day_of])


def _negative(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    if seen.extremes[0] >= 0:
        return
    for row, lo, hi in runs(seen.grid, (seen.matrix.values < 0) & _came(seen, wanted)):
        worst = int(seen.matrix.values[row, lo:hi].min())
        yield Spot(row, lo, hi, {"intervals": hi - lo, "worst_wh": worst})


def _out_of_range(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    if seen.extremes[1] <= seen.limit.min(initial=np.iinfo(np.int64).max):
        return
    beyond = seen.matrix.values > seen.limit[:, None]
    for row, lo, hi in runs(seen.grid, beyond & _came(seen, wanted)):
        worst = int(seen.matrix.values[row, lo:hi].max())
        yield Spot(row, lo, hi, {"intervals": hi - lo, "limit_wh": int(seen.limit[row]), "worst_wh": worst})


def _flagged(bits: int) -> Look:
    """Return a rule about readings with any of these raw quality bits."""

    def look(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
        if not seen.matrix.flags.any():
            return
        for row, lo, hi in runs(seen.grid, ((seen.matrix.flags & bits) != 0) & _came(seen, wanted)):
            flags = int(np.bitwise_or.reduce(seen.matrix.flags[row, lo:hi]))
            yield Spot(row, lo, hi, {"intervals": hi - lo, "flags": RawQuality(flags).name or str(flags)})

    return look


def _duplicate(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    if seen.matrix.duplicated.any():
        for row, lo, hi in runs(seen.grid, seen.matrix.duplicated & wanted[:, seen.grid.day_of]):
            yield Spot(row, lo, hi, {"intervals": hi - lo})


def _conflict(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    if seen.matrix.conflicting.any():
        for row, lo, hi in runs(seen.grid, seen.matrix.conflicting & wanted[:, seen.grid.day_of]):
            yield Spot(row, lo, hi, {"intervals": hi - lo})


def _count(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    """State each day whose count of readings is not its elapsed time over the interval length.

    What is plainly missing has its own statement; this one is for readings that lie on no interval.
    """
    astray = wanted & (seen.matrix.off_grid > 0)
    for row, day in zip(*(a.tolist() for a in np.nonzero(astray)), strict=True):
        lo, hi = int(seen.grid.day_at[day]), int(seen.grid.day_at[day + 1])
        whole, off = seen.coverage.whole[row, lo:hi], int(seen.matrix.off_grid[row, day])
        received = int(np.count_nonzero(seen.matrix.present[row, lo:hi] & whole)) + off
        evidence: Evidence = {"received": received, "expected": int(np.count_nonzero(whole)), "off_grid": off}
        yield Spot(row, lo, hi, evidence)


def _size(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    """State each day whose readings come in one regular step that is a multiple of the interval."""
    at = seen.grid.day_at
    count = seen.readings
    few = wanted & (count >= 2) & (count * 2 <= np.diff(at))
    for row, day in zip(*(a.tolist() for a in np.nonzero(few)), strict=True):
        lo, hi = int(at[day]), int(at[day + 1])
        column = np.flatnonzero(seen.matrix.present[row, lo:hi])
        steps = np.unique(np.diff(column))
        if len(steps) == 1 and steps[0] > 1 and len(column) * int(steps[0]) >= hi - lo - int(steps[0]):
            length = int(steps[0]) * seen.grid.interval_s
            yield Spot(row, lo, hi, {"interval_s": length, "expected_s": seen.grid.interval_s})


RULES = (
    Rule("missing", "Intervals did not come; they are estimated, or stay open.", ENERGY, _missing),
    Rule("negative", "A measured quantity is below zero.", ALL, _negative, is_about_cells=True, does_refuse=True),
    Rule(
        "out_of_range",
        "More than the service and the meter can carry.",
        ALL,
        _out_of_range,
        is_about_cells=True,
        does_refuse=True,
    ),
    Rule(
        "flagged_invalid",
        "The meter itself says that the value is not to be used.",
        ALL,
        _flagged(INVALID),
        is_about_cells=True,
        does_refuse=True,
    ),
    Rule(
        "overflow",
        "The recorder's pulse counter ran over in the interval.",
        ALL,
        _flagged(OVERFLOW),
        is_about_cells=True,
        does_refuse=True,
    ),
    Rule(
        "test_mode",
        "The interval was taken in test mode.",
        ALL,
        _flagged(TEST_MODE),
        is_about_cells=True,
        does_refuse=True,
    ),
    Rule("duplicate", "The same reading came more than once.", ALL, _duplicate),
    Rule("conflict", "Readings of one interval differ.", ALL, _conflict),
    Rule("interval_count", "Readings lie on no interval of the day.", ALL, _count),
    Rule("interval_size", "Readings come in a longer step than the meter was set to.", ALL, _size),
    Rule(
        "clock_flagged",
        "The meter's clock was not valid.",
        ALL,
        _flagged(RawQuality.CLOCK_INVALID),
    ),
)
