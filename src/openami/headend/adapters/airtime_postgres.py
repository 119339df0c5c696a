"""Days on the air in PostgreSQL, table ``headend.airtime``: a row only grows, so writes may repeat in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.airtime import AirtimeDay
from openami.headend.adapters.requests_postgres import transaction
from openami.kernel.ids import SystemTitle

KEPT_DAYS = 400
"""A year and a month, as long as charts look back."""
AHEAD_DAYS = 2
"""A collector's clock may be ahead; a day further away is no day of ours."""
_NEWEST = text("""
    select system_title, day, own_ms, relayed_ms, beacon_ms, worst_ms from headend.airtime
    where system_title = :title and day between :first and :last order by day desc
""")
_WRITE = text("""
    insert into headend.airtime as a (system_title, day, own_ms, relayed_ms, beacon_ms, worst_ms)
    select * from unnest(cast(:titles as bytea[]), cast(:days as date[]), cast(:own as int[]), cast(:relayed as int[]),
        cast(:beacon as int[]), cast(:worst as int[]))
    on conflict (system_title, day) do update set
        own_ms = excluded.own_ms, relayed_ms = excluded.relayed_ms, beacon_ms = excluded.beacon_ms,
        worst_ms = greatest(a.worst_ms, excluded.worst_ms)
    where excluded.own_ms + excluded.relayed_ms + excluded.beacon_ms >= a.own_ms + a.relayed_ms + a.beacon_ms
""")
_FORGET = text("delete from headend.airtime where day < :before")


class PostgresAirtime:
    """A :class:`~openami.headend.state_ports.AirtimeBook`.

    Args:
        engine: connected as ``openami_headend`` to write, or ``openami_portal`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def days(self, title: SystemTitle, first: date, last: date) -> list[AirtimeDay]:
        """Return a device's days in a span, newest first."""
        async with transaction(self._engine) as connection:
            values = {"title": title.octets, "first": first, "last": last}
            rows = (await connection.execute(_NEWEST, values)).all()
        return [AirtimeDay(title, r.day, r.own_ms, r.relayed_ms, r.beacon_ms, r.worst_ms) for r in rows]

    async def keep(self, rows: Sequence[AirtimeDay], *, today: date) -> int:
        """Keep what is of a day that can be; return how many rows that was."""
        least, most = today - timedelta(days=KEPT_DAYS), today + timedelta(days=AHEAD_DAYS)
        # One statement may touch a row once: of a device's day only the one that is furthest goes in.
        grown: dict[tuple[SystemTitle, date], AirtimeDay] = {}
        for row in rows:
            if least <= row.day <= most:
                grown[row.title, row.day] = max(row, grown.get((row.title, row.day), row), key=_reached)
        kept = [grown[key] for key in sorted(grown)]
        if kept:
            async with transaction(self._engine) as connection:
                await connection.execute(_WRITE, _columns(kept))
        return len(kept)

    async def forget(self, *, today: date) -> None:
        """Drop days that are too old."""
        async with transaction(self._engine) as connection:
            await connection.execute(_FORGET, {"before": today - timedelta(days=KEPT_DAYS)})


def _reached(row: AirtimeDay) -> tuple[int, int]:
    return row.own_ms + row.relayed_ms + row.beacon_ms, row.worst_ms


def _columns(rows: Sequence[AirtimeDay]) -> dict[str, object]:
    return {
        "titles": [r.title.octets for r in rows],
        "days": [r.day for r in rows],
        "own": [r.own_ms for r in rows],
        "relayed": [r.relayed_ms for r in rows],
        "beacon": [r.beacon_ms for r in rows],
        "worst": [r.worst_ms for r in rows],
    }
