"""Quality of raw readings (bits, from the meter) and of validated values (states, ours).

Mapping to IEC 61968-9, ESPI and NEM12 codes is done where a file is written, never stored.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class RawQuality(IntFlag):
    """Bits of ``reading_raw.quality``: the meter's profile status octet, then our own bits.

    Source: IDIS load profile status (low octet); bits 8 up are set on arrival.
    """

    GOOD = 0
    CRITICAL_ERROR = 1
    CLOCK_INVALID = 2
    DATA_NOT_VALID = 4
    DAYLIGHT_SAVING = 8
    CLOCK_ADJUSTED = 32
    POWER_DOWN = 128
    ESTIMATED_AT_SOURCE = 256
    EDITED_AT_SOURCE = 512


class QualityState(IntEnum):
    """State of one value of a ``reading_day`` version."""

    ACTUAL = 0
    ESTIMATED = 1
    MISSING = 2
    EDITED = 3
    OUTAGE_ZERO = 4
    QUESTIONABLE = 5


class Method(IntEnum):
    """How a value of a ``reading_day`` version came to be."""

    MEASURED = 0
    LINEAR = 1
    LIKE_DAYS = 2
    LINEAR_SCALED = 3
    LIKE_DAYS_SCALED = 4
    REGISTER_SPREAD = 5
    POWER_FAIL_ZERO = 6
    MANUAL = 7
    NONE = 255


class Source(IntEnum):
    """Road by which a raw reading came in."""

    PUSH = 1
    PULL = 2
    FILE = 3
    BULK = 4
    FIELD = 5
