"""An actual read behind estimated bills: each period made again at its own prices, one decision, every Wh and cent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.base_rates import base_rates
from tests.integration.billing.test_billing import FIRST, NOW, SCOPE, ZONE, World, _day
from tests.integration.billing.test_cycle_close import bills, midnight, read
from tests.integration.billing.test_parted_bills import DEARER, PLAIN

from openami.app.billing.correction_room import CorrectionRoom, correction_room
from openami.app.engines.postgres import PostgresEngine
from openami.app.web.bills import PortalBills
from openami.app.web.own_reads import OwnReadPages, ReadRoom
from openami.billing.api import Bill, Billing, ReadingState
from openami.billing.bill.record import BillKind
from openami.billing.correction.proposal import Wish
from openami.billing.correction.record import CauseKind, DecisionKind
from openami.billing.correction.true_up_job import BY_RULE
from openami.billing.correction.words import adjustment_words
from openami.billing.tariff.load import parse_rate
from openami.contracts.day import DayTable
from openami.contracts.quality import Source
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period, local_days
from openami.mdm.adapters.hand_reads_postgres import PostgresHandReads
from openami.mdm.api import ReadKind
from openami.mdm.hand_reads.desk import HandReadDesk
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.portal.ports import RefusedError
from openami.security.access.role import Principal
from openami.security.access.scope import Purpose, granted_scope

pytestmark = pytest.mark.engines
OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)
READ_AT = datetime(2026, 12, 3, tzinfo=UTC)


async def estimated(world: World, rate: str = "ameren-mo-anytime") -> UUID:
    """Return a place read by hand, with two estimated bills at 10 kWh a day: September's last days, and October."""
    point, meter = world.points[0], world.meters[0]
    entry = FactEntry(point, FactKind.READING, "by_hand", midnight(date(2026, 9, 1)))
    await world.data.registry.facts.enter([entry], at=NOW)
    await world.billing.assign_rate([point], rate, first_day=FIRST, at=NOW)
    days = [FIRST + timedelta(days=n) for n in range(72)]
    await world.book.mark_done(ZONE.key, days, run_id=uuid4(), at=NOW)
    for day, value in ((FIRST, 1_000_000), (date(2026, 9, 28), 1_080_000)):
        await read(world, meter, midnight(day), value)
    await world.billing.close_due(NOW)
    first, second = await bills(world, point)
    assert [b.reading_state for b in (first, second)] == [ReadingState.ESTIMATED] * 2
    assert [(b.usage_wh, b.estimates_in_a_row) for b in (first, second)] == [(110_000, 1), (310_000, 2)]
    return point


async def in_force(world: World, point: UUID) -> list[Bill]:
    return [b for b in await bills(world, point) if b.state.value == "issued"]


async def room_of(world: World, postgres: PostgresEngine) -> tuple[CorrectionRoom, list[AsyncEngine]]:
    own, mdm = (create_async_engine(postgres.url(f"openami_{n}")) for n in ("billing", "mdm"))
    room = correction_room(
        world.data, billing=own, mdm=mdm, today=NOW.date(), rates=base_rates(), setting=world.billing.setting
    )
    return room, [own, mdm]


