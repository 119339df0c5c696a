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
from openami.mdm.vee.rules.rule import Bound, ChannelGroup, Evidence, Rule, Spot, Thresholds, each_day
from openami.mdm.vee.rules.seen import DayView

F64 = npt.NDArray[np.float64]
HALVES = (0.5,)
FACTORS = (2.0, 10.0, 20.0, 40.0, 60.0, 80.0, 120.0, 0.1, 0.05, 0.025, 1 / 60, 0.0125, 1 / 120)
UNITS = (1000.0, 0.001, 4.0, 0.25)
SPANS = (2, 5, 7, 10, 14)
"""Days on the new level at which a step is looked for; the first alone where the factor is plain."""
_NAMES = ("total", "maximum", "base")
_NO_VACANCY = 0.01
"""No home that is left falls below this share of its use."""
_MARGIN = 0.3
"""The sieve compares means where the rule compares medians: it lets this much more of a logarithm through."""


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """What homes used on each of the D days up to today.

    Args:
        view: where they lie.
        total: (S, D) counts.
        known: (S, D) days without a missing interval.
        sums: (S, D) counts of the known days up to and with each day.
        counts: (S, D) how many known days that are.
    """

    view: DayView
    total: I64
    known: BOOLS
    sums: I64
    counts: I64

    def of(self, name: str, rows: I64) -> I64:
        """Return another digest of some rows, (k, D)."""
        return np.concatenate([getattr(self.view.past, name)[rows], getattr(self.view.today, name)[rows]], axis=1)

    def change(self, cut: int, least_days: float) -> tuple[F64, F64, BOOLS]:
        """Return the logarithms of the mean day before the cut and of the change after it, and where both are known."""
        days = self.total.shape[1] - cut
        count = self.counts[:, cut - 1]
        enough = self.view.wanted & (self.counts[:, -1] - count == days) & (count >= least_days)
        old = np.log(np.maximum(self.sums[:, cut - 1] / np.maximum(count, 1), 1))
        new = np.log(np.maximum((self.sums[:, -1] - self.sums[:, cut - 1]) / days, 1))
        return old, new - old, np.asarray(enough)


def _levels(view: DayView) -> _Levels:
    """Return the levels up to a day; several rules ask for the same."""
    found: _Levels | None = view.seen.kept.get(f"levels {view.day}")
    if found is None:
        found = view.seen.kept[f"levels {view.day}"] = _made(view)
    return found


def _made(view: DayView) -> _Levels:
    total = np.concatenate([view.past.total, view.today.total], axis=1)
    known = np.concatenate([view.past.is_known, view.today.is_known], axis=1)
    return _Levels(view, total, known, np.cumsum(total * known, axis=1), np.cumsum(known, axis=1))


def _steps(view: DayView, t: Thresholds, factors: tuple[float, ...]) -> Iterator[Spot]:
    """Yield the rows on which the last days differ from those before by one of the factors."""
    if view.past.days < SPANS[0] + t["least_days"]:
        return
    levels = _levels(view)
    every = np.array(factors)
    is_plain = np.abs(np.log(every)) >= np.log(t["plain"])
    told: set[int] = set()
    for days in SPANS:
        asked = every[is_plain if days == SPANS[0] else ~is_plain]
        cut = levels.known.shape[1] - days
        if not len(asked) or cut < t["least_days"]:
            continue
        rows = _sieved(levels, cut, np.log(asked), t)
        for spot in _fitting(view, levels, rows, cut, asked, t) if len(rows) else ():
            if spot.row not in told:
                told.add(spot.row)
                yield spot


def _sieved(levels: _Levels, cut: int, logs: F64, t: Thresholds) -> I64:
    """Return the rows whose mean changed by about a factor, between the day before and the first day."""
    old, change, enough = levels.change(cut, t["least_days"])
    enough &= np.maximum(old, old + change) >= np.log(max(t["least_wh"], 1))
    before, first = (np.log(np.maximum(levels.total[:, c], 1)) - old for c in (cut - 1, cut))
    near = np.zeros(len(change), bool)
    for log in logs.tolist():
        on = np.abs(change - log) <= t["slack"] * abs(log) + _MARGIN
        on &= (np.abs(before) < abs(log) / 2 + _MARGIN) & (np.abs(first - log) < abs(log) / 1.5 + _MARGIN)
        near |= on
    return np.flatnonzero(enough & near)


