"""What the command process tells the DMZ as standing facts: every source is wired here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from openami.headend.command.standing import DirectiveOffice, KnownMeters, StandingFact
from openami.security.keys.table import KeyTable

LOOK_EVERY_S = 2.0
"""A person who reports a collector stolen should see it gone at once; the promise is fifteen minutes."""


def standing_facts(table: KeyTable) -> Sequence[StandingFact]:
    """Return the sources.

    Args:
        table: key pairs, kept up to date.
    """
    return [KnownMeters(table)]


async def keep_told(office: DirectiveOffice, stop: asyncio.Event) -> None:
    """Publish what has changed until ``stop`` is set."""
    while not stop.is_set():
        await office.publish_changed()
        await asyncio.sleep(LOOK_EVERY_S)
