"""Event codes of our meter, the log that each belongs to, the alarm that it raises.

Source: IDIS event codes and the alarm registers of DSMR and SMR.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from openami.protocol.association.ports import SecurityIncident

STANDARD_LOG = 0
"""e of 0.0.99.98.e.255: the standard event log."""
FRAUD_LOG = 1
"""e of the fraud detection log."""
DISCONNECTOR_LOG = 2
"""e of the disconnector control log."""
QUALITY_LOG = 4
"""e of the power quality log; 3 is for sub-meters on a bus, which this meter has not."""
COMMUNICATION_LOG = 5
"""e of the communication log."""
LOGS = (STANDARD_LOG, FRAUD_LOG, DISCONNECTOR_LOG, QUALITY_LOG, COMMUNICATION_LOG)


class EventCode(IntEnum):
    """Codes that our meter logs."""

    POWER_DOWN = 1
    POWER_UP = 2
    CLOCK_ADJUSTED_FROM = 4
    CLOCK_ADJUSTED_TO = 5
    CLOCK_INVALID = 6
    ERROR_REGISTER_CLEARED = 10
    ALARM_REGISTER_CLEARED = 11
    MEASUREMENT_ERROR = 16
    FIRMWARE_READY = 17
    FIRMWARE_ACTIVATED = 18
    TERMINAL_COVER_REMOVED = 40
    TERMINAL_COVER_CLOSED = 41
    MAGNET_DETECTED = 42
    MAGNET_GONE = 43
    COVER_REMOVED = 44
    COVER_CLOSED = 45
    AUTHENTICATION_FAILED = 46
    DECRYPTION_FAILED = 47
    REPLAY_SEEN = 48
    MANUAL_DISCONNECT = 60
    MANUAL_CONNECT = 61
    REMOTE_DISCONNECT = 62
    REMOTE_CONNECT = 63
    LOCAL_DISCONNECT = 64
    LIMITER_EXCEEDED = 65
    LIMITER_OK = 66
    LIMITER_CHANGED = 67
    VOLTAGE_SAG = 77
    VOLTAGE_SWELL = 80
    VOLTAGE_NORMAL = 83


_LOG_OF_REST: Mapping[int, range] = {
    FRAUD_LOG: range(40, 49), DISCONNECTOR_LOG: range(60, 68), QUALITY_LOG: range(77, 86),
}  # fmt: skip
LOG_OF: Mapping[EventCode, int] = MappingProxyType(
    {code: next((log for log, codes in _LOG_OF_REST.items() if code in codes), STANDARD_LOG) for code in EventCode}
)


class AlarmBit(NamedTuple):
    """A bit of an alarm register 0.0.97.98.(register).255."""

    register: int
    bit: int


_FRAUD = AlarmBit(0, 13)
LAST_GASP_ALARM = AlarmBit(2, 0)
ALARM_OF: Mapping[EventCode, AlarmBit] = MappingProxyType({
    EventCode.CLOCK_INVALID: AlarmBit(0, 0),
    EventCode.POWER_UP: AlarmBit(0, 2),
    EventCode.CLOCK_ADJUSTED_TO: AlarmBit(0, 4),
    EventCode.MEASUREMENT_ERROR: AlarmBit(0, 11),
    EventCode.TERMINAL_COVER_REMOVED: _FRAUD,
    EventCode.MAGNET_DETECTED: _FRAUD,
    EventCode.COVER_REMOVED: _FRAUD,
    EventCode.AUTHENTICATION_FAILED: _FRAUD,
    EventCode.DECRYPTION_FAILED: _FRAUD,
    EventCode.REPLAY_SEEN: _FRAUD,
    EventCode.VOLTAGE_SAG: AlarmBit(1, 0),
    EventCode.VOLTAGE_SWELL: AlarmBit(1, 3),
    EventCode.POWER_DOWN: LAST_GASP_ALARM,
})  # fmt: skip
ALWAYS_TOLD: frozenset[EventCode] = frozenset({
    EventCode.POWER_DOWN, EventCode.POWER_UP, EventCode.CLOCK_ADJUSTED_TO, EventCode.CLOCK_INVALID,
    EventCode.TERMINAL_COVER_REMOVED, EventCode.TERMINAL_COVER_CLOSED, EventCode.MAGNET_DETECTED,
    EventCode.MAGNET_GONE, EventCode.COVER_REMOVED, EventCode.COVER_CLOSED,
})  # fmt: skip
"""Pushed each time, for each is news; the others push when their alarm rises, so that a stranger cannot make a meter
send without end."""
INCIDENTS: Mapping[SecurityIncident, tuple[EventCode, int]] = MappingProxyType({
    SecurityIncident.FAILED_AUTHENTICATION: (EventCode.AUTHENTICATION_FAILED, FRAUD_LOG),
    SecurityIncident.BAD_TAG: (EventCode.DECRYPTION_FAILED, FRAUD_LOG),
    SecurityIncident.REPLAY: (EventCode.REPLAY_SEEN, FRAUD_LOG),
    SecurityIncident.DOWNGRADE: (EventCode.DECRYPTION_FAILED, COMMUNICATION_LOG),
    SecurityIncident.PLAINTEXT: (EventCode.DECRYPTION_FAILED, COMMUNICATION_LOG),
})  # fmt: skip
