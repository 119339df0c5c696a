"""What the portal asks about rates."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from openami.portal.views.rates import Assumed, BreakEvensView, RatesView, WishView
from openami.security.access.role import Principal
from openami.security.access.scope import Scope


class RatesDesk(Protocol):
    """Rates of a place (billing). Every method may raise ``SourceUnavailableError`` and ``ScopeError``."""

    async def compared(self, scope: Scope, service_point_id: UUID, assumed: Assumed) -> RatesView:
        """Return every rate on the last twelve whole months.

        Raises:
            RefusedError: an assumption is out of its range.
        """
        ...

    async def break_even(self, scope: Scope, service_point_id: UUID) -> BreakEvensView:
        """Return what would have to be true for each other rate."""
        ...

    async def ask(self, scope: Scope, principal: Principal, service_point_id: UUID, rate_code: str) -> WishView:
        """Record a wish.

        Raises:
            RefusedError: the rate cannot be chosen.
        """
        ...

    async def withdraw(self, scope: Scope, principal: Principal, service_point_id: UUID) -> WishView:
        """Take the open wish back.

        Raises:
            RefusedError: none is open.
        """
        ...
