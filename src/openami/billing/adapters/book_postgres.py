"""The bill book in PostgreSQL. An exclusion constraint refuses two rates at once; ids refuse two bills of one month."""

# ruff: noqa: S608 - the only texts put into SQL are names of columns; values go in as parameters.

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import any_, bindparam, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from openami.billing.adapters.assignments_postgres import joined, put_over
from openami.billing.adapters.bill_rows import bill_of, bill_row, line_of, line_row, rows_text
from openami.billing.adapters.cycle_postgres import PostgresCycleBook
from openami.billing.adapters.rest_postgres import PostgresRestBook
from openami.billing.adapters.signals_postgres import PostgresSignals
from openami.billing.adapters.tables import BILL, BILL_LINE, CORRECTION, RATE_ASSIGNMENT
from openami.billing.bill.record import Assignment, Bill, BilledDays, BillState, Correction
from openami.billing.ports import RateOverlapError
from openami.security.access.scope import Scope

CLOSING_LOCK = 0x0A42
# One statement a table, whatever number of rows: a document of them is read by the database itself, which is several
# times quicker than to send each value as a parameter. An issued bill is left as it is; of one that is held, all but
# since when may change, and whatever it is now, the bill has waited since it was held first.
_BILL_COLUMNS = ", ".join(c.name for c in BILL.c)
_FRESH = ", ".join(
    f"{c.name} = excluded.{c.name}" for c in BILL.c if c.name not in {"bill_id", "service_point_id", "held_since"}
)
# Whose a bill that waits is, and of which days, may change with the registry while its reason stays the same.
_SHOWN = ("hold_reason", "end_day", "account_id", "rate_code", "kind")
_OF_A_HOLD, _OF_A_HOLD_NOW = (", ".join(f"{of}.{c}" for c in _SHOWN) for of in ("b", "excluded"))
_KEEP_BILLS = text(f"""
    insert into billing.bill as b ({_BILL_COLUMNS})
    select {_BILL_COLUMNS} from json_populate_recordset(null::billing.bill, cast(:rows as json))
    on conflict (bill_id) do update
        set {_FRESH}, held_since = case when excluded.state = 'held' then b.held_since end
        where b.state = 'held'
            and (excluded.state <> 'held' or ({_OF_A_HOLD}) is distinct from ({_OF_A_HOLD_NOW}))
    returning bill_id
""")
_LINE_COLUMNS = ", ".join(c.name for c in BILL_LINE.c)
_KEEP_LINES = text(f"""
    insert into billing.bill_line ({_LINE_COLUMNS})
    select {_LINE_COLUMNS} from json_populate_recordset(null::billing.bill_line, cast(:rows as json))
    on conflict do nothing
""")
_ENTERED = select(
    RATE_ASSIGNMENT.c.service_point_id, RATE_ASSIGNMENT.c.rate_code, func.lower(RATE_ASSIGNMENT.c.days),
    func.upper(RATE_ASSIGNMENT.c.days),
).order_by(RATE_ASSIGNMENT.c.service_point_id, RATE_ASSIGNMENT.c.days)  # fmt: skip
_ENTERED_OF = _ENTERED.where(RATE_ASSIGNMENT.c.service_point_id == any_(bindparam("places", type_=ARRAY(Uuid))))
"""Made once: every chart asks for the rate of its place, and to put a statement together costs as much as to ask it."""


