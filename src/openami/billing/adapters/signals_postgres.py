"""Statements of signals in PostgreSQL; rows are only added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, DateTime, MetaData, Select, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.billing.signal.document import content_of, with_content
from openami.billing.signal.statement import Statement
from openami.kernel.time import Period

SIGNAL = Table(
    "signal_statement",
    MetaData(schema="billing"),
    Column("statement_id", Uuid, primary_key=True),
    Column("kind", Text),
    Column("signal", Text),
    Column("first_at", DateTime(timezone=True)),
    Column("end_at", DateTime(timezone=True)),
    Column("content", JSONB),
    Column("source", Text),
    Column("entered_at", DateTime(timezone=True)),
    Column("entered_by", Text),
)


class PostgresSignals:
    """Implements :class:`~openami.billing.signal.statement.SignalBook`.

    Args:
        engine: connections of role ``openami_billing``, or ``openami_portal`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def enter(self, rows: Sequence[Statement]) -> int:
        """See the port."""
        if not rows:
            return 0
        values = [
            {
                "statement_id": r.statement_id, "kind": r.kind.value, "signal": r.signal,
                "first_at": r.period.start, "end_at": r.period.end, "content": content_of(r), "source": r.source,
                "entered_at": r.entered_at, "entered_by": r.entered_by,
            }
            for r in rows
        ]  # fmt: skip
        query = insert(SIGNAL).on_conflict_do_nothing().returning(SIGNAL.c.statement_id)
        async with self._engine.begin() as connection:
            return len(list((await connection.execute(query, values)).scalars()))

    async def over(self, signals: Sequence[str], period: Period) -> list[Statement]:
        """See the port."""
        query = select(SIGNAL).where(
            SIGNAL.c.signal.in_(list(signals)), SIGNAL.c.first_at < period.end, SIGNAL.c.end_at > period.start
        )
        return await self._found(_newest_first(query))

    async def entered_since(self, since: datetime) -> list[Statement]:
        """See the port."""
        query = select(SIGNAL).where(SIGNAL.c.entered_at >= since)
        return await self._found(query.order_by(SIGNAL.c.entered_at, SIGNAL.c.statement_id))

    async def newest(self, limit: int) -> list[Statement]:
        """See the port."""
        return await self._found(_newest_first(select(SIGNAL)).limit(limit))

    async def _found(self, query: Select[tuple[object, ...]]) -> list[Statement]:
        async with self._engine.connect() as connection:
            return [with_content(dict(r)) for r in (await connection.execute(query)).mappings()]


def _newest_first(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return query.order_by(SIGNAL.c.entered_at.desc(), SIGNAL.c.statement_id.desc())
