"""Corrections in PostgreSQL: the queue, what was weighed, decisions, and the one transaction that carries one out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.billing.adapters import correction_rows as rows
from openami.billing.adapters.bill_rows import bill_of, bill_row, line_of, line_row
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.ledger_postgres import keep_entries, keep_parts
from openami.billing.adapters.tables import BILL, BILL_LINE
from openami.billing.bill.record import Assignment, Bill, KeptLine
from openami.billing.correction.decision import (
    CorrectionDecision,
    CorrectionRefusedError,
    DecisionHead,
    DecisionState,
)
from openami.billing.correction.effect import Effect
from openami.billing.correction.ports import TouchedBill, Writes
from openami.billing.correction.record import Adjustment, Change, Finding

_LOCK = text("select pg_advisory_xact_lock(7214601)")
"""Decisions are made one after another: two that meet at one bill must not both find it free."""


class PostgresCorrections:
    """Implements :class:`~openami.billing.correction.ports.CorrectionBook`.

    Args:
        engine: connections of role ``openami_billing``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def touched(self, *, limit: int) -> list[TouchedBill]:
        """See the port."""
        return [rows.touched_of_row(r) for r in await self._all(rows.TOUCHED, most=limit)]

    async def touched_of(self, bill_ids: Collection[UUID]) -> list[TouchedBill]:
        """See the port."""
        return [rows.touched_of_row(r) for r in await self._all(rows.TOUCHED_OF, bills=list(bill_ids))]

    async def versions(self, service_points: Collection[UUID]) -> dict[tuple[UUID, date], int]:
        """See the port."""
        found = await self._all(rows.VERSIONS, places=list(service_points))
        return {(r["service_point_id"], r["first_day"]): r["version"] for r in found}

    async def bills(self, bill_ids: Collection[UUID]) -> list[Bill]:
        """See the port."""
        lines: dict[UUID, list[KeptLine]] = {}
        for r in await self._all(rows.LINES, bills=list(bill_ids)):
            lines.setdefault(r["bill_id"], []).append(line_of(r))
        found = await self._all(rows.BILLS, bills=list(bill_ids))
        return [bill_of(r, tuple(lines.get(r["bill_id"], ()))) for r in found]

    async def bills_of(self, service_points: Collection[UUID]) -> list[Bill]:
        """See the port."""
        return [bill_of(r) for r in await self._all(rows.BILLS_OF, places=list(service_points))]

    async def bills_over(self, service_points: Collection[UUID], first: date, last: date) -> list[Bill]:
        """See :class:`~openami.billing.ledger.energy.BilledBook`."""
        asked = {"places": list(service_points), "first": first, "last": last}
        return [bill_of(r) for r in await self._all(rows.BILLS_OVER, **asked)]

    async def days_left(self, bill_ids: Collection[UUID]) -> set[tuple[UUID, date]]:
        """See :class:`~openami.billing.ledger.energy.BilledBook`."""
        return {(r["bill_id"], r["local_day"]) for r in await self._all(rows.DAYS_LEFT, bills=list(bill_ids))}

    async def last_bills(self, service_points: Collection[UUID], before: date) -> list[Bill]:
        """See :class:`~openami.billing.ledger.accrue.AccrualBook`."""
        found = await self._all(rows.LAST_BILLS, places=list(service_points), before=before)
        return await self.bills([r["bill_id"] for r in found])

    async def assignments(self, service_points: Collection[UUID] | None) -> list[Assignment]:
        """See :class:`~openami.billing.ledger.energy.BilledBook`."""
        return await PostgresBillBook(self._engine).assignments(service_points)

    async def note_rates(self, *, at: datetime, since: datetime | None = None) -> int:
        """See :class:`~openami.billing.correction.job.RateChanges`."""
        async with self._engine.begin() as connection:
            return len((await connection.execute(rows.NOTE_RATES, {"at": at, "since": since})).all())

    async def note_handed(self, *, at: datetime, since: datetime | None = None) -> int:
        """See :class:`~openami.billing.correction.job.RateChanges`."""
        async with self._engine.begin() as connection:
            return len((await connection.execute(rows.NOTE_HANDED, {"at": at, "since": since})).all())

    async def estimated(self) -> list[Bill]:
        """See :class:`~openami.billing.correction.true_up_job.EstimatedBills`."""
        return [bill_of(r) for r in await self._all(rows.ESTIMATED)]

    async def note_true_ups(self, settled: Sequence[tuple[Bill, datetime]], *, at: datetime) -> int:
        """See :class:`~openami.billing.correction.true_up_job.EstimatedBills`."""
        found = 0
        async with self._engine.begin() as connection:
            for bill, read_at in settled:
                row = {
                    "bill_id": bill.bill_id, "service_point_id": bill.service_point_id, "local_day": bill.span.first,
                    "seen": -(int(read_at.timestamp()) // 60), "at": at,
                }  # fmt: skip
                found += len((await connection.execute(rows.NOTE_TRUE_UPS, row)).all())
        return found

    async def weighed(self, changes: Sequence[tuple[Change, str]], *, at: datetime) -> None:
        """See the port."""
        if not changes:
            return
        left = [c.bill_id for c, _ in changes if c.found is Finding.WITHIN_TOLERANCE]
        async with self._engine.begin() as connection:
            await connection.execute(rows.WEIGHED, [rows.weighing_row(c, seen) | {"at": at} for c, seen in changes])
            if left:
                await connection.execute(rows.LEAVE_QUEUE, {"state": "dismissed", "decision": None, "bills": left})

    async def changes(
        self, *, bill_ids: Collection[UUID] | None = None, cause: str | None = None, place: UUID | None = None
    ) -> list[Change]:
        """See the port."""
        bills = None if bill_ids is None else list(bill_ids)
        return [rows.change_of(r) for r in await self._all(rows.CHANGES, bills=bills, cause=cause, place=place)]

    async def alone(
        self, by: Collection[UUID], service_points: Collection[UUID], *, customer_since: datetime, since: datetime
    ) -> Effect:
        """See the port."""
        asked = {"by": list(by), "points": list(service_points), "customer_since": customer_since, "since": since}
        (row,) = await self._all(rows.ALONE, **asked)
        return Effect(**row)

    async def keep(
        self, decision: CorrectionDecision, effect: Effect, *, order_id: UUID | None, real: datetime
    ) -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            await _decide(connection, decision, effect)
            step = {
                "decision_id": decision.decision_id, "step": "waits", "order_id": order_id, "by": decision.by,
                "at": decision.at, "real": real,
            }  # fmt: skip
            await connection.execute(rows.STEP, step)

    async def carry_out(
        self,
        decision: CorrectionDecision,
        effect: Effect | None,
        writes: Writes,
        *,
        by: UUID,
        at: datetime,
        real: datetime,
    ) -> bool:
        """See the port."""
        step = {
            "decision_id": decision.decision_id, "step": "in_force", "order_id": None, "by": by, "at": at, "real": real,
        }  # fmt: skip
        try:
            async with self._engine.begin() as connection:
                if effect is not None:
                    await _decide(connection, decision, effect)
                elif not await _waits(connection, decision.decision_id):
                    return False
                if (await connection.execute(rows.STEP, step)).first() is None:
                    return False
                await _write(connection, decision, writes)
        except IntegrityError as error:
            raise CorrectionRefusedError(
                "one of these bills was corrected meanwhile: look at the case again"
            ) from error
        return True

    async def withdrawn(self, decision_id: UUID, *, by: UUID, at: datetime, real: datetime) -> bool:
        """See the port."""
        step = {"decision_id": decision_id, "step": "withdrawn", "order_id": None, "by": by, "at": at, "real": real}
        async with self._engine.begin() as connection:
            if not await _waits(connection, decision_id):
                return False
            return (await connection.execute(rows.STEP, step)).first() is not None

    async def head(self, decision_id: UUID) -> DecisionHead:
        """See the port."""
        found = await self._all(rows.HEAD, decision_id=decision_id)
        if not found:
            raise CorrectionRefusedError(f"there is no decision {decision_id}")
        return rows.head_of(found[0])

    async def heads(self, *, state: DecisionState | None = None, limit: int = 200) -> list[DecisionHead]:
        """See the port."""
        found = await self._all(rows.HEADS, state=None if state is None else state.value, most=limit)
        return [rows.head_of(r) for r in found]

    async def adjustments(
        self, *, service_points: Collection[UUID] | None = None, bill_ids: Collection[UUID] | None = None
    ) -> list[Adjustment]:
        """See the port."""
        places = None if service_points is None else list(service_points)
        bills = None if bill_ids is None else list(bill_ids)
        return [rows.adjustment_of_row(r) for r in await self._all(rows.ADJUSTMENTS, places=places, bills=bills)]

    async def _all(self, query: Any, **asked: object) -> list[Any]:
        async with self._engine.connect() as connection:
            return list((await connection.execute(query, asked)).mappings())


async def _decide(connection: AsyncConnection, decision: CorrectionDecision, effect: Effect) -> None:
    await connection.execute(_LOCK)
    bills = [b.bill_id for b in decision.bills]
    waiting = (await connection.execute(rows.WAITING, {"bills": bills})).first()
    if waiting is not None:
        raise CorrectionRefusedError(f"bill {waiting[0]} is in a decision that waits: approve or withdraw that first")
    await connection.execute(rows.DECIDE, rows.decision_row(decision, effect))
    await connection.execute(rows.DECIDE_BILL, rows.decided_rows(decision))


async def _waits(connection: AsyncConnection, decision_id: UUID) -> bool:
    await connection.execute(_LOCK)
    steps = set((await connection.execute(rows.STEPS, {"decision_id": decision_id})).scalars())
    return steps == {"waits"}


async def _write(connection: AsyncConnection, decision: CorrectionDecision, writes: Writes) -> None:
    rebilled = [b.bill_id for b in decision.bills if b.is_rebilled]
    left = [b.bill_id for b in decision.bills if not b.is_rebilled]
    if rebilled:
        gone = set((await connection.execute(rows.SUPERSEDE, {"bills": rebilled})).scalars())
        if gone != set(rebilled):
            raise CorrectionRefusedError("one of these bills is no longer in force: look at the case again")
        if writes.bills:
            await connection.execute(insert(BILL), [bill_row(b) for b in writes.bills])
        lines = [line_row(b, n, line) for b in writes.bills for n, line in enumerate(b.lines, 1)]
        if lines:
            await connection.execute(insert(BILL_LINE), lines)
        await connection.execute(rows.ADJUST, [rows.adjustment_row(a) for a in writes.adjustments])
        told = rows.adjustment_line_rows(writes.adjustments)
        if told:
            await connection.execute(rows.ADJUST_LINE, told)
    await keep_entries(connection, writes.entries)
    await keep_parts(connection, writes.plans)
    for state, bills in (("settled", rebilled), ("dismissed", left)):
        asked = {"state": state, "decision": decision.decision_id, "bills": bills}
        await connection.execute(rows.LEAVE_QUEUE, asked)
    await connection.execute(rows.SETTLE, {"bills": [*rebilled, *left]})
