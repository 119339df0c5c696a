"""Wishes for other rates in PostgreSQL: rows are added, and one step ends a wish. Row security is the second guard."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.billing.adapters.compare_tables import WISH, WISH_STEP
from openami.billing.compare.wish import Wish, WishStep
from openami.security.access.scope import Scope

_COLUMNS = ("wish_id", "service_point_id", "rate_code", "present_code", "first_day", "asked_at", "asked_by")


class PostgresWishes:
    """Implements :class:`~openami.billing.compare.ports.WishBook`.

    Args:
        engine: connections of role ``openami_billing`` for the worker, ``openami_portal`` for a customer's pages.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ask(self, scope: Scope, wish: Wish) -> None:
        """See the port."""
        place = wish.service_point_id
        scope.require(frozenset({place}))
        async with self._engine.begin() as connection:
            await _end_open(connection, place, by=wish.asked_by, at=wish.asked_at)
            row = {name: getattr(wish, name) for name in _COLUMNS}
            await connection.execute(insert(WISH).on_conflict_do_nothing(), row)

    async def withdraw(self, scope: Scope, service_point_id: UUID, *, by: UUID, at: datetime) -> Wish | None:
        """See the port."""
        scope.require(frozenset({service_point_id}))
        async with self._engine.begin() as connection:
            return await _end_open(connection, service_point_id, by=by, at=at)

    async def newest(self, scope: Scope, service_point_id: UUID) -> Wish | None:
        """See the port."""
        scope.require(frozenset({service_point_id}))
        query = _query().where(WISH.c.service_point_id == service_point_id).order_by(WISH.c.asked_at.desc()).limit(1)
        async with self._engine.begin() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _wish(row)

    async def due(self, day: date) -> list[Wish]:
        """See the port."""
        query = _query().where(WISH_STEP.c.step.is_(None), WISH.c.first_day <= day).order_by(WISH.c.asked_at)
        async with self._engine.begin() as connection:
            return [_wish(r) for r in (await connection.execute(query)).mappings()]

    async def settle(self, wish: Wish, step: WishStep, *, at: datetime, note: str = "") -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            await _step(connection, wish, step, by=None, at=at, note=note)


def _query() -> Select[Any]:
    return select(WISH, WISH_STEP.c.step, WISH_STEP.c.note).outerjoin(WISH_STEP, WISH_STEP.c.wish_id == WISH.c.wish_id)


async def _end_open(connection: AsyncConnection, service_point_id: UUID, *, by: UUID, at: datetime) -> Wish | None:
    query = (
        _query()
        .where(WISH.c.service_point_id == service_point_id, WISH_STEP.c.step.is_(None))
        .order_by(WISH.c.asked_at)
    )
    found = [_wish(r) for r in (await connection.execute(query)).mappings()]
    for wish in found:
        await _step(connection, wish, WishStep.WITHDRAWN, by=by, at=at)
    return found[-1] if found else None


async def _step(
    connection: AsyncConnection, wish: Wish, step: WishStep, *, by: UUID | None, at: datetime, note: str = ""
) -> None:
    row = {
        "wish_id": wish.wish_id, "service_point_id": wish.service_point_id, "step": step.value, "at": at, "by": by,
        "note": note,
    }  # fmt: skip
    await connection.execute(insert(WISH_STEP).on_conflict_do_nothing(), row)


def _wish(row: Any) -> Wish:
    step = None if row["step"] is None else WishStep(row["step"])
    return Wish(**{name: row[name] for name in _COLUMNS}, step=step, note=row["note"] or "")
