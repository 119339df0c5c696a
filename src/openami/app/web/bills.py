"""Bills for the portal before billing is wired: none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from openami.portal.ports import I64, PricedIntervals
from openami.portal.views.bill import BillSummaryView, BillView
from openami.portal.views.usage import BillSoFarView
from openami.security.access.scope import Scope


class NoBills:
    """Implements :class:`~openami.portal.ports.Bills` where no billing is installed."""

    async def so_far(self, scope: Scope, service_point_id: UUID, now: datetime) -> BillSoFarView | None:
        """Return None: there is no open bill."""
        del scope, service_point_id, now
        return None

    async def bills(self, scope: Scope, service_point_id: UUID) -> Sequence[BillSummaryView]:
        """Return no bills."""
        del scope, service_point_id
        return []

    async def bill(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillView | None:
        """Return None."""
        del scope, service_point_id, bill_id
        return None

    async def rate_name(self, service_point_id: UUID) -> str | None:
        """Return None."""
        del service_point_id
        return None

    async def price(self, service_point_id: UUID, start_s: I64, value_wh: I64) -> PricedIntervals | None:
        """Return None."""
        del service_point_id, start_s, value_wh
        return None
