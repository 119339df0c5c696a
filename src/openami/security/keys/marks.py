"""Keys that leaked: who says so, of which meters, and which of them have no better keys yet.

A mark is on generations, not on a meter: it says "up to here", and keys made later are good. So nobody has to take a
mark away, and none is taken away too early.

A meter whose master key leaked counts as compromised until it has a new master key as well: whoever has the old one and
heard the change has read the new keys. Keys renewed over the air under a leaked master key keep out those who did not
listen then; only a visit or an exchange of the meter keeps out the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.ids import SystemTitle

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Incident:
    """One word of one person that keys leaked, about any number of meters.

    Args:
        incident_id: its name.
        reason: in words for staff, 1 to 500 characters.
        marked_by: ``user:<uuid>`` of who said it.
        marked_at: real time, UTC.
    """

    incident_id: UUID
    reason: str
    marked_by: str
    marked_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentProgress:
    """How far the meters of an incident are.

    Args:
        incident: what was said.
        meters: how many were marked.
        renewed: how many have better keys in use.
    """

    incident: Incident
    meters: int
    renewed: int


@dataclass(frozen=True, slots=True)
class Residual:
    """A meter that still uses keys that leaked: it takes no switching command.

    Args:
        meter_id, system_title, serial: which.
        since: real time of the first mark that still holds.
        pair, master: which of its keys are not renewed.
        is_new_kept: new keys are made and wait for the meter's proof.
        has_master: it has a master key; without one its keys can only be changed by exchanging it.
    """

    meter_id: UUID
    system_title: SystemTitle
    serial: str
    since: datetime
    pair: bool
    master: bool
    is_new_kept: bool
    has_master: bool


class KeyMarks(Protocol):
    """Marks in the vault. Every method raises ``VaultUnavailableError`` when the database cannot be reached."""

    async def mark_compromised(self, incident: Incident, titles: Sequence[SystemTitle], *, masters: bool) -> int:
        """Mark every key that these meters have now, in use or not; return how many meters. All of them or none.

        Args:
            incident: who says so and why.
            titles: the meters, 1 or more.
            masters: their master keys leaked too.

        Raises:
            KeyStateError: a title has no keys here; the text counts them and names one.
        """
        ...

    async def incidents(self) -> list[IncidentProgress]:
        """Return every incident with its progress, the newest first."""
        ...

    async def residual(self, *, limit: int) -> list[Residual]:
        """Return meters that still use keys that leaked, the longest marked first."""
        ...
