"""What the bill book knows of cycles, in PostgreSQL. One statement for the whole fleet wherever it is asked of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Uuid, any_, column, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.billing.adapters.bill_rows import bill_of
from openami.billing.adapters.tables import BILL, HOLD_RELEASE, PLACE_HOLD
from openami.billing.bill.hold import HoldCode
from openami.billing.bill.record import Bill, BillState
from openami.billing.cycle.place import Billed
from openami.billing.cycle.ports import PlaceHold, Release, ReleaseKey
from openami.billing.rating.usage import BillSpan


class PostgresCycleBook:
    """Implements :class:`~openami.billing.cycle.ports.CycleBook`.

    Args:
        engine: connections of role ``openami_billing``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def billed(self, service_points: Collection[UUID] | None = None) -> dict[UUID, list[Billed]]:
        """See the port."""
        c = BILL.c
        query = (
            select(
                c.service_point_id, c.account_id, func.max(c.end_day),
                func.array_agg(aggregate_order_by(c.first_day, c.first_day)).filter(c.state == BillState.HELD),
                func.min(c.first_day),
                func.array_agg(aggregate_order_by(c.end_day, c.first_day)).filter(c.state == BillState.HELD),
            )
            .where(c.state != BillState.SUPERSEDED)
            .group_by(c.service_point_id, c.account_id)
        )  # fmt: skip
        if service_points is not None:
            query = query.where(_among(service_points))
        found: dict[UUID, list[Billed]] = defaultdict(list)
        async with self._engine.connect() as connection:
            for point, account, end, held, first, ends in (await connection.execute(query)).all():
                found[point].append(Billed(account, end, tuple(held or ()), first, tuple(ends or ())))
        return found

    async def reversed_at(self, service_points: Collection[UUID]) -> dict[tuple[UUID, date], int]:
        """See the port."""
        c, other = BILL.c, BILL.alias().c
        in_force = select(other.bill_id).where(
            other.service_point_id == c.service_point_id,
            other.first_day == c.first_day,
            other.state == BillState.ISSUED,
        )
        query = (
            select(c.service_point_id, c.first_day, func.max(c.version))
            .where(_among(service_points), c.state == BillState.SUPERSEDED, ~in_force.exists())
            .group_by(c.service_point_id, c.first_day)
        )
        async with self._engine.connect() as connection:
            return {(point, first): version for point, first, version in (await connection.execute(query)).all()}

    async def issued_spans(self, service_points: Collection[UUID]) -> dict[UUID, dict[UUID | None, list[BillSpan]]]:
        """See the port."""
        c = BILL.c
        query = (
            select(c.service_point_id, c.account_id, c.first_day, c.end_day)
            .where(_among(service_points), c.state == BillState.ISSUED)
            .order_by(c.service_point_id, c.first_day)
        )
        found: dict[UUID, dict[UUID | None, list[BillSpan]]] = {}
        async with self._engine.connect() as connection:
            for point, account, first, end in (await connection.execute(query)).all():
                found.setdefault(point, {}).setdefault(account, []).append(BillSpan(first, end))
        return found

    async def around(self, spans: Mapping[UUID, BillSpan]) -> tuple[dict[UUID, Bill], dict[UUID, Bill]]:
        """See the port."""
        if not spans:
            return {}, {}
        c = BILL.c
        firsts, ends = [s.first for s in spans.values()], [s.end for s in spans.values()]
        asked = (
            func.unnest(literal(list(spans), ARRAY(Uuid)), literal(firsts, ARRAY(Date)), literal(ends, ARRAY(Date)))
            .table_valued(column("point", Uuid), column("first", Date), column("end", Date), name="asked")
            .render_derived()
        )
        query = (
            select(BILL)
            .join(asked, c.service_point_id == asked.c.point)
            .where(c.state == BillState.ISSUED)
            .where((c.end_day == asked.c.first) | (c.first_day == asked.c.end))
            .order_by(c.service_point_id, c.version)
        )
        async with self._engine.connect() as connection:
            bills = [bill_of(r) for r in (await connection.execute(query)).mappings()]
        before = {b.service_point_id: b for b in bills if b.span.end == spans[b.service_point_id].first}
        return before, {b.service_point_id: b for b in bills if b.span.first == spans[b.service_point_id].end}

    async def held(self, *, owner: str = "", bill_group: int | None = None, limit: int = 1000) -> list[Bill]:
        """See the port."""
        query = select(BILL).where(BILL.c.state == BillState.HELD)
        if owner:
            query = query.where(BILL.c.hold_owner == owner)
        if bill_group is not None:
            query = query.where(BILL.c.bill_group == bill_group)
        query = query.order_by(BILL.c.held_since, BILL.c.first_day, BILL.c.service_point_id).limit(limit)
        async with self._engine.connect() as connection:
            return [bill_of(r) for r in (await connection.execute(query)).mappings()]

    async def withdraw(self, held: Mapping[UUID, Sequence[date]]) -> int:
        """See the port."""
        if not held:
            return 0
        c = BILL.c
        stale = select(c.bill_id, c.service_point_id, c.first_day).where(_among(held), c.state == BillState.HELD)
        async with self._engine.begin() as connection:
            rows = (await connection.execute(stale)).all()
            gone = [bill_id for bill_id, point, first in rows if first not in held[point]]
            if gone:
                await connection.execute(delete(BILL).where(c.bill_id.in_(gone), c.state == BillState.HELD))
        return len(gone)

    async def release(self, row: Release) -> None:
        """See the port."""
        values = {
            "service_point_id": row.service_point_id, "first_day": row.first_day, "code": row.code.value,
            "reason": row.reason, "released_by": row.by, "released_at": row.at,
            "account_id": row.account_id,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(insert(HOLD_RELEASE).values(values).on_conflict_do_nothing())

    async def releases(self, service_points: Collection[UUID]) -> dict[ReleaseKey, list[Release]]:
        """See the port."""
        c = HOLD_RELEASE.c
        query = select(HOLD_RELEASE).where(_among(service_points, c.service_point_id)).order_by(c.released_at)
        found: dict[ReleaseKey, list[Release]] = defaultdict(list)
        async with self._engine.connect() as connection:
            for r in (await connection.execute(query)).mappings():
                point, first, account = r["service_point_id"], r["first_day"], r["account_id"]
                told = Release(
                    point, first, HoldCode(r["code"]), r["reason"], r["released_by"], r["released_at"], account
                )
                found[point, first, account].append(told)
        return found

    async def hold_place(self, row: PlaceHold) -> None:
        """See the port."""
        values = {
            "hold_id": row.hold_id, "service_point_id": row.service_point_id, "reason": row.reason,
            "held_by": row.by, "held_at": row.at,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(insert(PLACE_HOLD).values(values).on_conflict_do_nothing())

    async def lift(self, service_point_id: UUID, *, by: str, reason: str, at: datetime) -> int:
        """See the port."""
        c = PLACE_HOLD.c
        change = (
            update(PLACE_HOLD)
            .where(c.service_point_id == service_point_id, c.lifted_at.is_(None))
            .values(lifted_by=by, lift_reason=reason, lifted_at=at)
            .returning(c.hold_id)
        )
        async with self._engine.begin() as connection:
            return len((await connection.execute(change)).all())

    async def place_holds(self, service_points: Collection[UUID] | None) -> dict[UUID, PlaceHold]:
        """See the port."""
        c = PLACE_HOLD.c
        query = select(PLACE_HOLD).where(c.lifted_at.is_(None)).order_by(c.held_at.desc(), c.hold_id)
        if service_points is not None:
            query = query.where(_among(service_points, c.service_point_id))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings()
            return {r["service_point_id"]: _place_hold(r) for r in rows}


def _among(service_points: Collection[UUID], column: Any = BILL.c.service_point_id) -> ColumnElement[bool]:
    return column == any_(literal(list(service_points), ARRAY(Uuid)))  # type: ignore[no-any-return]


def _place_hold(row: Any) -> PlaceHold:
    return PlaceHold(row["hold_id"], row["service_point_id"], row["reason"], row["held_by"], row["held_at"])
