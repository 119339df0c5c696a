"""A dry run at noon before the read day says which bills will wait, and is scored by what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.billing.test_billing import NOW, ZONE, World
from tests.integration.billing.test_billing import world as world  # noqa: PLC0414 - a fixture
from tests.integration.billing.test_cycle_close import NOVEMBER, OCTOBER, midnight

from openami.app.engines.postgres import PostgresEngine
from openami.billing.adapters.foresight_postgres import PostgresForesight
from openami.billing.api import HoldCode
from openami.billing.cycle.foresight import Outcome, Score, foresee, score_of
from openami.billing.cycle.foresight_job import ForesightJob
from openami.billing.cycle.ports import PlaceHold

pytestmark = pytest.mark.engines
NOON = midnight(date(2026, 10, 31)) + timedelta(hours=12)


@pytest.fixture
async def book(postgres: PostgresEngine) -> AsyncIterator[PostgresForesight]:
    engine = create_async_engine(postgres.url("openami_billing"))
    yield PostgresForesight(engine)
    await engine.dispose()


async def test_noon_foresees_what_waits_tonight_and_the_night_scores_it(world: World, book: PostgresForesight) -> None:
    going, waiting = world.points[:2]
    await world.billing.assign_rate([going, waiting], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.billing.book.cycle.hold_place(PlaceHold(uuid4(), waiting, "a dispute", "staff", NOW))
    await world.write_days(OCTOBER, date(2026, 10, 30))
    job = ForesightJob(world.billing.run, book, ZONE)
    await job.run_due(NOON - timedelta(hours=1))
    assert not await book.has(NOVEMBER)
    await job.run_due(NOON)
    foreseen = {r.service_point_id: r for r in await foresee(world.billing.run, NOVEMBER, NOON)}
    assert {p: r.code for p, r in foreseen.items()} == {going: None, waiting: HoldCode.ASKED_FOR}
    assert foreseen[waiting].reason == "a dispute"
    assert score_of(await book.outcomes(NOVEMBER)).open == 2
    await world.write_days(date(2026, 10, 31), date(2026, 10, 31))
    await world.billing.close_due(NOW)
    found = score_of(await book.outcomes(NOVEMBER))
    assert found == Score(2, 1, 1, {}, {}, 0, 0)
    assert found.share_right == 1


async def test_a_bill_that_could_not_be_foreseen_to_wait_is_a_surprise(world: World, book: PostgresForesight) -> None:
    point = world.points[0]
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 30))
    await book.keep(await foresee(world.billing.run, NOVEMBER, NOON), NOVEMBER, at=NOON)
    await world.billing.book.cycle.hold_place(PlaceHold(uuid4(), point, "a dispute", "staff", NOW))
    await world.write_days(date(2026, 10, 31), date(2026, 10, 31))
    await world.billing.close_due(NOW)
    found = score_of(await book.outcomes(NOVEMBER))
    assert (found.surprises, found.share_right) == ({"asked_for": 1}, 0)


def test_a_score_counts_each_bill_once() -> None:
    outcomes = [
        Outcome("", ""), Outcome("no_rate", "no_rate"), Outcome("", "no_read"), Outcome("no_rate", ""),
        Outcome("no_rate", "no_read"), Outcome("", "", is_open=True),
    ]  # fmt: skip
    found = score_of(outcomes)
    assert found == Score(6, 1, 1, {"no_read": 1}, {"no_rate": 1}, 1, 1)
    assert found.share_right == 3 / 5
    assert score_of([]).share_right == 1
