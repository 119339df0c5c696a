"""Names and places for the portal, seen with the eyes of the signed-in user alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from openami.customer.ports import CustomerStore
from openami.kernel.time import Period
from openami.portal.ports import Place
from openami.security.access.account import LiveSession
from openami.security.access.role import Principal
from openami.security.access.row import RowSettings, seen_as
from openami.security.adapters.access_postgres import FOREVER


@dataclass(frozen=True, slots=True)
class PortalCustomers:
    """Implements :class:`~openami.portal.ports.Customers`.

    Args:
        store: identity, connected as ``openami_portal``.
        has_received: tells whether energy was sent back at a place in a time.
    """

    store: CustomerStore
    has_received: Callable[[UUID, Period], Awaitable[bool]]

    async def name_of(self, session: LiveSession) -> str:
        """Return the person's name, or the staff account's."""
        if session.display_name:
            return session.display_name
        user_id = session.principal.user_id
        with seen_as(RowSettings("viewer", user_id)):
            return await self.store.name_of(user_id) or "Staff"

    async def places_of(self, principal: Principal) -> Sequence[Place]:
        """Return the customer's agreements, newest first."""
        with seen_as(RowSettings("viewer", principal.user_id)):
            agreements = await self.store.agreements_of(principal.user_id)
        return [
            Place(
                service_point_id=a.service_point_id,
                label=a.label,
                address=a.address,
                period=Period(a.start_at, a.end_at or FOREVER),
                is_open=a.end_at is None,
                has_received=await self.has_received(a.service_point_id, Period(a.start_at, a.end_at or FOREVER)),
            )
            for a in agreements
        ]
