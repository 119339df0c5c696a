"""The ledger at work: bills booked by the job, energy balanced, months accrued, levels kept; on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.integration.billing.test_billing import FIRST, NOW, SCOPE, World, _day
from tests.integration.billing.test_corrections import LATER, OCTOBER, REBILL, Billed, billed
from tests.integration.billing.test_cycle_close import read

from openami.app.billing.correction_causes import RegistryCauses
from openami.app.billing.correction_room import correction_room
from openami.app.engines.postgres import PostgresEngine
from openami.billing.api import Bill, Billing
from openami.billing.bill.record import bill_id_of
from openami.billing.correction.proposal import Wish
from openami.billing.correction.record import CauseKind, DecisionKind
from openami.billing.correction.rules import Tolerances
from openami.billing.correction.words import adjustment_words
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.accrue import Accrual
from openami.billing.ledger.budget import BudgetPlan, BudgetRefusedError
from openami.billing.ledger.conservation import EnergyBalance
from openami.billing.ledger.energy import EnergyCheck
from openami.billing.ledger.entry import EntryKind, Posting, agreement_id_of
from openami.billing.ledger.job import LedgerJob
from openami.billing.ledger.levels import Levels
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import demonstration_rates
from openami.billing.tariff.rounding import EnergyRounding
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import Source
from openami.kernel.time import local_day, local_days, local_midnight, zone_named
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.editing.decision import Decision, Target
from openami.mdm.editing.decision import DecisionKind as EditKind
from openami.mdm.editing.ports import Effect
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import Affected

__all__ = ["billed"]
pytestmark = pytest.mark.engines
NOVEMBER = date(2026, 11, 1)
ZONE = zone_named("America/Chicago")
DAY_WH = 9_600
"""What the first place uses on a day; the next ones half as much more each."""


def job_of(billed: Billed) -> LedgerJob:
    accrual = Accrual(billed.world.data, billed.book, billed.ledger)
    return LedgerJob(billed.ledger, billed.book, billed.postings, accrual, ZONE)


async def test_the_job_books_what_is_not_booked_and_accrues_the_month_once(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=base_rates())
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9), is_read=False)
    await world.billing.close_due(NOW)
    assert (await room.ledger.audit()).unposted == 3
    job = LedgerJob(room.ledger, room.book, room.postings, room.accrual, ZONE)
    await job.run_due(NOW)
    await job.run_due(NOW + timedelta(minutes=2))
    found = await room.ledger.audit()
    assert (found.faults, found.unposted) == ([], 0)
    assert found.owed == found.billed
    bills = [b for p in world.points for b in await world.billing.bills(SCOPE, p)]
    assert found.owed["USD"] == sum((b.total or Decimal(0) for b in bills), Decimal(0))
    for engine in engines:
        await engine.dispose()


async def test_what_a_protected_year_gives_back_is_no_fault_and_money_from_nowhere_is_one(billed: Billed) -> None:
    first = (await billed.ledger.of_place(billed.world.points[0]))[0]
    given = (Posting(A.RECEIVABLE, Decimal(-5)), Posting(A.CREDIT, Decimal(5), "First year on another rate"))
    back = replace(first, entry_id=uuid4(), kind=EntryKind.RATE_PROTECTION, postings=given, bill_id=None)
    await billed.ledger.keep([back])
    assert (await billed.ledger.audit()).faults == []
    odd = replace(back, entry_id=uuid4(), kind=EntryKind.BUDGET)
    await billed.ledger.keep([odd])
    (fault,) = (await billed.ledger.audit()).faults
    assert fault.startswith("the ledger holds")


async def test_a_month_end_holds_what_is_not_billed_yet_and_the_next_day_gives_it_back(
    billed: Billed,
) -> None:
    accrual = Accrual(billed.world.data, billed.book, billed.ledger)
    await billed.world.write_days(date(2026, 11, 10), date(2026, 11, 30))
    late = datetime(2026, 12, 2, 18, tzinfo=UTC)
    assert await accrual.month_end(date(2026, 11, 30), at=late) == 3
    assert await accrual.month_end(date(2026, 11, 30), at=late) == 0
    first = [e for e in await billed.ledger.of_place(billed.world.points[0]) if e.kind.value.startswith("unbilled")]
    assert [(e.kind.value, e.day) for e in first] == [
        ("unbilled", date(2026, 11, 30)),
        ("unbilled_back", date(2026, 12, 1)),
    ]
    # 30 days and the hour that November has more, at the price of October's bill: 10.62 cents, 9.19 dollars a month.
    (bill,) = await billed.bills()
    fixed = (bill.total or Decimal(0)) - Decimal("31.61")
    usage = (30 * 96 + 4) * 100
    expected = (Decimal(usage) * Decimal("31.60512") / (31 * DAY_WH) + 30 * fixed / 31).quantize(Decimal("0.01"))
    assert first[0].amount_of(A.UNBILLED) == expected
    at_month_end = await billed.ledger.standings(end=date(2026, 12, 1))
    assert sum(s.balance for s in at_month_end if s.account is A.UNBILLED) > 0
    assert sum(s.balance for s in await billed.ledger.standings() if s.account is A.UNBILLED) == 0


async def test_energy_is_conserved_through_bills_changes_holds_and_corrections(billed: Billed) -> None:
    world = billed.world
    check = EnergyCheck(world.data, billed.book)
    days = (31, 9)
    one = [96 * (100 + 50 * n) for n in range(3)]
    extra = sum(4 * (100 + 50 * n) for n in range(3))
    begin, end = date(2026, 9, 25), date(2026, 11, 10)
    before = await check.balance(world.points, begin, end)
    unbilled = sum(one) * days[1] + extra
    assert before == EnergyBalance(sum(one) * sum(days) + extra, sum(one) * days[0], unbilled_wh=unbilled)
    await billed.change(900)
    await billed.change(103, day=9)
    await billed.change(155, place=1, day=9)
    await billed.weigh()
    changed = await check.balance(world.points, begin, end)
    assert changed.residual_wh == 0
    assert (changed.changed_open_wh, changed.changed_left_wh) == (96 * 803, 96 * 5)
    await billed.decide(REBILL)
    corrected = await check.balance(world.points, begin, end)
    assert (corrected.residual_wh, corrected.changed_open_wh, corrected.changed_left_wh) == (0, 0, 96 * 5)
    assert corrected.billed_wh == before.billed_wh + 96 * 803
    inside = await check.balance(world.points, date(2026, 10, 10), date(2026, 10, 12))
    assert inside.billed_wh == corrected.billed_wh, "a bill is taken whole"
    assert inside.residual_wh == 0


async def test_energy_of_a_place_that_is_read_by_hand_is_what_its_register_advanced(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=base_rates())
    point, meter, began = world.points[0], world.meters[0], date(2026, 10, 12)
    midnights = [local_midnight(d, ZONE) for d in (FIRST, OCTOBER, began, NOVEMBER)]
    by_hand = FactEntry(point, FactKind.READING, "by_hand", midnights[0], midnights[2])
    await world.data.registry.facts.enter(
        [by_hand, FactEntry(point, FactKind.READING, "interval", midnights[2])], at=NOW
    )
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(began, date(2026, 11, 9), is_read=False)
    await world.book.mark_done(ZONE.key, list(local_days(FIRST, began)), run_id=uuid4(), at=NOW)
    for at, value in ((midnights[0], 0), (midnights[1], 110_000), (midnights[3], 410_000)):
        await read(world, meter, at, value, Source.FIELD)
    await world.billing.close_due(NOW)
    assert [b.usage_wh for b in await world.billing.bills(SCOPE, point)] == [300_000, 110_000]
    found = await room.energy.balance([point], FIRST, NOVEMBER)
    assert (found.metered_wh, found.billed_wh, found.residual_wh) == (410_000, 410_000, 0)
    assert await world.billing.find_corrections(NOW, first=FIRST, end=NOVEMBER) == 0, "no version was billed"
    for engine in engines:
        await engine.dispose()


async def test_a_held_bill_and_a_day_without_a_rate_are_named_as_such(world: World, postgres: PostgresEngine) -> None:
    engine = create_async_engine(postgres.url("openami_billing"))
    room = correction_room(world.data, billing=engine, mdm=engine, today=NOW.date(), rates=base_rates())
    await world.billing.assign_rate(world.points[:2], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31), is_read=False)
    hole = _day(world.points[1], date(2026, 10, 7), 2, wh=150, missing=4)
    await world.data.store.write_days(DayTable.from_rows([hole]), token="hole")
    await world.billing.close_due(NOW)
    found = await room.energy.balance(world.points, OCTOBER, NOVEMBER)
    assert found.residual_wh == 0
    assert (found.billed_wh, found.held_wh) == (31 * 9_600, 31 * 14_400 - 4 * 150)
    assert found.unassigned_wh == 31 * 19_200
    await engine.dispose()


async def test_a_level_is_charged_until_it_stops_and_what_was_deferred_is_settled_then(
    billed: Billed,
) -> None:
    place = billed.world.points[0]
    levels = Levels(billed.ledger, billed.book)
    with pytest.raises(BudgetRefusedError, match="1 bills are there; a level needs 6"):
        await levels.begin(place, today=NOVEMBER, at=NOW, by=uuid4(), reason="asked for it")
    agreement = (await billed.ledger.of_place(place))[0].agreement_id
    await billed.ledger.set_plan(BudgetPlan(agreement, place, NOVEMBER, Decimal(30), 6), at=NOW, by=None, reason="test")
    await billed.world.write_days(date(2026, 11, 10), date(2026, 11, 30))
    late = datetime(2026, 12, 2, 18, tzinfo=UTC)
    await billed.world.billing.close_due(late)
    await job_of(billed).run_due(late)
    november, october = await billed.bills()
    at = {s.account: s.balance for s in await billed.ledger.standings(agreement_id=agreement)}
    assert at[A.RECEIVABLE] == (october.total or 0) + 30
    assert at[A.BUDGET_DEFERRED] == (november.total or 0) - 30
    with pytest.raises(BudgetRefusedError, match="in force"):
        await levels.begin(place, today=date(2026, 12, 3), at=late, by=None, reason="again")
    ended = await levels.stop(place, today=date(2026, 12, 3), at=late, by=None, reason="asked for it")
    assert ended.settled == (november.total or 0) - 30
    assert (await billed.ledger.audit()).faults == []
    with pytest.raises(BudgetRefusedError, match="no budget plan"):
        await levels.stop(place, today=date(2026, 12, 4), at=late, by=None, reason="again")
    after = {s.account: s.balance for s in await billed.ledger.standings(agreement_id=agreement)}
    assert after[A.RECEIVABLE] == (october.total or Decimal(0)) + (november.total or Decimal(0))
    assert after[A.BUDGET_DEFERRED] == 0


async def test_a_rate_entered_back_dated_comes_up_as_its_own_cause_and_prices_by_the_new_one(billed: Billed) -> None:
    place = billed.world.points[2]
    await billed.world.billing.assign_rate([billed.world.points[1]], "ameren-mo-smart", first_day=NOVEMBER, at=LATER)
    assert await billed.book.note_rates(at=LATER) == 0, "a change from the next bill on touches none that is out"
    # Put on another rate for all of October, as a correction of the registry does.
    async with billed.engine.begin() as connection:
        await connection.execute(
            text(
                "update billing.rate_assignment set rate_code = 'ameren-mo-smart', entered_at = :at "
                "where service_point_id = :place"
            ),
            {"place": place, "at": LATER},
        )
    assert await billed.book.note_rates(at=LATER) == 1
    assert await billed.book.note_rates(at=LATER) == 0
    assert (await billed.weigh()).open == 1
    (case,) = await billed.corrections.cases()
    assert (case.cause.kind, case.cause.key) == (CauseKind.RATE, "ameren-mo-anytime>ameren-mo-smart")
    await billed.decide(Wish(case.cause.name, DecisionKind.REBILL, "the form was entered late", place=place))
    new, old = await billed.bills(2)
    assert (new.rate_code, old.rate_code, new.usage_wh) == ("ameren-mo-smart", "ameren-mo-anytime", old.usage_wh)
    assert await billed.book.note_rates(at=LATER) == 0


async def test_a_rate_entered_late_is_compared_with_a_places_own_and_not_with_the_one_that_its_bill_fell_back_to(
    billed: Billed,
) -> None:
    point, june, july = billed.world.points[1], date(2026, 6, 1), date(2026, 7, 1)
    (bill,) = await billed.bills(1)
    fell_back = replace(
        bill, bill_id=bill_id_of(point, june, 1), span=BillSpan(june, july), day_versions=(1,) * 30,
        terms=BillTerms(instead_of="ameren-mo-smart"),
    )  # fmt: skip
    await billed.world.billing.book.keep([fell_back])
    await billed.world.billing.reassign_rate([point], "ameren-mo-smart", first_day=june, end_day=july, at=LATER)
    assert await billed.book.note_rates(at=LATER) == 0
    await billed.world.billing.reassign_rate([point], "ameren-mo-anytime", first_day=june, end_day=july, at=LATER)
    assert await billed.book.note_rates(at=LATER) == 1


async def test_a_rate_that_is_taken_back_before_anybody_decided_is_no_case_any_more(billed: Billed) -> None:
    point, at = billed.world.points[1], LATER + timedelta(hours=1)
    enter = billed.world.billing.reassign_rate
    await enter([point], "ameren-mo-smart", first_day=OCTOBER, end_day=NOVEMBER, at=LATER)
    assert await billed.book.note_rates(at=LATER) == 1
    assert (await billed.weigh()).open == 1
    await enter([point], "ameren-mo-anytime", first_day=OCTOBER, end_day=NOVEMBER, at=at)
    assert await billed.book.note_rates(at=at, since=LATER) == 1
    assert await billed.book.note_rates(at=at, since=LATER) == 0
    found = await billed.weigh()
    assert (found.open, found.tolerated) == (0, 1)
    assert await billed.corrections.cases() == []


async def test_causes_are_what_people_decided_then_what_the_registry_was_told_then_the_readings(
    billed: Billed, postgres: PostgresEngine
) -> None:
    engine = create_async_engine(postgres.url("openami_mdm"))
    registry, decisions = PostgresRegistry(engine), PostgresDecisions(engine)
    points, day = billed.world.points, date(2026, 10, 7)
    period = local_day(day, ZONE)
    target = Target(points[0], Channel.DELIVERED, period)
    edit = Decision(uuid4(), EditKind.ESTIMATE_AGAIN, (target,), "the display was wet", uuid4(), LATER)
    await decisions.keep(edit, Effect(), [Affected(points[0], day, day)], order_id=None, real=LATER)
    await registry.facts.enter(
        [FactEntry(points[1], FactKind.SERVICE, "inactive", period.start, period.end)], at=LATER, by="anna",
        reason="moved out early",
    )  # fmt: skip
    for place in range(3):
        await billed.change(900, place=place)
    await billed.world.billing.find_corrections(LATER, first=OCTOBER, end=NOVEMBER)
    touched = await billed.book.touched(limit=10)
    found = await RegistryCauses(registry, decisions).of(touched)
    by_place = {t.service_point_id: next(iter(found[t.bill_id])) for t in touched}
    assert [by_place[p].kind for p in points] == [CauseKind.EDIT, CauseKind.REGISTRY, CauseKind.READINGS]
    assert by_place[points[0]].key == str(edit.id)
    assert "moved out early" in by_place[points[1]].words
    await engine.dispose()


async def test_a_stop_entered_late_ends_the_bill_there_and_bills_the_rest_to_whoever_came(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=base_rates())
    place, gone, came = world.points[0], uuid4(), uuid4()
    facts, moved = world.data.registry.facts, date(2026, 10, 20)
    begin, stop = (local_midnight(d, ZONE) for d in (OCTOBER, moved))
    await facts.enter([FactEntry(place, FactKind.ACCOUNT, str(gone), begin)], at=NOW, by="anna")
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))
    await world.billing.close_due(NOW)
    (old,) = await world.billing.bills(SCOPE, place)
    assert (old.account_id, old.span.end) == (gone, NOVEMBER)
    await room.postings.post(await room.book.bills([old.bill_id]), at=NOW)
    assert await room.stops.note(LATER) == 0
    await facts.enter([FactEntry(place, FactKind.ACCOUNT, str(came), stop)], at=LATER, by="anna")
    assert await room.stops.note(LATER) == 1
    assert await room.stops.note(LATER) == 0
    assert (await room.weigher.weigh(LATER)).open == 1
    (case,) = await room.corrections.cases()
    assert case.cause.name == "registry:stop/2026-10-20"
    wish = Wish(case.cause.name, DecisionKind.REBILL, "moved out on the 20th")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=LATER)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=LATER, real=LATER)
    await world.billing.close_due(LATER + timedelta(minutes=5))
    bills = [b for b in await world.billing.bills(SCOPE, place) if b.state.value == "issued"]
    assert {(b.account_id, b.span.first, b.span.end, b.version) for b in bills} == {
        (gone, OCTOBER, moved, 2), (came, moved, NOVEMBER, 1),
    }  # fmt: skip
    assert sum(b.usage_wh or 0 for b in bills) == old.usage_wh
    for bill in bills:
        await room.postings.post(await room.book.bills([bill.bill_id]), at=LATER)
    assert (await room.ledger.audit()).faults == []
    assert (await room.energy.balance([place], OCTOBER, NOVEMBER)).residual_wh == 0
    assert len({e.agreement_id for e in await room.ledger.of_place(place)}) == 2
    # November's end, before a bill of November: each of its days is the newcomer's, none the old account's.
    await world.write_days(date(2026, 11, 10), date(2026, 11, 30), is_read=False)
    assert await room.accrual.month_end(date(2026, 11, 30), at=datetime(2026, 12, 2, 18, tzinfo=UTC)) == 1
    accrued = [e for e in await room.ledger.of_place(place) if e.kind is EntryKind.UNBILLED]
    assert [(e.agreement_id, e.evidence["days"]) for e in accrued] == [(agreement_id_of(place, str(came)), 30)]
    assert await room.stops.note(LATER) == 0
    late = replace(_day(place, date(2026, 10, 7), 5, wh=1_900), known_at=LATER)
    await world.data.store.write_days(DayTable.from_rows([late]), token="late")
    await world.billing.find_corrections(LATER, first=OCTOBER, end=NOVEMBER)
    await room.weigher.weigh(LATER)
    ((change,),) = [c.changes for c in await room.corrections.cases()]
    final = next(b for b in bills if b.account_id == gone)
    (again,) = (await room.corrections.remaker.again([final], now=LATER))[final.bill_id].bills
    assert change.bill_id == final.bill_id
    assert (final.terms.is_final, again.terms.is_final) == (True, True), "a corrected last bill is corrected as such"
    # 172.8 kWh more, above the ten dollars that are repaid in parts: but no later bill comes to ask for one.
    assert change.by > 10
    proposal = await room.corrections.propose(replace(wish, cause=change.cause.name), by=uuid4(), at=LATER)
    assert set(proposal.parts.values()) == {1}
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=LATER, real=LATER)
    at = {s.account: s.balance for s in await room.ledger.standings(agreement_id=agreement_id_of(place, str(gone)))}
    assert (at.get(A.INSTALLMENTS, 0), at[A.RECEIVABLE]) == (0, again.total)
    for engine in engines:
        await engine.dispose()


async def test_a_bill_that_takes_in_something_else_is_corrected_with_the_one_that_hands_it_over(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    flat = base_rates()["ameren-mo-anytime"]
    whole = [replace(v, rounding=replace(v.rounding, energy=EnergyRounding.WHOLE_KWH)) for v in flat.versions]
    rates = {"whole": replace(flat, code="whole", versions=tuple(whole))}
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=world.billing.setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    await billing.assign_rate(world.points, "whole", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 9))
    await billing.close_due(NOW)
    october, september = await billing.bills(SCOPE, world.points[0])
    assert september.carried_out.remainder_wh == october.carried_in.remainder_wh != 0
    ids = [b.bill_id for p in world.points for b in await billing.bills(SCOPE, p)]
    await room.postings.post(await room.book.bills(ids), at=NOW)
    assert (await room.energy.balance(world.points, FIRST, NOVEMBER)).residual_wh == 0

    late = replace(_day(world.points[0], date(2026, 9, 25), 5, wh=107), known_at=LATER)
    await world.data.store.write_days(DayTable.from_rows([late]), token="late")
    await billing.find_corrections(LATER, first=FIRST, end=NOVEMBER)
    exact = replace(room.weigher, rules=replace(room.weigher.rules, tolerances=Tolerances(0, Decimal(0))))
    assert (await exact.weigh(LATER)).open == 2
    (case,) = await room.corrections.cases()
    assert [(c.span.first, c.days) for c in case.changes] == [(FIRST, 1), (OCTOBER, 0)]
    wish = Wish(case.cause.name, DecisionKind.REBILL, "late readings came in")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=LATER)
    assert proposal.effect.bills == 2
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=LATER, real=LATER)
    new = [b for b in await billing.bills(SCOPE, world.points[0]) if b.version == 2]
    assert new[1].carried_out == new[0].carried_in != september.carried_out
    balance = await room.energy.balance(world.points, FIRST, NOVEMBER)
    assert (balance.residual_wh, balance.changed_open_wh, balance.carried_wh != 0) == (0, 0, True)
    assert (await room.ledger.audit()).faults == []
    assert (await exact.weigh(LATER)).open == 0
    for engine in engines:
        await engine.dispose()


async def test_a_bill_that_went_out_while_the_one_before_was_decided_on_is_weighed_by_what_it_takes_in_now(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    flat = base_rates()["ameren-mo-anytime"]
    whole = [replace(v, rounding=replace(v.rounding, energy=EnergyRounding.WHOLE_KWH)) for v in flat.versions]
    rates = {"whole": replace(flat, code="whole", versions=tuple(whole))}
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=world.billing.setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    exact = replace(room.weigher, rules=replace(room.weigher.rules, tolerances=Tolerances(0, Decimal(0))))
    place = world.points[0]
    await billing.assign_rate([place], "whole", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 9))
    await billing.close_due(local_midnight(date(2026, 10, 3), ZONE))
    late = replace(_day(place, date(2026, 9, 25), 5, wh=107), known_at=NOW)
    await world.data.store.write_days(DayTable.from_rows([late]), token="late")
    await billing.find_corrections(NOW, first=FIRST, end=NOVEMBER)
    assert (await exact.weigh(NOW)).open == 1
    await billing.close_due(NOW)
    (case,) = await room.corrections.cases()
    wish = Wish(case.cause.name, DecisionKind.REBILL, "late readings came in")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=LATER)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=LATER, real=LATER)
    october, september, _ = await billing.bills(SCOPE, place)
    assert october.carried_in != september.carried_out, "it took in what the bill before handed over at first"

    assert await room.book.note_handed(at=LATER) == 1
    assert await room.book.note_handed(at=LATER) == 0
    assert (await exact.weigh(LATER)).open == 1
    (case,) = await room.corrections.cases()
    assert [c.bill_id for c in case.changes] == [october.bill_id]
    proposal = await room.corrections.propose(
        replace(wish, cause=case.cause.name), by=uuid4(), at=LATER + timedelta(days=1)
    )
    at = LATER + timedelta(days=1)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
    again = next(b for b in await billing.bills(SCOPE, place) if b.span == october.span and b.version == 2)
    assert again.carried_in == september.carried_out
    assert await room.book.note_handed(at=at) == 0
    for engine in engines:
        await engine.dispose()


async def test_a_bill_wholly_after_a_stop_is_reversed_and_its_days_are_billed_to_whoever_came(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=base_rates())
    place, gone, came = world.points[0], uuid4(), uuid4()
    facts = world.data.registry.facts
    begin, stop = (local_midnight(d, ZONE) for d in (FIRST, date(2026, 9, 26)))
    await facts.enter([FactEntry(place, FactKind.ACCOUNT, str(gone), begin)], at=NOW, by="anna")
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 9))
    await world.billing.close_due(NOW)
    olds = await world.billing.bills(SCOPE, place)
    assert [b.span.first for b in olds] == [OCTOBER, FIRST]
    await room.postings.post(await room.book.bills([b.bill_id for b in olds]), at=NOW)
    await facts.enter([FactEntry(place, FactKind.ACCOUNT, str(came), stop)], at=LATER, by="anna")
    assert await room.stops.note(LATER) == 2
    assert (await room.weigher.weigh(LATER)).open == 2
    names = {c.cause.name: c for c in await room.corrections.cases()}
    assert set(names) == {"registry:stop/before", "registry:stop/2026-09-26"}
    for name in sorted(names):
        wish = Wish(name, DecisionKind.REBILL, "moved out on the 26th")
        proposal = await room.corrections.propose(wish, by=uuid4(), at=LATER)
        assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=LATER, real=LATER)
    whole = next(a for a in await room.book.adjustments(service_points=[place]) if a.corrected_bill_id is None)
    assert (whole.by, whole.by_wh) == (-(olds[0].total or Decimal(0)), -(olds[0].usage_wh or 0))
    assert "was taken back" in adjustment_words(whole)
    await world.billing.close_due(LATER + timedelta(minutes=5))
    bills = [b for b in await world.billing.bills(SCOPE, place) if b.state.value == "issued"]
    assert {b.account_id for b in bills if b.span.first >= date(2026, 9, 26)} == {came}
    assert sum(b.usage_wh or 0 for b in bills) == sum(b.usage_wh or 0 for b in olds)
    await room.postings.post(await room.book.bills([b.bill_id for b in bills]), at=LATER)
    assert (await room.ledger.audit()).faults == []
    assert (await room.energy.balance([place], FIRST, NOVEMBER)).residual_wh == 0
    assert await room.stops.note(LATER) == 0
    for engine in engines:
        await engine.dispose()


async def test_received_energy_that_comes_late_lowers_a_net_metered_bill_and_the_ledger_follows(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    rates, place = demonstration_rates(), world.points[0]
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=world.billing.setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    approved = FactEntry(place, FactKind.INTERCONNECTION, "8000", local_midnight(FIRST, ZONE))
    await world.data.registry.facts.enter([approved], at=NOW, by="anna")
    await billing.assign_rate([place], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))

    async def send_out(wh: int, version: int, known_at: datetime) -> None:
        rows = [
            replace(
                _day(place, OCTOBER + timedelta(days=d), version, wh=wh), channel=Channel.RECEIVED, known_at=known_at
            )
            for d in range(31)
        ]
        await world.data.store.write_days(DayTable.from_rows(rows), token=uuid4().hex)

    await send_out(10, 1, NOW)
    await billing.close_due(NOW)
    (old,) = await billing.bills(SCOPE, place)
    assert (old.state.value, old.received_wh) == ("issued", 2_976 * 10)
    await room.postings.post(await room.book.bills([old.bill_id]), at=NOW)
    await send_out(60, 2, LATER)
    assert await billing.find_corrections(LATER, first=OCTOBER, end=NOVEMBER) == 31
    assert (await room.weigher.weigh(LATER)).open == 1
    (case,) = await room.corrections.cases()
    (change,) = case.changes
    assert (change.by_wh, change.by < -10) == (0, True)
    wish = Wish(case.cause.name, DecisionKind.REBILL, "the panel's readings came")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=LATER)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=LATER, real=LATER)
    new = (await billing.bills(SCOPE, place))[0]
    assert (new.version, new.received_wh, new.usage_wh) == (2, 2_976 * 60, old.usage_wh)

    # The approval had ended on the 16th: what was sent out on 16 of the 31 days counts for nothing any more.
    at = LATER + timedelta(hours=2)
    ended = FactEntry(place, FactKind.INTERCONNECTION, None, local_midnight(date(2026, 10, 16), ZONE))
    await world.data.registry.facts.enter([ended], at=at, by="anna", reason="the inspector's form came late")
    assert await room.terms.note(at, since=LATER) == 1
    assert await room.terms.note(at, since=LATER) == 0
    assert (await room.weigher.weigh(at)).open == 1
    (case,) = await room.corrections.cases()
    assert case.cause.words == (
        "feeding in is approved from 2026-09-20 to 2026-10-16 for 8,000 W now, it was from 2026-09-20 for 8,000 W"
    )
    # 148.8 kWh more that were netted gave back so much; 16 days of 5.76 kWh are 92.16 kWh that are charged again.
    (again,) = case.changes
    assert abs(again.by + change.by * Decimal("92.16") / Decimal("148.8")) <= Decimal("0.05")
    wish = Wish(case.cause.name, DecisionKind.REBILL, "the approval had ended")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=at)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
    assert await room.terms.note(at, since=LATER) == 0
    assert (await room.ledger.audit()).faults == []
    assert (await room.energy.balance([place], OCTOBER, NOVEMBER)).residual_wh == 0
    for engine in engines:
        await engine.dispose()


class _Breaking:
    """Postings of a process that dies before it books anything; counts how often it was asked to."""

    def __init__(self) -> None:
        self.asked = 0

    async def post(self, bills: Sequence[Bill], *, at: datetime) -> int:
        self.asked += len(bills)
        raise ConnectionError("the process ended between the bills and their bookings")


async def test_a_crash_between_bills_and_bookings_heals_and_makes_no_bill_again(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=base_rates())
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9), is_read=False)
    breaking = _Breaking()
    setting = replace(world.billing.setting, postings=breaking)
    closing = Billing(meters=world.data, book=world.billing.book, rates=base_rates(), setting=setting)
    with pytest.raises(ConnectionError):
        await closing.close_due(NOW)
    kept = [b for p in world.points for b in await world.billing.bills(SCOPE, p)]
    assert breaking.asked == len(kept) == 3
    assert (await room.ledger.audit()).unposted == 3
    setting = replace(world.billing.setting, postings=room.postings)
    again = Billing(meters=world.data, book=world.billing.book, rates=base_rates(), setting=setting)
    assert (await again.close_due(NOW + timedelta(minutes=1))).issued == 0
    job = LedgerJob(room.ledger, room.book, room.postings, room.accrual, ZONE)
    await job.run_due(NOW + timedelta(minutes=1))
    found = await room.ledger.audit()
    assert (found.faults, found.unposted) == ([], 0)
    assert found.owed["USD"] == sum((b.total or Decimal(0) for b in kept), Decimal(0))
    assert [b for p in world.points for b in await world.billing.bills(SCOPE, p)] == kept
    for engine in engines:
        await engine.dispose()
