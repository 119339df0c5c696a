"""First-year protections and their ledgers in PostgreSQL; rows are added, never altered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import Uuid

from openami.billing.adapters.compare_tables import PROTECTION, SHADOW
from openami.billing.compare.protection import Protection, ShadowEntry
from openami.billing.rating.usage import BillSpan
from openami.security.access.scope import Scope

LATE_BILLS = timedelta(days=92)
"""A protected year's last bills and their corrections come after its end."""
_COLUMNS = ("protection_id", "service_point_id", "rate_code", "shadow_code", "first_day", "months")


class PostgresShadows:
    """Implements :class:`~openami.billing.compare.ports.ShadowBook`.

    Args:
        engine: connections of role ``openami_billing`` for the worker, ``openami_portal`` for a customer's pages.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def begin(self, protection: Protection, *, at: datetime) -> None:
        """See the port."""
        row = {name: getattr(protection, name) for name in _COLUMNS}
        row |= {"end_day": protection.end_day, "begun_at": at}
        async with self._engine.begin() as connection:
            await connection.execute(insert(PROTECTION).on_conflict_do_nothing(), row)

    async def running(self, day: date) -> list[Protection]:
        """See the port."""
        query = select(PROTECTION).where(PROTECTION.c.first_day <= day, PROTECTION.c.end_day >= day - LATE_BILLS)
        async with self._engine.begin() as connection:
            return [_protection(r) for r in (await connection.execute(query)).mappings()]

    async def entries(self, protection_ids: Collection[UUID]) -> dict[UUID, list[ShadowEntry]]:
        """See the port."""
        ids = any_(literal(list(protection_ids), ARRAY(Uuid)))
        query = select(SHADOW).where(SHADOW.c.protection_id == ids).order_by(SHADOW.c.first_day)
        found: dict[UUID, list[ShadowEntry]] = {}
        async with self._engine.begin() as connection:
            for row in (await connection.execute(query)).mappings():
                found.setdefault(row["protection_id"], []).append(_entry(row))
        return found

    async def write(self, protection: Protection, entries: Sequence[ShadowEntry], *, at: datetime) -> int:
        """See the port."""
        if not entries:
            return 0
        rows = [
            {
                "protection_id": protection.protection_id, "bill_id": e.bill_id,
                "service_point_id": protection.service_point_id, "bill_version": e.bill_version,
                "first_day": e.span.first, "end_day": e.span.end, "billed": e.billed, "shadow": e.shadow,
                "refused": e.refused, "made_at": at,
            }
            for e in entries
        ]  # fmt: skip
        query = insert(SHADOW).on_conflict_do_nothing().returning(SHADOW.c.bill_id)
        async with self._engine.begin() as connection:
            return len(list((await connection.execute(query, rows)).scalars()))

    async def of_place(self, scope: Scope, service_point_id: UUID) -> tuple[Protection, list[ShadowEntry]] | None:
        """See the port."""
        scope.require(frozenset({service_point_id}))
        query = (
            select(PROTECTION)
            .where(PROTECTION.c.service_point_id == service_point_id)
            .order_by(PROTECTION.c.first_day.desc())
            .limit(1)
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        found = _protection(row)
        return found, (await self.entries([found.protection_id])).get(found.protection_id, [])


def _protection(row: Any) -> Protection:
    return Protection(**{name: row[name] for name in _COLUMNS})


def _entry(row: Any) -> ShadowEntry:
    span = BillSpan(row["first_day"], row["end_day"])
    return ShadowEntry(row["bill_id"], row["bill_version"], span, row["billed"], row["shadow"], row["refused"])
