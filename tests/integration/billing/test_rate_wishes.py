"""A wish for another rate is recorded, applied from its day, and its first year is kept beside the old rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from structlog.testing import capture_logs
from tests.integration.billing.test_billing import FIRST, NOW, SCOPE, World
from tests.integration.billing.test_billing import world as world  # noqa: PLC0414 - a fixture

from openami.app.billing.rate_wiring import rate_work as wired_work
from openami.app.engines.postgres import PostgresEngine
from openami.billing.adapters.ledger_postgres import PostgresLedger
from openami.billing.adapters.shadows_postgres import PostgresShadows
from openami.billing.adapters.wishes_postgres import PostgresWishes
from openami.billing.compare.facts import BilledFacts
from openami.billing.compare.protection import Protection, standing_of
from openami.billing.compare.service import RateQuestions
from openami.billing.compare.wish import Wish, WishRefusedError, WishStep
from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.entry import EntryKind
from openami.billing.ledger.posting import agreements_of
from openami.kernel.time import Period, local_midnight, zone_named
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.security.access.row import of_scope, seen_as
from openami.security.access.scope import Purpose, Scope, ScopeError, granted_scope
from openami.security.adapters.row_security import row_secured_engine

pytestmark = pytest.mark.engines
USER = uuid4()


def own_scope(world: World, row: int) -> Scope:
    return granted_scope(
        actor=f"user:{USER}", purpose=Purpose.OWN_DATA, service_points=frozenset({world.points[row]}), audit_id=uuid4()
    )


def questions(world: World, engine: AsyncEngine) -> RateQuestions:
    return RateQuestions(
        meters=world.data, rates=world.billing, facts=BilledFacts(world.billing.run), wishes=PostgresWishes(engine),
        shadows=PostgresShadows(engine),
    )  # fmt: skip


async def test_a_wish_begins_with_the_next_read_and_its_bills_have_a_shadow(
    world: World, postgres: PostgresEngine
) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    portal = row_secured_engine(postgres.url("openami_portal"))
    place, scope = world.points[0], own_scope(world, 0)
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=FIRST, at=NOW)
    asked = questions(world, portal)
    with seen_as(of_scope(scope)):
        with pytest.raises(WishRefusedError, match="already"):
            await asked.ask(scope, place, "ameren-mo-anytime", NOW, by=USER, wish_id=uuid4())
        first = await asked.ask(scope, place, "ameren-mo-smart", NOW, by=USER, wish_id=uuid4())
        second = await asked.ask(scope, place, "ameren-mo-overnight", NOW, by=USER, wish_id=uuid4())
        assert first.first_day == second.first_day == date(2026, 12, 1)
        newest = await asked.wish_of(scope, place, NOW)
    assert newest is not None
    assert (newest.rate_code, newest.is_open) == ("ameren-mo-overnight", True)

    work = wired_work(world.data, own, world.billing.rates, world.billing.setting)
    assert (await work.work(NOW)).applied == 0, "not before its day"
    await world.write_days(FIRST, date(2027, 1, 1))
    january = datetime(2027, 1, 2, 18, tzinfo=UTC)
    done = await work.work(january)
    assert (done.applied, done.refused) == (1, 0)
    assert (await work.work(january)).applied == 0
    present = await world.billing.rate_of(place, date(2026, 12, 5))
    assert present is not None
    assert present.code == "ameren-mo-overnight"

    await world.billing.close_due(january)
    assert (await work.work(january)).shadowed == 1
    assert (await work.work(january)).shadowed == 0
    with seen_as(of_scope(scope)):
        kept = await asked.protection_of(scope, place, january)
    assert kept is not None
    guard, entries = kept
    bill = next(b for b in await world.billing.bills(SCOPE, place) if b.span.first == date(2026, 12, 1))
    assert [(e.bill_id, e.billed) for e in entries] == [(bill.bill_id, bill.total)]
    # 31 days of 100 Wh a quarter-hour on the old rate: 297.6 kWh in the first winter block, and the fixed charges.
    assert entries[0].shadow == Decimal("31.61") + Decimal("9.19")
    assert standing_of(guard, entries).over == entries[0].over
    await own.dispose()
    await portal.dispose()


async def test_a_wish_can_be_taken_back_and_is_then_never_applied(world: World, postgres: PostgresEngine) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    portal = row_secured_engine(postgres.url("openami_portal"))
    place, scope = world.points[1], own_scope(world, 1)
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    asked = questions(world, portal)
    with seen_as(of_scope(scope)):
        await asked.ask(scope, place, "ameren-mo-smart", NOW, by=USER, wish_id=uuid4())
        assert (await asked.withdraw(scope, place, NOW, by=USER)).rate_code == "ameren-mo-smart"
        with pytest.raises(WishRefusedError):
            await asked.withdraw(scope, place, NOW, by=USER)
        newest = await asked.wish_of(scope, place, NOW)
    assert newest is not None
    assert newest.step is WishStep.WITHDRAWN
    assert (
        await wired_work(world.data, own, world.billing.rates, world.billing.setting).work(
            datetime(2026, 12, 3, tzinfo=UTC)
        )
    ).applied == 0
    await own.dispose()
    await portal.dispose()


async def test_a_customer_neither_sees_nor_makes_anothers_wish(world: World, postgres: PostgresEngine) -> None:
    portal = row_secured_engine(postgres.url("openami_portal"))
    mine, other = own_scope(world, 0), own_scope(world, 2)
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=FIRST, at=NOW)
    asked = questions(world, portal)
    with seen_as(of_scope(other)):
        wish = await asked.ask(other, world.points[2], "ameren-mo-smart", NOW, by=USER, wish_id=uuid4())
    with seen_as(of_scope(mine)):
        with pytest.raises(ScopeError):
            await asked.ask(mine, world.points[2], "ameren-mo-smart", NOW, by=USER, wish_id=uuid4())
        # The second guard alone: the database shows and takes nothing of another's place.
        assert await PostgresWishes(portal).newest(other, world.points[2]) is None
        with pytest.raises(DBAPIError):
            await PostgresWishes(portal).ask(other, replace(wish, wish_id=uuid4()))
        # Nor is another's wish taken back under a place of one's own, by its number.
        step = (
            "insert into billing.rate_wish_step (wish_id, service_point_id, step, at) "
            "values (:wish, :place, 'withdrawn', now())"
        )
        with pytest.raises(DBAPIError):
            async with portal.begin() as connection:
                await connection.execute(text(step), {"wish": wish.wish_id, "place": world.points[0]})
        for change in ("update billing.rate_wish set rate_code = 'x'", "delete from billing.rate_wish"):
            with pytest.raises(DBAPIError):
                async with portal.begin() as connection:
                    await connection.execute(text(change))
    await portal.dispose()


async def test_what_a_protected_year_cost_more_is_given_back_once(world: World, postgres: PostgresEngine) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    place = world.points[0]
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    guard = Protection(uuid4(), place, "ameren-mo-anytime", "ameren-mo-overnight", date(2026, 12, 1), 1)
    await PostgresShadows(own).begin(guard, at=NOW)
    await world.write_days(FIRST, date(2027, 1, 1))
    january = datetime(2027, 1, 2, 18, tzinfo=UTC)
    await world.billing.close_due(january)
    work = wired_work(world.data, own, world.billing.rates, world.billing.setting)
    with capture_logs() as logs:
        assert (await work.work(january)).shadowed == 1
        await work.work(january)
    bill = next(b for b in await world.billing.bills(SCOPE, place) if b.span.first == date(2026, 12, 1))
    agreement = agreements_of([bill])[bill.bill_id]
    found = [e for e in await PostgresLedger(own).of_agreement(agreement) if e.kind is EntryKind.RATE_PROTECTION]
    (entries,) = (await PostgresShadows(own).entries([guard.protection_id])).values()
    assert entries[0].over > 0
    assert [e.amount_of(LedgerAccount.RECEIVABLE) for e in found] == [-entries[0].over]
    assert any(line["event"] == "rates.settled" for line in logs)
    assert str(entries[0].over) not in str(logs), "no log holds what a customer pays"
    await own.dispose()


async def test_who_moved_out_sees_and_asks_nothing_of_the_next_customers_time(
    world: World, postgres: PostgresEngine
) -> None:
    portal = row_secured_engine(postgres.url("openami_portal"))
    place, here = world.points[0], own_scope(world, 0)
    gone = granted_scope(
        actor=f"user:{uuid4()}", purpose=Purpose.OWN_DATA, service_points=frozenset({place}), audit_id=uuid4(),
        periods={place: (Period(NOW - timedelta(days=40), NOW - timedelta(days=1)),)},
    )  # fmt: skip
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(date(2026, 10, 1), date(2026, 10, 31))
    asked = questions(world, portal)
    with seen_as(of_scope(here)):
        await asked.ask(here, place, "ameren-mo-smart", NOW, by=USER, wish_id=uuid4())
    with seen_as(of_scope(gone)):
        assert await asked.wish_of(gone, place, NOW) is None
        assert (await asked.compare(gone, place, NOW)).present is None
        for act in (
            asked.ask(gone, place, "ameren-mo-smart", NOW, by=USER, wish_id=uuid4()),
            asked.withdraw(gone, place, NOW, by=USER),
        ):
            with pytest.raises(WishRefusedError, match="no longer"):
                await act
    with seen_as(of_scope(here)):
        assert (await asked.compare(here, place, NOW)).present == "ameren-mo-anytime"
        kept = await asked.wish_of(here, place, NOW)
    assert kept is not None
    assert kept.is_open
    await portal.dispose()


async def test_staff_are_told_of_whoever_holds_the_place_and_of_nobody_before(
    world: World, postgres: PostgresEngine
) -> None:
    portal = row_secured_engine(postgres.url("openami_portal"))
    place, zone = world.points[0], zone_named("America/Chicago")
    move = date(2026, 10, 16)
    staff = granted_scope(
        actor=f"user:{uuid4()}", purpose=Purpose.OPERATIONS, service_points=frozenset({place}), audit_id=uuid4()
    )
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(date(2026, 9, 1), date(2026, 10, 31))
    asked = questions(world, portal)
    with seen_as(of_scope(staff)):
        before = await asked.compare(staff, place, NOW)
        wish = Wish(
            uuid4(), place, "ameren-mo-smart", "ameren-mo-anytime", date(2026, 11, 1), NOW - timedelta(50), USER
        )
        await PostgresWishes(portal).ask(staff, wish)
        assert await asked.wish_of(staff, place, NOW) is not None
    day = local_midnight(move, zone)
    for account, start, end in ((uuid4(), local_midnight(date(2026, 1, 1), zone), day), (uuid4(), day, None)):
        await world.data.registry.facts.enter([FactEntry(place, FactKind.ACCOUNT, str(account), start, end)], at=NOW)
    with seen_as(of_scope(staff)):
        after = await asked.compare(staff, place, NOW)
        assert await asked.wish_of(staff, place, NOW) is None
    assert min(before.usage["ameren-mo-anytime"].start_s) < day.timestamp()
    assert min(after.usage["ameren-mo-anytime"].start_s) == day.timestamp()
    await portal.dispose()


async def test_a_wish_of_a_customer_who_left_is_not_applied_to_the_next(world: World, postgres: PostgresEngine) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    place = world.points[2]
    wish = Wish(uuid4(), place, "ameren-mo-smart", "ameren-mo-anytime", date(2026, 12, 1), NOW, USER)
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await PostgresWishes(own).ask(SCOPE, wish)
    moves = Moves({NOW.date(): uuid4(), date(2026, 12, 1): uuid4()})
    work = wired_work(world.data, own, world.billing.rates, world.billing.setting)
    work.accounts = moves
    done = await work.work(datetime(2026, 12, 3, tzinfo=UTC))
    assert (done.applied, done.refused) == (0, 1)
    newest = await PostgresWishes(own).newest(SCOPE, place)
    assert newest is not None
    assert (newest.step, newest.note) == (WishStep.REFUSED, "the place is another customer's since")
    await own.dispose()


@dataclass(frozen=True)
class Moves:
    """Who is charged, by day."""

    by_day: dict[date, UUID]

    async def account_at(self, service_point_id: UUID, at: datetime | date) -> UUID | None:
        return self.by_day.get(at.date() if isinstance(at, datetime) else at)


async def test_a_place_that_is_read_by_drive_by_cannot_choose_a_rate_for_smart_meters_not_even_by_its_day(
    world: World, postgres: PostgresEngine
) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    portal = row_secured_engine(postgres.url("openami_portal"))
    place, scope = world.points[2], own_scope(world, 2)
    await world.billing.assign_rate([place], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    asked = questions(world, portal)
    with seen_as(of_scope(scope)):
        wish = await asked.ask(scope, place, "ameren-mo-smart", NOW, by=USER, wish_id=uuid4())
    zone = zone_named("America/Chicago")
    away = FactEntry(place, FactKind.READING, "drive_by", local_midnight(date(2026, 11, 20), zone))
    await world.data.registry.facts.enter([away], at=NOW)
    december = datetime(2026, 12, 3, tzinfo=UTC)
    with seen_as(of_scope(scope)):
        clause = r"meter kind AMR, while the rate is for AMI \(eligibility.meter_kinds\)"
        with pytest.raises(WishRefusedError, match=clause):
            await asked.ask(scope, place, "ameren-mo-smart", december, by=USER, wish_id=uuid4())
        found = await asked.compare(scope, place, december)
    barred = {o.schedule.code: o.ineligible for o in found.comparison.outcomes if o.ineligible}
    assert set(barred) == {"ameren-mo-smart", "ameren-mo-ultimate", "ameren-mo-evening-morning"}
    work = wired_work(world.data, own, world.billing.rates, world.billing.setting)
    done = await work.work(december)
    assert (done.applied, done.refused) == (0, 1)
    with seen_as(of_scope(scope)):
        refused = await asked.wish_of(scope, place, december)
    assert refused is not None
    assert (refused.wish_id, refused.step) == (wish.wish_id, WishStep.REFUSED)
    assert "eligibility.meter_kinds" in refused.note
    await own.dispose()
    await portal.dispose()
