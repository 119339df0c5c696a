"""Device events: what a meter or collector says happened to it. Few, so they travel as JSON records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from openami.contracts.errors import ContractError


class EventKind(StrEnum):
    """Our names for events; (profile, log, code) of the maker is kept beside them."""

    POWER_DOWN = "power_down"
    POWER_UP = "power_up"
    LAST_GASP = "last_gasp"
    CLOCK_ADJUSTED = "clock_adjusted"
    CLOCK_INVALID = "clock_invalid"
    BATTERY_LOW = "battery_low"
    COVER_OPENED = "cover_opened"
    COVER_CLOSED = "cover_closed"
    TERMINAL_OPENED = "terminal_opened"
    TERMINAL_CLOSED = "terminal_closed"
    MAGNET = "magnet"
    AUTHENTICATION_FAILED = "authentication_failed"
    REPLAY_SEEN = "replay_seen"
    LOG_CLEARED = "log_cleared"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One event.

    Args:
        event_id: the same frame always gives the same id, so a replay collapses.
        meter_id: the meter as the key vault knows it.
        kind: our name for it.
        at: when the device says it happened, UTC.
        profile: meter profile that the code belongs to.
        log: number e of the event log 0.0.99.98.e.255; -1 for an alarm register.
        code: the maker's number.
    """

    event_id: UUID
    meter_id: UUID
    kind: EventKind
    at: datetime
    profile: str
    log: int
    code: int


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
