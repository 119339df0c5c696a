"""What a maker's event code means in our words: data, by profile family, event log and code.

The same number differs between companion standards (47, 48, 80 to 85), so the table is keyed by all three and anything
that is not in it is kept as ``other`` with its number.

Source: IDIS package 2 event codes; DSMR P3 companion standard; IEC 62056-6-2, event log objects 0.0.99.98.e.255.
"""

from __future__ import annotations

from collections.abc import Mapping

from openami.contracts.event import EventKind

STANDARD_LOG = 0
FRAUD_LOG = 1
ALARM_REGISTER = -1
IDIS = "idis"
FAMILY_BY_PROFILE: Mapping[str, str] = {"oam-1": IDIS}
"""Which companion standard's numbers a profile uses; a profile that is not named uses IDIS."""

_IDIS_STANDARD = {
    1: EventKind.POWER_DOWN,
    2: EventKind.POWER_UP,
    4: EventKind.CLOCK_ADJUSTED,
    5: EventKind.CLOCK_ADJUSTED,
    6: EventKind.CLOCK_INVALID,
    7: EventKind.BATTERY_LOW,
    8: EventKind.BATTERY_LOW,
    255: EventKind.LOG_CLEARED,
}
_IDIS_FRAUD = {
    40: EventKind.TERMINAL_OPENED,
    41: EventKind.TERMINAL_CLOSED,
    42: EventKind.MAGNET,
    44: EventKind.COVER_OPENED,
    45: EventKind.COVER_CLOSED,
    46: EventKind.AUTHENTICATION_FAILED,
    47: EventKind.AUTHENTICATION_FAILED,
    48: EventKind.REPLAY_SEEN,
    255: EventKind.LOG_CLEARED,
}
_TABLE: Mapping[tuple[str, int], Mapping[int, EventKind]] = {
    (IDIS, STANDARD_LOG): {**_IDIS_STANDARD, **{c: k for c, k in _IDIS_FRAUD.items() if c != 255}},
    (IDIS, FRAUD_LOG): _IDIS_FRAUD,
    (IDIS, ALARM_REGISTER): {0: EventKind.LAST_GASP},
}


def event_kind(profile: str, log: int, code: int) -> EventKind:
    """Return our name for a maker's code; ``other`` where the table has none.

    >>> event_kind("oam-1", 0, 1).name, event_kind("oam-1", 1, 44).name, event_kind("oam-1", 3, 999).name
    ('POWER_DOWN', 'COVER_OPENED', 'OTHER')
    """
    family = FAMILY_BY_PROFILE.get(profile, IDIS)
    return _TABLE.get((family, log), {}).get(code, EventKind.OTHER)
