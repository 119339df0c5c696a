"""Broadcast keys: one for a group of meters, known to all of them, so that one message reaches the whole group.

Who takes one meter of the group apart has the key, and so may whoever holds a collector that carried it. So nothing
that switches, sets a clock or brings firmware is ever taken under such a key (the command process makes no such
message, meters and the gateway refuse it), and the key is renewed as soon as a collector of the group is reported
stolen. The old key goes at once: we seal nothing with it any more, and we never open with one.

A meter gets the group's key with its next key change, in the same message as its own new keys, and has it when it has
proved those: a meter takes a message whole or not at all. Until then it is *behind*, and on the list.

Source: IEC 62056-5-3 (global broadcast encryption key, key id 1 of *key_transfer*); requirement R5.2.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.ids import SystemTitle
from openami.security.keys.secret import Secret

MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A group and where its key stands.

    Args:
        group_id: its name for the vault.
        name: for people, 1 to 80 characters.
        collectors: numbers of the collectors that serve it; none: any may.
        generation: of its key in use, from 1.
        made_at: domain time since when that key is in use.
        members: meters of the group.
        behind: members that do not have this key yet.
    """

    group_id: UUID
    name: str
    collectors: frozenset[int]
    generation: int
    made_at: datetime
    members: int
    behind: int


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A group's key for one meter. Its text is a mask."""

    group_id: UUID
    generation: int
    key: Secret


class GroupKeys(Protocol):
    """Groups in the vault. Every method raises ``VaultUnavailableError`` when the database cannot be reached."""

    async def make_group(self, name: str, collectors: Collection[int], *, at: datetime) -> UUID:
        """Make a group with a key of its own; return its id.

        Raises:
            KeyStateError: there is one of this name, or the name is too long.
        """
        ...

    async def join_group(self, name: str, titles: Sequence[SystemTitle]) -> int:
        """Put meters into a group, out of the one they were in; return how many. All of them or none.

        Raises:
            KeyStateError: no such group, or a title has no keys here.
        """
        ...

    async def renew_groups(
        self, *, names: Collection[str] = (), collector_id: int | None = None, because: UUID | None = None, at: datetime
    ) -> list[str]:
        """Give groups new keys, and forget the old ones at once; return the names of these groups.

        Args:
            names: these.
            collector_id: and every group that this collector may have served; None for no more.
            because: the report that asks for it: with it nothing happens a second time.
            at: domain time.

        Raises:
            KeyStateError: no group of such a name.
        """
        ...

    async def groups(self) -> list[KeyGroup]:
        """Return every group, by name."""
        ...

    async def behind(self, *, limit: int) -> list[SystemTitle]:
        """Return meters that do not have their group's key yet."""
        ...

    async def send_group_key_with(self, meter_id: UUID, pair_generation: int) -> None:
        """Fix that the group's key of now goes to a meter with a pair that was just made; nothing for one of no group.

        With one generation of a pair goes one generation of a group's key, whatever is renewed meanwhile, so that a
        message that is sent again is the same.
        """
        ...

    async def group_key_to_send(self, meter_id: UUID, pair_generation: int) -> GroupKey | None:
        """Return the group's key that goes to a meter with a pair; None for no group, or a key renewed since.

        Raises:
            KeyBindingError: its row does not open.
        """
        ...

    async def group_key_held(self, meter_id: UUID, pair_generation: int) -> None:
        """Note that a meter has proved the pair, and so holds the group's key that went with it."""
        ...
