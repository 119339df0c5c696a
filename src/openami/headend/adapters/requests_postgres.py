"""Requests to meters in PostgreSQL, schema ``headend``, role ``openami_headend``; writes are fenced by the lease."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.headend.keeping.answer import Figure
from openami.headend.keeping.request import Lane, Request, RequestKind, RequestState
from openami.headend.ports import LostLeaseError, StateUnavailableError
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle

log = structlog.get_logger("openami.headend")
MAX_OPEN_ROWS = 25_000
"""More than an agenda takes; what lies beyond waits in the table."""
_SELECT = """
    select request_id, meter_id, system_title, kind, lane, from_s, to_s, asked_at_s, state, tries, not_before_s,
           expires_s, ended_at_s, words
    from headend.request where group_no = :group
"""
_OPEN = text(_SELECT + " and state in ('queued', 'running', 'waiting') order by lane, to_s desc limit :limit")
_ARRIVALS = text(_SELECT + " and state = 'queued' and lane = 0 and tries = 0 limit 1000")
_RESTED = text(_SELECT + " and state = 'given_up' and kind = 'intervals' and ended_at_s > :since")
_HOLD = text("select from headend.partition_group where group_no = :group and fence = :fence for share")
_UPSERT = text("""
    insert into headend.request (group_no, request_id, meter_id, system_title, kind, lane, from_s, to_s, asked_at_s,
        state, tries, not_before_s, expires_s, ended_at_s, words, figures)
    values (:group, :request_id, :meter_id, :title, :kind, :lane, :from_s, :to_s, :asked_at_s, :state, :tries,
            :not_before_s, :expires_s, :ended_at_s, :words, cast(:figures as jsonb))
    on conflict (request_id) do update set
        lane = excluded.lane, state = excluded.state, tries = excluded.tries, not_before_s = excluded.not_before_s,
        expires_s = excluded.expires_s, ended_at_s = excluded.ended_at_s, words = excluded.words,
        asked_at_s = excluded.asked_at_s, figures = excluded.figures
""")
_FORGET = text(
    "delete from headend.request where group_no = :group "
    "and (ended_at_s < :before or (state = 'done' and ended_at_s < :done_before))"
)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction; say :class:`StateUnavailableError` where the database does not answer."""
    try:
        async with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise StateUnavailableError(f"the head-end's database does not answer: {type(error.orig).__name__}") from error


class PostgresRequests:
    """A :class:`~openami.headend.state_ports.RequestStore`.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def open(self, group: int) -> list[Request]:
        """Return the open requests of a group."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_OPEN, {"group": group, "limit": MAX_OPEN_ROWS})).all()
        return readable(rows)

    async def arrivals(self, group: int) -> list[Request]:
        """Return requests of people that nobody has begun."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_ARRIVALS, {"group": group})).all()
        return readable(rows)

    async def rested(self, group: int, *, since_s: float) -> list[Request]:
        """Return requests that were given up."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_RESTED, {"group": group, "since": since_s})).all()
        return readable(rows)

    async def save(self, lease: Lease, requests: Sequence[Request], figures: Mapping[UUID, Sequence[Figure]]) -> None:
        """Keep requests as they stand, or nothing where the fence is another's."""
        if not requests:
            return
        async with transaction(self._engine) as connection:
            # The lock holds a new owner back until this is written, so it finds the requests as they stand.
            if (await connection.execute(_HOLD, {"group": lease.group, "fence": lease.fence})).first() is None:
                raise LostLeaseError(f"group {lease.group}: fence {lease.fence} has passed")
            await connection.execute(_UPSERT, [_row(lease.group, one, figures) for one in requests])

    async def forget(self, group: int, *, done_before_s: float, before_s: float) -> None:
        """Drop requests that ended before an instant."""
        values = {"group": group, "done_before": done_before_s, "before": before_s}
        async with transaction(self._engine) as connection:
            await connection.execute(_FORGET, values)


def readable(rows: Sequence[Row[Any]]) -> list[Request]:
    """Return the requests of rows. One of a kind or state that this version does not know is told and left alone."""
    found = []
    for row in rows:
        try:
            found.append(request_of(row))
        except ValueError as error:
            # One row must not stop a group, and every owner after it.
            log.warning("request_unreadable", request=str(row.request_id), problem=str(error))
    return found


def request_of(row: Row[Any]) -> Request:
    """Return a request from its row, columns in the order of the table.

    Raises:
        ValueError: a kind, lane or state that this version does not know.
    """
    return Request(
        row.request_id,
        row.meter_id,
        SystemTitle(bytes(row.system_title)),
        RequestKind(row.kind),
        Lane(row.lane),
        row.from_s,
        row.to_s,
        row.asked_at_s,
        RequestState(row.state),
        row.tries,
        row.not_before_s,
        row.expires_s,
        row.ended_at_s,
        row.words,
    )


def _row(group: int, one: Request, figures: Mapping[UUID, Sequence[Figure]]) -> dict[str, Any]:
    found = figures.get(one.request_id)
    return {
        "group": group,
        "request_id": one.request_id,
        "meter_id": one.meter_id,
        "title": one.title.octets,
        "kind": one.kind.value,
        "lane": int(one.lane),
        "from_s": one.from_s,
        "to_s": one.to_s,
        "asked_at_s": one.asked_at_s,
        "state": one.state.value,
        "tries": one.tries,
        "not_before_s": one.not_before_s,
        "expires_s": one.expires_s,
        "ended_at_s": one.ended_at_s,
        "words": one.words,
        "figures": json.dumps([[f.name, f.value, f.unit] for f in found]) if found else None,
    }
