"""What is said aloud of a key that does not open in its place: altered, or moved from another meter (attack A13).

One alert stands for one generation of one meter's keys until the row opens again; processes that see the same say it
again and add nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

KEY_BINDING = "KEY_BINDING"
"""Code of the alert."""


@dataclass(frozen=True, slots=True)
class SpoiledKey:
    """A key that does not open.

    Args:
        meter_id, generation: which.
        words: what is wrong, in words that show no key.
    """

    meter_id: UUID
    generation: int
    words: str


@dataclass(frozen=True, slots=True)
class KeyAlert:
    """An alert as it is kept.

    Args:
        spoiled: what it is about.
        seen_by: the process that said it first.
        raised_at, ended_at: real time; ``ended_at`` is None while the key does not open.
    """

    spoiled: SpoiledKey
    seen_by: str
    raised_at: datetime
    ended_at: datetime | None


class KeyAlerts(Protocol):
    """Where alerts are kept. Every method raises ``VaultUnavailableError`` when the database cannot be reached."""

    async def raise_alerts(self, spoiled: Sequence[SpoiledKey], *, seen_by: str, at: datetime) -> int:
        """Keep alerts that do not stand already; return how many those were."""
        ...

    async def standing(self) -> set[tuple[UUID, int]]:
        """Return (meter, generation) of the alerts that stand."""
        ...

    async def end_alerts(self, sound: Collection[tuple[UUID, int]], *, at: datetime) -> None:
        """End the alerts of (meter, generation) that open."""
        ...

    async def alerts(self, *, limit: int) -> list[KeyAlert]:
        """Return alerts, those that stand first, then the newest."""
        ...
