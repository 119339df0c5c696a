"""The whole road on real engines: readings, validation, bill, a person's edit, another version, a corrected bill."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.integration.billing.test_billing import SCOPE
from tests.integration.mdm.test_decisions import Desk
from tests.integration.mdm.test_validation import ZONE

from openami.app.billing.correction_room import CorrectionRoom, correction_room
from openami.app.engines.postgres import PostgresEngine
from openami.app.settings import real_now
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Bill, Billing, BillingJob, BillSetting, BillState
from openami.billing.calendar.cycle import DatedCalendar, ReadDay
from openami.billing.correction.job import CorrectionJob
from openami.billing.correction.proposal import Wish
from openami.billing.correction.record import CauseKind, DecisionKind
from openami.billing.correction.words import adjustment_words
from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.job import LedgerJob
from openami.billing.statement.setting import picture_of
from openami.contracts.changed import ChangedDay, news_of
from openami.contracts.channel import Channel
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData
from openami.mdm.editing.decision import DecisionKind as EditKind
from openami.mdm.vee.grid import grid_of

pytestmark = pytest.mark.engines
# The store stamps by its own process's clock, so what is billed must be over by then.
NEXT = (real_now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
FIRST = (NEXT - timedelta(days=1)).replace(day=1)
LAST = NEXT + timedelta(days=3)
CALENDAR = DatedCalendar({1: [ReadDay(FIRST, 1, FIRST - timedelta(days=28)), ReadDay(NEXT, 1, FIRST)]})
EDITED = 6
"""Day of the month, counted from 0, on which a person enters a display's reading."""


async def _seen() -> datetime:
    """Return an instant by which all that was written is known, and nothing that comes: stamps are whole seconds."""
    now = real_now().replace(microsecond=0)
    while real_now() < now + timedelta(seconds=1):
        await asyncio.sleep(0.05)
    return now


async def _sound(room: CorrectionRoom, desk: Desk) -> None:
    """The ledger adds up, and every Wh is accounted for."""
    assert (await room.ledger.audit()).faults == []
    balance = await room.energy.balance(desk.points, FIRST, LAST + timedelta(days=1))
    assert balance.residual_wh == 0
    assert balance.metered_wh > 0


async def _papers(billing: Billing, old: Bill, new: Bill, first_paper: bytes | None) -> None:
    """The bill that was replaced keeps its document, its page says so; the corrected one names what it changes."""
    papers = billing.papers
    assert await papers.pdf(SCOPE, old.bill_id) == first_paper is not None
    replaced, corrected = [await papers.statement(SCOPE, b.bill_id) for b in (old, new)]
    assert replaced is not None
    assert corrected is not None
    assert "A corrected bill has replaced this one" in replaced.marks
    assert corrected.title == "Corrected electricity bill"
    (words,) = corrected.adjustments
    assert str(old.bill_id) in words
    assert words.endswith(" more.")
    assert "192.0 kWh were put right by a person" in corrected.state
    for bill in (old, new):
        found = await papers.rebuilt(SCOPE, bill.bill_id)
        assert found is not None
        assert found[0].differences == ()
        assert found[1], "and the same document"
    if folder := os.environ.get("OPENAMI_PAPERS"):
        for name, statement in (("before", replaced), ("after", corrected)):
            Path(folder, f"{name}.png").write_bytes(picture_of(statement))


async def _parted(
    billing: Billing, room: CorrectionRoom, desk: Desk, at: datetime, turn: Callable[[datetime], Awaitable[None]]
) -> None:
    """Another rate, entered for days in the middle of the other place's bill, parts it in three."""
    place = desk.points[1]
    (old,) = await billing.bills(SCOPE, place)
    begin, end = FIRST + timedelta(days=9), FIRST + timedelta(days=19)
    await billing.reassign_rate([place], "ameren-mo-smart", first_day=begin, end_day=end, at=at)
    await turn(at + timedelta(minutes=20))
    (case,) = await room.corrections.cases()
    assert case.cause.name == "rate:ameren-mo-anytime>ameren-mo-smart"
    wish = Wish(case.cause.name, DecisionKind.REBILL, "the customer's form was entered late")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=at)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
    parts = sorted((b for b in await billing.bills(SCOPE, place) if b.state is BillState.ISSUED), key=lambda b: b.span)
    assert [(b.span.first, b.span.end) for b in parts] == [(FIRST, begin), (begin, end), (end, NEXT)]
    for part in parts:
        lo, hi = (int(desk.grid.day_at[(d - FIRST).days]) for d in (part.span.first, part.span.end))
        assert part.usage_wh == int(desk.truth[1][lo:hi].sum()), "by what was used in truth, not by our own sums"
        found = await billing.papers.rebuilt(SCOPE, part.bill_id)
        assert found is not None
        assert found[0].differences == ()
    (one,) = await room.book.adjustments(service_points=[place])
    assert one.by == sum((b.total or Decimal(0) for b in parts), Decimal(0)) - (old.total or Decimal(0))
    assert one.by_wh == 0
    await _sound(room, desk)


