"""Seeded dice. Every throw is keyed by (seed, stream, day), so that any day can be made alone, in any order, the same.

The generator is SFC64 on NumPy's SeedSequence: fast, and independent between keys.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the dice are for. Numbers are for ever: a changed number is another world."""

    TRAITS = 1
    WEATHER = 2
    HOUSEHOLD = 3
    APPLIANCE = 4
    COOLING = 5
    HEATING = 6
    VEHICLE = 7
    SOLAR = 8
    ABSENCE = 9
    FEEDER = 10
    SOURCE_VOLTAGE = 11
    OUTAGE = 12
    LOSS = 13
    RADIO = 14
    IDENTITY = 15
    REGISTER = 16
    CALL = 17
    MESH = 18
    AIR = 19
    SILENT = 20


def dice(*, seed: int, stream: Stream, day: int = 0) -> np.random.Generator:
    """Return the dice of one stream and day.

    Args:
        seed: the world's seed, not negative.
        stream: what is thrown for.
        day: days since 1970-01-01, or a year for yearly throws; 0 for what never changes.

    >>> dice(seed=1, stream=Stream.WEATHER, day=7).random() == dice(seed=1, stream=Stream.WEATHER, day=7).random()
    True
    """
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, int(stream), day & 0xFFFFFFFF])))
