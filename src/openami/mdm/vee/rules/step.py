"""Rules about a level that changed by a factor: half-registering, a wrong multiplier, a wrong unit, crossed meters.

A home's use changes every day, but a wrong factor changes everything alike: the total, the peak and what runs day and
night. People who leave take their peaks with them and leave the refrigerator on. So three ratios must agree, and the
day of the change must be sharp. How far a ratio may miss is told as a share of the factor's logarithm.

Source: research on utility practice (faults that look normal cost the most); our own measurement on homes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.rules.rule import Bound, ChannelGroup, Evidence, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView

F64 = npt.NDArray[np.float64]
HALVES = (0.5,)
FACTORS = (2.0, 10.0, 20.0, 40.0, 60.0, 80.0, 120.0, 0.1, 0.05, 0.025, 1 / 60, 0.0125, 1 / 120)
UNITS = (1000.0, 0.001, 4.0, 0.25)
SPANS = (2, 5, 7, 10, 14)
"""Days on the new level at which a step is looked for; the first alone where the factor is plain."""
_MARGIN = 0.3
"""The sieve compares means where the rule compares medians: it lets this much more of a logarithm through."""


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """What a home used on each of the days up to today, (S, D), and whether it is known."""

    total: I64
    maximum: I64
    base: I64
    known: BOOLS


def _levels(view: DayView) -> _Levels:
    def both(name: str) -> I64:
        return np.concatenate([getattr(view.past, name), getattr(view.today, name)], axis=1)

    known = np.concatenate([view.past.is_known, view.today.is_known], axis=1)
    return _Levels(both("total"), both("maximum"), both("base"), known)


def _steps(view: DayView, t: Thresholds, factors: tuple[float, ...]) -> Iterator[Spot]:
    """Yield the rows on which the last days differ from those before by one of the factors."""
    if view.past.days < SPANS[0] + t["least_days"]:
        return
    levels = _levels(view)
    logs = np.log(np.array(factors))
    is_plain = np.abs(logs) >= np.log(t["plain"])
    told: set[int] = set()
    for days in SPANS:
        asked = is_plain if days == SPANS[0] else ~is_plain
        if not asked.any() or levels.known.shape[1] < days + t["least_days"]:
            continue
        for row in _sieved(view, levels, days, logs[asked], t):
            spot = _fitting(view, levels, row, days, np.array(factors)[asked], t)
            if spot is not None and row not in told:
                told.add(row)
                yield spot


def _sieved(view: DayView, levels: _Levels, days: int, logs: F64, t: Thresholds) -> list[int]:
    """Return the rows whose mean changed by about a factor."""
    cut = levels.known.shape[1] - days
    known = levels.known[:, :cut]
    count = known.sum(axis=1)
    old = np.where(known, levels.total[:, :cut], 0).sum(axis=1) / np.maximum(count, 1)
    new = levels.total[:, cut:].mean(axis=1)
    enough = view.wanted & levels.known[:, cut:].all(axis=1) & (count >= t["least_days"])
    enough &= np.maximum(old, new) >= t["least_wh"]
    change = np.log(np.maximum(new, 1) / np.maximum(old, 1))
    near = np.zeros(len(change), bool)
    for log in logs.tolist():
        near |= np.abs(change - log) <= t["slack"] * abs(log) + _MARGIN
    return where(enough & near)


def _fitting(view: DayView, levels: _Levels, row: int, days: int, factors: F64, t: Thresholds) -> Spot | None:
    """Return what is to be said of one row, if total, peak and base all changed by one factor, on one day.

    A home that heats with electricity halves its use in honesty when a cold spell ends: only a plain factor fails.
    """
    known = levels.known[row]
    cut = len(known) - days

    def old(values: I64) -> F64:
        return np.asarray(np.maximum(values[row, :cut][known[:cut]].astype(float), 1))

    def change(values: I64) -> float:
        new = np.maximum(values[row, cut:].astype(float), 1)
        return float(np.median(np.log(new)) - np.median(np.log(old(values))))

    total, peak, base = change(levels.total), change(levels.maximum), change(levels.base)
    factor = float(factors[np.argmin(np.abs(np.log(factors) - total))])
    log, is_plain = float(np.log(factor)), abs(np.log(factor)) >= np.log(t["plain"])
    misses = [abs(c - log) / abs(log) for c in (total, peak, base)]
    level = float(np.median(old(levels.total)))
    before, first = (float(np.log(max(levels.total[row, c], 1) / level)) for c in (cut - 1, cut))
    is_sharp = abs(before) < abs(log) / 2 and abs(first - log) < abs(log) / 1.5
    if max(misses) > t["slack"] or not is_sharp:
        return None
    evidence: Evidence = {
        "factor": round(factor, 4), "days": days, "before_wh": round(level),
        "ratio": round(float(np.exp(total)), 3), "ratio_of_peaks": round(float(np.exp(peak)), 3),
        "ratio_of_lowest_hours": round(float(np.exp(base)), 3),
    }  # fmt: skip
    return Spot(row, view.lo, view.hi, evidence, is_mild=not is_plain)


def _half(view: DayView, t: Thresholds) -> Iterator[Spot]:
    yield from _steps(view, t, HALVES)


def _multiplier(view: DayView, t: Thresholds) -> Iterator[Spot]:
    yield from _steps(view, t, FACTORS)


def _unit(view: DayView, t: Thresholds) -> Iterator[Spot]:
    yield from _steps(view, t, UNITS)


def _crossed(view: DayView, t: Thresholds) -> Iterator[Spot]:
    """Of two neighbors each goes on where the other left off."""
    neighborhood = view.seen.around.places.neighborhood
    if neighborhood is None or view.past.days < SPANS[1] + t["least_days"]:
        return
    levels, told = _levels(view), set[tuple[int, int]]()
    for days in SPANS[1:]:
        cut = levels.known.shape[1] - days
        if cut < t["least_days"]:
            continue
        by_place: dict[int, list[int]] = {}
        for row in _changed(view, levels, cut, neighborhood, t):
            by_place.setdefault(int(neighborhood[row]), []).append(row)
        for a, b in (pair for members in by_place.values() for pair in combinations(members, 2)):
            miss = None if (a, b) in told else _exchanged(levels, a, b, cut, t)
            if miss is not None:
                told.add((a, b))
                for row, other in ((a, b), (b, a)):
                    evidence: Evidence = {"days": days, "worst_miss": round(miss, 3), "neighbor_row": other}
                    yield Spot(row, view.lo, view.hi, evidence)


def _changed(view: DayView, levels: _Levels, cut: int, neighborhood: I64, t: Thresholds) -> list[int]:
    """Return the rows with neighbors whose level changed by enough to be another's."""
    known = levels.known[:, :cut]
    count = known.sum(axis=1)
    ready = view.wanted & levels.known[:, cut - 1 :].all(axis=1) & (count >= t["least_days"]) & (neighborhood >= 0)
    old = np.where(known, levels.total[:, :cut], 0).sum(axis=1) / np.maximum(count, 1)
    change = np.abs(np.log(np.maximum(levels.total[:, cut:].mean(axis=1), 1) / np.maximum(old, 1)))
    return where(ready & (change > t["apart"] - _MARGIN))


