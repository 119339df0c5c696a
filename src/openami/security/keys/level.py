"""How far a meter's keys can be trusted, in one word that a rule can compare.

A meter leaves its factory with keys that its maker knows. From its first key change on they are known to the meter and
to us alone. Keys that leaked are worth nothing however often they were changed before.

Source: requirement "a meter below the required security level takes no switching command".
"""

from __future__ import annotations

from enum import IntEnum

FACTORY_GENERATION = 1
"""The generation that a shipment brings; every later one was made here."""


class SecurityLevel(IntEnum):
    """In rising order, so that a rule says ``level < SecurityLevel.SECURED``."""

    COMPROMISED = 0
    """Its keys are marked as leaked, and newer ones are not proved."""
    NONE = 1
    """It has no key in use."""
    FACTORY = 2
    """It still has the keys that its maker gave it."""
    SECURED = 3
    """It has proved that it holds keys that were made here."""


def security_level(active_generation: int | None, *, is_compromised: bool) -> SecurityLevel:
    """Return the level of a meter.

    Args:
        active_generation: generation of its key pair in use, from 1; None where no pair is in use.
        is_compromised: that pair, or the master key it came under, is marked as leaked.

    >>> [security_level(g, is_compromised=False).name for g in (None, 1, 2)]
    ['NONE', 'FACTORY', 'SECURED']
    >>> security_level(7, is_compromised=True).name
    'COMPROMISED'
    """
    if is_compromised:
        return SecurityLevel.COMPROMISED
    if active_generation is None:
        return SecurityLevel.NONE
    return SecurityLevel.FACTORY if active_generation <= FACTORY_GENERATION else SecurityLevel.SECURED
