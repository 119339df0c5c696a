"""Quality of raw readings (bits, from the meter) and of validated values (states, ours).

Mapping to IEC 61968-9, ESPI and NEM12 codes is done where a file is written, never stored.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class RawQuality(IntFlag):
    """Bits of ``reading_raw.quality``: the meter's profile status octet, then our own bits.

    Source: IDIS load profile status (low octet); bits 8 up are set on arrival. CONFLICTING is never stored: the store
    sets it on the reading it gives where it holds another of the same interval that says otherwise.
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
    OVERFLOW = 1024
    TEST_MODE = 2048
    CONFLICTING = 4096


class QualityState(IntEnum):
    """State of one value of a ``reading_day`` version. Numbers are stored: they stay for ever, new ones are appended.

    QUESTIONABLE failed a rule and waits for a person; VERIFIED failed one and was confirmed true. PARTIAL covers only
    part of its interval (a power failure, an installation or a clock set within it). DERIVED comes from other
    channels, or from a register that did not move.
    """

    ACTUAL = 0
    ESTIMATED = 1
    MISSING = 2
    EDITED = 3
    OUTAGE_ZERO = 4
    QUESTIONABLE = 5
    VERIFIED = 6
    PARTIAL = 7
    DERIVED = 8
    FORECAST = 9


class Method(IntEnum):
    """How a value of a ``reading_day`` version came to be. Numbers are stored: they stay for ever.

    ``_SCALED`` methods were scaled to the register difference over their gap. WEIGHTED is the optimally weighted
    average of the line through the neighbors and of like days (Peppanen, Zhang, Grijalva, Reno 2016). DONOR takes the
    shape of one earlier day. CALCULATED is made from other channels, or from a register that did not move.
    """

    MEASURED = 0
    LINEAR = 1
    LIKE_DAYS = 2
    LINEAR_SCALED = 3
    LIKE_DAYS_SCALED = 4
    REGISTER_SPREAD = 5
    POWER_FAIL_ZERO = 6
    MANUAL = 7
    WEIGHTED = 8
    WEIGHTED_SCALED = 9
    CLASS_PROFILE = 10
    CLASS_PROFILE_SCALED = 11
    DONOR = 12
    DONOR_SCALED = 13
    CHECK_METER = 14
    CALCULATED = 15
    NONE = 255


class Source(IntEnum):
    """Road by which a raw reading came in."""

    PUSH = 1
    PULL = 2
    FILE = 3
    BULK = 4
    FIELD = 5
    CUSTOMER = 6