def _exchanged(levels: _Levels, a: int, b: int, cut: int, t: Thresholds) -> float | None:
    """Return by how much two rows miss having exchanged their levels; None where they did not."""
    misses = []
    for name in ("total", "maximum", "base"):
        values = np.log(np.maximum(getattr(levels, name), 1).astype(float))
        old = [float(np.median(values[r, :cut][levels.known[r, :cut]])) for r in (a, b)]
        new = [float(np.median(values[r, cut:])) for r in (a, b)]
        misses += [abs(new[0] - old[1]), abs(new[1] - old[0])]
        if name == "total" and (abs(old[0] - old[1]) < t["apart"] or not _is_sharp(values, a, b, cut, old)):
            return None
    return max(misses) if max(misses) <= t["miss"] else None


def _is_sharp(values: F64, a: int, b: int, cut: int, old: list[float]) -> bool:
    """Tell whether both rows changed on the same day: before it each was nearer to its own level, after it not."""
    half = abs(old[0] - old[1]) / 2
    before = abs(values[a, cut - 1] - old[0]) < half and abs(values[b, cut - 1] - old[1]) < half
    return bool(before and abs(values[a, cut] - old[1]) < half and abs(values[b, cut] - old[0]) < half)


# What a roof feeds in follows the weather, so its level says nothing about the meter.
_DELIVERED = frozenset({ChannelGroup.DELIVERED})
_BOUNDS = {
    "least_days": Bound("known days on the old level", 3, 24),
    "slack": Bound("share of the factor's logarithm by which a ratio may miss it", 0.01, 0.9),
    "plain": Bound("factor (or its inverse) from which on two days are enough", 3, 1e4),
    "least_wh": Bound("the higher of both daily levels below which nothing is said [Wh]", 0, 1e12),
}

RULES = (
    Rule(
        "half_registering",
        "Total, peak and base fell to a half together: one element of the meter is lost.",
        _DELIVERED,
        each_day(_half),
        _BOUNDS,
        is_about_cells=True,
    ),
    Rule(
        "multiplier_step",
        "Total, peak and base changed together by a factor that transformers have.",
        _DELIVERED,
        each_day(_multiplier),
        _BOUNDS,
        is_about_cells=True,
    ),
    Rule(
        "unit",
        "Total, peak and base changed together by a factor that units have: Wh and kWh, kW and kWh a quarter-hour.",
        _DELIVERED,
        each_day(_unit),
        _BOUNDS,
        is_about_cells=True,
    ),
    Rule(
        "crossed",
        "Two neighbors exchanged their levels on one day: their meters are crossed.",
        _DELIVERED,
        each_day(_crossed),
        {
            "least_days": Bound("known days on the old level", 3, 24),
            "apart": Bound("logarithm of the ratio by which the two must differ", 0.1, 5),
            "miss": Bound("logarithm by which either may miss the other's old total, peak or lowest hour", 0.01, 2),
        },
    ),
)
