"""Keeps the packed key table up to date with the vault while the head-end runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from openami.contracts.reading import uuids_of
from openami.security.keys.alert import KEY_BINDING, KeyAlerts, SpoiledKey
from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyColumns, KeyTable

MAX_NAMED = 20
"""Spoiled rows that one line of the log names; it counts them all. A vault spoiled as a whole must not flood it."""
MAX_WORDS = 500
"""Characters of an alert."""
log = structlog.get_logger("openami.headend")


class KeyFeed:
    """Loads what changed in the vault into a table.

    Args:
        vault: where keys are.
        table: the table to keep up to date.
        alarm: told of keys that do not open; None where the log is enough.
    """

    def __init__(self, vault: KeyVault, table: KeyTable, alarm: KeyAlarm | None = None) -> None:
        self._vault = vault
        self._table = table
        self._alarm = alarm
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
                words = [*columns.spoiled.values()][:MAX_NAMED]
                log.error("vault_rows_spoiled", alert=KEY_BINDING, count=len(columns.spoiled), rows=words)
            if self._alarm is not None:
                await self._alarm.hear(columns)


@dataclass(frozen=True, slots=True)
class KeyAlarm:
    """Raises an alert for each key that does not open, and ends it when it does.

    Args:
        alerts: where they are kept.
        seen_by: name of this process, such as ``headend``.
        real_now: the host's clock.
    """

    alerts: KeyAlerts
    seen_by: str
    real_now: Callable[[], datetime]

    async def hear(self, columns: KeyColumns) -> None:
        """Compare what was loaded with what stands.

        Raises:
            VaultUnavailableError: the vault does not answer; the keys themselves are in the table.
        """
        places = list(columns.spoiled)
        meters, generations = uuids_of(columns.meter_id[places]), columns.generation[places].tolist()
        words = [text[:MAX_WORDS] for text in columns.spoiled.values()]
        spoiled = [SpoiledKey(*one) for one in zip(meters, generations, words, strict=True)]
        if spoiled:
            await self.alerts.raise_alerts(spoiled, seen_by=self.seen_by, at=self.real_now())
        standing = await self.alerts.standing()
        if not standing:
            return
        # Only now is it worth the time to give a whole fleet its names.
        loaded = set(zip(uuids_of(columns.meter_id), columns.generation.tolist(), strict=True))
        bad = {(one.meter_id, one.generation) for one in spoiled}
        await self.alerts.end_alerts((standing & loaded) - bad, at=self.real_now())
