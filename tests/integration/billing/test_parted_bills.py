"""A rate entered for days in the middle of a bill that is out, and taken back again; on PostgreSQL. Sums by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.billing.test_billing import FIRST, SCOPE, ZONE, World, _day
from tests.integration.billing.test_cycle_close import read

from openami.app.billing.correction_room import CorrectionRoom, correction_room
from openami.app.commands.corrections_words import show_proposal
from openami.app.engines.postgres import PostgresEngine
from openami.billing.api import Billing
from openami.billing.bill.record import Bill, BillState
from openami.billing.correction.proposal import Proposal, Wish
from openami.billing.correction.record import DecisionKind
from openami.billing.correction.rules import Tolerances
from openami.billing.correction.words import adjustment_words, part_words
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.tariff.load import parse_rate
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.kernel.time import local_midnight
from openami.mdm.registry.change import EndRead, Exchange, Hang, TakeDown
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import Meter

pytestmark = pytest.mark.engines
OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))
MIDDLE = date(2026, 10, 15)
NOW = datetime(2026, 12, 4, 18, tzinfo=UTC)
RATE = """
format = "openami-rate/2"
code = "{code}"
name = "{name}"
currency = "USD"
[[versions]]
label = "of the test"
seasons = [{{name = "year", ranges = [["01-01", "12-31"]], days.every_day = [["00:00", "24:00", "all"]]}}]
fixed = [{{name = "Customer charge", amount = "9.30", per = "month"}}]
rounding.energy = "{rounding}"
[versions.periods]
all = {{name = "Energy", blocks = [{{price = "{price}"}}]}}
"""
PLAIN = RATE.format(code="plain", name="Plain", price="0.10", rounding="whole_kwh")
DEARER = RATE.format(code="dearer", name="Dearer", price="0.20", rounding="wh_exact")


async def _decided(room: CorrectionRoom, cause: str, at: datetime) -> Proposal:
    wish = Wish(cause, DecisionKind.REBILL, "the form had lain in a drawer")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=at)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
    return proposal


async def _sound(room: CorrectionRoom, world: World) -> None:
    """The ledger adds up and holds what bills in force come to; every Wh is on a bill or carried."""
    assert (await room.ledger.audit()).faults == []
    balance = await room.energy.balance([world.points[1]], FIRST, DECEMBER)
    assert (balance.residual_wh, balance.changed_open_wh, balance.unbilled_wh) == (0, 0, 0)
    # 14.4 kWh a day, and the hour more of November.
    assert balance.metered_wh == (11 + 31 + 30) * 14_400 + 600


async def _proved(billing: Billing, bills: list[Bill]) -> None:
    for bill in bills:
        found = await billing.papers.rebuilt(SCOPE, bill.bill_id)
        assert found is not None
        assert found[0].differences == ()


async def test_a_rate_back_dated_into_the_middle_of_a_bill_parts_it_and_taking_it_back_makes_one_bill_again(
    world: World, postgres: PostgresEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    rates = {code: parse_rate(text.encode(), code=code) for code, text in (("plain", PLAIN), ("dearer", DEARER))}
    place, setting = world.points[1], world.billing.setting
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    weigher = replace(room.weigher, rules=replace(room.weigher.rules, tolerances=Tolerances(0, Decimal(0))))

    async def in_force() -> list[Bill]:
        found = await billing.bills(SCOPE, place)
        return sorted((b for b in found if b.state is BillState.ISSUED), key=lambda b: b.span)

    await billing.assign_rate([place], "plain", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 30))
    await billing.close_due(NOW)
    september, old, november = await in_force()
    # 158.4 kWh are 158; with 0.4 carried on October's 446.8 are 446, and with 0.8 November's 433.4 are 433.
    assert [b.total for b in (old, november)] == [Decimal("53.90"), Decimal("52.60")]
    await room.postings.post(await room.book.bills([b.bill_id for b in (september, old, november)]), at=NOW)
    await _sound(room, world)

    later = NOW + timedelta(hours=1)
    await billing.reassign_rate([place], "dearer", first_day=MIDDLE, end_day=NOVEMBER, at=later)
    assert await room.book.note_rates(at=later) == 1
    assert await room.book.note_rates(at=later) == 0
    assert (await weigher.weigh(later)).open == 2, "October, and November that takes in another remainder"
    assert (await weigher.weigh(later)).open == 0
    (case,) = await room.corrections.cases()
    assert (case.cause.name, case.cause.words) == (
        "rate:plain>dearer", "the rate is Dearer from 2026-10-15 now, it was Plain",
    )  # fmt: skip
    parted, follower = case.changes
    assert parted.also == (), "no reading of its days is another one"
    # 14 days: 201.6 kWh with 0.4 at 10 cents and 14/31 of 9.30; 17 days: 244.8 kWh at 20 cents and 17/31 of 9.30.
    told = [(p.span.first, p.span.end, p.rate_code, p.wh, p.total) for p in parted.parts]
    assert told == [
        (OCTOBER, MIDDLE, "plain", 201_600, Decimal("24.40")),
        (MIDDLE, NOVEMBER, "dearer", 244_800, Decimal("54.06")),
    ]
    assert (parted.by, parted.by_wh, follower.by) == (Decimal("24.56"), 0, Decimal("-0.10"))
    proposal = await _decided(room, case.cause.name, later)
    assert (proposal.effect.up, proposal.effect.most, proposal.effect.bills) == (
        Decimal("24.46"), Decimal("24.46"), 2,
    )  # fmt: skip
    show_proposal(proposal, None)
    shown = capsys.readouterr().out
    assert "1 of them are parted where the rate changes: the parts' days are those of the old bill." in shown
    assert f"bill {old.bill_id} becomes 2026-10-01 through 2026-10-14 on Plain: 201.600 kWh, 24.40" in shown
    assert " 2026-10-15 through 2026-10-31 on Dearer: 244.800 kWh, 54.06" in shown
    assert set(proposal.parts.values()) == {4}, "two periods are repaid in four parts, not three bills in six"
    bills = await in_force()
    first, second, after = bills[1:]
    assert [(b.span.first, b.version, b.supersedes, b.replaces) for b in (first, second)] == [
        (OCTOBER, 2, old.bill_id, (old.bill_id,)), (MIDDLE, 1, old.bill_id, (old.bill_id,)),
    ]  # fmt: skip
    assert first.carried_out == second.carried_in
    assert second.carried_out == after.carried_in != november.carried_in
    assert first.reads[0].end == second.reads[0].begin
    assert (first.usage_wh or 0) + (second.usage_wh or 0) == old.usage_wh, "to the Wh"
    one = next(a for a in await room.book.adjustments(service_points=[place]) if a.bill_id == old.bill_id)
    assert (one.corrected_bill_id, one.more_corrected, one.by) == (
        first.bill_id, (second.bill_id,), Decimal("24.56"),
    )  # fmt: skip
    assert sum((x.by for x in one.lines), Decimal(0)) == one.by
    assert adjustment_words(one) == (
        "Your bill for October 1 to October 31, 2026 was corrected, because the rate for these days was put right. "
        "Two bills take its place. It adds 24.56 USD, which you may pay in 4 parts, one with each bill."
    )
    owed = {s.account: s.balance for s in await room.ledger.standings()}
    assert owed[A.INSTALLMENTS] == Decimal("24.46")
    for bill, other in ((first, "Thu 15 Oct to Sat 31 Oct 2026"), (second, "Thu 1 Oct to Wed 14 Oct 2026")):
        statement = await billing.papers.statement(SCOPE, bill.bill_id)
        assert statement is not None
        replaced = f"This bill and the bill for {other} replace the bill {old.bill_id}, which was $53.90."
        assert statement.adjustments == (f"{replaced} Together they are now $78.46: $24.56 more.",)
    await _sound(room, world)
    await _proved(billing, [old, *bills])
    assert await room.book.note_rates(at=later) == 0
    assert await room.book.note_handed(at=later) == 0

    last = later + timedelta(hours=1)
    await billing.reassign_rate([place], "plain", first_day=MIDDLE, end_day=NOVEMBER, at=last)
    assert await room.book.note_rates(at=last) == 1, "the second part alone is on another rate now"
    assert (await weigher.weigh(last)).open == 3
    assert (await weigher.weigh(last)).open == 0
    (case,) = await room.corrections.cases()
    joined, gone, follower = case.changes
    assert part_words(gone) == ["its days go into the bill before it, which is of one rate with it now"]
    assert (joined.after, joined.parts[0].span.end, gone.after, gone.joins) == (
        Decimal("53.90"), NOVEMBER, Decimal(0), first.bill_id,
    )  # fmt: skip
    assert joined.by + gone.by == Decimal("-24.56")
    await _decided(room, case.cause.name, last)
    bills = await in_force()
    assert [(b.span.first, b.version, b.total) for b in bills[1:]] == [
        (OCTOBER, 3, Decimal("53.90")), (NOVEMBER, 3, Decimal("52.60")),
    ]  # fmt: skip
    whole = await billing.papers.statement(SCOPE, bills[1].bill_id)
    assert whole is not None
    assert whole.adjustments[0].endswith("which were $78.46 together. It is now $53.90: $24.56 less.")
    one = next(a for a in await room.book.adjustments(bill_ids=[second.bill_id]) if a.bill_id == first.bill_id)
    assert "Your bills for October 1 to October 31, 2026 were corrected" in adjustment_words(one)
    assert "One bill takes their place. It gives you back 24.56 USD." in adjustment_words(one)
    assert (one.more_bills, one.by, one.span.days) == ((second.bill_id,), Decimal("-24.56"), 31)
    await _sound(room, world)
    await _proved(billing, bills)
    for engine in engines:
        await engine.dispose()


async def test_a_stop_entered_late_within_a_later_part_shortens_the_period_of_the_part_before(
    world: World, postgres: PostgresEngine
) -> None:
    """Hand-calculated: service ended with 20 October, so that the month of 9.30 is shared by 14 and 6 days of 20.

    201.6 kWh are 201 at 10 cents and 6.51 where 14/31 had been 4.20; six days of 14.4 kWh at 20 cents are 17.28.
    """
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    rates = {code: parse_rate(text.encode(), code=code) for code, text in (("plain", PLAIN), ("dearer", DEARER))}
    place, stop = world.points[1], date(2026, 10, 21)
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=world.billing.setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    account = FactEntry(place, FactKind.ACCOUNT, str(uuid4()), local_midnight(OCTOBER, ZONE))
    await world.data.registry.facts.enter([account], at=NOW, by="anna")
    await billing.assign_rate([place], "plain", first_day=OCTOBER, at=NOW)
    await billing.assign_rate([place], "dearer", first_day=MIDDLE, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31))
    await billing.close_due(NOW)
    parts = sorted(await billing.bills(SCOPE, place), key=lambda b: b.span)
    assert [(b.span.end, b.total) for b in parts] == [(MIDDLE, Decimal("24.30")), (NOVEMBER, Decimal("54.06"))]
    await room.postings.post(await room.book.bills([b.bill_id for b in parts]), at=NOW)

    later = NOW + timedelta(hours=1)
    ended = replace(account, value=None, start=local_midnight(stop, ZONE))
    await world.data.registry.facts.enter([ended], at=later, by="anna")
    assert await room.stops.note(later, since=later + timedelta(seconds=1)) == 0
    assert await room.stops.note(later, since=later) == 2
    assert (await room.weigher.weigh(later)).open == 2
    (case,) = await room.corrections.cases()
    assert (case.cause.name, {c.also for c in case.changes}) == ("registry:stop/2026-10-21", {()})
    await _decided(room, case.cause.name, later)
    new = sorted((b for b in await billing.bills(SCOPE, place) if b.state is BillState.ISSUED), key=lambda b: b.span)
    assert [(b.span.end, b.total, b.terms.is_final) for b in new] == [
        (MIDDLE, Decimal("26.61"), False), (stop, Decimal("20.07"), True),
    ]  # fmt: skip
    assert await room.stops.note(later) == 0
    assert (await room.ledger.audit()).faults == []
    await _proved(billing, new)
    for engine in engines:
        await engine.dispose()


async def test_a_bill_of_days_before_the_first_one_hands_on_and_the_first_one_is_corrected_for_it(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    rates = {"plain": parse_rate(PLAIN.encode(), code="plain")}
    place, came = world.points[1], uuid4()
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=world.billing.setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    weigher = replace(room.weigher, rules=replace(room.weigher.rules, tolerances=Tolerances(0, Decimal(0))))
    await billing.assign_rate([place], "plain", first_day=OCTOBER, at=NOW)
    account = FactEntry(place, FactKind.ACCOUNT, str(came), local_midnight(MIDDLE, ZONE))
    await world.data.registry.facts.enter([account], at=NOW, by="anna")
    await world.write_days(OCTOBER, date(2026, 10, 31))
    noon = datetime(2026, 11, 4, 18, tzinfo=UTC)
    await billing.close_due(noon)
    (first,) = await billing.bills(SCOPE, place)
    assert (first.span.first, first.carried_in.remainder_wh, first.carried_out.remainder_wh) == (MIDDLE, 0, 800)
    await room.postings.post(await room.book.bills([first.bill_id]), at=noon)

    # They had come on the 1st: 14 days more, 201.6 kWh of which 201 are billed and 0.6 handed on.
    earlier = replace(account, start=local_midnight(OCTOBER, ZONE))
    await world.data.registry.facts.enter([earlier], at=noon + timedelta(hours=1), by="anna")
    at = noon + timedelta(hours=2)
    await billing.close_due(at)
    back = next(b for b in await billing.bills(SCOPE, place) if b.span.first == OCTOBER)
    assert (back.span.end, back.state.value, back.carried_out.remainder_wh) == (MIDDLE, "issued", 600)
    await room.postings.post(await room.book.bills([back.bill_id]), at=at)
    assert await room.book.note_handed(at=at, since=noon) == 1
    assert await room.book.note_handed(at=at, since=noon) == 0
    assert (await weigher.weigh(at)).open == 1
    (case,) = await room.corrections.cases()
    assert case.cause.name == "registry:handed/2026-10-15"
    # 244.8 kWh and the 0.6 are 245 and not 244.
    assert [(c.bill_id, c.by) for c in case.changes] == [(first.bill_id, Decimal("0.10"))]
    await _decided(room, case.cause.name, at)
    again = next(b for b in await billing.bills(SCOPE, place) if b.supersedes == first.bill_id)
    assert (again.carried_in, again.carried_out.remainder_wh) == (back.carried_out, 400)
    assert (await room.ledger.audit()).faults == []
    assert (await room.energy.balance([place], OCTOBER, NOVEMBER)).residual_wh == 0
    assert await room.book.note_handed(at=at) == 0
    for engine in engines:
        await engine.dispose()


async def test_an_exchange_entered_for_a_day_within_a_bill_is_corrected_with_the_reads_of_both_meters(
    world: World, postgres: PostgresEngine
) -> None:
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    rates = {"plain": parse_rate(PLAIN.encode(), code="plain")}
    place, old_meter, new_meter = world.points[1], world.meters[1], uuid4()
    billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=world.billing.setting)
    room = correction_room(world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates)
    await billing.assign_rate([place], "plain", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31))
    await billing.close_due(NOW)
    (old,) = await billing.bills(SCOPE, place)
    assert old.total == Decimal("53.90"), "446.4 kWh are 446, at 10 cents, and 9.30"
    await room.postings.post(await room.book.bills([old.bill_id]), at=NOW)

    later, instant = NOW + timedelta(hours=1), local_midnight(MIDDLE, ZONE)
    await world.data.registry.add_meters([Meter(new_meter, "S-new", NOW, system_title=new_meter.bytes[:8])])
    shown = old.reads[0].begin.value + 14 * 14_400 if old.reads[0].begin.value is not None else 0
    gone = TakeDown(old_meter, instant, {Channel.DELIVERED: EndRead(shown), Channel.RECEIVED: EndRead(0)})
    hang = Hang(uuid4(), place, new_meter, instant, {Channel.DELIVERED: EndRead(5), Channel.RECEIVED: EndRead(0)})
    await world.data.registry.change(Exchange(gone, hang), at=later, by="anna", reason="the work order was found")
    # The days since are the new meter's: 19.2 kWh each.
    rows = [replace(_day(place, MIDDLE + timedelta(days=d), 2, wh=200), known_at=later) for d in range(17)]
    await world.data.store.write_days(DayTable.from_rows(rows), token="new meter")
    await read(world, new_meter, local_midnight(NOVEMBER, ZONE), 5 + 17 * 19_200)
    assert await billing.find_corrections(later, first=OCTOBER, end=NOVEMBER) == 17
    assert (await room.weigher.weigh(later)).open == 1
    (case,) = await room.corrections.cases()
    assert case.cause.words.endswith("the work order was found")
    # 14 days of 14.4 and 17 of 19.2 kWh are 528.0: 52.80 and 9.30.
    assert [(c.after, c.by, c.by_wh) for c in case.changes] == [(Decimal("62.10"), Decimal("8.20"), 17 * 4_800)]
    await _decided(room, case.cause.name, later)
    new = next(b for b in await billing.bills(SCOPE, place) if b.state is BillState.ISSUED)
    assert [(p.meter, p.usage_wh) for p in new.reads] == [(f"S-{old_meter}", 14 * 14_400), ("S-new", 17 * 19_200)]
    assert (await room.ledger.audit()).faults == []
    assert (await room.energy.balance([place], OCTOBER, NOVEMBER)).residual_wh == 0
    await _proved(billing, [new])
    for engine in engines:
        await engine.dispose()
