"""Days on the air in a real database: repeated, overtaken and hostile rows leave the furthest count that can be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.airtime import AirtimeDay
from openami.headend.adapters.airtime_postgres import KEPT_DAYS, PostgresAirtime
from openami.kernel.ids import SystemTitle

pytestmark = [pytest.mark.engines, pytest.mark.enable_socket]
TODAY = date(2026, 7, 10)
A, B = SystemTitle(b"OAM\x00\x00\x00\x00\x01"), SystemTitle(b"OAM\x00\x00\x00\x00\x02")


def day(title: SystemTitle, *, own: int, worst: int = 10, relayed: int = 0, ago: int = 0) -> AirtimeDay:
    return AirtimeDay(title, TODAY - timedelta(days=ago), own, relayed, 5, worst)


@pytest.fixture
async def engine(postgres: PostgresEngine) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(postgres.url("openami_headend"))
    yield made
    await made.dispose()


async def test_the_furthest_count_of_a_day_stays_whatever_the_order(engine: AsyncEngine) -> None:
    book = PostgresAirtime(engine)
    await book.keep([day(A, own=100, worst=50), day(B, own=1), day(A, own=70, worst=20)], today=TODAY)
    await book.keep([day(A, own=90, worst=60, ago=0)], today=TODAY)
    assert await book.days(A, TODAY, TODAY) == [day(A, own=100, worst=50)]
    await book.keep([day(A, own=130, worst=30)], today=TODAY)
    assert await book.days(A, TODAY, TODAY) == [day(A, own=130, worst=50)]


async def test_two_impossible_halves_never_make_a_day_longer_than_it_is(engine: AsyncEngine) -> None:
    book = PostgresAirtime(engine)
    await book.keep([day(A, own=86_000_000)], today=TODAY)
    await book.keep([day(A, own=0, relayed=86_100_000)], today=TODAY)
    assert await book.days(A, TODAY, TODAY) == [day(A, own=0, relayed=86_100_000)]


async def test_days_that_cannot_be_are_left_out_and_old_ones_go(engine: AsyncEngine) -> None:
    book = PostgresAirtime(engine)
    rows = [day(A, own=1, ago=ago) for ago in (-3, -2, 0, KEPT_DAYS, KEPT_DAYS + 1)]
    assert await book.keep(rows, today=TODAY) == 3
    await book.forget(today=TODAY + timedelta(days=1))
    found = await book.days(A, TODAY - timedelta(days=900), TODAY + timedelta(days=9))
    assert [(TODAY - d.day).days for d in found] == [-2, 0]


async def test_pages_read_and_never_write(engine: AsyncEngine, postgres: PostgresEngine) -> None:
    await PostgresAirtime(engine).keep([day(A, own=1)], today=TODAY)
    portal = create_async_engine(postgres.url("openami_portal"))
    try:
        assert len(await PostgresAirtime(portal).days(A, TODAY, TODAY)) == 1
        with pytest.raises(ProgrammingError, match="permission"):
            await PostgresAirtime(portal).keep([day(A, own=2)], today=TODAY)
    finally:
        await portal.dispose()
