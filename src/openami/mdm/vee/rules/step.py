"""Rules about a level that changed by a factor: half-registering, a wrong multiplier, a wrong unit, crossed meters.

A home's use changes every day, but a wrong factor changes everything alike: the total, the peak and what runs day and
night. People who leave take their peaks with them and leave the refrigerator on. So three ratios must agree.

Source: research on utility practice (faults that look normal cost the most); our own measurement on homes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.mdm.vee.grid import BOOLS
from openami.mdm.vee.rules.rule import MEASURED_ENERGY, Bound, Evidence, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView

F64 = npt.NDArray[np.float64]
HALVES = (0.5,)
FACTORS = (2.0, 10.0, 20.0, 40.0, 60.0, 80.0, 120.0, 0.1, 0.05, 0.025, 1 / 60, 0.0125, 1 / 120)
UNITS = (1000.0, 0.001, 4.0, 0.25)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """Ratios of the last days to those before, of the rows that a sieve left. All (k,)."""

    row: list[int]
    total: F64
    maximum: F64
    base: F64
    steadiness: F64
    edge: F64
    daily_wh: F64
    before_wh: F64


def _levels(view: DayView, days: int, least_days: float, factors: tuple[float, ...], slack: float) -> _Step | None:
    """Return the step at which the last ``days`` days, today included, differ from those before.

    The sieve asks of the totals alone whether any factor is near; the day before the step must still lie on the old
    level, so that a step is found once.
    """
    if view.past.days < days + least_days:
        return None
    total = np.concatenate([view.past.total, view.today.total], axis=1)
    known = np.concatenate([view.past.is_known, view.today.is_known], axis=1)
    late, early = slice(total.shape[1] - days, None), slice(0, total.shape[1] - days)
    recent, before = total[:, late], total[:, early]
    enough = view.wanted & known[:, late].all(axis=1) & (known[:, early].sum(axis=1) >= least_days)
    mean = np.where(known[:, early], before, 0).sum(axis=1) / np.maximum(known[:, early].sum(axis=1), 1)
    near = np.zeros(len(total), bool)
    rough = recent.mean(axis=1) / np.maximum(mean, 1)
    for factor in factors:
        near |= (rough > factor / (1 + slack) / 1.3) & (rough < factor * (1 + slack) * 1.3)
    rows = where(enough & near & (mean > 0))
    if not rows:
        return None
    columns = {n: np.concatenate([getattr(view.past, n), getattr(view.today, n)], axis=1)[rows] for n in _NAMES}
    return _ratios(rows, columns, known[rows], days)


_NAMES = ("total", "maximum", "base")


def _ratios(rows: list[int], columns: dict[str, npt.NDArray[np.int64]], known: BOOLS, days: int) -> _Step:
    cut = known.shape[1] - days

    def before(name: str, share: float) -> F64:
        old = np.where(known[:, :cut], columns[name][:, :cut].astype(float), np.nan)
        return np.asarray(np.nanquantile(old, share, axis=1))

    def ratio(name: str) -> F64:
        recent = np.median(columns[name][:, cut:].astype(float), axis=1)
        return np.asarray(recent / np.maximum(before(name, 0.5), 1))

    spread = (before("base", 0.84) - before("base", 0.16)) / np.maximum(before("base", 0.5), 1)
    daily = np.median(columns["total"][:, cut:].astype(float), axis=1)
    old = before("total", 0.5)
    edge = columns["total"][:, cut - 1] / np.maximum(old, 1)
    return _Step(rows, ratio("total"), ratio("maximum"), ratio("base"), np.asarray(spread), edge, daily, old)


def _agreeing(view: DayView, t: Thresholds, factors: tuple[float, ...]) -> Iterator[Spot]:
    """Yield steps whose ratios all lie near one factor."""
    days = int(t["days"])
    step = _levels(view, days, t["least_days"], factors, t["slack_total"])
    if step is None:
        return
    for k, row in enumerate(step.row):
        if max(step.daily_wh[k], step.before_wh[k]) < t["least_wh"]:
            continue
        for factor in factors:
            if _fits(step, k, factor, t):
                evidence: Evidence = {
                    "factor": round(factor, 4), "ratio": round(float(step.total[k]), 3),
                    "ratio_of_peaks": round(float(step.maximum[k]), 3), "ratio_of_base": round(float(step.base[k]), 3),
                    "days": days, "daily_wh": round(float(step.daily_wh[k])),
                    "before_wh": round(float(step.before_wh[k])),
                }  # fmt: skip
                yield Spot(row, view.lo, view.hi, evidence)
                break


def _fits(step: _Step, k: int, factor: float, t: Thresholds) -> bool:
    """Tell whether total, peak and base all changed by the factor, and the day before was on the old level."""
    if abs(np.log(max(step.edge[k], 1e-9))) > abs(np.log(factor)) / 2:
        return False
    if abs(np.log(max(step.total[k], 1e-9) / factor)) > np.log1p(t["slack_total"]):
        return False
    if abs(np.log(max(step.maximum[k], 1e-9) / factor)) > np.log1p(t["slack_peak"]):
        return False
    if factor >= t["plain"] or factor <= 1 / t["plain"]:
        return True
    steady = step.steadiness[k] <= t["steady"]
    return bool(steady and abs(np.log(max(step.base[k], 1e-9) / factor)) <= np.log1p(t["slack_base"]))


def _half(view: DayView, t: Thresholds) -> Iterator[Spot]:
    yield from _agreeing(view, t, HALVES)


def _multiplier(view: DayView, t: Thresholds) -> Iterator[Spot]:
    yield from _agreeing(view, t, FACTORS)


def _unit(view: DayView, t: Thresholds) -> Iterator[Spot]:
    yield from _agreeing(view, t, UNITS)


_BOUNDS = {
    "days": Bound("days on the new level, today included", 1, 7),
    "least_days": Bound("known days on the old level", 3, 24),
    "slack_total": Bound("share by which the ratio of totals may miss the factor", 0.01, 2),
    "slack_peak": Bound("share by which the ratio of peaks may miss the factor", 0.01, 5),
    "slack_base": Bound("share by which the ratio of the lowest hours may miss the factor", 0.01, 2),
    "steady": Bound("spread (16 to 84 %) of the lowest hour over its median, above which nothing is said", 0.01, 10),
    "plain": Bound("factor (or its inverse) from which on the lowest hour is not asked", 2, 1000),
    "least_wh": Bound("the higher of both daily levels below which nothing is said [Wh]", 0, 1e12),
}

RULES = (
    Rule(
        "half_registering",
        "Total, peak and base fell to a half together: one element of the meter is lost.",
        MEASURED_ENERGY,
        each_day(_half),
        _BOUNDS,
        is_about_cells=True,
    ),
    Rule(
        "multiplier_step",
        "Total, peak and base changed together by a factor that transformers have.",
        MEASURED_ENERGY,
        each_day(_multiplier),
        _BOUNDS,
        is_about_cells=True,
    ),
    Rule(
        "unit",
        "Total, peak and base changed together by a factor that units have: Wh and kWh, kW and kWh a quarter-hour.",
        MEASURED_ENERGY,
        each_day(_unit),
        _BOUNDS,
        is_about_cells=True,
    ),
)
