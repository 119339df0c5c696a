"""How well the fleet is read, from the tables that head-ends write; and requests of people, entered for them."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.errors import ContractError
from openami.contracts.stream import partition_of
from openami.headend.adapters.requests_postgres import MAX_OPEN_ROWS, readable, transaction
from openami.headend.api import AskedRequest, MeterMemory
from openami.headend.keeping.answer import Figure
from openami.headend.keeping.look import interval_states
from openami.headend.keeping.memory_page import restore_memory
from openami.headend.keeping.request import DONE_KEPT_S, Request, RequestKind
from openami.headend.ports import StateUnavailableError
from openami.headend.state_ports import LevelRow, RegisterLevelRow
from openami.kernel.ids import SystemTitle
from openami.kernel.time import instant_from_epoch_s

MAX_OPEN_METERS = 10_000
_FIELDS = """
    select request_id, meter_id, system_title, kind, lane, from_s, to_s, asked_at_s, state, tries, not_before_s,
           expires_s, ended_at_s, words, figures from headend.request
"""
# Head-ends clear the table once an hour, and only while they run; what is too old is not shown meanwhile.
_ASKED = text(
    _FIELDS + " where meter_id = :meter_id and lane = 0 "
    "and (state <> 'done' or ended_at_s >= extract(epoch from now()) - :kept_s) "
    "order by asked_at_s desc, request_id limit :limit"
)
_OVER = text(
    _FIELDS + " where meter_id = :meter_id and kind = 'intervals' and from_s < :to_s and to_s > :from_s "
    "order by coalesce(ended_at_s, 1e18) desc limit 50"
)
_OPEN = text(
    "select distinct meter_id from headend.request where kind = :kind and state in ('queued', 'running', 'waiting') "
    "limit :limit"
)
_ASK = text("""
    insert into headend.request (request_id, group_no, meter_id, system_title, kind, lane, from_s, to_s, asked_at_s,
        state, expires_s, asked_by)
    values (:request_id, :group, :meter_id, :title, :kind, :lane, :from_s, :to_s, :asked_at_s, 'queued', :expires_s,
        :asked_by)
    on conflict (request_id) do nothing
""")
_GROUPS = text("select max(group_count) from headend.partition_group")
_PAGES = text("select octets from headend.memory_page where group_no = :group order by page_no")
_LEVELS = text("""
    select day, cell, sum(within_1h), sum(within_6h), sum(within_24h), sum(within_72h), sum(later), sum(finished),
           sum(expected)
    from headend.service_level where day >= :first group by day, cell order by day, cell
""")
_REGISTER_LEVELS = text("""
    select read_day, cell, sum(due), sum(in_time), sum(came)
    from headend.register_level where read_day >= :first group by read_day, cell order by read_day, cell
""")


class PostgresFleetBooks:
    """A :class:`~openami.headend.api.FleetBooks`.

    Args:
        engine: connected as ``openami_headend`` or ``openami_portal``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ask(self, request: Request, *, asked_by: str) -> None:
        """Enter a request of a person."""
        values = {
            "request_id": request.request_id,
            "meter_id": request.meter_id,
            "title": request.title.octets,
            "kind": request.kind.value,
            "lane": int(request.lane),
            "from_s": request.from_s,
            "to_s": request.to_s,
            "asked_at_s": request.asked_at_s,
            "expires_s": request.expires_s,
            "asked_by": asked_by,
        }
        async with transaction(self._engine) as connection:
            groups = int(await connection.scalar(_GROUPS) or 1)
            await connection.execute(_ASK, {**values, "group": partition_of(request.title) % groups})

    async def asked(self, meter_id: UUID, *, limit: int) -> list[AskedRequest]:
        """Return the newest requests of people to a meter; what was answered, for :data:`DONE_KEPT_S`."""
        values = {"meter_id": meter_id, "kept_s": DONE_KEPT_S, "limit": max(1, min(limit, 100))}
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_ASKED, values)).all()
        figures = {r.request_id: tuple(Figure(*f) for f in r.figures or ()) for r in rows}
        return [AskedRequest(one, figures[one.request_id]) for one in readable(rows)]

    async def requests_over(self, meter_id: UUID, from_s: int, to_s: int) -> list[Request]:
        """Return requests for intervals of a meter that overlap a span."""
        async with transaction(self._engine) as connection:
            values = {"meter_id": meter_id, "from_s": from_s, "to_s": to_s}
            return readable((await connection.execute(_OVER, values)).all())

    async def open_requests(self, kind: RequestKind) -> list[UUID]:
        """Return the meters that have an open request of a kind."""
        async with transaction(self._engine) as connection:
            values = {"kind": kind.value, "limit": min(MAX_OPEN_METERS, MAX_OPEN_ROWS)}
            return list((await connection.execute(_OPEN, values)).scalars())

    async def memory_of(self, title: SystemTitle, first: int, count: int) -> MeterMemory | None:
        """Return what is remembered of quarter-hours of a meter."""
        async with transaction(self._engine) as connection:
            groups = int(await connection.scalar(_GROUPS) or 1)
            rows = (await connection.execute(_PAGES, {"group": partition_of(title) % groups})).scalars()
            pages = [bytes(o) for o in rows]
        try:
            # Some hundred milliseconds with many pages: other people's pages must not wait for it.
            coverage = (await asyncio.to_thread(restore_memory, pages, began_s=0)).coverage
        except ContractError as error:
            raise StateUnavailableError(f"the group's memory cannot be read: {error}") from error
        number = int(coverage.find(np.array([int.from_bytes(title.octets, "big")], np.uint64))[0])
        if number < 0:
            return None
        down_s = int(coverage.down_s[number])
        since = instant_from_epoch_s(down_s) if down_s >= 0 else None
        return MeterMemory(tuple(interval_states(coverage, number, first, max(1, min(count, 200)))), since)

    async def levels(self, first: date) -> list[LevelRow]:
        """Return service levels by UTC day and cell."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_LEVELS, {"first": first})).all()
        return [
            LevelRow(r[0], r[1], (int(r[2]), int(r[3]), int(r[4]), int(r[5]), int(r[6]), int(r[7]), int(r[8])))
            for r in rows
        ]

    async def register_levels(self, first: date) -> list[RegisterLevelRow]:
        """Return billing-window reads by read day and cell."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_REGISTER_LEVELS, {"first": first})).all()
        return [RegisterLevelRow(r[0], r[1], int(r[2]), int(r[3]), int(r[4])) for r in rows]
