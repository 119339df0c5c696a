"""The table of faults: kind, severities and what a severity means. Data; how each is done stands beside it.

A kind with ``ways`` of both is put in twice: once with registers that stayed right, once with registers that counted
the fault too, which is the harder one: no sum gives it away.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong, or what only looks as if it did."""

    SPIKE = "spike"
    GAP = "gap"
    SCALE = "scale"
    SHIFT = "shift"
    DUPLICATE_DAY = "duplicate_day"
    STUCK = "stuck"
    NEGATIVE = "negative"
    OVERFLOW = "overflow"
    SWAPPED_DATE = "swapped_date"
    OFF_GRID = "off_grid"
    CONFLICT = "conflict"
    UNEXPLAINED_ZERO = "unexplained_zero"
    HALF_REGISTERING = "half_registering"
    SLOW = "slow"
    DRIFT = "drift"
    STOPPED = "stopped"
    MULTIPLIER = "multiplier"
    CROSSED = "crossed"
    CLOCK_HOUR = "clock_hour"
    SWAPPED_CHANNELS = "swapped_channels"
    DUPLICATE_REGISTER = "duplicate_register"
    STUCK_REGISTER = "stuck_register"
    WRONG_REGISTER = "wrong_register"
    MISKEYED_READ = "miskeyed_read"
    ROLLOVER_DIGITS = "rollover_digits"
    REVERSE_FLOW = "reverse_flow"
    INACTIVE_USAGE = "inactive_usage"
    VOLTAGE_BAND = "voltage_band"
    ROLLOVER = "rollover"
    OUTAGE = "outage"
    HOLIDAY = "holiday"
    NEW_VEHICLE = "new_vehicle"
    NEW_ROOF = "new_roof"


class Way(StrEnum):
    """What the register did."""

    RIGHT = "right"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind with its grid.

    Args:
        kind: which.
        severities: the grid.
        meaning: of a severity, in words.
        ways: what registers did.
        lasts: whether it goes on to the end of the scene once it began.
        is_fault: False for what is honest and must not be found.
        needs_roof: only at a home that gives energy back (True), that does not (False), or at any (None).
    """

    kind: FaultKind
    severities: tuple[float, ...]
    meaning: str
    ways: tuple[Way, ...] = (Way.COUNTED,)
    lasts: bool = False
    is_fault: bool = True
    needs_roof: bool | None = None


_BOTH = (Way.RIGHT, Way.COUNTED)
_RIGHT = (Way.RIGHT,)

FAULTS: tuple[Fault, ...] = (
    Fault(FaultKind.SPIKE, (1.5, 2, 3), "one interval, times the highest of its day", _BOTH),
    Fault(FaultKind.GAP, (1, 4, 96), "intervals that did not come", _RIGHT),
    Fault(FaultKind.SCALE, (0.5, 0.8, 0.9), "one day's intervals times", _BOTH),
    Fault(FaultKind.SHIFT, (1, 4), "intervals by which stamps are late from a day on", _BOTH, lasts=True),
    Fault(FaultKind.DUPLICATE_DAY, (1, 7), "a day sent again that many days later", _BOTH),
    Fault(FaultKind.STUCK, (8, 24, 96), "intervals that repeat the one before", _BOTH),
    Fault(FaultKind.NEGATIVE, (0.1, 1, 10), "one interval below zero, times the day's mean", _RIGHT),
    Fault(FaultKind.OVERFLOW, (32_767, 65_535), "one interval at the recorder's limit [Wh]", _RIGHT),
    Fault(FaultKind.SWAPPED_DATE, (1,), "a day stamped with day and month swapped", _RIGHT),
    Fault(FaultKind.OFF_GRID, (7,), "minutes by which a day's stamps miss the intervals", _RIGHT),
    Fault(FaultKind.CONFLICT, (1, 4, 96), "intervals that came twice with different values", _RIGHT),
    Fault(FaultKind.UNEXPLAINED_ZERO, (4, 16), "intervals at zero with voltage and no event", _BOTH),
    Fault(FaultKind.HALF_REGISTERING, (0.5,), "one element lost: about half is counted", lasts=True),
    Fault(FaultKind.SLOW, (0.8, 0.9), "times, from a day on", lasts=True),
    Fault(FaultKind.DRIFT, (0.95,), "slides to this factor over 30 days", lasts=True),
    Fault(FaultKind.STOPPED, (0,), "counts nothing from a day on, voltage is there", lasts=True),
    Fault(FaultKind.MULTIPLIER, (2, 0.5, 40), "wrong multiplier from a day on, times", lasts=True),
    Fault(FaultKind.CROSSED, (1,), "two neighbors' meters changed places on a day", lasts=True),
    Fault(FaultKind.CLOCK_HOUR, (4,), "intervals late since the clocks changed", lasts=True),
    Fault(FaultKind.SWAPPED_CHANNELS, (1,), "delivered and received swapped", lasts=True, needs_roof=True),
    Fault(FaultKind.DUPLICATE_REGISTER, (1,), "received is a copy of delivered", lasts=True, needs_roof=False),
    Fault(FaultKind.STUCK_REGISTER, (1, 7, 30), "midnights at which the register stands still", _RIGHT),
    Fault(FaultKind.WRONG_REGISTER, (0.4,), "register of another program: a part of the energy", _RIGHT, lasts=True),
    Fault(FaultKind.MISKEYED_READ, (10, 100, 1_000), "one read with a digit wrong at that many kWh", _RIGHT),
    Fault(FaultKind.ROLLOVER_DIGITS, (10,), "rolls over, the registry's capacity is times", _RIGHT, lasts=True),
    Fault(FaultKind.REVERSE_FLOW, (3_000,), "a roof of that many W without approval", lasts=True, needs_roof=False),
    Fault(FaultKind.INACTIVE_USAGE, (1,), "service is inactive from a day on, use goes on", lasts=True),
    Fault(FaultKind.VOLTAGE_BAND, (0.85, 0.92, 1.08), "a day's voltage times", _RIGHT),
    Fault(FaultKind.ROLLOVER, (1,), "a register rolls over as it should", _RIGHT, is_fault=False),
    Fault(FaultKind.OUTAGE, (2, 8, 32), "intervals without supply, with the meter's events", is_fault=False),
    Fault(FaultKind.HOLIDAY, (3, 14), "days on which the home rests", is_fault=False),
    Fault(
        FaultKind.NEW_VEHICLE, (7_200,), "a charger of that many W at night, from a day on", lasts=True, is_fault=False
    ),
    Fault(
        FaultKind.NEW_ROOF,
        (5_000,),
        "an approved roof of that many W, from a day on",
        lasts=True,
        is_fault=False,
        needs_roof=False,
    ),
)
