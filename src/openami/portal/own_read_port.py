"""What the portal asks about a customer's own reads."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from openami.portal.views.own_read import OwnReadsView
from openami.security.access.role import Principal
from openami.security.access.scope import Scope


class OwnReadDesk(Protocol):
    """A customer's own reads (mdm). Every method may raise ``SourceUnavailableError`` and ``ScopeError``."""

    async def reads(self, scope: Scope, service_point_id: UUID) -> OwnReadsView:
        """Return whether a read may be sent, and those that were."""
        ...

    async def send(self, scope: Scope, principal: Principal, service_point_id: UUID, shown_kwh: str) -> OwnReadsView:
        """Take what the display shows now; returns all as it stands then.

        Raises:
            RefusedError: none is asked for, too many came today, or the register cannot show it.
        """
        ...
