"""The radio hop from a meter to its collector: takes a while, loses, repeats and overtakes.

What a day loses is thrown by :mod:`openami.sim.faults.losses`, so that history and live meters lose alike; delay and
repetition are thrown here. A *call* is a request from the collector and its answer, within seconds of real time; what
it takes on the air is counted by :func:`airtime_s`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice

MAX_JITTER_S = 150
"""Meters spread their pushes over this long after a quarter-hour, as a push setup's randomization does."""
BITS_PER_S = 50_000
"""A common rate of meter meshes at 915 MHz."""
FRAGMENT_OCTETS = 200
FRAGMENT_HEAD_OCTETS = 30
"""Preamble, synchronization, addresses and checksum of each fragment."""
_CALL_LOSS = 0.03
_CALL_TRIES = 3
_RETRY_S = 1.0
_CALL_LOG_S = -0.5
_CALL_SPREAD = 0.6
"""Waiting for one's turn over some mesh hops: median 0.6 s, one in twenty over 1.6 s."""
_LONGEST_HOP_S = 8.0
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


@dataclass(frozen=True, slots=True)
class Call:
    """What the air does to one request and its answer.

    Args:
        down_s, up_s: from the collector to the meter and back [s], without the time on the air itself.
        reaches: whether the meter hears it, after all tries of the link.
        returns: whether the collector hears the answer.
        tries: sendings of both together, for the time on the air.
    """

    down_s: float
    up_s: float
    reaches: bool
    returns: bool
    tries: int


def radio_call(seed: int, *, meter: int, number: int) -> Call:
    """Throw one call.

    Args:
        seed: the world's seed.
        meter: number of the meter, from 0.
        number: of this call among the meter's, from 0.
    """
    d = dice(seed=seed, stream=Stream.CALL, day=meter * 1_000_003 + number)
    down_tries, up_tries = (int(t) for t in d.geometric(1 - _CALL_LOSS, 2))
    down_s, up_s = (float(s) for s in d.lognormal(_CALL_LOG_S, _CALL_SPREAD, 2))
    wasted_s = _RETRY_S * (min(down_tries, _CALL_TRIES) + min(up_tries, _CALL_TRIES) - 2)
    return Call(
        down_s=min(down_s, _LONGEST_HOP_S),
        up_s=min(up_s, _LONGEST_HOP_S) + wasted_s,
        reaches=down_tries <= _CALL_TRIES,
        returns=up_tries <= _CALL_TRIES,
        tries=min(down_tries, _CALL_TRIES) + min(up_tries, _CALL_TRIES),
    )


def airtime_s(octets: int) -> float:
    """Return how long these octets are on the air [s], once over one hop.

    >>> round(airtime_s(100), 4), round(airtime_s(1000), 4)
    (0.0208, 0.184)
    """
    fragments = -(-octets // FRAGMENT_OCTETS)
    return (octets + fragments * FRAGMENT_HEAD_OCTETS) * 8 / BITS_PER_S
