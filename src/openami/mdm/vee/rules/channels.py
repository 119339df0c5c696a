"""Rules that hold one channel against another of the same meter.

Sources: CPUC D.98-12-080 Attachment VEE (kVARh check); Oracle Utilities MDM (Ensure IMD Exists for Sibling MCs; Sum
Check of time-of-use registers); research on utility practice (delivered and received swapped, duplicate register).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.history import MIN_DISTINCT
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.rules.rule import ALL, Bound, ChannelGroup, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView, Seen

_NIGHT_END_HOUR = 5
"""Midnight to this hour no roof feeds in, in any season of any zone that has nights."""


def _read(view: DayView) -> I64:
    """(S,) number of readings of the day."""
    return np.asarray(view.seen.readings[:, view.day])


def _sibling(view: DayView, t: Thresholds) -> Iterator[Spot]:
    expected = view.hi - view.lo
    sieve = view.wanted & (_read(view) >= t["share"] * expected)
    for channel, sibling in view.seen.around.siblings.items():
        # One that came only later was added to the meter, or to its pushes, and is not missed on the days before.
        known = sibling.present[:, : view.lo].any(axis=1)
        absent = sieve & known & ~sibling.present[:, view.lo : view.hi].any(axis=1)
        for row in where(absent):
            yield Spot(row, view.lo, view.hi, {"sibling": channel.name.lower(), "expected": expected})


def _same(view: DayView, t: Thresholds) -> Iterator[Spot]:
    other = view.seen.around.siblings.get(Channel.DELIVERED)
    if other is None:
        return
    total = view.total
    mine, theirs = view.seen.matrix.values[:, view.lo : view.hi], other.values[:, view.lo : view.hi]
    sieve = view.is_measured & (total >= t["least_wh"]) & (total == theirs.sum(axis=1))
    for row in where(sieve):
        if np.array_equal(mine[row], theirs[row]) and len(np.unique(mine[row])) >= MIN_DISTINCT:
            yield Spot(row, view.lo, view.hi, {"day_wh": int(total[row])})


def _swapped(view: DayView, t: Thresholds) -> Iterator[Spot]:
    """Nothing was ever zero at night, and now delivered is, while received runs all night."""
    received = view.seen.around.siblings.get(Channel.RECEIVED)
    if received is None or view.past.days < t["least_days"]:
        return
    night = view.lo + np.flatnonzero(view.seen.grid.slot[view.lo : view.hi] < view.hours(_NIGHT_END_HOUR))
    profile = view.profile()
    sieve = view.wanted & (view.past.is_known.sum(axis=1) >= t["least_days"]) & (view.today.base[:, 0] == 0)
    if profile is None or not sieve.any():
        return
    for row in where(sieve):
        if (profile[row, :_NIGHT_END_HOUR] == 0).any():
            continue
        own, back = view.seen.matrix.values[row, night], received.values[row, night]
        if not (received.present[row, night].all() and view.seen.matrix.present[row, night].all()):
            continue
        if (own == 0).mean() >= t["share"] and (back > 0).mean() >= t["share"]:
            evidence = {"received_at_night_wh": int(back.sum()), "delivered_at_night_wh": int(own.sum())}
            yield Spot(row, view.lo, view.hi, {**evidence, "night_intervals": len(night)})


def _kvarh(view: DayView, t: Thresholds) -> Iterator[Spot]:
    active = [view.seen.around.siblings.get(c) for c in (Channel.DELIVERED, Channel.RECEIVED)]
    there = [m for m in active if m is not None]
    if not there:
        return
    cut = slice(view.lo, view.hi)
    watt_hours = sum((m.values[:, cut] for m in there), np.zeros_like(view.values))
    read: BOOLS = np.asarray(there[0].present[:, cut] & view.seen.matrix.present[:, cut])
    alone = ((view.values > 0) & (watt_hours == 0) & read).sum(axis=1)
    var, watt = np.where(read, view.values, 0).sum(axis=1), np.where(read, watt_hours, 0).sum(axis=1)
    factor = watt / np.maximum(np.hypot(watt, var), 1)
    poor = (var >= t["least_varh"]) & (factor < t["least_power_factor"])
    for row in where(view.wanted & ((alone >= view.hours(t["least_hours"])) & (var >= t["least_varh"]) | poor)):
        evidence = {"varh": int(var[row]), "energy_wh": int(watt[row]), "alone_intervals": int(alone[row])}
        yield Spot(row, view.lo, view.hi, {**evidence, "power_factor": round(float(factor[row]), 3)})


def _tou_sum(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    rates = [seen.around.siblings.get(c) for c in (Channel.DELIVERED_RATE_1, Channel.DELIVERED_RATE_2)]
    there: list[Matrix] = [m for m in rates if m is not None]
    if not there or seen.around.channel is not Channel.DELIVERED:
        return
    read = np.logical_and.reduce([seen.matrix.present, *(m.present for m in there)])
    split = sum((m.values for m in there), np.zeros_like(seen.matrix.values))
    at = seen.grid.day_at[:-1]
    whole = np.add.reduceat(np.where(read, seen.matrix.values, 0), at, axis=1)
    parts = np.add.reduceat(np.where(read, split, 0), at, axis=1)
    count = np.add.reduceat(read, at, axis=1, dtype=np.int64)
    off = wanted & (np.abs(whole - parts) > t["counts"] * count)
    for row, day in zip(*(a.tolist() for a in np.nonzero(off)), strict=True):
        evidence = {"total_wh": int(whole[row, day]), "rates_wh": int(parts[row, day])}
        lo, hi = int(seen.grid.day_at[day]), int(seen.grid.day_at[day + 1])
        yield Spot(row, lo, hi, {**evidence, "residual_wh": int(whole[row, day] - parts[row, day])})


RULES = (
    Rule(
        "sibling",
        "A channel came and another of the same meter did not.",
        ALL - {ChannelGroup.OTHER},
        each_day(_sibling),
        {"share": Bound("share of the day's intervals that the channel itself must have", 0.01, 1)},
    ),
    Rule(
        "duplicate_register",
        "Received equals delivered to the count: one register is read twice.",
        frozenset({ChannelGroup.RECEIVED}),
        each_day(_same),
        {"least_wh": Bound("energy of the day below which nothing is said [Wh]", 0, 1e9)},
        is_about_cells=True,
    ),
    Rule(
        "swapped_channels",
        "Delivered stands still at night and received runs: the channels are swapped.",
        frozenset({ChannelGroup.DELIVERED}),
        each_day(_swapped),
        {
            "share": Bound("share of the night's intervals that must look swapped", 0.5, 1),
            "least_days": Bound("known days before, of 28", 1, 28),
        },
        is_about_cells=True,
    ),
    Rule(
        "kvarh",
        "Reactive energy without active energy, or a power factor that cannot be.",
        frozenset({ChannelGroup.REACTIVE}),
        each_day(_kvarh),
        {
            "least_hours": Bound("hours of reactive energy alone", 0.25, 25),
            "least_varh": Bound("reactive energy of the day below which nothing is said [varh]", 0, 1e9),
            "least_power_factor": Bound("power factor of the day below which it fails", 0, 1),
        },
    ),
    Rule(
        "tou_sum",
        "The registers by price period do not add up to the total.",
        frozenset({ChannelGroup.DELIVERED}),
        _tou_sum,
        {"counts": Bound("counts an interval by which they may differ", 0, 1000)},
    ),
)
