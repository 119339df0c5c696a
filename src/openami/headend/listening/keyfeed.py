"""Keeps the packed key table up to date with the vault while the head-end runs."""

from __future__ import annotations

import asyncio

from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyTable


class KeyFeed:
    """Loads what changed in the vault into a table.

    Args:
        vault: where keys are.
        table: the table to keep up to date.
    """

    def __init__(self, vault: KeyVault, table: KeyTable) -> None:
        self._vault = vault
        self._table = table
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Load what changed. Asking when nothing has costs one look at an index.

        Raises:
            VaultUnavailableError: the vault does not answer.
            KeyBindingError: a row of the vault does not open.
        """
        async with self._lock:
            if await self._vault.revision() <= self._table.revision:
                return
            self._table.merge(await self._vault.load(after_revision=self._table.revision))
