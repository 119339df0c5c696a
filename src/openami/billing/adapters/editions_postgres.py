"""Editions of rates in PostgreSQL: a text once, and the instants from which it held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, DateTime, MetaData, Table, Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.billing.edition.record import Edition

_METADATA = MetaData(schema="billing")
TEXT = Table(
    "rate_text", _METADATA, Column("digest", Text, primary_key=True), Column("rate_code", Text), Column("text", Text)
)
EDITION = Table(
    "rate_edition",
    _METADATA,
    Column("rate_code", Text, primary_key=True),
    Column("noted_at", DateTime(timezone=True), primary_key=True),
    Column("digest", Text),
)


class PostgresEditions:
    """Implements :class:`~openami.billing.edition.ports.EditionBook`.

    Args:
        engine: connections of role ``openami_billing``, or ``openami_portal`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def note(self, editions: Sequence[Edition], *, at: datetime) -> int:
        """See the port."""
        changed = 0
        async with self._engine.begin() as connection:
            for edition in editions:
                held = await _digest_at(connection, edition.rate_code, at)
                if held == edition.digest:
                    continue
                row = {"digest": edition.digest, "rate_code": edition.rate_code}
                await connection.execute(insert(TEXT).on_conflict_do_nothing(), row | {"text": edition.text})
                await connection.execute(insert(EDITION).on_conflict_do_nothing(), row | {"noted_at": at})
                changed += 1
        return changed

    async def known_at(self, rate_code: str, at: datetime) -> Edition | None:
        """See the port."""
        async with self._engine.begin() as connection:
            digest = await _digest_at(connection, rate_code, at)
            if digest is None:
                return None
            text = await connection.scalar(select(TEXT.c.text).where(TEXT.c.digest == digest))
        return Edition(rate_code, digest, str(text))


async def _digest_at(connection: AsyncConnection, rate_code: str, at: datetime) -> str | None:
    query = select(EDITION.c.digest).where(EDITION.c.rate_code == rate_code, EDITION.c.noted_at <= at)
    found = await connection.scalar(query.order_by(EDITION.c.noted_at.desc()).limit(1))
    return None if found is None else str(found)