async def test_a_corrected_reading_goes_all_the_way_to_a_corrected_bill(
    postgres: PostgresEngine, store_process: Path
) -> None:
    store = SocketStore(store_process)
    mdm = create_async_engine(postgres.url("openami_mdm"))
    own = create_async_engine(postgres.url("openami_billing"))
    desk = Desk(PostgresRegistry(mdm), PostgresBook(mdm), store, grid_of(ZONE, FIRST, LAST, 900))
    desk.decisions = PostgresDecisions(mdm)
    data = MeterData(registry=desk.registry, store=store, book=desk.book)
    setting = BillSetting(calendar=CALENDAR)
    billing = Billing(meters=data, book=PostgresBillBook(own), rates=base_rates(), setting=setting)
    room = correction_room(data, billing=own, mdm=mdm, today=LAST, rates=base_rates())
    jobs = (
        BillingJob(billing),
        LedgerJob(room.ledger, room.book, room.postings, room.accrual, ZONE),
        CorrectionJob(room.weigher, room.book, room.stops),
    )

    async def turn(at: datetime) -> None:
        for job in jobs:
            await job.run_due(at)

    try:
        await desk.sent(2)
        await desk.run(known_at=await _seen())
        billed_at = await _seen()
        await desk.book.mark_done(
            str(ZONE), [desk.grid.day(d) for d in range(desk.grid.days)], run_id=uuid4(), at=billed_at
        )
        await billing.assign_rate(desk.points, "ameren-mo-anytime", first_day=FIRST, at=billed_at)
        await turn(billed_at)
        (old,) = await billing.bills(SCOPE, desk.points[0])
        assert (old.state, old.usage_wh) == (
            BillState.ISSUED,
            int(desk.truth[0][: int(desk.grid.day_at[(NEXT - FIRST).days])].sum()),
        )
        await _sound(room, desk)
        first_paper = await billing.papers.pdf(SCOPE, old.bill_id)

        later = await _seen()
        day, lo = desk.grid.day(EDITED), int(desk.grid.day_at[EDITED])
        span = desk.span(0, lo, lo + 96, values=(2_000,) * 96)
        edit = await desk.decide(EditKind.REPLACE, span, at=later)
        assert (await desk.run(day, day, later)).versions == 1
        told = news_of(uuid4(), day, day, versions=1, days=[ChangedDay(desk.points[0], Channel.DELIVERED, day, 2)])
        for job in jobs:
            await job.days_changed(told, later)
        await _sound(room, desk)
        await turn(later + timedelta(minutes=20))
        (case,) = await room.corrections.cases()
        assert (case.cause.kind, case.cause.key) == (CauseKind.EDIT, str(edit.id))
        by_wh = 96 * 2_000 - int(desk.truth[0][lo : lo + 96].sum())
        assert [c.by_wh for c in case.changes] == [by_wh]
        assert "register" in case.changes[0].reason, "whoever decides is told that the register says otherwise"

        at = later + timedelta(hours=1)
        wish = Wish(case.cause.name, DecisionKind.REBILL, "the display was read")
        proposal = await room.corrections.propose(wish, by=uuid4(), at=at)
        before = {s.account: s.balance for s in await room.ledger.standings()}
        assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
        new, superseded = await billing.bills(SCOPE, desk.points[0])
        assert (superseded.bill_id, superseded.state) == (old.bill_id, BillState.SUPERSEDED)
        assert (new.supersedes, new.usage_wh) == (old.bill_id, (old.usage_wh or 0) + by_wh)
        (adjustment,) = await room.book.adjustments(service_points=desk.points)
        assert adjustment.by == (new.total or Decimal(0)) - (old.total or Decimal(0)) > 0
        assert "was corrected, because readings were checked and put right" in adjustment_words(adjustment)
        await _papers(billing, old, new, first_paper)
        after = {s.account: s.balance for s in await room.ledger.standings()}
        owed = (LedgerAccount.RECEIVABLE, LedgerAccount.INSTALLMENTS)
        assert sum(after.get(a, Decimal(0)) - before.get(a, Decimal(0)) for a in owed) == adjustment.by
        await _sound(room, desk)
        await turn(at + timedelta(minutes=20))
        assert await room.corrections.cases() == []
        await _sound(room, desk)
        await _parted(billing, room, desk, at + timedelta(hours=1), turn)
    finally:
        await store.close()
        await mdm.dispose()
        await own.dispose()
