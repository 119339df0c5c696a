"""A reading that changes after billing: weighed, decided, rebilled, adjusted, booked; on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.integration.billing.test_billing import NOW, SCOPE, World, _day

from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.billing import changed_days
from openami.billing.adapters.correction_postgres import PostgresCorrections
from openami.billing.adapters.ledger_postgres import PostgresLedger
from openami.billing.api import BillState
from openami.billing.bill.record import Bill
from openami.billing.correction.decision import CorrectionRefusedError, DecisionState
from openami.billing.correction.ports import TouchedBill
from openami.billing.correction.proposal import Wish
from openami.billing.correction.record import Cause, CauseKind, DecisionKind
from openami.billing.correction.remake import RoadRemaker
from openami.billing.correction.rules import rules_on
from openami.billing.correction.weigh import Weighed, Weigher
from openami.billing.correction.work import Corrections
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.entry import EntryKind
from openami.billing.ledger.posting import LedgerPostings
from openami.billing.ledger.trial import out_of_balance
from openami.billing.rates import Rates
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable

pytestmark = pytest.mark.engines
OCTOBER = date(2026, 10, 1)
LATE = Cause(CauseKind.READINGS, "2026-11-10", "late readings")
LATER = NOW + timedelta(hours=3)
ANNA, BEN = uuid4(), uuid4()


@dataclass
class SaidCauses:
    """Says what it is told to; else that readings came late."""

    told: dict[UUID, Cause] = field(default_factory=dict)

    async def of(self, bills: Sequence[TouchedBill]) -> Mapping[UUID, Mapping[Cause, int]]:
        return {b.bill_id: {self.told.get(b.service_point_id, LATE): len(b.days)} for b in bills}


@dataclass
class Billed:
    """Places with bills of October, a ledger, and a desk of corrections."""

    world: World
    engine: AsyncEngine
    book: PostgresCorrections
    ledger: PostgresLedger
    postings: LedgerPostings
    corrections: Corrections
    causes: SaidCauses

    async def change(self, wh: int, *, place: int = 0, day: int = 7, version: int = 5) -> None:
        """Write another version of a day."""
        row = replace(_day(self.world.points[place], date(2026, 10, day), version, wh=wh), known_at=LATER)
        await self.world.data.store.write_days(DayTable.from_rows([row]), token=uuid4().hex)

    async def weigh(self) -> Weighed:
        """Find what changed and weigh it."""
        await self.world.billing.find_corrections(NOW, first=OCTOBER, end=date(2026, 11, 1))
        weigher = Weigher(self.book, self.corrections.remaker, self.causes, self.corrections.rules)
        return await weigher.weigh(NOW)

    async def decide(self, wish: Wish) -> UUID:
        """Propose and carry out at once."""
        proposal = await self.corrections.propose(wish, by=ANNA, at=LATER)
        assert await self.corrections.carry_out(proposal.decision, proposal.effect, by=ANNA, at=LATER, real=LATER)
        return proposal.decision.decision_id

    async def bills(self, place: int = 0) -> list[Bill]:
        """Return all versions, the newest first."""
        return await self.world.billing.bills(SCOPE, self.world.points[place])

    async def at(self) -> dict[A, Decimal]:
        """Return what stands on each account of the whole ledger."""
        found: dict[A, Decimal] = {}
        for one in await self.ledger.standings():
            found[one.account] = found.get(one.account, Decimal(0)) + one.balance
        return found


REBILL = Wish(LATE.name, DecisionKind.REBILL, "late readings came in")


@pytest.fixture
async def billed(world: World, postgres: PostgresEngine) -> AsyncIterator[Billed]:
    engine = create_async_engine(postgres.url("openami_billing"))
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9), is_read=False)
    await world.billing.close_due(NOW)
    book, ledger = PostgresCorrections(engine), PostgresLedger(engine)
    known = Rates(world.billing.book, world.billing.rates).known
    remaker = RoadRemaker(world.data, world.billing.book, book, known, shipped_jurisdiction())
    corrections = Corrections(book, ledger, remaker, rules_on(shipped_jurisdiction(), NOW.date()))
    made = Billed(world, engine, book, ledger, LedgerPostings(ledger), corrections, SaidCauses())
    ids = [b.bill_id for p in range(3) for b in await made.bills(p)]
    assert await made.postings.post(await book.bills(ids), at=NOW) == 3
    yield made
    await engine.dispose()


async def test_a_corrected_reading_after_billing_adjusts_supersedes_and_balances(billed: Billed) -> None:
    (old,) = await billed.bills()
    before = await billed.at()
    await billed.change(900)
    assert await billed.weigh() == Weighed(open=1)
    assert await billed.weigh() == Weighed(), "what was weighed is not weighed again"
    (case,) = await billed.corrections.cases()
    (change,) = case.changes
    assert (change.by_wh, change.days, change.found.value) == (96 * 800, 1, "open")
    decision_id = await billed.decide(REBILL)

    new, superseded = await billed.bills()
    assert (superseded.state, superseded.total) == (BillState.SUPERSEDED, old.total)
    assert (new.state, new.version, new.supersedes, new.usage_wh) == (
        BillState.ISSUED, 2, old.bill_id, (old.usage_wh or 0) + 96 * 800,
    )  # fmt: skip
    assert new.day_versions[6] == 5
    (told,) = await billed.book.adjustments(service_points=[old.service_point_id])
    assert (told.bill_id, told.corrected_bill_id, told.decision_id) == (old.bill_id, new.bill_id, decision_id)
    assert told.by == (new.total or Decimal(0)) - (old.total or Decimal(0))
    assert told.by == sum((line.by for line in told.lines), Decimal(0))
    assert told.by == Decimal("8.15"), "297.6 kWh and 374.4 kWh at 10.62 cents, each rounded"

    after = await billed.at()
    assert after[A.RECEIVABLE] - before[A.RECEIVABLE] == told.by
    assert before[A.ENERGY] - after[A.ENERGY] == told.by
    assert out_of_balance(await billed.ledger.standings()) == {}
    assert await billed.ledger.unbalanced() == []
    kinds = [e.kind for e in await billed.ledger.of_place(old.service_point_id)]
    assert kinds == [EntryKind.BILL, EntryKind.BILL, EntryKind.REVERSAL]
    assert await billed.corrections.cases() == []
    assert await billed.weigh() == Weighed()


async def test_a_correction_is_made_once_and_a_second_change_corrects_the_corrected_bill(billed: Billed) -> None:
    await billed.change(900)
    await billed.weigh()
    proposal = await billed.corrections.propose(REBILL, by=ANNA, at=LATER)
    assert await billed.corrections.carry_out(proposal.decision, proposal.effect, by=ANNA, at=LATER, real=LATER)
    with pytest.raises(CorrectionRefusedError, match="superseded"):
        await billed.corrections.carry_out(proposal.decision, proposal.effect, by=ANNA, at=LATER, real=LATER)
    await billed.change(400, version=6)
    await billed.weigh()
    await billed.decide(REBILL)
    bills = await billed.bills()
    assert [(b.version, b.state.value) for b in bills] == [(3, "issued"), (2, "superseded"), (1, "superseded")]
    assert bills[0].usage_wh == (bills[2].usage_wh or 0) + 96 * 300
    every = [b for p in range(3) for b in await billed.bills(p)]
    in_force = sum((b.total or Decimal(0) for b in every if b.state is BillState.ISSUED), Decimal(0))
    assert (await billed.at())[A.RECEIVABLE] == in_force


async def test_received_energy_that_becomes_known_after_the_bill_comes_up_too(billed: Billed) -> None:
    row = _day(billed.world.points[0], date(2026, 10, 9), 1, wh=10)
    early = replace(row, channel=Channel.RECEIVED)
    await billed.world.data.store.write_days(DayTable.from_rows([early]), token="early")
    assert await billed.weigh() == Weighed(), "what was known when the bill was made is in it"
    late = replace(early, version=2, known_at=LATER)
    await billed.world.data.store.write_days(DayTable.from_rows([late]), token="late")
    assert await billed.weigh() == Weighed(tolerated=1), "on this rate received energy changes nothing"


async def test_too_little_is_left_and_listed_and_grows_until_it_counts(billed: Billed) -> None:
    await billed.change(105)
    assert await billed.weigh() == Weighed(tolerated=1)
    assert await billed.corrections.cases() == []
    assert await billed.weigh() == Weighed()
    await billed.change(112, day=8)
    assert await billed.weigh() == Weighed(open=1), "both days together are compared with what was billed"


async def test_bills_that_cannot_be_made_are_in_nobodys_way_and_are_looked_at_in_turn(billed: Billed) -> None:
    for place in (0, 1):
        await billed.change(900, place=place)
        missing = _day(billed.world.points[place], date(2026, 10, 8), 5, wh=900, missing=4)
        await billed.world.data.store.write_days(DayTable.from_rows([missing]), token=uuid4().hex)
    assert await billed.weigh() == Weighed(unmakable=2)
    await billed.change(900, place=2)
    await billed.world.billing.find_corrections(NOW, first=OCTOBER, end=date(2026, 11, 1))
    (first,) = await billed.book.touched(limit=1)
    assert first.service_point_id == billed.world.points[2], "what was never weighed comes first"
    weigher = Weigher(billed.book, billed.corrections.remaker, billed.causes, billed.corrections.rules)
    assert await weigher.weigh(LATER, limit=1) == Weighed(open=1)
    seen = []
    for hour in (1, 2):
        seen += [t.service_point_id for t in await billed.book.touched(limit=1)]
        assert await weigher.weigh(LATER + timedelta(hours=hour), limit=1) == Weighed(unmakable=1)
    assert set(seen) == set(billed.world.points[:2])


async def test_one_cause_of_many_is_one_case_and_each_customer_gets_one_decision(
    billed: Billed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_days, "CHUNK", 2)
    edit = Cause(CauseKind.EDIT, str(uuid4()), "the clock of a firmware was wrong")
    for place in range(3):
        await billed.change(900, place=place)
    billed.causes.told = {billed.world.points[1]: edit}
    assert (await billed.weigh()).open == 3
    cases = {c.cause: c for c in await billed.corrections.cases()}
    assert (cases[LATE].is_bulk, len(cases[LATE].customers), cases[edit].is_bulk) == (True, 2, False)
    await billed.decide(Wish(LATE.name, DecisionKind.REBILL, "late readings came in"))
    assert [c.cause for c in await billed.corrections.cases()] == [edit]
    alone = Wish(edit.name, DecisionKind.LEAVE, "the customer was told so", place=billed.world.points[1])
    await billed.decide(alone)
    assert await billed.corrections.cases() == []
    assert [len(await billed.bills(p)) for p in range(3)] == [2, 1, 2]
    assert await billed.weigh() == Weighed(), "what was decided to be left stays left"
    heads = await billed.corrections.heads()
    assert {(h.decision.kind.value, h.state.value, h.effect.bills) for h in heads} == {
        ("rebill", "in_force", 2), ("leave", "in_force", 0),
    }  # fmt: skip


async def test_data_that_change_once_more_before_the_approval_void_the_decision(billed: Billed) -> None:
    await billed.change(900)
    await billed.weigh()
    proposal = await billed.corrections.propose(REBILL, by=ANNA, at=LATER)
    await billed.book.keep(proposal.decision, proposal.effect, order_id=uuid4(), real=LATER)
    with pytest.raises(CorrectionRefusedError, match="decision that waits"):
        await billed.book.keep(
            (await billed.corrections.propose(REBILL, by=BEN, at=LATER)).decision, proposal.effect, order_id=uuid4(),
            real=LATER,
        )  # fmt: skip
    await billed.change(901, version=6)
    with pytest.raises(CorrectionRefusedError, match="data changed once more"):
        await billed.corrections.carry_out(proposal.decision, None, by=BEN, at=LATER, real=LATER)
    assert len(await billed.bills()) == 1
    assert await billed.book.withdrawn(proposal.decision.decision_id, by=ANNA, at=LATER, real=LATER)
    assert not await billed.book.withdrawn(proposal.decision.decision_id, by=ANNA, at=LATER, real=LATER)
    assert (await billed.book.head(proposal.decision.decision_id)).state is DecisionState.WITHDRAWN


async def test_a_waiting_decision_comes_into_force_once_under_the_second_persons_name(billed: Billed) -> None:
    await billed.change(900)
    await billed.weigh()
    proposal = await billed.corrections.propose(REBILL, by=ANNA, at=LATER)
    decision = proposal.decision
    await billed.book.keep(decision, proposal.effect, order_id=uuid4(), real=LATER)
    assert await billed.corrections.carry_out(decision, None, by=BEN, at=LATER, real=LATER)
    head = await billed.book.head(decision.decision_id)
    assert (head.state, head.decision.approved_by, head.decision.items()) == (
        DecisionState.IN_FORCE, BEN, decision.items(),
    )  # fmt: skip


async def test_an_undercharge_is_repaid_in_twice_the_periods_with_the_bills_that_follow(billed: Billed) -> None:
    await billed.change(4_000)
    await billed.weigh()
    await billed.decide(REBILL)
    (told,) = await billed.book.adjustments(bill_ids=[(await billed.bills())[0].bill_id])
    assert told.installments == 2
    assert (await billed.at())[A.INSTALLMENTS] == told.by
    billing = billed.world.billing
    for month in (11, 12):
        last = date(2026, month, 30 if month == 11 else 31)
        await billed.world.write_days(date(2026, month, 1), last, is_read=False)
        now = datetime(2026 + month // 12, month % 12 + 1, 2, 18, tzinfo=UTC)
        await billing.close_due(now)
        newest = (await billed.bills())[0]
        for _ in range(2):
            await billed.postings.post(await billed.book.bills([newest.bill_id]), at=now)
        left = (await billed.at())[A.INSTALLMENTS]
        assert left == (told.by / 2 if month == 11 else 0), "one part with each bill, however often it is posted"


async def test_the_database_refuses_a_posting_that_does_not_balance_and_keeps_every_row(
    billed: Billed, postgres: PostgresEngine
) -> None:
    entry = (await billed.ledger.of_place(billed.world.points[0]))[0]
    one_side = text(
        "insert into billing.ledger_posting (entry_id, number, service_point_id, account, amount) "
        "values (:entry, 99, :place, 'energy', -1)"
    )
    row = {"entry": entry.entry_id, "place": entry.service_point_id}
    with pytest.raises(IntegrityError, match="out of balance by -1"):
        async with billed.engine.begin() as connection:
            await connection.execute(one_side, row)
    owner = create_async_engine(postgres.url(SUPERUSER))
    for statement in (
        "delete from billing.ledger_posting",
        "update billing.ledger_posting set amount = -amount",
        "delete from billing.ledger_entry",
        "update billing.ledger_entry set day = day + 1",
    ):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with billed.engine.begin() as connection:
                await connection.execute(text(statement))
        with pytest.raises(DBAPIError, match="kept as they are"):
            async with owner.begin() as connection:
                await connection.execute(text(statement))
    await owner.dispose()
