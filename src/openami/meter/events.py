"""The standard event log of our meter. Source: IDIS event codes (dlms.md, event codes of the IDIS/DSMR family)."""

from __future__ import annotations

from enum import IntEnum

STANDARD_LOG = 0
"""e of 0.0.99.98.e.255: the standard event log."""
FRAUD_LOG = 1
"""e of the fraud detection log."""


class EventCode(IntEnum):
    """Codes that our meter logs."""

    POWER_DOWN = 1
    POWER_UP = 2
    CLOCK_ADJUSTED_FROM = 4
    CLOCK_ADJUSTED_TO = 5
    CLOCK_INVALID = 6
    COVER_REMOVED = 44
    COVER_CLOSED = 45


LOG_OF: dict[EventCode, int] = {
    EventCode.POWER_DOWN: STANDARD_LOG,
    EventCode.POWER_UP: STANDARD_LOG,
    EventCode.CLOCK_ADJUSTED_FROM: STANDARD_LOG,
    EventCode.CLOCK_ADJUSTED_TO: STANDARD_LOG,
    EventCode.CLOCK_INVALID: STANDARD_LOG,
    EventCode.COVER_REMOVED: FRAUD_LOG,
    EventCode.COVER_CLOSED: FRAUD_LOG,
}
