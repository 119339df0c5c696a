"""What may go down without an approval: associations, reads, and a clock that is set to the right time.

Source: DESIGN section 4 (Downlink); requirements R3.4, R3.6 (clock shifts over five minutes), attack A19.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from openami.contracts.command import CommandClass
from openami.headend.command.classify import Effect
from openami.protocol.errors import PeerError

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far from our time a clock may be set without an approval; the message's own way is far shorter."""
_FREE = frozenset({CommandClass.ASSOCIATION, CommandClass.READ})


def needs_approval(effect: Effect, *, now: datetime) -> bool:
    """Tell whether a person must have approved this.

    Args:
        effect: what the APDU does.
        now: domain time, UTC.
    """
    if effect.command_class in _FREE:
        return False
    if effect.command_class is not CommandClass.WRITE or effect.clock is None:
        return True
    if effect.clock.deviation_minutes != 0:
        # Of the right instant with another deviation a meter may take the local hours alone. Ours goes as UTC.
        return True
    try:
        return abs(effect.clock.to_utc() - now) > CLOCK_TOLERANCE
    except PeerError:
        # No date, or local time without its deviation: nobody can say what it would set.
        return True