async def test_the_difference_is_spread_over_every_period_at_its_own_season_and_block(
    world: World, postgres: PostgresEngine
) -> None:
    """Hand-calculated: 1,920 kWh since 28 September, where 640 were expected: 30 of September, 310, 300 of November.

    The shares are 90 (summer; 80 were read before it), 930 and 900 kWh. 60 kWh more at 15.60 cents are $9.36. October
    was 310 at 10.62 cents, $32.92; it is 750 at 10.62 and 180 at 7.14, $79.65 and $12.85: $59.58 more. November is
    750 at 10.62 and 150 at 7.14 with $9.19 of charges: $99.55.
    """
    point = await estimated(world)
    old = await in_force(world, point)
    room, engines = await room_of(world, postgres)
    assert await room.true_ups.settle(NOW) == 0, "no actual read lies behind them yet"
    await read(world, world.meters[0], midnight(DECEMBER), 3_000_000, Source.FIELD)
    assert await room.true_ups.settle(READ_AT) == 1
    assert await room.true_ups.settle(READ_AT) == 0, "once is enough"
    await world.billing.close_due(READ_AT)

    new = await in_force(world, point)
    assert [b.usage_wh for b in new] == [170_000, 930_000, 900_000]
    assert [b.kind for b in new] == [BillKind.CORRECTED, BillKind.CORRECTED, BillKind.REGULAR]
    assert [b.reading_state for b in new] == [ReadingState.ESTIMATED_INTERVALS] * 3
    assert [b.estimates_in_a_row for b in new] == [0, 0, 0]
    by = [(n.total or 0) - (o.total or 0) for n, o in zip(new, old, strict=False)]
    assert by == [Decimal("9.36"), Decimal("59.58")]
    assert new[2].total == Decimal("99.55")
    assert [p.end.kind for b in new for p in b.reads] == [ReadKind.APPORTIONED] * 2 + [ReadKind.MANUAL]

    for bill in new:
        again = await world.billing.papers.rebuilt(SCOPE, bill.bill_id)
        assert again is not None
        assert again[0].differences == (), "each is made again to the letter, on the reads that it was settled on"

    told = await room.book.adjustments(service_points=[point])
    assert len({a.decision_id for a in told}) == 1, "one true-up, a line for each period"
    assert sorted((a.span.first, a.by_wh, a.by, a.installments) for a in told) == [
        (FIRST, 60_000, Decimal("9.36"), 2), (OCTOBER, 620_000, Decimal("59.58"), 2),
    ]  # fmt: skip
    (shown,) = await PortalBills(world.billing, FixedClock(READ_AT), room.book).true_ups(SCOPE, point)
    assert [(x.before_kwh, x.after_kwh, x.by) for x in shown.lines] == [
        ("110.000", "170.000", "9.36"), ("310.000", "930.000", "59.58"),
    ]  # fmt: skip
    assert (shown.by_kwh, shown.by, shown.parts) == ("680.000", "68.94", 2)
    assert all("an actual read has settled it" in adjustment_words(a) for a in told)
    (head,) = await room.corrections.heads()
    assert (head.decision.cause.kind, head.decision.by) == (CauseKind.TRUE_UP, BY_RULE)

    await room.postings.post(await room.book.bills([new[2].bill_id]), at=READ_AT)
    assert (await room.ledger.audit()).faults == []
    balance = await room.energy.balance(world.points[:1], FIRST, DECEMBER)
    assert (balance.residual_wh, balance.billed_wh) == (0, 2_000_000)
    for engine in engines:
        await engine.dispose()


async def test_an_estimate_that_was_too_high_is_given_back_at_the_price_at_which_it_was_billed(
    world: World, postgres: PostgresEngine
) -> None:
    """Half of it was used: 95 and 155 kWh; 17.16 of summer becomes 14.82, 32.92 of winter 16.46."""
    point = await estimated(world)
    room, engines = await room_of(world, postgres)
    await read(world, world.meters[0], midnight(DECEMBER), 1_400_000, Source.FIELD)
    assert await room.true_ups.settle(READ_AT) == 1
    await world.billing.close_due(READ_AT)
    new = await in_force(world, point)
    assert [b.usage_wh for b in new] == [95_000, 155_000, 150_000]
    told = sorted(await room.book.adjustments(service_points=[point]), key=lambda a: a.span)
    assert [(a.by, a.installments) for a in told] == [(Decimal("-2.34"), 1), (Decimal("-16.46"), 1)]
    for engine in engines:
        await engine.dispose()


