"""Rules about how much: spike, high and low use, a day unlike its fortnight.

Sources: CPUC D.98-12-080 Attachment VEE (spike, high and low usage); Oracle Utilities MDM (High/Low Check, normalized
by average daily usage; Dynamic Comparison); research note on VEE 1.6 for how they behave on clean homes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.vee.grid import I64
from openami.mdm.vee.rules.rule import ENERGY, MEASURED_ENERGY, Bound, Evidence, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView

WEEK = 7
BEFORE = 20
"""Days before the week that it is compared with: with the week they leave one of the 28 for yesterday's comparison."""
FORTNIGHT = 14


def _spike(view: DayView, t: Thresholds) -> Iterator[Spot]:
    known = view.past.is_known
    highest = np.where(known, view.past.maximum, 0)
    today = view.today.maximum[:, 0]
    floor = t["least_w"] * view.seen.grid.interval_s / 3600
    sieve = view.wanted & (known.sum(axis=1) >= t["least_days"]) & (today > floor)
    sieve &= today > highest.max(axis=1, initial=0) * (1 + t["record"])
    for row in where(sieve):
        top = np.sort(view.values[row])[-3:]
        third = int(np.sort(np.concatenate([highest[row], top]))[-3])
        most = third * (1 + t["excess"])
        if today[row] <= most:
            continue
        for column in np.flatnonzero(view.values[row] > most).tolist():
            value = int(view.values[row, column])
            excess = round(value / third - 1, 2) if third else 0.0
            at = view.lo + column
            evidence: Evidence = {"spike_wh": value, "third_highest_wh": third, "excess": excess}
            # Where the register says the same, the energy was used: there is nothing to hold.
            yield Spot(row, at, at + 1, evidence, is_mild=_is_confirmed(view, row, at))


def _is_confirmed(view: DayView, row: int, column: int) -> bool:
    """Tell whether registers bracket the interval and agree with all that was read."""
    b, said = view.seen.brackets, view.seen.outcome.statements
    held = (b.row == row) & (b.lo <= column) & (column < b.hi)
    off = any(s.row == row and s.lo <= column < s.hi and s.rule == "sum_check" for s in said)
    return bool(held.any()) and not off and bool(view.is_measured[row])


def _mean(total: I64, known: I64) -> I64:
    """Return the mean of the known days, (S,); 0 where none is."""
    return np.asarray(np.where(known, total, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _high_low(view: DayView, t: Thresholds) -> Iterator[Spot]:
    if view.past.days < WEEK + BEFORE:
        return
    total = np.concatenate([view.past.total, view.today.total], axis=1)
    known = np.concatenate([view.past.is_known, view.today.is_known], axis=1)

    def ratio(back: int) -> tuple[I64, I64, I64]:
        end = total.shape[1] - back
        week, before = slice(end - WEEK, end), slice(end - WEEK - BEFORE, end - WEEK)
        now, then = _mean(total[:, week], known[:, week]), _mean(total[:, before], known[:, before])
        enough = (known[:, week].sum(axis=1) == WEEK) & (known[:, before].sum(axis=1) >= BEFORE / 2)
        # Where nothing was, as before a roof, there is nothing to compare with.
        enough &= then >= t["least_before_wh"]
        enough &= ((total[:, before] > 0) & known[:, before]).sum(axis=1) >= BEFORE / 2
        outside = (now > then * t["high"]) | (now < then * t["low"])
        return now, then, np.asarray(enough & outside & (np.maximum(now, then) >= t["least_wh"]))

    now, then, outside = ratio(0)
    if not (view.wanted & outside).any():
        return
    # A level that stays is one finding, on the day on which it came.
    *_, was = ratio(1)
    # A roof, a new one above all, takes from what is delivered as the sun will.
    received = view.seen.around.siblings.get(Channel.RECEIVED)
    roof = np.zeros(len(now), bool)
    if received is not None:
        roof = (received.values[:, view.lo : view.hi] > 0).any(axis=1) & (now < then)
    for row in where(view.wanted & outside & ~was & ~roof):
        evidence = {"daily_wh": round(float(now[row])), "before_wh": round(float(then[row]))}
        yield Spot(row, view.lo, view.hi, {**evidence, "ratio": round(float(now[row] / max(then[row], 1)), 2)})


def _dynamic(view: DayView, t: Thresholds) -> Iterator[Spot]:
    past, known = view.past.total[:, -FORTNIGHT:], view.past.is_known[:, -FORTNIGHT:]
    today = view.total
    sieve = view.wanted & (known.sum(axis=1) >= FORTNIGHT / 2) & view.today.is_known[:, 0]
    # The median lies between the extremes: what is not beyond them by the factor cannot be beyond it.
    high = today > np.where(known, past, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max) * t["high"]
    for row in where(sieve & high & (today >= t["least_wh"])):
        typical = float(np.median(past[row][known[row]]))
        if typical >= t["least_before_wh"] and today[row] > typical * t["high"]:
            evidence = {"day_wh": int(today[row]), "typical_wh": round(typical)}
            yield Spot(row, view.lo, view.hi, {**evidence, "ratio": round(today[row] / max(typical, 1), 2)})


RULES = (
    Rule(
        "spike",
        "An interval stands far above the third highest of four weeks.",
        ENERGY,
        each_day(_spike),
        {
            "excess": Bound("(highest - third highest) / third highest, above which it fails", 0.1, 100),
            "record": Bound("share by which it exceeds every interval of the days before", 0, 100),
            "least_w": Bound("mean power of the interval below which nothing is a spike [W]", 0, 1e9),
            "least_days": Bound("known days before, of 28", 1, 28),
        },
        is_about_cells=True,
    ),
    Rule(
        "high_low",
        "The average day of a week is far from that of the three weeks before.",
        MEASURED_ENERGY,
        each_day(_high_low),
        {
            "high": Bound("ratio of the daily averages above which it is high", 1, 1000),
            "low": Bound("ratio of the daily averages below which it is low", 0, 1),
            "least_before_wh": Bound("average before below which nothing is said [Wh a day]", 0, 1e12),
            "least_wh": Bound("the higher of the averages below which nothing is said [Wh a day]", 0, 1e12),
        },
    ),
    Rule(
        "dynamic_comparison",
        "A day is many times the median of its fortnight.",
        MEASURED_ENERGY,
        each_day(_dynamic),
        {
            "high": Bound("ratio to the median day above which it is high", 1, 1000),
            "least_before_wh": Bound("median day below which nothing is said [Wh]", 0, 1e12),
            "least_wh": Bound("energy of the day below which nothing is said [Wh]", 0, 1e12),
        },
    ),
)