def _middle(values: I64, known: BOOLS) -> F64:
    """Return the median of the logarithms of the known values of each row: the lower of two middles."""
    logs = np.sort(np.where(known, np.log(np.maximum(values, 1).astype(float)), np.inf), axis=1)
    return np.asarray(logs[np.arange(len(logs)), (known.sum(axis=1) - 1) // 2])


def _fitting(view: DayView, levels: _Levels, rows: I64, cut: int, factors: F64, t: Thresholds) -> Iterator[Spot]:
    """Yield the rows in which total, peak and base all changed by one factor, and the day before had not.

    A home that heats with electricity halves its use in honesty when a cold spell ends, and one that is left or moved
    into changes tenfold: only a plain factor on a lived-in home fails.
    """
    known = levels.known[rows]
    olds, changes = [], []
    for values in (levels.of(name, rows) for name in _NAMES):
        olds.append(_middle(values[:, :cut], known[:, :cut]))
        changes.append(_middle(values[:, cut:], known[:, cut:]) - olds[-1])
    ratios = np.stack(changes)
    nearest = np.abs(np.log(factors)[:, None] - ratios[0]).argmin(axis=0)
    log = np.log(factors)[nearest]
    before, first = (np.log(np.maximum(levels.total[rows, c], 1)) - olds[0] for c in (cut - 1, cut))
    fits = (np.abs(ratios - log) <= t["slack"] * np.abs(log)).all(axis=0)
    fits &= (np.abs(before) < np.abs(log) / 2) & (np.abs(first - log) < np.abs(log) / 1.5)
    for k in np.flatnonzero(fits).tolist():
        factor, old = float(factors[nearest[k]]), float(np.exp(olds[0][k]))
        total, peak, base = np.exp(ratios[:, k]).tolist()
        evidence: Evidence = {
            "factor": round(factor, 4), "days": levels.known.shape[1] - cut, "before_wh": round(old),
            "ratio": round(total, 3), "ratio_of_peaks": round(peak, 3), "ratio_of_lowest_hours": round(base, 3),
        }  # fmt: skip
        is_sure = (factor >= t["plain"] and old >= t["least_wh"]) or factor <= _NO_VACANCY
        yield Spot(int(rows[k]), view.lo, view.hi, evidence, is_mild=not is_sure)


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
        for row in _changed(levels, cut, neighborhood, t).tolist():
            by_place.setdefault(int(neighborhood[row]), []).append(row)
        for a, b in (pair for members in by_place.values() for pair in combinations(members, 2)):
            miss = None if (a, b) in told else _exchanged(levels, a, b, cut, t)
            if miss is not None:
                told.add((a, b))
                for row, other in ((a, b), (b, a)):
                    evidence: Evidence = {"days": days, "worst_miss": round(miss, 3), "neighbor_row": other}
                    yield Spot(row, view.lo, view.hi, evidence)


def _changed(levels: _Levels, cut: int, neighborhood: I64, t: Thresholds) -> I64:
    """Return the rows with neighbors whose level changed by enough to be another's, and the day before is known."""
    _, change, enough = levels.change(cut, t["least_days"])
    return np.flatnonzero(
        enough & levels.known[:, cut - 1] & (neighborhood >= 0) & (np.abs(change) > t["apart"] - _MARGIN)
    )


def _exchanged(levels: _Levels, a: int, b: int, cut: int, t: Thresholds) -> float | None:
    """Return by how much two rows miss having exchanged their levels; None where they did not."""
    misses = []
    for name in _NAMES:
        values = np.log(np.maximum(levels.of(name, np.array([a, b])), 1).astype(float))
        old = [float(np.median(values[k, :cut][levels.known[r, :cut]])) for k, r in enumerate((a, b))]
        new = [float(np.median(values[k, cut:])) for k in (0, 1)]
        misses += [abs(new[0] - old[1]), abs(new[1] - old[0])]
        if name == "total" and (abs(old[0] - old[1]) < t["apart"] or not _is_sharp(values, cut, old)):
            return None
    return max(misses) if max(misses) <= t["miss"] else None


def _is_sharp(values: F64, cut: int, old: list[float]) -> bool:
    """Tell whether both rows changed on the same day: before it each was nearer to its own level, after it not."""
    half = abs(old[0] - old[1]) / 2
    before = abs(values[0, cut - 1] - old[0]) < half and abs(values[1, cut - 1] - old[1]) < half
    return bool(before and abs(values[0, cut] - old[1]) < half and abs(values[1, cut] - old[0]) < half)


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
