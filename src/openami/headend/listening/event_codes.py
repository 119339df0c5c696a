"""What a maker's event code means in our words. The tables are data: ``[events]`` and ``[alarms]`` of the profiles.

The same number differs between companion standards (47, 48, 80 to 92), so it is asked by profile, log and code, and
anything that the profile does not list is ``other``; the three are kept beside the answer.
"""

from __future__ import annotations

from openami.contracts.event import EventKind
from openami.headend.profiles.registry import UnknownProfileError, profile_of


def event_kind(profile: str, log: int, code: int) -> EventKind:
    """Return our name for a maker's code; ``other`` where the profile has none, or is not known.

    Args:
        profile: name of the meter's profile.
        log: e of the event log 0.0.99.98.e.255; below 0 for a bit of an alarm register.
        code: the maker's number.

    >>> event_kind("oam-1", 0, 1).name, event_kind("oam-1", 1, 44).name, event_kind("oam-1", 3, 999).name
    ('POWER_DOWN', 'COVER_OPENED', 'OTHER')
    """
    try:
        return profile_of(profile).event(log, code)
    except UnknownProfileError:
        return EventKind.OTHER
