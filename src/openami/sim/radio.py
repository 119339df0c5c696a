"""The radio hop from a meter to its collector: takes a while, loses, repeats and overtakes.

What a day loses is thrown by :mod:`openami.sim.faults.losses`, so that history and live meters lose alike; delay and
repetition are thrown here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice

MAX_JITTER_S = 150
"""Meters spread their pushes over this long after a quarter-hour, as a push setup's randomization does."""
_REPEAT_SHARE = 0.003
_LATE_SHARE = 0.004
_LATEST_S = 5_400


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """What the air does to the pushes of one quarter-hour, one value per meter.

    Args:
        delay_s: (m,) seconds from the end of the interval until the collector has the frame.
        repeats: (m,) whether the collector hears the frame twice.
    """

    delay_s: npt.NDArray[np.int64]
    repeats: npt.NDArray[np.bool_]


def radio_hop(seed: int, meter_count: int, *, slot_start_s: int) -> Hop:
    """Throw the hop of one quarter-hour.

    Args:
        seed: the world's seed.
        meter_count: m.
        slot_start_s: start of the interval, seconds since the epoch.
    """
    habit = dice(seed=seed, stream=Stream.RADIO).integers(1, MAX_JITTER_S, meter_count)
    d = dice(seed=seed, stream=Stream.RADIO, day=slot_start_s // 900)
    late = d.random(meter_count) < _LATE_SHARE
    delay = habit + np.where(late, d.integers(900, _LATEST_S, meter_count), d.integers(0, 20, meter_count))
    return Hop(delay, d.random(meter_count) < _REPEAT_SHARE)
