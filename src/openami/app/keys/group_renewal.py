"""New broadcast keys for the groups that a stolen collector may have served: by the command process, once a report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from openami.security.access.stolen import CollectorReport, ReportsUnavailableError, Whereabouts
from openami.security.keys.groups import GroupKeys
from openami.security.keys.ports import VaultUnavailableError

LOOK_EVERY_S = 10.0
"""The promise is fifteen minutes from the report."""
log = structlog.get_logger("openami.command")


class Reports(Protocol):
    """What people said of collectors. Raises ``ReportsUnavailableError``."""

    async def reports(self) -> Sequence[CollectorReport]:
        """Return every report, the oldest first."""
        ...


@dataclass(slots=True)
class GroupRenewal:
    """Renews groups' keys after reports.

    Args:
        reports: what people said.
        groups: the vault.
        now: domain time, for the vault's book.
    """

    reports: Reports
    groups: GroupKeys
    now: Callable[[], datetime]
    _done: set[UUID] = field(default_factory=set)

    async def look(self) -> None:
        """Renew what reports ask for that were not seen to yet. The vault knows which were, through any crash.

        Raises:
            ReportsUnavailableError, VaultUnavailableError: try again.
        """
        for report in await self.reports.reports():
            if report.whereabouts is not Whereabouts.STOLEN or report.report_id in self._done:
                continue
            names = await self.groups.renew_groups(
                collector_id=report.collector_id, because=report.report_id, at=self.now()
            )
            self._done.add(report.report_id)
            if names:
                log.warning("group_keys_renewed", collector=report.collector_id, groups=len(names))

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self.look()
            except (ReportsUnavailableError, VaultUnavailableError) as error:
                log.warning("group_keys_not_renewed", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)
