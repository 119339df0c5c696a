"""Counts of events by kind and hour in PostgreSQL, table ``headend.event_hour``."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.headend.adapters.requests_postgres import transaction
from openami.headend.events.tally import EventHour

KEPT_S = 400 * 86_400
_COUNT = text("""
    insert into headend.event_hour as h (hour_s, kind, events) values (:hour_s, :kind, :events)
    on conflict (hour_s, kind) do update set events = h.events + excluded.events returning events
""")
_FORGET = text("delete from headend.event_hour where hour_s < :before")


class PostgresEventBook:
    """An :class:`~openami.headend.events.ports.EventBook`.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, counts: Mapping[EventHour, int]) -> Mapping[EventHour, int]:
        """Add to the counts, and return how many of each there are now."""
        totals: dict[EventHour, int] = {}
        async with transaction(self._engine) as connection:
            # In one order, so that two head-ends do not wait for each other.
            for hour in sorted(counts, key=lambda h: (h.hour_s, h.kind)):
                row = {"hour_s": hour.hour_s, "kind": hour.kind.value, "events": counts[hour]}
                totals[hour] = (await connection.execute(_COUNT, row)).scalar_one()
            await connection.execute(_FORGET, {"before": min(h.hour_s for h in counts) - KEPT_S})
        return totals
