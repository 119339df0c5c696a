"""What bills of a place are made with, as far as nothing better is wired: calendar months, and no attributes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from openami.billing.compare.ports import PlaceFacts
from openami.billing.rating.usage import BillSpan


class MonthlyReads:
    """Implements :class:`~openami.billing.compare.ports.FactsOfPlaces`: reads on the first of each month."""

    async def facts(self, service_point_id: UUID, spans: Sequence[BillSpan]) -> PlaceFacts:  # noqa: ARG002 - the port
        """Return neutral facts: what is not known stands against no rate."""
        return PlaceFacts()

    async def next_read_day(self, service_point_id: UUID, after: date) -> date:  # noqa: ARG002 - the port
        """Return the first day of the month after."""
        return (after.replace(day=28) + timedelta(days=4)).replace(day=1)
