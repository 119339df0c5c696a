"""Rules about the register itself: it may be the wrong one. Good intervals are never scaled to a bad read.

Source: research on utility practice (stuck register, wrong program, mis-keyed manual read, wrong multiplier); Oracle
Utilities MDM (Multiplier Check).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.rules.rule import ENERGY, Bound, Evidence, Rule, Spot, Thresholds
from openami.mdm.vee.rules.seen import Seen
from openami.mdm.vee.rules.sums import span_sums

MULTIPLIERS = (2.0, 0.5, 4.0, 0.25, 10.0, 0.1, 20.0, 0.05, 40.0, 0.025, 60.0, 80.0, 100.0, 120.0, 1000.0, 0.001)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Brackets in which every interval was read and which disagree with their registers, or do not. All (B,)."""

    is_whole: BOOLS
    intervals: I64
    residual: I64
    is_off: BOOLS


_READ = np.zeros(256, bool)
_READ[[Method.MEASURED, Method.POWER_FAIL_ZERO, Method.MANUAL]] = True


def _sums(seen: Seen) -> _Sums:
    found: _Sums | None = seen.kept.get("sums")
    if found is None:
        found = seen.kept["sums"] = _added_up(seen)
    return found


def _added_up(seen: Seen) -> _Sums:
    b = seen.brackets
    read = _READ[seen.outcome.method]
    intervals = span_sums(np.where(read, seen.outcome.values, 0), b)
    holes = span_sums(seen.coverage.touched & ~read, b)
    residual = b.energy - intervals
    is_whole = np.asarray(holes == 0)
    return _Sums(is_whole, intervals, residual, np.asarray(is_whole & (np.abs(residual) > b.tolerance)))


def _asked(seen: Seen, wanted: BOOLS, index: I64) -> Iterator[tuple[int, int, int, int]]:
    """Yield (bracket, row, lo, hi) of brackets whose last day is wanted."""
    for b in index.tolist():
        row, lo, hi = int(seen.brackets.row[b]), int(seen.brackets.lo[b]), int(seen.brackets.hi[b])
        if wanted[row, seen.grid.day_of[hi - 1]]:
            yield b, row, lo, hi


def _fault(rule: str, seen: Seen, wanted: BOOLS) -> Iterator[Spot]:
    for f in seen.around.faults:
        if f.rule == rule and f.hi > f.lo and wanted[f.row, seen.grid.day_of[f.hi - 1]]:
            yield Spot(f.row, f.lo, f.hi, {"earlier_wh": f.earlier_value, "register_wh": f.value})


def _set(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    yield from _fault("register_set", seen, wanted)


def _implausible(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    yield from _fault("register_implausible", seen, wanted)


def _stuck(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    if not len(seen.brackets.row):
        return
    sums = _sums(seen)
    still = sums.is_off & (seen.brackets.energy == 0) & (sums.intervals >= t["least_wh"])
    for b, row, lo, hi in _asked(seen, wanted, np.flatnonzero(still)):
        yield Spot(row, lo, hi, {"intervals_wh": int(sums.intervals[b]), "register_wh": 0})


def _read(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    """Two spans that miss by the same amount, one above and one below: the read between them is wrong."""
    b = seen.brackets
    if len(b.row) < 2:
        return
    sums = _sums(seen)
    both = sums.is_off[:-1] & sums.is_off[1:] & (b.row[:-1] == b.row[1:]) & (b.hi[:-1] == b.lo[1:])
    cancel = np.abs(sums.residual[:-1] + sums.residual[1:]) <= b.tolerance[:-1] + b.tolerance[1:]
    for first in np.flatnonzero(both & cancel).tolist():
        for _b, row, lo, hi in _asked(seen, wanted, np.array([first + 1])):
            off = int(sums.residual[first])
            evidence: Evidence = {"off_by_wh": off, "at": seen.time_at(lo)}
            place = _digit(abs(off), int(b.tolerance[first]))
            yield Spot(row, lo, hi, {**evidence, **({"digit_of_wh": place} if place else {})})


def _digit(off: int, tolerance: int) -> int:
    """Return the place of one mis-keyed digit that explains the amount; 0 where none does.

    >>> _digit(3000, 1), _digit(2999, 1), _digit(3210, 1)
    (1000, 1000, 0)
    """
    place = 1
    while place * 10 <= off + tolerance:
        place *= 10
    digit = round(off / place)
    return place if 1 <= digit <= 9 and abs(off - digit * place) <= tolerance and place > 1 else 0


def _multiplier(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    b = seen.brackets
    if not len(b.row):
        return
    sums = _sums(seen)
    big = sums.is_off & (np.minimum(b.energy, sums.intervals) >= t["least_wh"])
    for k, row, lo, hi in _asked(seen, wanted, np.flatnonzero(big)):
        ratio = float(b.energy[k] / sums.intervals[k])
        near = min(MULTIPLIERS, key=lambda m: abs(ratio / m - 1))
        if abs(ratio / near - 1) <= t["slack"]:
            evidence: Evidence = {"ratio": round(ratio, 4), "factor": near, "register_wh": int(b.energy[k])}
            yield Spot(row, lo, hi, {**evidence, "intervals_wh": int(sums.intervals[k])})


RULES = (
    Rule("register_set", "The register was set to another value.", ENERGY, _set),
    Rule("register_implausible", "The register ran backwards, or faster than the meter can.", ENERGY, _implausible),
    Rule(
        "register_stuck",
        "The register stands still while the intervals go on.",
        ENERGY,
        _stuck,
        {"least_wh": Bound("energy of the intervals below which nothing is said [Wh]", 0, 1e9)},
    ),
    Rule("register_read", "One register read is wrong: the spans before and after it miss by the same amount.", ENERGY,
         _read),
    Rule(
        "multiplier",
        "Register and intervals differ by a factor that multipliers have: it is applied twice, or not at all.",
        ENERGY,
        _multiplier,
        {
            "slack": Bound("share by which the ratio may miss the factor", 0.0001, 0.2),
            "least_wh": Bound("energy below which nothing is said [Wh]", 0, 1e9),
        },
    ),
)  # fmt: skip
