"""Rules about readings that do not move: stuck, zero, stopped with voltage present, outage zeros, a repeated day.

Sources: Oracle Utilities MDM (Consecutive Interval Check, Zero Consumption Check); research on utility practice (faults
that look normal); research note on VEE 1.6 (how long equal runs are on clean homes, by resolution).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import I64
from openami.mdm.vee.history import MIN_DISTINCT
from openami.mdm.vee.rules.rule import (
    MEASURED_ENERGY,
    Bound,
    ChannelGroup,
    Evidence,
    Rule,
    Spot,
    Thresholds,
    each_day,
    where,
)
from openami.mdm.vee.rules.seen import DayView


def _longest(values: I64) -> tuple[int, int]:
    """Return where the longest run of equal values begins and ends.

    >>> _longest(np.array([1, 2, 2, 2, 3]))
    (1, 4)
    """
    edges = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1, [len(values)]])
    best = int(np.argmax(np.diff(edges)))
    return int(edges[best]), int(edges[best + 1])


def _resolution(values: I64) -> int:
    """Return the step that all values are multiples of; 1 where they share none."""
    return max(int(np.gcd.reduce(values)), 1)


LEAST_RUN = 6
"""Equal values in a row below which no length in hours counts: two equal hours are chance."""


def _stuck(view: DayView, t: Thresholds) -> Iterator[Spot]:
    values = view.values
    least = max(view.hours(t["least_hours"]), LEAST_RUN)
    # Runs of zeros have rules of their own, and every roof that feeds in has one each night.
    equal = np.count_nonzero(values[:, 1:] == values[:, :-1], axis=1)
    rows = np.flatnonzero(view.is_measured & (equal >= least - 1) & (view.total > 0))
    own = values[rows]
    equal = np.count_nonzero((own[:, 1:] == own[:, :-1]) & (own[:, 1:] > 0), axis=1)
    for row in rows[equal >= least - 1].tolist():
        lo, hi = _longest(values[row])
        value, step = int(values[row, lo]), _resolution(values[row])
        # A coarse register repeats itself honestly: the fewer steps a value has, the longer it may stand.
        if lo == 0 and hi == len(values[row]):
            step = _resolution(view.past.maximum[row]) if view.past.maximum[row].any() else value
        steps = value // step
        if value <= 0 or steps < t["least_steps"] or hi - lo < max(least, view.hours(t["hour_steps"] / steps)):
            continue
        evidence: Evidence = {"value_wh": value, "intervals": hi - lo, "resolution_wh": step}
        yield Spot(row, view.lo + lo, view.lo + hi, evidence)


def _zero_runs(view: DayView, least_hours: float, least_days: float) -> Iterator[tuple[int, int, int]]:
    """Yield (row, lo, hi) of long runs of read zeros at a place that in no hour of the known days used nothing."""
    least = view.hours(least_hours)
    rows = np.flatnonzero(view.wanted & (view.zeros >= least))
    if not len(rows):
        return
    # A day that failed proves nothing: else a meter that stopped would be strange on its first day alone.
    past = view.past.at(rows)
    known = past.is_known & (past.state != QualityState.QUESTIONABLE)
    never = np.where(known, past.base, 1).min(axis=1, initial=1) > 0
    # A roof takes the day's hours to zero; then only a whole day of zeros is strange.
    nor_a_day = np.where(known, past.total, 1).min(axis=1, initial=1) > 0
    strange = (known.sum(axis=1) >= least_days) & (never | (nor_a_day & (view.total[rows] == 0)))
    received = view.seen.around.siblings.get(Channel.RECEIVED)
    if received is not None:
        # A roof that feeds in takes hours to zero, a new one for the first time.
        strange &= ~(received.values[rows, view.lo : view.hi] > 0).any(axis=1)
    for row in rows[strange].tolist():
        zero = (view.values[row] == 0) & (view.seen.outcome.method[row, view.lo : view.hi] == 0)
        lo, hi = _longest(np.where(zero, -1, np.arange(len(zero))))
        if zero[lo] and hi - lo >= least:
            yield row, view.lo + lo, view.lo + hi


def _volts(view: DayView, row: int, lo: int, hi: int) -> tuple[float, int] | None:
    """Return the mean voltage over the columns and the nominal one [0.1 V]; None where it was not read in all."""
    sibling = view.seen.around.siblings.get(Channel.VOLTAGE)
    if sibling is None or not sibling.present[row, lo:hi].all():
        return None
    nominal = view.seen.around.places.nominal_dv
    told = 0 if nominal is None else int(nominal[row])
    return float(sibling.values[row, lo:hi].mean()), told or int(sibling.values[row].max(initial=1))


def _stopped(view: DayView, t: Thresholds) -> Iterator[Spot]:
    for row, lo, hi in _zero_runs(view, t["least_hours"], t["least_days"]):
        volts = _volts(view, row, lo, hi)
        if volts is not None and volts[0] >= t["share"] * volts[1]:
            yield Spot(row, lo, hi, {"intervals": hi - lo, "voltage_v": round(volts[0] / 10, 1)})


def _outage_zero(view: DayView, t: Thresholds) -> Iterator[Spot]:
    for row, lo, hi in _zero_runs(view, t["least_hours"], t["least_days"]):
        volts = _volts(view, row, lo, hi)
        if volts is not None and volts[0] < t["share"] * volts[1]:
            yield Spot(row, lo, hi, {"intervals": hi - lo, "voltage_v": round(volts[0] / 10, 1)})


def _zero(view: DayView, t: Thresholds) -> Iterator[Spot]:
    for row, lo, hi in _zero_runs(view, t["least_hours"], t["least_days"]):
        if _volts(view, row, lo, hi) is None:
            yield Spot(row, lo, hi, {"intervals": hi - lo})


def _repeat(view: DayView, t: Thresholds) -> Iterator[Spot]:
    digest = view.today.digest
    sieve = view.is_measured & (digest[:, 0] != 0)
    same = (view.past.digest == digest) & view.past.is_known
    for row in where(sieve & same.any(axis=1)):
        distinct = len(np.unique(view.values[row]))
        if distinct >= max(t["least_distinct"], MIN_DISTINCT):
            back = same.shape[1] - int(np.flatnonzero(same[row])[-1])
            yield Spot(row, view.lo, view.hi, {"days_back": back, "distinct": distinct, "day_wh": int(view.total[row])})


_DELIVERED = frozenset({ChannelGroup.DELIVERED})
_SPELL = {
    "least_hours": Bound("length of the run of zeros [h]", 0.25, 25),
    "least_days": Bound("known days before, of 28", 1, 28),
}
_SHARE = {"share": Bound("share of the nominal voltage above which there is voltage", 0.01, 1)}

RULES = (
    Rule(
        "stuck",
        "The same value stands for hours, longer than the register's resolution explains.",
        MEASURED_ENERGY,
        each_day(_stuck),
        {
            "least_hours": Bound("shortest run that is looked at [h]", 0.5, 25),
            "least_steps": Bound("resolution steps in the value below which nothing is said", 1, 1e6),
            "hour_steps": Bound("hours times resolution steps that a run may have", 0, 1e6),
        },
        is_about_cells=True,
    ),
    Rule(
        "zero",
        "Hours of zeros where no hour was ever zero, and no voltage tells why.",
        _DELIVERED,
        each_day(_zero),
        _SPELL,
    ),
    Rule(
        "stopped",
        "Hours of zeros where no hour was ever zero, with voltage present: the meter stopped measuring.",
        _DELIVERED,
        each_day(_stopped),
        {**_SPELL, **_SHARE},
        is_about_cells=True,
    ),
    Rule(
        "outage_zero",
        "Hours of zeros with the voltage gone and no power failure reported: an outage that nobody told of.",
        _DELIVERED,
        each_day(_outage_zero),
        {**_SPELL, **_SHARE},
    ),
    Rule(
        "repeat_day",
        "A day repeats an earlier one to the count.",
        MEASURED_ENERGY,
        each_day(_repeat),
        {"least_distinct": Bound("different values in the day", MIN_DISTINCT, 100)},
        is_about_cells=True,
    ),
)
