"""Rules about voltage: outside the bands of ANSI C84.1, and legs that differ.

Source: ANSI C84.1 service voltage, range A 95 to 105 %, range B 91.7 to 105.8 % of nominal; research note on VEE 5 (an
open neutral on 120/240 V: the legs part by 8 to 10 V while their sum stays).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.vee.grid import I64
from openami.mdm.vee.rules.rule import Bound, ChannelGroup, Evidence, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView

NOMINAL_DV = np.array([1_200, 2_080, 2_300, 2_400, 2_770, 3_470, 4_000, 4_800])
"""Service voltages of the field [0.1 V], for a place whose own is not told."""
_LEGS = (Channel.VOLTAGE_L1, Channel.VOLTAGE_L2, Channel.VOLTAGE_L3)


def _nominal(view: DayView) -> I64:
    """(S,) nominal voltage [0.1 V]: the registry's, or the one nearest to the highest of the days before."""
    told = view.seen.around.places.nominal_dv
    known = view.past.is_known
    before = np.where(known, view.past.maximum, 0).sum(axis=1) // np.maximum(known.sum(axis=1), 1)
    highest = np.where(before > 0, before, view.today.maximum[:, 0])
    nearest = NOMINAL_DV[np.abs(highest[:, None] - NOMINAL_DV).argmin(axis=1)]
    return np.asarray(nearest if told is None else np.where(told > 0, told, nearest))


def _band(view: DayView, t: Thresholds) -> Iterator[Spot]:
    nominal = _nominal(view)
    # A voltage that is gone is an outage, which others tell of.
    read = (view.seen.outcome.method[:, view.lo : view.hi] == 0) & (view.values > (nominal * t["gone"])[:, None])
    limits = [(nominal * t[f"low_{r}"], nominal * t[f"high_{r}"], t[f"hours_{r}"]) for r in ("b", "a")]
    low_a, high_a, _ = limits[1]
    extreme = (view.values.min(axis=1) < low_a) | (view.today.maximum[:, 0] > high_a)
    for row in where(view.wanted & extreme & read.any(axis=1)):
        for name, (low, high, hours) in zip("BA", limits, strict=True):
            mask = read[row] & ((view.values[row] < low[row]) | (view.values[row] > high[row]))
            count = int(np.count_nonzero(mask))
            if count < view.hours(hours):
                continue
            values = view.values[row][mask]
            worst = int(values[np.argmax(np.abs(values - nominal[row]))])
            evidence: Evidence = {
                "range": name,
                "intervals": count,
                "worst_v": worst / 10,
                "nominal_v": int(nominal[row]) / 10,
            }
            yield Spot(row, view.lo, view.hi, evidence, is_mild=name == "A")
            break


def _imbalance(view: DayView, t: Thresholds) -> Iterator[Spot]:
    if view.seen.around.channel is not Channel.VOLTAGE_L1:
        return
    cut = slice(view.lo, view.hi)
    others = [m for c in _LEGS[1:] if (m := view.seen.around.siblings.get(c)) is not None]
    if not others:
        return
    stack = np.stack([view.seen.matrix.values[:, cut], *(m.values[:, cut] for m in others)])
    read = np.logical_and.reduce([view.seen.matrix.present[:, cut], *(m.present[:, cut] for m in others)])
    apart = np.where(read, stack.max(axis=0) - stack.min(axis=0), 0)
    mask = apart > t["apart_v"] * 10
    for row in where(view.wanted & (mask.sum(axis=1) >= view.hours(t["least_hours"]))):
        evidence: Evidence = {
            "intervals": int(mask[row].sum()),
            "most_v": int(apart[row].max()) / 10,
            "legs": len(stack),
        }
        yield Spot(row, view.lo, view.hi, evidence)


_VOLTAGE = frozenset({ChannelGroup.VOLTAGE})
_SHARE = "share of the nominal voltage: "

RULES = (
    Rule(
        "voltage_band",
        "The voltage lies outside range B, or for most of the day outside range A, of ANSI C84.1.",
        _VOLTAGE,
        each_day(_band),
        {
            "low_a": Bound(_SHARE + "lower edge of range A", 0.5, 1),
            "high_a": Bound(_SHARE + "upper edge of range A", 1, 1.5),
            "hours_a": Bound("hours outside range A in the day", 0.25, 25),
            "low_b": Bound(_SHARE + "lower edge of range B", 0.5, 1),
            "high_b": Bound(_SHARE + "upper edge of range B", 1, 1.5),
            "hours_b": Bound("hours outside range B in the day", 0.25, 25),
            "gone": Bound(_SHARE + "below it there is no supply and this rule is silent", 0, 0.9),
        },
    ),
    Rule(
        "voltage_imbalance",
        "The legs of the service part: a loose neutral, or unbalanced load.",
        _VOLTAGE,
        each_day(_imbalance),
        {
            "apart_v": Bound("difference between the highest and the lowest leg [V]", 0.1, 500),
            "least_hours": Bound("hours in the day", 0.25, 25),
        },
    ),
)
