"""Which places rest, in PostgreSQL. One row a place; what changed is a table of its own, to which triggers only add.

A writer that updated the place's row would wait for, and could deadlock with, another one that bills or assigns the
same places in another order. Rows that are added meet nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    SmallInteger,
    Text,
    Uuid,
    and_,
    any_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.billing.adapters.tables import PLACE_REST, PLACE_TOUCHED, RATE_ASSIGNMENT
from openami.billing.cycle.rest import Rest, Resting, Stir

_OF_A_REST = ("zone", "bill_group", "since", "wakes_on", "waits")
_AWAKE = {"since": None, "wakes_on": None, "waits": False}
_RESTING = text(
    """
    with recursive g as (
        (select zone, bill_group, since from billing.place_rest where since is not null
            order by zone, bill_group, since limit 1)
        union all
        select n.* from g cross join lateral (
            select zone, bill_group, since from billing.place_rest
            where since is not null and (zone, bill_group) > (g.zone, g.bill_group)
            order by zone, bill_group, since limit 1) n
    )
    select zone, bill_group, since from g
    """
)
"""One step into the index for each zone and group, however many places rest in it."""


class PostgresRestBook:
    """Implements :class:`~openami.billing.cycle.rest.RestBook`.

    Args:
        engine: connections of role ``openami_billing``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take_note(self) -> None:
        """See the port."""
        gone = delete(PLACE_TOUCHED).returning(PLACE_TOUCHED.c.service_point_id).cte("gone")
        new = insert(PLACE_REST).from_select(["service_point_id"], select(gone.c.service_point_id).distinct())
        async with self._engine.begin() as connection:
            await connection.execute(new.on_conflict_do_update(index_elements=["service_point_id"], set_=_AWAKE))

    async def wake(self, service_points: Collection[UUID]) -> None:
        """See the port."""
        wanted = PLACE_REST.c.service_point_id == any_(literal(list(service_points), ARRAY(Uuid)))
        async with self._engine.begin() as connection:
            await connection.execute(update(PLACE_REST).where(wanted).values(_AWAKE))

    async def resting(self) -> list[Resting]:
        """See the port."""
        async with self._engine.connect() as connection:
            return [Resting(*row) for row in (await connection.execute(_RESTING)).all()]

    async def stirring(
        self, stirs: Sequence[Stir], also: Collection[UUID], *, after: UUID | None, limit: int, with_waiting: bool
    ) -> list[UUID]:
        """See the port."""
        c = PLACE_REST.c
        arms: list[ColumnElement[bool]] = [c.since.is_(None)]
        arms += [and_(c.zone == s.zone, c.bill_group == s.bill_group, c.since < s.since_before) for s in stirs]
        arms += [
            and_(c.zone == zone, c.wakes_on <= today) for zone, today in sorted({(s.zone, s.today) for s in stirs})
        ]
        if with_waiting:
            arms.append(c.waits)
        others = func.unnest(literal(list(also), ARRAY(Uuid))).column_valued("service_point_id")
        known = c.service_point_id
        found = union(
            select(known).where(or_(*arms), *([known > after] if after else [])),
            select(PLACE_TOUCHED.c.service_point_id),
            select(others),
        ).subquery()
        query = select(found.c.service_point_id).order_by(found.c.service_point_id).limit(limit)
        if after is not None:
            query = query.where(found.c.service_point_id > after)
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def every(self, *, after: UUID | None, limit: int) -> list[UUID]:
        """See the port."""
        c = RATE_ASSIGNMENT.c
        query = select(c.service_point_id).distinct().order_by(c.service_point_id).limit(limit)
        if after is not None:
            query = query.where(c.service_point_id > after)
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def rests_of(self, service_points: Collection[UUID]) -> dict[UUID, Rest | None]:
        """See the port."""
        c = PLACE_REST.c
        touched = exists().where(PLACE_TOUCHED.c.service_point_id == c.service_point_id)
        query = select(PLACE_REST, touched.label("touched")).where(
            c.service_point_id == any_(literal(list(service_points), ARRAY(Uuid)))
        )
        found: dict[UUID, Rest | None] = {}
        async with self._engine.connect() as connection:
            for *told, is_touched in (await connection.execute(query)).all():
                rest = Rest(*told)
                found[rest.service_point_id] = None if is_touched or rest.since is None else rest
        return found

    async def touch(self, service_points: Collection[UUID]) -> None:
        """See the port."""
        if service_points:
            async with self._engine.begin() as connection:
                rows = [{"service_point_id": p} for p in service_points]
                await connection.execute(insert(PLACE_TOUCHED), rows)

    async def rest(self, rows: Sequence[Rest]) -> None:
        """See the port."""
        if not rows:
            return
        columns = (
            literal([r.service_point_id for r in rows], ARRAY(Uuid)),
            literal([r.zone for r in rows], ARRAY(Text)),
            literal([r.bill_group for r in rows], ARRAY(SmallInteger)),
            literal([r.since for r in rows], ARRAY(Date)),
            literal([r.wakes_on for r in rows], ARRAY(Date)),
            literal([r.waits for r in rows], ARRAY(Boolean)),
        )
        told = func.unnest(*columns).table_valued("service_point_id", *_OF_A_REST).render_derived()
        now, before = (tuple_(*(t.c[n] for n in _OF_A_REST)) for t in (told, PLACE_REST))
        async with self._engine.begin() as connection:
            await connection.execute(
                update(PLACE_REST)
                .where(PLACE_REST.c.service_point_id == told.c.service_point_id, before.is_distinct_from(now))
                .values({n: told.c[n] for n in _OF_A_REST})
            )
