"""Another installation key while everything runs: one that wraps what comes in, and step by step what is there.

A step is one transaction, so a process that is killed between or within steps leaves a vault in which each row names
the installation key that opens it. Readers see each row whole, under the old key or under the new one. When no row is
left under an older installation key, that key is retired: its octets go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.security.keys.ports import RootKey

Place = tuple[UUID, int, str]
"""A key's meter, generation and use: the order in which steps go through the vault."""


@dataclass(frozen=True, slots=True)
class RewrapStep:
    """What one step did.

    Args:
        version: the newest installation key.
        rewrapped: keys that are under it now and were not.
        reached: where the next step goes on; None when every key was looked at.
        spoiled: what is wrong with keys that do not open; they stay under the key that they name.
        retired: installation keys that nothing is under any more and that were retired.
    """

    version: int
    rewrapped: int
    reached: Place | None
    spoiled: tuple[str, ...] = ()
    retired: tuple[int, ...] = ()


class KeyRewrap(Protocol):
    """Raises ``VaultUnavailableError`` where the database does not answer, ``KeyBindingError`` for a wrong root key."""

    async def new_installation_key(self, *, at: datetime) -> int:
        """Make an installation key that wraps what comes in from now on; return its version.

        Raises:
            KeyStateError: keys are still under an older one than the newest: that re-wrap goes first.
        """
        ...

    async def rewrap_some(self, *, after: Place | None = None, limit: int = 1_000, at: datetime) -> RewrapStep:
        """Wrap the next keys under the newest installation key; after the last, retire the others.

        Args:
            after: what the step before reached; None for the first.
            limit: at most so many keys.
            at: domain time.
        """
        ...

    async def move_root(self, to: RootKey) -> int:
        """Wrap what is under the root key under another one, all of it or nothing; return how many keys."""
        ...
