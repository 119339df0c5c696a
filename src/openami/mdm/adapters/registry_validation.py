"""Validation's book in PostgreSQL, schema ``mdm``: progress by local day, the queue, findings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import any_, delete, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import BigInteger, Uuid

from openami.contracts.channel import Channel
from openami.kernel.finding import Severity
from openami.kernel.time import Period
from openami.mdm.adapters.registry_tables import FINDING, VEE_DAY, VEE_NEWS, VEE_REQUEST
from openami.mdm.adapters.rule_postgres import PostgresRuleSettings
from openami.mdm.validation.ports import Begun, DayFinding, Request
from openami.mdm.vee.ruleset import RuleBook

TURN_LOCK = 0x0A41_0002
_FORGET = (
    "delete from mdm.finding f using unnest(%s::uuid[], %s::smallint[], %s::date[], %s::bigint[]) "
    "as k (point, channel, day, version) where f.service_point_id = k.point and f.channel = k.channel "
    "and f.local_day = k.day and f.version >= k.version"
)
_CLOSE = (
    "update mdm.finding f set superseded_at = %s "
    "from unnest(%s::uuid[], %s::smallint[], %s::date[], %s::bigint[]) as k (point, channel, day, version) "
    "where f.service_point_id = k.point and f.channel = k.channel and f.local_day = k.day "
    "and f.superseded_at is null"
)
_OPEN = (
    "select f.service_point_id, f.channel, f.local_day, f.rule, f.severity, f.start_at, f.version, f.ordinal "
    "from mdm.finding f join unnest(%s::uuid[], %s::smallint[], %s::date[]) as k (point, channel, day) "
    "on f.service_point_id = k.point and f.channel = k.channel and f.local_day = k.day where f.superseded_at is null"
)
_CLOSE_ONE = (
    "update mdm.finding f set superseded_at = %s "
    "from unnest(%s::uuid[], %s::smallint[], %s::date[], %s::bigint[], %s::smallint[]) "
    "as k (point, channel, day, version, ordinal) where f.service_point_id = k.point and f.channel = k.channel "
    "and f.local_day = k.day and f.version = k.version and f.ordinal = k.ordinal"
)
_LAST_ORDINALS = (
    "select f.service_point_id, f.channel, f.local_day, f.version, max(f.ordinal) from mdm.finding f "
    "join unnest(%s::uuid[], %s::smallint[], %s::date[], %s::bigint[]) as k (point, channel, day, version) "
    "on f.service_point_id = k.point and f.channel = k.channel and f.local_day = k.day and f.version = k.version "
    "group by 1, 2, 3, 4"
)
_ANY_THERE = (
    "select exists (select from mdm.finding where service_point_id = any(%s::uuid[]) and channel = any(%s::smallint[]) "
    "and local_day between %s and %s)"
)
_FINDING_COPY = (
    "copy mdm.finding (service_point_id, channel, local_day, version, ordinal, run_id, rule, severity, start_at, "
    "end_at, evidence, known_at) from stdin"
)


class PostgresBook:
    """Implements :class:`~openami.mdm.validation.ports.ValidationBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """See the port. The lock belongs to a connection: a killed worker's ends with it."""
        async with self._engine.connect() as connection:
            is_mine = bool(await connection.scalar(text(f"select pg_try_advisory_lock({TURN_LOCK})")))
            await connection.commit()
            try:
                yield is_mine
            finally:
                if is_mine:
                    await connection.execute(text(f"select pg_advisory_unlock({TURN_LOCK})"))
                    await connection.commit()

    async def rule_book(self) -> RuleBook:
        """See the port."""
        return RuleBook(tuple(kept.setting for kept in await PostgresRuleSettings(self._engine).kept()))

    async def days_done(self, zone: str, first: date, last: date) -> set[date]:
        """See the port."""
        query = select(VEE_DAY.c.local_day).where(VEE_DAY.c.zone == zone, VEE_DAY.c.local_day.between(first, last))
        async with self._engine.connect() as connection:
            return set((await connection.execute(query)).scalars())

    async def mark_done(self, zone: str, days: Collection[date], *, run_id: UUID, at: datetime) -> None:
        """See the port."""
        if not days:
            return
        rows = [{"zone": zone, "local_day": d, "run_id": run_id, "run_at": at} for d in sorted(days)]
        async with self._engine.begin() as connection:
            await connection.execute(insert(VEE_DAY).on_conflict_do_nothing(), rows)

    async def ask(
        self, service_points: Collection[UUID] | None, first: date, last: date, *, reason: str, at: datetime
    ) -> None:
        """See the port."""
        points: list[UUID | None] = [None] if service_points is None else [*service_points]
        rows = [
            {"service_point_id": p, "first_day": first, "last_day": last, "reason": reason, "made_at": at}
            for p in points
        ]
        if rows:
            async with self._engine.begin() as connection:
                await connection.execute(insert(VEE_REQUEST), rows)

    async def requests(self, *, limit: int) -> list[Request]:
        """See the port."""
        query = select(VEE_REQUEST).order_by(VEE_REQUEST.c.id).limit(limit)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Request(r["id"], r["service_point_id"], r["first_day"], r["last_day"], r["reason"]) for r in rows]

    async def settle(self, requests: Collection[int]) -> None:
        """See the port."""
        ids = literal(list(requests), ARRAY(BigInteger))
        async with self._engine.begin() as connection:
            await connection.execute(delete(VEE_REQUEST).where(VEE_REQUEST.c.id == any_(ids)))

    async def begin_news(self, run_id: UUID, first: date, last: date, *, at: datetime) -> None:
        """See the port."""
        row = {"run_id": run_id, "first_day": first, "last_day": last, "made_at": at}
        async with self._engine.begin() as connection:
            await connection.execute(insert(VEE_NEWS).on_conflict_do_nothing(), [row])

    async def begun_news(self) -> list[Begun]:
        """See the port."""
        query = select(VEE_NEWS).order_by(VEE_NEWS.c.made_at, VEE_NEWS.c.run_id)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Begun(r["run_id"], r["first_day"], r["last_day"]) for r in rows]

    async def end_news(self, run_id: UUID) -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(VEE_NEWS).where(VEE_NEWS.c.run_id == run_id))

    async def keep_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            await _forget(connection, keys, at=at)
            if findings:
                await _copy(connection, findings)

    async def refresh_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> int:
        """See the port."""
        async with self._engine.begin() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            columns = ([k[0] for k in keys], [int(k[1]) for k in keys], [k[2] for k in keys])
            there = await (await raw.execute(_OPEN, columns)).fetchall()
            known = {_said(*row[:6]): row for row in there}
            said = {
                _said(f.service_point_id, f.channel, f.local_day, f.rule, f.severity, f.period.start): f
                for f in findings
            }
            gone = [row for key, row in known.items() if key not in said]
            if gone:
                rows = [list(column) for column in zip(*((r[0], r[1], r[2], r[6], r[7]) for r in gone), strict=True)]
                await raw.execute(_CLOSE_ONE, (at, *rows))
            fresh = [f for key, f in said.items() if key not in known]
            if fresh:
                await _copy(connection, fresh, after=await _ordinals(raw, fresh))
        return len(gone) + len(fresh)

    async def places_found(self, rule: str, first: date, last: date) -> dict[date, set[UUID]]:
        """See the port."""
        query = (
            select(FINDING.c.local_day, FINDING.c.service_point_id)
            .where(FINDING.c.local_day.between(first, last), FINDING.c.superseded_at.is_(None), FINDING.c.rule == rule)
            .distinct()
        )
        found: dict[date, set[UUID]] = {}
        async with self._engine.connect() as connection:
            for day, point in await connection.execute(query):
                found.setdefault(day, set()).add(point)
        return found

    async def findings(
        self, service_points: Collection[UUID] | None, first: date, last: date, *, limit: int
    ) -> list[DayFinding]:
        """See the port."""
        query = (
            select(FINDING)
            .where(FINDING.c.local_day.between(first, last), FINDING.c.superseded_at.is_(None))
            .order_by(FINDING.c.local_day.desc(), FINDING.c.service_point_id, FINDING.c.channel, FINDING.c.ordinal)
            .limit(limit)
        )
        if service_points is not None:
            query = query.where(FINDING.c.service_point_id == any_(literal(list(service_points), ARRAY(Uuid))))
        async with self._engine.connect() as connection:
            return [_finding(dict(r)) for r in (await connection.execute(query)).mappings()]


async def _forget(
    connection: AsyncConnection, keys: Sequence[tuple[UUID, Channel, date, int]], *, at: datetime
) -> None:
    """Drop what an earlier, interrupted run kept for the same versions; close what earlier versions left open."""
    if not keys:
        return
    raw: Any = (await connection.get_raw_connection()).driver_connection
    # On a first run there is nothing to find, and asking so costs a hundredth of looking for every key.
    days = [k[2] for k in keys]
    about = (list({k[0] for k in keys}), list({int(k[1]) for k in keys}), min(days), max(days))
    (is_there,) = await (await raw.execute(_ANY_THERE, about)).fetchone()
    if not is_there:
        return
    columns = ([k[0] for k in keys], [int(k[1]) for k in keys], [k[2] for k in keys], [k[3] for k in keys])
    await raw.execute(_FORGET, columns)
    await raw.execute(_CLOSE, (at, *columns))


_Key = tuple[UUID, Channel, date, int]


def _said(
    point: UUID, channel: int, day: date, rule: str, severity: str, start: datetime
) -> tuple[UUID, int, date, str, str, datetime]:
    """Return what tells one finding of a day from another."""
    return (point, int(channel), day, rule, str(severity), start)


async def _ordinals(raw: Any, findings: Sequence[DayFinding]) -> dict[_Key, int]:
    """Return the last number that each version's findings have."""
    keys = sorted({(f.service_point_id, int(f.channel), f.local_day, f.version) for f in findings})
    rows = await (await raw.execute(_LAST_ORDINALS, tuple(list(c) for c in zip(*keys, strict=True)))).fetchall()
    return {(r[0], Channel(r[1]), r[2], r[3]): r[4] for r in rows}


async def _copy(
    connection: AsyncConnection, findings: Sequence[DayFinding], *, after: dict[_Key, int] | None = None
) -> None:
    """Write findings by COPY: a backlog of a year brings hundreds of thousands.

    Args:
        connection: in a transaction.
        findings: new ones.
        after: the last number that each version's findings have; None where it has none.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    ordinals: dict[_Key, int] = dict(after or {})
    async with raw.cursor().copy(_FINDING_COPY) as copy:
        for f in findings:
            key = (f.service_point_id, f.channel, f.local_day, f.version)
            ordinals[key] = ordinals.get(key, -1) + 1
            row: tuple[Any, ...] = (
                f.service_point_id, int(f.channel), f.local_day, f.version, ordinals[key], f.run_id, f.rule,
                f.severity.value, f.period.start, f.period.end, orjson.dumps(dict(f.evidence)).decode(), f.known_at,
            )  # fmt: skip
            await copy.write_row(row)


def _finding(row: dict[str, Any]) -> DayFinding:
    return DayFinding(
        service_point_id=row["service_point_id"],
        channel=Channel(row["channel"]),
        local_day=row["local_day"],
        version=row["version"],
        run_id=row["run_id"],
        rule=row["rule"],
        severity=Severity(row["severity"]),
        period=Period(row["start_at"], row["end_at"]),
        known_at=row["known_at"],
        evidence=row["evidence"],
    )
