"""The key pairs that the command process seals with, looked up in its table by meter."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from openami.contracts.command import Refusal
from openami.contracts.reading import uuids_of
from openami.headend.command.ports import CommandRefusedError, CommandUnavailableError
from openami.headend.listening.keyfeed import KeyFeed
from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeyState
from openami.security.keys.ports import VaultUnavailableError
from openami.security.keys.table import STATES, KeyTable, title_number
from openami.security.keys.weak import KEY_OCTETS

ACTIVE, NEW = STATES.index(KeyState.ACTIVE), STATES.index(KeyState.NEW)
IN_USE = 0
"""In the place of a generation: whichever is in use."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A key pair in use. Its text is its name alone."""

    meter_id: UUID
    generation: int
    state: int
    octets: bytes
    is_compromised: bool = False

    def __repr__(self) -> str:
        return f"Pair({self.meter_id}, generation {self.generation}, ***)"

    @property
    def key(self) -> bytes:
        """Return the encryption key."""
        return self.octets[:KEY_OCTETS]

    @property
    def auth_key(self) -> bytes:
        """Return the authentication key."""
        return self.octets[KEY_OCTETS:]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Key pairs by meter.

    Args:
        table: kept up to date by ``keys``.
        keys: loads what changed in the vault.
    """

    table: KeyTable
    keys: KeyFeed

    def of(self, title: SystemTitle, *, states: tuple[int, ...] = (ACTIVE, NEW)) -> list[Pair]:
        """Return the key pairs of a meter in these states, the best first."""
        table = self.table
        first, count = table.candidates(np.array([title_number(title.octets)], np.uint64))
        rows = table.row_at(np.arange(first[0], first[0] + count[0]))
        rows = rows[np.isin(table.state[rows], states)]
        columns = (table.generation[rows].tolist(), table.state[rows].tolist(), table.key_pairs(rows))
        named = zip(uuids_of(table.meter_id[rows]), *columns, table.compromised[rows].tolist(), strict=True)
        return [Pair(*one) for one in named]

    async def to_seal(self, title: SystemTitle, generation: int = IN_USE) -> Pair:
        """Return the pair that a message is sealed with.

        Args:
            title: the meter.
            generation: one that is in use or new; ``IN_USE`` for the one in use, the new one where there is no other.

        Raises:
            CommandRefusedError: there is none.
            CommandUnavailableError: it is not known here, and the vault does not answer.
        """
        found = self._found(title, generation)
        if found is None:
            await self.refresh()
            found = self._found(title, generation)
        if found is None:
            named = f" of generation {generation}" if generation else ""
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, f"no keys in use{named} for {title}")
        return found

    async def refresh(self) -> None:
        """Load what changed in the vault.

        Raises:
            CommandUnavailableError: it does not answer.
        """
        try:
            await self.keys.refresh()
        except VaultUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error

    def _found(self, title: SystemTitle, generation: int) -> Pair | None:
        return next((p for p in self.of(title) if generation in {IN_USE, p.generation}), None)
