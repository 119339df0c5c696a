"""Keeps the packed key table up to date with the vault while the head-end runs."""

from __future__ import annotations

import asyncio

import structlog

from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyTable

MAX_NAMED = 20
"""Spoiled rows that one line of the log names; it counts them all. A vault spoiled as a whole must not flood it."""
log = structlog.get_logger("openami.headend")


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
            KeyBindingError: the vault was made with another root key. A row that does not open is only logged, and
                looked at again when it changes.
        """
        async with self._lock:
            if await self._vault.revision() <= self._table.revision:
                return
            columns = await self._vault.load(after_revision=self._table.revision)
            self._table.merge(columns)
            if columns.spoiled:
                log.error(
                    "vault_rows_spoiled", count=len(columns.spoiled), rows=[*columns.spoiled.values()][:MAX_NAMED]
                )