async def test_a_customers_own_read_settles_what_was_estimated_and_the_notice_says_so(
    world: World, postgres: PostgresEngine
) -> None:
    point = await estimated(world)
    room, engines = await room_of(world, postgres)
    mdm = engines[1]
    desk = HandReadDesk(world.data.registry, world.data.store, PostgresHandReads(mdm), uuid4)

    @asynccontextmanager
    async def opened() -> AsyncIterator[ReadRoom]:
        yield ReadRoom(world.data.registry, desk)

    portal = PortalBills(world.billing, FixedClock(NOW))
    pages = OwnReadPages(opened, portal, FixedClock(NOW))
    periods = {p: (Period(midnight(FIRST), midnight(date(2027, 6, 1))),) for p in world.points}
    scope = granted_scope(
        actor="anne", purpose=Purpose.OWN_DATA, service_points=frozenset(periods), audit_id=uuid4(), periods=periods
    )
    second, first = await portal.notices(scope, point)
    assert [(n.title, n.is_limit_near, n.state.value) for n in (first, second)] == [
        ("Estimated bill", False, "asks"), ("Estimated bill, the 2nd in a row", True, "asks"),
    ]  # fmt: skip
    assert second.read_until == date(2026, 11, 24)
    assert second.words[0] == "This bill is estimated because nobody could get to your meter to read it."

    for shown, state in (("15100", "held"), ("1510.0", "accepted")):
        told = await pages.send(scope, cast("Principal", None), point, shown)
        assert (told.reads[0].state.value, told.can_send) == (state, True)
        pages = replace(pages, domain=FixedClock(NOW + timedelta(minutes=1)))
    with pytest.raises(RefusedError, match="none is needed"):
        await pages.send(scope, cast("Principal", None), world.points[1], "1510")

    assert await room.true_ups.settle(NOW + timedelta(minutes=5)) == 1
    new = await in_force(world, point)
    # 430 kWh were read where 435 were expected by noon of the tenth, and a minute's share.
    assert [b.usage_wh for b in new] == [109_654, 306_432]
    assert [n.state.value for n in await portal.notices(scope, point)] == ["settled", "settled"]
    assert not (await pages.reads(scope, world.points[1])).can_send
    for engine in engines:
        await engine.dispose()


async def test_intervals_that_came_later_say_what_each_period_had(world: World, postgres: PostgresEngine) -> None:
    """A meter in the network: 9.6 kWh a day were guessed; 14.4 were measured, and its register says the same."""
    point, meter, end = world.points[0], world.meters[0], date(2026, 11, 30)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await read(world, meter, midnight(FIRST), 0)
    await world.write_days(FIRST, date(2026, 10, 31), is_read=False)
    await world.billing.close_due(NOW)
    assert [b.usage_wh for b in await in_force(world, point)] == [11 * 9_600, 31 * 9_600]
    room, engines = await room_of(world, postgres)
    rows = [replace(_day(point, d, 2, wh=150), known_at=NOW + timedelta(hours=1)) for d in local_days(FIRST, end)]
    await world.data.store.write_days(DayTable.from_rows(rows), token=uuid4().hex)
    assert await room.true_ups.settle(NOW + timedelta(hours=2)) == 0, "no actual read lies behind them yet"

    counted = sum(int(r.values.sum()) for r in rows)
    await read(world, meter, midnight(DECEMBER), counted)
    await world.book.mark_done(ZONE.key, list(local_days(FIRST, end)), run_id=uuid4(), at=NOW)
    assert await room.true_ups.settle(READ_AT) == 1
    await world.billing.close_due(READ_AT)
    new = await in_force(world, point)
    assert [b.usage_wh for b in new] == [11 * 14_400, 31 * 14_400, counted - 42 * 14_400]
    assert [p.usage_wh for b in new for p in b.reads] == [b.usage_wh for b in new]
    for bill in new:
        again = await world.billing.papers.rebuilt(SCOPE, bill.bill_id)
        assert again is not None
        assert again[0].differences == ()
    assert [b.estimates_in_a_row for b in new] == [0, 0, 0]
    balance = await room.energy.balance([point], FIRST, DECEMBER)
    assert (balance.residual_wh, balance.billed_wh, balance.estimated_wh) == (0, counted, 0)
    assert (balance.changed_open_wh, balance.changed_left_wh) == (0, 0)
    for engine in engines:
        await engine.dispose()


