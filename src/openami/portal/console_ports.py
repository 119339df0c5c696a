"""What the console's pages on devices, keys and orders need from the rooms. The wiring fills each port.

Every method may raise :class:`~openami.portal.ports.SourceUnavailableError`.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from openami.portal.views.collector import CollectorReportView, CollectorsView, Whereabouts


class CollectorDesk(Protocol):
    """Collectors, from the gateway's words and what was found in them."""

    async def collectors(self) -> CollectorsView:
        """Return every collector that is not retired, those that need a person first."""
        ...

    async def report(
        self, user_id: UUID, collector_id: int, whereabouts: Whereabouts, *, at: int | None, reason: str
    ) -> CollectorReportView:
        """Keep a person's report; the gateway is told within seconds.

        Raises:
            RefusedError: the report makes no sense.
        """
        ...
