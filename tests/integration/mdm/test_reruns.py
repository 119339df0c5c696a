"""Re-runs: exactly the days that something touched, and news that name exactly what changed and are never lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.mdm.test_decisions import Desk
from tests.integration.mdm.test_validation import FIRST, LAST, NOW, ZONE, readings

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.changed import ChangedDay
from openami.contracts.channel import Channel
from openami.contracts.reading import ReadingBatch
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.editing.decision import DecisionKind
from openami.mdm.ports import StoreUnavailableError
from openami.mdm.store.announce import announcement
from openami.mdm.validation.arrival import parse_arrival
from openami.mdm.validation.schedule import Schedule
from openami.mdm.vee.grid import grid_of

pytestmark = pytest.mark.engines
LATER = NOW + timedelta(hours=3)


class Utility(Desk):
    """A desk with a schedule, and what its runs were asked for and said."""

    schedule: Schedule

    async def first_run(self) -> None:
        for work in await self.schedule.due_days(NOW):
            done = await self.schedule.carry_out(work, NOW)
            await self.schedule.said(done.news.run_id)
        _, ids = await self.schedule.requested(NOW)
        await self.book.settle(ids)

    async def again(self) -> tuple[set[tuple[UUID, date]], set[ChangedDay]]:
        """Carry out what is asked for; return the place days that ran, and the news."""
        ran, said = set[tuple[UUID, date]](), set[ChangedDay]()
        work, ids = await self.schedule.requested(LATER)
        for one in work:
            assert one.service_points is not None
            days = [one.first + timedelta(days=n) for n in range((one.last - one.first).days + 1)]
            ran |= {(point, day) for point in one.service_points for day in days}
            done = await self.schedule.carry_out(one, LATER)
            said |= set(done.news.days)
            await self.schedule.said(done.news.run_id)
        await self.book.settle(ids)
        return ran, said

    async def late(self, rows: dict[int, np.ndarray]) -> None:
        """Let late rows of several meters come in one batch."""
        parts = [readings(self.meters[i], self.grid.start_s[c], self.truth[i][c]) for i, c in rows.items()]
        names = ("meter_id", "channel", "start", "interval_s", "value", "quality", "source", "message_id")
        batch = ReadingBatch(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))
        await self.store.write_readings(batch, token=f"late{uuid4()}")
        arrival = parse_arrival(announcement("reading", batch))
        assert arrival is not None
        await self.schedule.note_arrivals([arrival], LATER)

    def cells(self, day: int, count: int = 20) -> np.ndarray:
        return np.arange(int(self.grid.day_at[day]) + 10, int(self.grid.day_at[day]) + 10 + count)

    def day(self, index: int, day: int, version: int = 2) -> ChangedDay:
        return ChangedDay(self.points[index], Channel.DELIVERED, self.grid.day(day), version)


@pytest.fixture
async def utility(postgres: PostgresEngine, fake_store: Any) -> AsyncIterator[Utility]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    made = Utility(PostgresRegistry(engine), PostgresBook(engine), fake_store, grid_of(ZONE, FIRST, LAST, 900))
    made.decisions = PostgresDecisions(engine)
    made.schedule = Schedule(
        registry=made.registry, store=fake_store, book=made.book, validation=made.validation(), new_id=uuid4
    )
    await made.place(3)
    for index in range(3):
        lost = np.concatenate([made.cells(d) for d in (3, 12, 20)])
        await made.send(index, np.setdiff1d(np.arange(made.grid.columns), lost), f"r{index}")
        await made.read(index, made.grid.day_at, f"k{index}")
    await made.first_run()
    yield made
    await engine.dispose()


async def test_late_rows_of_one_batch_run_each_meter_s_own_days_again(utility: Utility) -> None:
    await utility.late({0: np.concatenate([utility.cells(3), utility.cells(20)]), 1: utility.cells(12)})
    ran, said = await utility.again()
    points, day = utility.points, utility.grid.day
    assert ran == {(points[0], day(3)), (points[0], day(20)), (points[1], day(12))}
    assert said == {utility.day(0, 3), utility.day(0, 20), utility.day(1, 12)}
    assert await utility.again() == (set(), set())


async def test_a_decision_runs_the_days_of_its_spans_again(utility: Utility) -> None:
    at = int(utility.grid.day_at[5])
    spans = [utility.span(2, at, at + 4, values=(9, 9, 9, 9)), utility.span(1, at + 960, at + 961, values=(1,))]
    await utility.decide(DecisionKind.REPLACE, *spans)
    ran, said = await utility.again()
    points, day = utility.points, utility.grid.day
    assert ran == {(points[2], day(5)), (points[1], day(15))}
    assert said == {utility.day(2, 5), utility.day(1, 15)}


async def test_rows_that_say_nothing_new_change_nothing_and_make_no_news(utility: Utility) -> None:
    await utility.late({0: np.arange(int(utility.grid.day_at[7]) + 1, int(utility.grid.day_at[7]) + 5)})
    ran, said = await utility.again()
    assert ran == {(utility.points[0], utility.grid.day(7))}
    assert said == set()


async def test_a_run_that_dies_before_its_news_are_out_still_says_what_it_may_have_changed(
    utility: Utility, monkeypatch: pytest.MonkeyPatch
) -> None:
    await utility.late({0: utility.cells(3)})
    (work,), _ = await utility.schedule.requested(LATER)

    async def dies(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("killed")

    monkeypatch.setattr(utility.store.__class__, "write_days", dies)
    with pytest.raises(StoreUnavailableError):
        await utility.schedule.carry_out(work, LATER)
    monkeypatch.undo()
    (news,) = await utility.schedule.unsaid()
    assert (news.many, news.first, news.last) == (True, utility.grid.day(3), utility.grid.day(3))
    await utility.schedule.said(news.run_id)
    assert await utility.schedule.unsaid() == []
    _, said = await utility.again()
    assert said == {utility.day(0, 3)}