async def test_a_known_cause_is_named_and_one_that_the_policy_does_not_list_holds_the_bill(world: World) -> None:
    await world.data.registry.facts.enter(
        [FactEntry(world.points[0], FactKind.NO_READ, "weather", midnight(OCTOBER), midnight(date(2026, 10, 2))),
         FactEntry(world.points[0], FactKind.NO_READ, "other", midnight(date(2026, 10, 31)), None)], at=NOW,
    )  # fmt: skip
    point, meter = world.points[0], world.meters[0]
    entry = FactEntry(point, FactKind.READING, "by_hand", midnight(date(2026, 9, 1)))
    await world.data.registry.facts.enter([entry], at=NOW)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    days = [FIRST + timedelta(days=n) for n in range(42)]
    await world.book.mark_done(ZONE.key, days, run_id=uuid4(), at=NOW)
    for day, value in ((FIRST, 1_000_000), (date(2026, 9, 28), 1_080_000)):
        await read(world, meter, midnight(day), value, Source.FIELD)
    await world.billing.close_due(NOW)
    first, second = await bills(world, point)
    assert first.stamps == ("estimated: weather",)
    assert second.hold is not None
    assert second.hold.reason == "a bill may not be estimated for this cause: other"


@pytest.mark.parametrize(
    ("shown", "sums"),
    [(3_000_000, ["46.20", "107.10", "99.30"]), (1_200_000, ["6.83", "11.48", "14.93"])],
    ids=["the estimates were too low", "the estimates were too high"],
)
async def test_a_rate_back_dated_into_a_bill_that_an_actual_read_settled_keeps_what_its_register_counted(
    world: World, postgres: PostgresEngine, shown: int, sums: list[str]
) -> None:
    """Hand-calculated: October's 930 kWh are 420 and 510 by days: 42.00 and 4.20, 102.00 and 5.10; November stays.

    Where 200 kWh were counted in all, October has 58.125: 26.25 and 31.875 kWh. Those who correct it read nothing anew.
    """
    engines = [create_async_engine(postgres.url(role)) for role in ("openami_billing", "openami_mdm")]
    texts = ("plain", PLAIN.replace("whole_kwh", "wh_exact")), ("dearer", DEARER)
    rates = {code: parse_rate(text.encode(), code=code) for code, text in texts}
    setting = world.billing.setting
    world.billing = Billing(meters=world.data, book=world.billing.book, rates=rates, setting=setting)
    point = await estimated(world, "plain")
    room = correction_room(
        world.data, billing=engines[0], mdm=engines[1], today=NOW.date(), rates=rates, setting=setting
    )
    await read(world, world.meters[0], midnight(DECEMBER), shown, Source.FIELD)
    assert await room.true_ups.settle(READ_AT) == 1
    await world.billing.close_due(READ_AT)
    _, october, november = await in_force(world, point)
    at = READ_AT + timedelta(hours=1)
    middle = date(2026, 10, 15)
    await world.billing.reassign_rate([point], "dearer", first_day=middle, end_day=NOVEMBER, at=at)
    assert await room.book.note_rates(at=at) == 1
    assert (await room.weigher.weigh(at)).open == 1
    (case,) = await room.corrections.cases()
    wish = Wish(case.cause.name, DecisionKind.REBILL, "the form had lain in a drawer")
    proposal = await room.corrections.propose(wish, by=uuid4(), at=at)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
    _, first, second, after = await in_force(world, point)
    assert [str(b.total) for b in (first, second, after)] == sums
    assert after == november
    assert (first.usage_wh or 0) + (second.usage_wh or 0) == october.usage_wh
    assert (first.reads[0].begin, second.reads[0].end) == (october.reads[0].begin, october.reads[0].end)
    assert await room.true_ups.settle(at) == 0
    for bill in (first, second):
        again = await world.billing.papers.rebuilt(SCOPE, bill.bill_id)
        assert again is not None
        assert again[0].differences == ()
    for engine in engines:
        await engine.dispose()


