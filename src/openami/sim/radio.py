"""When a meter sends what it captured: its habit within the quarter-hour, and sometimes long after.

What a day loses is thrown by :mod:`openami.sim.faults.losses`, so that history and live meters lose alike; what the air
makes of what is sent is thrown by :mod:`openami.sim.mesh`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice

MAX_JITTER_S = 150
"""Meters spread their pushes over this long after a quarter-hour, as a push setup's randomization does."""
_LATE_SHARE = 0.004
_LATEST_S = 5_400


def push_delays_s(seed: int, meter_count: int, *, slot_start_s: int) -> npt.NDArray[np.int64]:
    """Return (m,) seconds from the end of a quarter-hour until each meter sends its row.

    Args:
        seed: the world's seed.
        meter_count: m.
        slot_start_s: start of the interval, seconds since the epoch.
    """
    habit = dice(seed=seed, stream=Stream.RADIO).integers(1, MAX_JITTER_S, meter_count)
    d = dice(seed=seed, stream=Stream.RADIO, day=slot_start_s // 900)
    late = d.random(meter_count) < _LATE_SHARE
    delays: npt.NDArray[np.int64] = habit + np.where(
        late, d.integers(900, _LATEST_S, meter_count), d.integers(0, 20, meter_count)
    )
    return delays
