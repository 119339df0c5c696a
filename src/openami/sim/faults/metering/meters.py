"""Faults of the meter, its wiring or its record: from a day on, and the registers agree with the intervals."""

from __future__ import annotations

import numpy as np

from openami.contracts.channel import Channel
from openami.sim.faults.metering.draft import Draft
from openami.sim.faults.metering.scene import ENERGY

_DRIFT_DAYS = 30
_HALF_SPREAD = 0.1
_NOON_H, _DAYLIGHT_H = 12.5, 5.5


def half_registering(draft: Draft) -> None:
    """One of two elements is lost: what hung on it is not counted, about half, from one interval to the next."""
    onward = draft.onward
    lost = np.clip(draft.dice.normal(draft.severity, _HALF_SPREAD, onward.stop - onward.start), 0.1, 0.9)
    draft.write(onward, _whole(draft.truth()[onward] * lost))


def times(draft: Draft) -> None:
    """Energy of both ways times a factor: a slow meter, or a wrong multiplier."""
    for channel in ENERGY:
        draft.write(draft.onward, _whole(draft.truth(channel)[draft.onward] * draft.severity), channel)


def drift(draft: Draft) -> None:
    """The meter slides to the factor over a month."""
    onward, grid = draft.onward, draft.scene.grid
    age = (grid.day_of[onward] - draft.day) / _DRIFT_DAYS
    factor = 1.0 - (1.0 - draft.severity) * np.minimum(age, 1.0)
    draft.write(onward, _whole(draft.truth()[onward] * factor))


def crossed(draft: Draft) -> None:
    """The meter of this home and that of the next one measure each other's home."""
    other = (draft.row + 1) % draft.scene.count
    for channel in ENERGY:
        mine, theirs = draft.truth(channel), draft.clean.readings[channel].values[other]
        draft.write(draft.onward, theirs[draft.onward], channel)
        draft.scene.readings[channel].values[other, draft.onward] = mine[draft.onward]


def swapped_channels(draft: Draft) -> None:
    """What goes in is counted as going out, and the other way round."""
    first, second = ENERGY
    draft.write(draft.onward, draft.truth(second)[draft.onward], first)
    draft.write(draft.onward, draft.truth(first)[draft.onward], second)


def duplicate_register(draft: Draft) -> None:
    """Two channels are mapped to one register: the home is said to give back all that it takes."""
    draft.write(draft.onward, draft.truth(Channel.DELIVERED)[draft.onward], Channel.RECEIVED)


def reverse_flow(draft: Draft) -> None:
    """A roof that nobody approved."""
    _roof(draft)


def new_roof(draft: Draft) -> None:
    """A roof that was approved before it began."""
    _roof(draft)
    draft.scene.facts.may_return[draft.row] = True


def inactive_usage(draft: Draft) -> None:
    """Service is said to have ended; the home goes on using energy."""
    draft.scene.facts.is_active[draft.row, draft.day :] = False


def voltage_band(draft: Draft) -> None:
    """A day's voltage out of its band."""
    values = draft.truth(Channel.VOLTAGE)[draft.on_day]
    draft.write(draft.on_day, _whole(values * draft.severity), Channel.VOLTAGE)


def _roof(draft: Draft) -> None:
    """What the sun gives is used first; the rest goes out."""
    onward, grid = draft.onward, draft.scene.grid
    hour = grid.slot[onward] * grid.interval_s / 3600
    sun = np.maximum(np.cos((hour - _NOON_H) / _DAYLIGHT_H * np.pi / 2), 0) * (abs(hour - _NOON_H) < _DAYLIGHT_H)
    cloud = draft.dice.uniform(0.3, 1.0, grid.days)[grid.day_of[onward]]
    made = sun * cloud * draft.severity * grid.interval_s / 3600
    used = draft.truth()[onward]
    draft.write(onward, _whole(np.maximum(used - made, 0)))
    draft.write(onward, _whole(np.maximum(made - used, 0)), Channel.RECEIVED)


def _whole(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(values), dtype=np.int64)
