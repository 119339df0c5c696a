"""Virtual channels and group releases in PostgreSQL, schema ``mdm``: rows are added and never altered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.channel import CHANNEL_BY_NAME, CHANNELS, Channel
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.release.guard import Part
from openami.mdm.release.record import ReleaseRecord
from openami.mdm.usage.aggregate import Grain
from openami.mdm.usage.virtual import Term, VirtualChannel

_LOCK = text("select pg_advisory_xact_lock(7302004)")
_NEAR = text("select * from mdm.group_release where period && tstzrange(:start, :end) order by real_at, release_id")
_NEWEST = text("select * from mdm.group_release order by real_at desc, release_id limit :most")
_KEEP = text("""
    insert into mdm.group_release (release_id, group_name, preset, floor, channel, grain, first_day, last_day, period,
        customers, recipient, reason, made_by, known_at, real_at, result, parts)
    values (:id, :group, :preset, :floor, :channel, :grain, :first, :last, tstzrange(:start, :end), :customers,
        :recipient, :reason, :by, :known_at, :real_at, cast(:result as jsonb), cast(:parts as jsonb))
""")
_DEFINE = text("""
    insert into mdm.virtual_channel (definition_id, name, terms, made_by, reason, at, real_at)
    values (:id, :name, cast(:terms as jsonb), :by, :reason, :at, :real)
""")
_DEFINED = text("""
    select name, terms from (select distinct on (name) name, terms from mdm.virtual_channel
        order by name, real_at desc, definition_id) newest
    where terms is not null order by name
""")


class PostgresReleases:
    """Implements :class:`~openami.mdm.release.record.ReleaseBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def judged(self, period: Period, judge: Callable[[Sequence[ReleaseRecord]], ReleaseRecord]) -> ReleaseRecord:
        """See the port."""
        async with self._engine.begin() as connection:
            await connection.execute(_LOCK)
            near = await _near(connection, period)
            record = judge(near)
            if all(r.id != record.id for r in near):
                await connection.execute(_KEEP, _row(record))
            return record

    async def overlapping(self, period: Period) -> list[ReleaseRecord]:
        """See the port."""
        async with self._engine.connect() as connection:
            return await _near(connection, period)

    async def releases(self, *, limit: int) -> list[ReleaseRecord]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_NEWEST, {"most": limit})).mappings().all()
        return [_record(dict(r)) for r in rows]


class PostgresVirtualChannels:
    """Definitions of virtual channels by name; the newest of a name counts.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def define(
        self, name: str, definition: VirtualChannel | None, *, by: UUID, reason: str, at: datetime, real: datetime
    ) -> None:
        """Keep a definition; None ends the name."""
        terms = None
        if definition is not None:
            terms = [[t.sign, t.service_point_id.hex, CHANNELS[t.channel].name] for t in definition.terms]
        row = {
            "id": uuid4(), "name": name, "terms": None if terms is None else orjson.dumps(terms).decode(), "by": by,
            "reason": reason, "at": at, "real": real,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(_DEFINE, row)

    async def defined(self) -> dict[str, VirtualChannel]:
        """Return the definitions in force."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_DEFINED)).all()
        return {
            name: VirtualChannel(name, tuple(Term(s, UUID(hex=p), CHANNEL_BY_NAME[c]) for s, p, c in terms))
            for name, terms in rows
        }


async def _near(connection: AsyncConnection, period: Period) -> list[ReleaseRecord]:
    rows = (await connection.execute(_NEAR, {"start": period.start, "end": period.end})).mappings().all()
    return [_record(dict(r)) for r in rows]


def _row(record: ReleaseRecord) -> dict[str, Any]:
    return {
        "id": record.id, "group": record.group, "preset": record.preset, "floor": record.floor,
        "channel": int(record.channel), "grain": record.grain.value, "first": record.first, "last": record.last,
        "start": record.period.start, "end": record.period.end, "customers": sorted(record.customers),
        "recipient": record.recipient, "reason": record.reason, "by": record.made_by, "known_at": record.known_at,
        "real_at": record.real_at, "result": orjson.dumps(record.result).decode(),
        "parts": orjson.dumps(sorted(map(_cells, record.parts))).decode(),
    }  # fmt: skip


def _record(row: dict[str, Any]) -> ReleaseRecord:
    return ReleaseRecord(
        id=row["release_id"],
        group=row["group_name"],
        preset=row["preset"],
        floor=row["floor"],
        channel=Channel(row["channel"]),
        grain=Grain(row["grain"]),
        first=row["first_day"],
        last=row["last_day"],
        period=Period(row["period"].lower, row["period"].upper),
        customers=frozenset(row["customers"]),
        recipient=row["recipient"],
        reason=row["reason"],
        made_by=row["made_by"],
        known_at=row["known_at"],
        real_at=row["real_at"],
        result=row["result"],
        parts=frozenset(map(_part, row["parts"])),
    )


def _cells(part: Part) -> tuple[str, str, int, int]:
    return part.service_point_id.hex, part.customer.hex, part.period.start_s, part.period.end_s


def _part(cells: Sequence[Any]) -> Part:
    place, customer, start_s, end_s = cells
    period = Period(instant_from_epoch_s(start_s), instant_from_epoch_s(end_s))
    return Part(UUID(hex=place), UUID(hex=customer), period)
