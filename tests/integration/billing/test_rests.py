"""A run that looks at few places plans what one that looks at all of them would, whatever happened in between."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.integration.billing.every_place import due_everywhere
from tests.integration.billing.test_billing import FIRST, NOW, ZONE, World

from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.cycle.due import due_bills, due_pages
from openami.billing.cycle.place import Planned, Unplanned
from openami.billing.cycle.sweep import passed_over
from openami.billing.ports import RateOverlapError
from openami.kernel.time import local_midnight
from openami.mdm.registry.facts import FactEntry, FactKind

pytestmark = pytest.mark.engines
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


async def planned(world: World, now: datetime) -> set[Planned | Unplanned]:
    """Return what is due at the places of this world, by the short way."""
    run = world.billing.run
    due = await due_bills(run.meters, run.book, run.setting.calendar, run.setting.rules, now)
    found: list[Planned | Unplanned] = [*due.planned, *due.unplanned]
    return {d for d in found if d.service_point_id in world.points}


async def awake(world: World, now: datetime) -> set[UUID]:
    """Return the places of this world that a run would look at."""
    looked = set()
    run = world.billing.run
    await world.billing.close_due(now, retry_held=False)
    for point in await run.book.rests.stirring((), (), after=None, limit=100_000, with_waiting=False):
        looked |= {point} & set(world.points)
    return looked


async def fact(world: World, point: UUID, kind: FactKind, value: str | None, first: date, end: date | None) -> None:
    """Enter a fact of local days."""
    until = None if end is None else local_midnight(end, ZONE)
    await world.data.registry.facts.enter([FactEntry(point, kind, value, local_midnight(first, ZONE), until)], at=NOW)


async def reverse(world: World, point: UUID) -> None:
    """Supersede the newest bill of a place, as a correction does."""
    book = world.billing.book
    assert isinstance(book, PostgresBillBook)
    async with book._engine.begin() as connection:
        await connection.execute(
            text(
                "update billing.bill set state = 'superseded' where bill_id = (select bill_id from billing.bill "
                "where service_point_id = :point and state = 'issued' order by first_day desc limit 1)"
            ),
            {"point": point},
        )


async def something(world: World, dice: random.Random) -> str:
    """Let one thing happen to a place; return what."""
    point, first = dice.choice(world.points), FIRST + timedelta(days=dice.randrange(60))
    end = dice.choice((None, first + timedelta(days=dice.randrange(1, 60))))
    match what := dice.choice(("account", "account", "group", "rate", "reverse", "close", "close")):
        case "account":
            await fact(world, point, FactKind.ACCOUNT, dice.choice((None, str(uuid4()))), first, end)
        case "group":
            await fact(world, point, FactKind.BILL_GROUP, dice.choice(("1", "1", "7")), first, end)
        case "rate":
            code = dice.choice(("ameren-mo-anytime", "ameren-mo-smart"))
            try:
                await world.billing.assign_rate([point], code, first_day=first, at=NOW)
            except RateOverlapError:
                return "no rate"
        case "reverse":
            await reverse(world, point)
        case _:
            await world.billing.close_due(NOW + timedelta(days=dice.randrange(-30, 30)), retry_held=dice.random() < 0.5)
    return what


@pytest.mark.parametrize("seed", range(2))
async def test_few_places_are_looked_at_and_what_is_due_is_the_same_whatever_happens(world: World, seed: int) -> None:
    dice = random.Random(seed)
    await world.billing.assign_rate(world.points[1:], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 20))
    told = []
    for _ in range(15):
        told.append(await something(world, dice))
        now = NOW + timedelta(days=dice.choice((-20, 0, 0, 25, 200, 400)))
        expected = await due_everywhere(world.billing.run, now, world.points)
        assert await planned(world, now) == expected, told


async def test_a_place_whose_bills_went_out_is_not_looked_at_until_it_is_read_again(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))
    assert (await world.billing.close_due(NOW)).issued == len(world.points)
    assert await awake(world, NOW) == set()
    assert await planned(world, datetime(2026, 12, 1, 18, tzinfo=UTC)) != set()


@pytest.mark.parametrize("what", ["account", "bill group", "rate", "reversal"])
async def test_what_changes_at_a_place_wakes_it_and_nobody_else(world: World, what: str) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))
    await world.billing.close_due(NOW)
    assert await awake(world, NOW) == set()
    point, moved = world.points[1], date(2026, 11, 5)
    if what == "account":
        await fact(world, point, FactKind.ACCOUNT, str(uuid4()), OCTOBER, moved)
    elif what == "bill group":
        await fact(world, point, FactKind.BILL_GROUP, "7", moved, None)
    elif what == "rate":
        await world.billing.assign_rate([point], "ameren-mo-smart", first_day=moved, at=NOW)
    else:
        await reverse(world, point)
    news = [n.service_point_id for n in await world.data.registry.facts.news(limit=None)]
    found = await world.billing.book.rests.stirring((), news, after=None, limit=100_000, with_waiting=False)
    assert set(found) & set(world.points) == {point}


@pytest.mark.parametrize(
    "harm",
    [
        "update billing.place_rest set since = '9999-12-31' where service_point_id = :point",
        "delete from billing.place_rest where service_point_id = :point",
    ],
    ids=["rests for ever", "is not known"],
)
async def test_a_run_over_all_places_bills_what_the_short_way_missed_and_says_so(world: World, harm: str) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))
    before = datetime(2026, 10, 15, tzinfo=UTC)
    await world.billing.close_due(before, everywhere=True)
    book = world.billing.book
    assert isinstance(book, PostgresBillBook)
    async with book._engine.begin() as connection:
        await connection.execute(text(harm), {"point": world.points[1]})
    assert (await world.billing.close_due(NOW)).issued == len(world.points) - 1
    swept = await world.billing.close_due(NOW, everywhere=True)
    assert (swept.missed, swept.issued) == (1, 1)
    again = await world.billing.close_due(NOW, everywhere=True)
    assert (again.missed, again.issued) == (0, 0)


async def test_what_changes_while_a_run_over_all_places_reads_is_no_miss(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    run, point = world.billing.run, world.points[0]
    early = datetime(2026, 10, 2, tzinfo=UTC)
    await world.billing.close_due(early)
    await fact(world, point, FactKind.BILL_GROUP, "7", OCTOBER, None)
    pages = due_pages(run.meters, run.book, run.setting.calendar, run.setting.rules, NOW, everywhere=True)
    found = [point async for due in pages for point in await passed_over(run, due, early)]
    assert point not in found
    assert set(world.points[1:]) <= set(found), "they stir in November only"


async def test_a_run_that_dies_before_it_says_who_rests_is_made_up_by_the_next_and_bills_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))

    async def dies(*_: object) -> None:
        raise ConnectionError("the power fails between the bills and their places' rests")

    book = world.billing.book
    assert isinstance(book, PostgresBillBook)
    with monkeypatch.context() as patched:
        patched.setattr(type(book.rests), "rest", dies)
        with pytest.raises(ConnectionError):
            await world.billing.close_due(NOW)
    assert await planned(world, NOW) == set(), "the bills went out"
    assert set(await book.rests.stirring((), (), after=None, limit=100, with_waiting=False)) == set(world.points)
    done = await world.billing.close_due(NOW)
    assert (done.issued, done.held, done.missed) == (0, 0, 0)
    assert await awake(world, NOW) == set()
    assert (await world.billing.close_due(NOW, everywhere=True)).missed == 0