class PostgresBillBook:
    """Implements :class:`~openami.billing.ports.BillBook`.

    Args:
        engine: connections of role ``openami_billing``; a reader may use one under row security.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._cycle = PostgresCycleBook(engine)
        self._signals = PostgresSignals(engine)
        self._rests = PostgresRestBook(engine)

    @property
    def cycle(self) -> PostgresCycleBook:
        """See the port."""
        return self._cycle

    @property
    def signals(self) -> PostgresSignals:
        """See the port."""
        return self._signals

    @property
    def rests(self) -> PostgresRestBook:
        """See the port."""
        return self._rests

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """See the port."""
        async with self._engine.connect() as connection:
            mine = bool((await connection.execute(select(func.pg_try_advisory_xact_lock(CLOSING_LOCK)))).scalar())
            yield mine
            await connection.rollback()

    async def assign(self, rows: Sequence[Assignment], *, at: datetime) -> None:
        """See the port."""
        there = {
            (a.service_point_id, a.rate_code, a.first_day)
            for a in await self._entered({r.service_point_id for r in rows})
        }
        rows = [r for r in rows if (r.service_point_id, r.rate_code, r.first_day) not in there]
        if not rows:
            return
        table = RATE_ASSIGNMENT
        fresh = [
            {
                "assignment_id": uuid4(), "service_point_id": r.service_point_id, "rate_code": r.rate_code,
                "days": Range(r.first_day, r.end_day), "entered_at": at,
            }
            for r in rows
        ]  # fmt: skip
        by_day: dict[date, list[UUID]] = {}
        for row in rows:
            by_day.setdefault(row.first_day, []).append(row.service_point_id)
        try:
            async with self._engine.begin() as connection:
                for day, points in by_day.items():
                    ending = (
                        update(table)
                        .where(table.c.service_point_id.in_(points), func.upper_inf(table.c.days))
                        .where(func.lower(table.c.days) < day)
                        .values(days=func.daterange(func.lower(table.c.days), day))
                    )
                    await connection.execute(ending)
                await connection.execute(insert(table), fresh)
        except IntegrityError as error:
            raise RateOverlapError("a service point already has a rate from that day or later") from error

    async def reassign(self, rows: Sequence[Assignment], *, at: datetime) -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            for row in rows:
                await put_over(connection, row, at=at)

    async def assignments(self, service_points: Collection[UUID] | None) -> list[Assignment]:
        """See the port."""
        return joined(await self._entered(service_points))

    async def _entered(self, service_points: Collection[UUID] | None) -> list[Assignment]:
        query, given = (_ENTERED, {}) if service_points is None else (_ENTERED_OF, {"places": list(service_points)})
        async with self._engine.connect() as connection:
            return [Assignment(*row) for row in (await connection.execute(query, given)).all()]

    async def states(self, first: date, end: date) -> dict[tuple[UUID, date], str]:
        """See the port."""
        query = (
            select(BILL.c.service_point_id, BILL.c.first_day, BILL.c.state)
            .where(BILL.c.first_day >= first, BILL.c.first_day < end)
            .order_by(BILL.c.version)
        )
        async with self._engine.connect() as connection:
            return {(r[0], r[1]): r[2] for r in (await connection.execute(query)).all()}

    async def keep(self, bills: Sequence[Bill]) -> int:
        """See the port."""
        if not bills:
            return 0
        async with self._engine.begin() as connection:
            given = {"rows": rows_text(bill_row(b) for b in bills)}
            kept = set((await connection.execute(_KEEP_BILLS, given)).scalars())
            lines = [line_row(b, n, line) for b in bills if b.bill_id in kept for n, line in enumerate(b.lines, 1)]
            if lines:
                await connection.execute(_KEEP_LINES, {"rows": rows_text(lines)})
        return len(kept)

    async def issued(
        self,
        first: date,
        end: date,
        *,
        service_points: Collection[UUID] | None = None,
        bills_from: date | None = None,
    ) -> list[Bill]:
        """See the port."""
        query = select(BILL).where(BILL.c.first_day >= first, BILL.c.first_day < end, BILL.c.state == BillState.ISSUED)
        if bills_from is not None:
            query = query.where(BILL.c.end_day > bills_from)
        if service_points is not None:
            query = query.where(BILL.c.service_point_id == any_(literal(list(service_points), ARRAY(Uuid))))
        async with self._engine.connect() as connection:
            return [bill_of(r) for r in (await connection.execute(query)).mappings()]

    async def billed_days(
        self,
        first: date,
        end: date,
        *,
        bills_from: date,
        service_points: Collection[UUID] | None = None,
        after: BilledDays | None = None,
        limit: int,
    ) -> list[BilledDays]:
        """See the port."""
        c = BILL.c
        query = (
            select(c.bill_id, c.service_point_id, c.first_day, c.day_versions, c.made_at)
            .where(c.state == BillState.ISSUED, c.first_day >= first, c.first_day < end, c.end_day > bills_from)
            .order_by(c.first_day, c.bill_id)
            .limit(limit)
        )
        if service_points is not None:
            query = query.where(c.service_point_id == any_(literal(list(service_points), ARRAY(Uuid))))
        if after is not None:
            query = query.where(
                tuple_(c.first_day, c.bill_id) > tuple_(literal(after.first_day), literal(after.bill_id))
            )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [BilledDays(r[0], r[1], r[2], tuple(r[3]), r[4]) for r in rows]

    async def issued_at(self, service_points: Collection[UUID], first: date, last: date) -> list[Bill]:
        """See the port."""
        places = any_(literal(list(service_points), ARRAY(Uuid)))
        query = (
            select(BILL)
            .where(BILL.c.service_point_id == places, BILL.c.state == BillState.ISSUED)
            .where(BILL.c.first_day <= last, BILL.c.end_day > first)
            .order_by(BILL.c.service_point_id, BILL.c.first_day)
        )
        async with self._engine.connect() as connection:
            return [bill_of(r) for r in (await connection.execute(query)).mappings()]

    async def bills(self, scope: Scope, service_point_id: UUID) -> list[Bill]:
        """See the port."""
        scope.require(frozenset({service_point_id}))
        query = (
            select(BILL)
            .where(BILL.c.service_point_id == service_point_id)
            .order_by(BILL.c.first_day.desc(), BILL.c.version.desc())
        )
        async with self._engine.begin() as connection:
            await _guard(connection, scope)
            found = [bill_of(r) for r in (await connection.execute(query)).mappings()]
        return [b for b in found if _in_time(scope, b)]

    async def bill(self, scope: Scope, bill_id: UUID) -> Bill | None:
        """See the port."""
        lines = select(BILL_LINE).where(BILL_LINE.c.bill_id == bill_id).order_by(BILL_LINE.c.number)
        async with self._engine.begin() as connection:
            await _guard(connection, scope)
            row = (await connection.execute(select(BILL).where(BILL.c.bill_id == bill_id))).mappings().first()
            if row is None or not _is_granted(scope, row["service_point_id"]):
                return None
            kept = [line_of(r) for r in (await connection.execute(lines)).mappings()]
        found = bill_of(row, kept)
        return found if _in_time(scope, found) else None

    async def note_corrections(self, rows: Sequence[Correction], *, at: datetime) -> int:
        """See the port."""
        if not rows:
            return 0
        values = [
            {
                "bill_id": r.bill_id, "service_point_id": r.service_point_id, "local_day": r.local_day,
                "billed_version": r.billed_version, "seen_version": r.seen_version, "state": "open", "found_at": at,
            }
            for r in rows
        ]  # fmt: skip
        query = insert(CORRECTION).on_conflict_do_nothing().returning(CORRECTION.c.bill_id)
        async with self._engine.begin() as connection:
            return len(list((await connection.execute(query, values)).scalars()))

    async def corrections(self) -> list[Correction]:
        """See the port."""
        c = CORRECTION.c
        query = (
            select(c.bill_id, c.service_point_id, c.local_day, c.billed_version, c.seen_version)
            .where(c.state == "open")
            .order_by(c.found_at, c.local_day)
        )
        async with self._engine.connect() as connection:
            return [Correction(*row) for row in (await connection.execute(query)).all()]


async def _guard(connection: AsyncConnection, scope: Scope) -> None:
    """Tell row security the scope: the second, independent layer. A process of ours works under its own role."""
    if scope.service_points is not None:
        places = ",".join(str(p) for p in sorted(scope.service_points))
        await connection.execute(text("select set_config('app.service_points', :places, true)"), {"places": places})


def _is_granted(scope: Scope, service_point_id: UUID) -> bool:
    return scope.service_points is None or service_point_id in scope.service_points


def _in_time(scope: Scope, bill: Bill) -> bool:
    """A new occupant sees no bill that begins before the move-in."""
    return scope.granted(bill.service_point_id, bill.period) == (bill.period,)
