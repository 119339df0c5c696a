"""Field rates: how often each thing happens in a month, for a simulated month that looks like one.

No public table of metering faults by kind was found. Each rate below is an assumption with its reason, on the side of
what metering departments call usual; the page with the results prints them, and another table is another month.
"""

from __future__ import annotations

from collections.abc import Mapping

from openami.sim.faults.metering import FaultKind

PER_1000_A_MONTH: Mapping[FaultKind, float] = {
    # Daily read success of 97 to 99.5 %: most holes are single intervals or hours, some are days.
    FaultKind.GAP: 60.0,
    # SAIFI of about 1 a year.
    FaultKind.OUTAGE: 80.0,
    # Five digits at about 1 MWh a month.
    FaultKind.ROLLOVER: 10.0,
    # A tenth of the homes with a roof or a car, in about ten years.
    FaultKind.NEW_VEHICLE: 1.5,
    FaultKind.NEW_ROOF: 1.0,
    # Recorder and head-end: a few in ten thousand each.
    FaultKind.SPIKE: 0.1,
    FaultKind.SCALE: 0.05,
    FaultKind.SHIFT: 0.1,
    FaultKind.DUPLICATE_DAY: 0.1,
    FaultKind.STUCK: 0.1,
    FaultKind.NEGATIVE: 0.05,
    FaultKind.OVERFLOW: 0.05,
    FaultKind.SWAPPED_DATE: 0.02,
    FaultKind.OFF_GRID: 0.05,
    FaultKind.CONFLICT: 0.1,
    FaultKind.UNEXPLAINED_ZERO: 0.1,
    # Solid-state meters fail at some 0.3 % a year; a third of them measure wrongly rather than nothing.
    FaultKind.STOPPED: 0.15,
    FaultKind.HALF_REGISTERING: 0.05,
    FaultKind.SLOW: 0.05,
    FaultKind.DRIFT: 0.05,
    # Installation and record: one in some thousand exchanges, exchanges 1 to 2 % a year.
    FaultKind.MULTIPLIER: 0.03,
    FaultKind.CROSSED: 0.03,
    FaultKind.SWAPPED_CHANNELS: 0.02,
    FaultKind.DUPLICATE_REGISTER: 0.02,
    FaultKind.WRONG_REGISTER: 0.02,
    FaultKind.ROLLOVER_DIGITS: 0.02,
    # Clock drift beyond three minutes in 0.1 %; an hour off in a tenth of these.
    FaultKind.CLOCK_HOUR: 0.1,
    FaultKind.STUCK_REGISTER: 0.05,
    FaultKind.MISKEYED_READ: 0.05,
    # Registry and field: late paperwork.
    FaultKind.REVERSE_FLOW: 0.1,
    FaultKind.INACTIVE_USAGE: 0.3,
    FaultKind.VOLTAGE_BAND: 0.2,
}