async def decided(room: CorrectionRoom, at: datetime) -> None:
    """Carry out every open case as a person would."""
    for case in await room.corrections.cases():
        wish = Wish(case.cause.name, DecisionKind.REBILL, "as it came up")
        proposal = await room.corrections.propose(wish, by=uuid4(), at=at)
        assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)


@pytest.mark.parametrize("is_told_first", [True, False], ids=["the move came first", "the read came first"])
async def test_whoever_moved_in_pays_for_their_own_days_whenever_move_and_read_became_known(
    world: World, postgres: PostgresEngine, is_told_first: bool
) -> None:
    """Hand-calculated: 30 kWh a day from 28 September on: 19 days of October are hers, 12 and November are his."""
    point, anne, ben = world.points[0], uuid4(), uuid4()
    facts, moved = world.data.registry.facts, date(2026, 10, 20)
    await facts.enter([FactEntry(point, FactKind.ACCOUNT, str(anne), midnight(date(2026, 9, 1)))], at=NOW)
    await estimated(world)
    room, engines = await room_of(world, postgres)
    for step in range(2):
        at = (NOW, READ_AT)[step] + timedelta(hours=1)
        if is_told_first is (step == 0):
            await facts.enter([FactEntry(point, FactKind.ACCOUNT, str(ben), midnight(moved))], at=at)
            assert await room.stops.note(at, since=at) > 0
            await room.weigher.weigh(at)
            await decided(room, at)
        else:
            await read(world, world.meters[0], midnight(DECEMBER), 3_000_000, Source.FIELD)
            assert await room.true_ups.settle(READ_AT) == (not is_told_first)
        await world.billing.close_due(at)
        if step:
            # Two customers are charged by one true-up: a person looks at it, after his bill of November went out.
            await room.true_ups.settle(at)
            await decided(room, at)
        await world.billing.close_due(at + timedelta(minutes=5))
    assert [(b.account_id, b.span.first, b.usage_wh) for b in await in_force(world, point)] == [
        (anne, FIRST, 170_000), (anne, OCTOBER, 570_000), (ben, moved, 360_000), (ben, NOVEMBER, 900_000),
    ]  # fmt: skip
    assert (await room.energy.balance([point], FIRST, DECEMBER)).residual_wh == 0
    for engine in engines:
        await engine.dispose()


async def test_what_was_noted_of_an_estimated_bill_for_another_reason_keeps_no_actual_read_from_settling_it(
    world: World, postgres: PostgresEngine
) -> None:
    point = await estimated(world)
    room, engines = await room_of(world, postgres)
    at = NOW + timedelta(hours=1)
    await world.billing.reassign_rate([point], "ameren-mo-smart", first_day=OCTOBER, end_day=NOVEMBER, at=at)
    assert await room.book.note_rates(at=at) == 1
    await room.weigher.weigh(at)
    (case,) = await room.corrections.cases()
    leave = Wish(case.cause.name, DecisionKind.LEAVE, "it was entered for another place")
    proposal = await room.corrections.propose(leave, by=uuid4(), at=at)
    assert await room.corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=at, real=at)
    await world.billing.reassign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, end_day=NOVEMBER, at=at)

    await read(world, world.meters[0], midnight(DECEMBER), 3_000_000, Source.FIELD)
    assert await room.true_ups.settle(READ_AT) == 1
    assert [b.usage_wh for b in await in_force(world, point)] == [170_000, 930_000]
    for engine in engines:
        await engine.dispose()


async def test_a_true_up_above_the_policy_waits_for_a_person(world: World, postgres: PostgresEngine) -> None:
    point = await estimated(world)
    room, engines = await room_of(world, postgres)
    await read(world, world.meters[0], midnight(DECEMBER), 20_000_000, Source.FIELD)
    assert await room.true_ups.settle(READ_AT) == 0
    (case,) = await room.corrections.cases()
    assert case.cause.kind is CauseKind.TRUE_UP
    assert len(case.changes) == 2
    assert [b.reading_state for b in await in_force(world, point)] == [ReadingState.ESTIMATED] * 2
    assert await world.billing.bills(SCOPE, point)
    for engine in engines:
        await engine.dispose()
