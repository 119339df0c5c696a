"""The book of hand reads in PostgreSQL, table ``mdm.hand_read``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.channel import Channel
from openami.mdm.adapters.registry_rows import among
from openami.mdm.adapters.registry_tables import HAND_READ
from openami.mdm.hand_reads.read import HandRead, ReadFinding, ReadState, Road


class PostgresHandReads:
    """Implements :class:`~openami.mdm.hand_reads.ports.HandReadBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, read: HandRead, *, supersedes: UUID | None = None) -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            await connection.execute(insert(HAND_READ).on_conflict_do_nothing(index_elements=["id"]), [_row(read)])
            if supersedes is not None:
                old = update(HAND_READ).where(HAND_READ.c.id == supersedes, HAND_READ.c.superseded_at.is_(None))
                await connection.execute(old.values(superseded_at=read.entered_at))

    async def of_meters(self, meters: Collection[UUID], channel: Channel) -> list[HandRead]:
        """See the port."""
        query = _standing().where(HAND_READ.c.meter_id == among(meters), HAND_READ.c.channel == int(channel))
        return await self._reads(query.order_by(HAND_READ.c.read_at, HAND_READ.c.entered_at))

    async def held(self, *, limit: int) -> list[HandRead]:
        """See the port."""
        query = _standing().where(HAND_READ.c.state == ReadState.HELD.value)
        return await self._reads(query.order_by(HAND_READ.c.entered_at).limit(limit))

    async def read(self, read_id: UUID) -> HandRead | None:
        """See the port."""
        found = await self._reads(_standing().where(HAND_READ.c.id == read_id))
        return found[0] if found else None

    async def _reads(self, query: Select[Any]) -> list[HandRead]:
        async with self._engine.connect() as connection:
            return [_read(dict(r)) for r in (await connection.execute(query)).mappings()]


def _standing() -> Select[Any]:
    return select(HAND_READ).where(HAND_READ.c.superseded_at.is_(None))


def _row(read: HandRead) -> dict[str, Any]:
    return {
        "id": read.id,
        "service_point_id": read.service_point_id,
        "meter_id": read.meter_id,
        "channel": int(read.channel),
        "read_at": read.at,
        "value": read.value,
        "road": read.road.value,
        "mark": read.mark,
        "state": read.state.value,
        "findings": [{"rule": f.rule, "is_failure": f.is_failure, "evidence": dict(f.evidence)} for f in read.findings],
        "entered_at": read.entered_at,
        "entered_by": read.entered_by,
        "reason": read.reason,
    }


def _read(row: dict[str, Any]) -> HandRead:
    return HandRead(
        id=row["id"],
        service_point_id=row["service_point_id"],
        meter_id=row["meter_id"],
        channel=Channel(row["channel"]),
        at=row["read_at"],
        value=row["value"],
        road=Road(row["road"]),
        mark=row["mark"],
        state=ReadState(row["state"]),
        findings=[ReadFinding(f["rule"], f["is_failure"], f["evidence"]) for f in row["findings"]],
        entered_at=row["entered_at"],
        entered_by=row["entered_by"],
        reason=row["reason"],
    )
