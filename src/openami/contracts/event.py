"""Device events: what a meter or collector says happened to it. Few, so they travel as JSON records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from openami.contracts.errors import ContractError

STATUS_WORD_LOG = -100
"""``log`` of an event that is a bit of a status word (India, 0.0.94.91.18.255) and of no numbered alarm register."""


def alarm_log(register: int) -> int:
    """Return the ``log`` of an event that is a bit of alarm register ``0.0.97.98.<register>.255``.

    >>> alarm_log(0), alarm_log(2)
    (-1, -3)
    """
    return -1 - register


class EventKind(StrEnum):
    """Our names for events; (profile, log, code) of the maker is kept beside them.

    A name says what happened and leaves to the code on which phase or channel. Names are for ever; new ones are added.
    ``other`` is a code that the profile does not list: it is kept, never dropped.
    """

    POWER_DOWN = "power_down"
    POWER_UP = "power_up"
    LAST_GASP = "last_gasp"
    LAST_GASP_TEST = "last_gasp_test"
    FIRST_BREATH = "first_breath"
    CLOCK_ADJUSTED = "clock_adjusted"
    CLOCK_INVALID = "clock_invalid"
    DAYLIGHT_SAVING_CHANGED = "daylight_saving_changed"
    BATTERY_LOW = "battery_low"
    BATTERY_REPLACE = "battery_replace"
    TARIFF_ACTIVATED = "tariff_activated"
    TARIFF_UPDATED = "tariff_updated"
    BILLING_RESET = "billing_reset"
    ERROR_CLEARED = "error_cleared"
    ALARM_CLEARED = "alarm_cleared"
    PROGRAM_MEMORY_ERROR = "program_memory_error"
    RAM_ERROR = "ram_error"
    NV_MEMORY_ERROR = "nv_memory_error"
    WATCHDOG_ERROR = "watchdog_error"
    MEASUREMENT_ERROR = "measurement_error"
    FIRMWARE_READY = "firmware_ready"
    FIRMWARE_ACTIVATED = "firmware_activated"
    SELF_CHECK_PASSED = "self_check_passed"
    MODULE_REMOVED = "module_removed"
    MODULE_INSERTED = "module_inserted"
    CONFIGURATION_CHANGED = "configuration_changed"
    KEY_CHANGED = "key_changed"
    LOG_CLEARED = "log_cleared"
    COVER_OPENED = "cover_opened"
    COVER_CLOSED = "cover_closed"
    TERMINAL_OPENED = "terminal_opened"
    TERMINAL_CLOSED = "terminal_closed"
    MODULE_COVER_OPENED = "module_cover_opened"
    MODULE_COVER_CLOSED = "module_cover_closed"
    MAGNET = "magnet"
    MAGNET_GONE = "magnet_gone"
    NEUTRAL_DISTURBED = "neutral_disturbed"
    NEUTRAL_NORMAL = "neutral_normal"
    AUTHENTICATION_FAILED = "authentication_failed"
    REPLAY_SEEN = "replay_seen"
    FRAUD_SUSPECTED = "fraud_suspected"
    DISCONNECTED_MANUALLY = "disconnected_manually"
    CONNECTED_MANUALLY = "connected_manually"
    DISCONNECTED_REMOTELY = "disconnected_remotely"
    CONNECTED_REMOTELY = "connected_remotely"
    DISCONNECTED_LOCALLY = "disconnected_locally"
    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    READY_FOR_RECONNECTION = "ready_for_reconnection"
    SWITCH_CHANGED = "switch_changed"
    LIMIT_EXCEEDED = "limit_exceeded"
    LIMIT_NORMAL = "limit_normal"
    LIMIT_CHANGED = "limit_changed"
    OVERLOAD = "overload"
    OVERLOAD_GONE = "overload_gone"
    UNDERVOLTAGE = "undervoltage"
    OVERVOLTAGE = "overvoltage"
    VOLTAGE_NORMAL = "voltage_normal"
    VOLTAGE_SAG = "voltage_sag"
    VOLTAGE_SWELL = "voltage_swell"
    VOLTAGE_UNBALANCED = "voltage_unbalanced"
    PHASE_LOST = "phase_lost"
    PHASE_RETURNED = "phase_returned"
    PHASE_LOSS_TEST = "phase_loss_test"
    CURRENT_REVERSED = "current_reversed"
    CURRENT_UNBALANCED = "current_unbalanced"
    CURRENT_OPEN = "current_open"
    CURRENT_BYPASSED = "current_bypassed"
    OVERCURRENT = "overcurrent"
    EARTH_LOADED = "earth_loaded"
    CURRENT_NORMAL = "current_normal"
    POWER_FACTOR_LOW = "power_factor_low"
    POWER_FACTOR_NORMAL = "power_factor_normal"
    SINGLE_WIRE = "single_wire"
    SINGLE_WIRE_GONE = "single_wire_gone"
    MBUS_COMMUNICATION_FAILED = "mbus_communication_failed"
    MBUS_COMMUNICATION_RESTORED = "mbus_communication_restored"
    MBUS_BATTERY_LOW = "mbus_battery_low"
    MBUS_FRAUD_SUSPECTED = "mbus_fraud_suspected"
    MBUS_CLOCK_ADJUSTED = "mbus_clock_adjusted"
    MBUS_DEVICE_FOUND = "mbus_device_found"
    MBUS_DEVICE_FAILED = "mbus_device_failed"
    AUXILIARY = "auxiliary"
    MANUFACTURER_SPECIFIC = "manufacturer_specific"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One event.

    Args:
        event_id: :func:`event_identity`; what is told twice, pushed and read from the log, is one event.
        meter_id: the meter as the key vault knows it.
        kind: our name for it.
        at: when the device says it happened, UTC.
        profile: meter profile that the code belongs to.
        log: number e of the event log 0.0.99.98.e.255; :func:`alarm_log` for a bit of an alarm register.
        code: the maker's number; the number of the bit.
    """

    event_id: UUID
    meter_id: UUID
    kind: EventKind
    at: datetime
    profile: str
    log: int
    code: int


def event_identity(meter_id: UUID, *, log: int, code: int, at: datetime) -> UUID:
    """Return the id of an event: the same meter, log, code and stamp is the same event, by whichever road it came."""
    return uuid5(meter_id, f"event-{log}-{code}-{at.astimezone(UTC).isoformat()}")


def encode_events(events: Sequence[DeviceEvent]) -> bytes:
    """Return events as one JSON array."""
    rows = [
        {**asdict(e), "event_id": str(e.event_id), "meter_id": str(e.meter_id), "at": e.at.isoformat()} for e in events
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def decode_events(octets: bytes) -> list[DeviceEvent]:
    """Read events.

    Raises:
        ContractError: not a JSON array of events.
    """
    try:
        rows = json.loads(octets)
        return [
            DeviceEvent(
                event_id=UUID(r["event_id"]),
                meter_id=UUID(r["meter_id"]),
                kind=EventKind(r["kind"]),
                at=datetime.fromisoformat(r["at"]),
                profile=str(r["profile"]),
                log=int(r["log"]),
                code=int(r["code"]),
            )
            for r in rows
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"device events: {type(error).__name__}") from error
