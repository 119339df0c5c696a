"""Put faults where dice say, into a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from openami.contracts.channel import Channel
from openami.sim.faults.metering import honest, intervals, meters, registers
from openami.sim.faults.metering.draft import Draft
from openami.sim.faults.metering.kinds import FAULTS, Fault, FaultKind, Way
from openami.sim.faults.metering.scene import Scene

INJECTOR_SEED = 20_261_130
"""Thrown once, before any threshold was tuned."""

_DO: Mapping[FaultKind, Callable[[Draft], None]] = {
    FaultKind.SPIKE: intervals.spike,
    FaultKind.GAP: intervals.gap,
    FaultKind.SCALE: intervals.scale,
    FaultKind.SHIFT: intervals.shift,
    FaultKind.DUPLICATE_DAY: intervals.duplicate_day,
    FaultKind.STUCK: intervals.stuck,
    FaultKind.NEGATIVE: intervals.negative,
    FaultKind.OVERFLOW: intervals.overflow,
    FaultKind.SWAPPED_DATE: intervals.swapped_date,
    FaultKind.OFF_GRID: intervals.off_grid,
    FaultKind.CONFLICT: intervals.conflict,
    FaultKind.UNEXPLAINED_ZERO: intervals.unexplained_zero,
    FaultKind.HALF_REGISTERING: meters.half_registering,
    FaultKind.SLOW: meters.times,
    FaultKind.DRIFT: meters.drift,
    FaultKind.STOPPED: meters.times,
    FaultKind.MULTIPLIER: meters.times,
    FaultKind.CROSSED: meters.crossed,
    FaultKind.CLOCK_HOUR: intervals.shift,
    FaultKind.SWAPPED_CHANNELS: meters.swapped_channels,
    FaultKind.DUPLICATE_REGISTER: meters.duplicate_register,
    FaultKind.STUCK_REGISTER: registers.stuck_register,
    FaultKind.WRONG_REGISTER: registers.wrong_register,
    FaultKind.MISKEYED_READ: registers.miskeyed_read,
    FaultKind.ROLLOVER_DIGITS: registers.rollover_digits,
    FaultKind.REVERSE_FLOW: meters.reverse_flow,
    FaultKind.INACTIVE_USAGE: meters.inactive_usage,
    FaultKind.VOLTAGE_BAND: meters.voltage_band,
    FaultKind.ROLLOVER: registers.rollover,
    FaultKind.OUTAGE: honest.outage,
    FaultKind.HOLIDAY: honest.holiday,
    FaultKind.NEW_VEHICLE: honest.new_vehicle,
    FaultKind.NEW_ROOF: meters.new_roof,
}


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault at one place.

    Args:
        kind: what.
        severity: of the kind's grid.
        way: what the register did.
        row: service point.
        day: index of the day on which it begins.
    """

    kind: FaultKind
    severity: float
    way: Way
    row: int
    day: int


def planned(
    scene: Scene, fault: Fault, severity: float, way: Way, *, first: int, last: int, seed: int = INJECTOR_SEED
) -> list[Injection]:
    """Return one injection for each service point that it fits, on a thrown day.

    Crossed meters take every second service point: a place has one fault.

    Args:
        scene: clean.
        fault: kind.
        severity: of its grid.
        way: what the register did.
        first: first day that may be thrown.
        last: the day after the last that may be thrown.
        seed: of the experiment.
    """
    kind = list(FaultKind).index(fault.kind)
    cell = [seed, kind, fault.severities.index(severity), fault.ways.index(way)]
    days = np.random.default_rng(cell).integers(first, last, scene.count).tolist()
    has_roof = (scene.readings[Channel.RECEIVED].values > 0).any(axis=1)
    fits = np.ones(scene.count, bool) if fault.needs_roof is None else has_roof == fault.needs_roof
    if fault.kind is FaultKind.CROSSED:
        fits[1::2] = False
        fits[-1:] &= scene.count % 2 == 0
    return [Injection(fault.kind, severity, way, row, days[row]) for row in np.flatnonzero(fits).tolist()]


def inject(clean: Scene, injections: Sequence[Injection], *, seed: int = INJECTOR_SEED) -> Scene:
    """Return a copy of the scene in which all of these happened; at most one at each service point."""
    scene = clean.copy()
    for one in injections:
        dice = np.random.default_rng([seed, list(FaultKind).index(one.kind), one.row, one.day])
        draft = Draft(scene, clean, one.row, one.day, one.severity, dice)
        _DO[one.kind](draft)
        if one.way is Way.COUNTED:
            draft.count_in_registers()
            if one.kind is FaultKind.CROSSED:
                Draft(scene, clean, (one.row + 1) % scene.count, one.day, one.severity, dice).count_in_registers()
    return scene


def fault_of(kind: FaultKind) -> Fault:
    """Return a kind's row of the table."""
    return next(f for f in FAULTS if f.kind is kind)
