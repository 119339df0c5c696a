"""The schedule runs each day once, late days again, and invents nothing while nothing comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.errors import ContractError
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.kernel.finding import Severity
from openami.kernel.time import instant_from_epoch_s, local_day, local_midnight
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.api import MeterData
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.store.announce import announcement
from openami.mdm.validation.arrival import parse_arrival
from openami.mdm.validation.ports import DayFinding
from openami.mdm.validation.run import Validation
from openami.mdm.validation.schedule import Schedule, Work
from openami.mdm.vee.grid import grid_of
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
ZONE = ZoneInfo("America/Chicago")
FIRST, LAST = date(2026, 5, 1), date(2026, 5, 4)
MIDNIGHT = local_midnight(date(2026, 5, 5), ZONE)
SCOPE = system_scope(process="test", purpose=Purpose.VALIDATION)


def readings(meter: UUID, start_s: np.ndarray) -> ReadingBatch:
    n = len(start_s)
    return ReadingBatch(
        meter_id=uuid_column([meter] * n),
        channel=np.full(n, Channel.DELIVERED, np.uint8),
        start=start_s.astype(np.int64),
        interval_s=np.full(n, 900, np.uint32),
        value=np.full(n, 70, np.int64),
        quality=np.zeros(n, np.uint16),
        source=np.full(n, Source.PUSH, np.uint8),
        message_id=np.arange(n, dtype=np.uint64),
    )


@dataclass
class Utility:
    """One service point with a meter, and the schedule over it."""

    registry: PostgresRegistry
    book: PostgresBook
    store: Any
    schedule: Schedule
    point: UUID
    meter: UUID

    async def due(self, now: datetime) -> int:
        """Carry out all that is due and return how many versions it wrote."""
        work, settled = await self.schedule.requested(now)
        work += await self.schedule.due_days(now)
        versions = sum([(await self.schedule.carry_out(w, now)).versions for w in work])
        await self.book.settle(settled)
        return versions


@pytest.fixture
async def utility(postgres: PostgresEngine, fake_store: Any) -> AsyncIterator[Utility]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    registry, book, point, meter = PostgresRegistry(engine), PostgresBook(engine), uuid4(), uuid4()
    validation = Validation(registry=registry, store=fake_store, book=book)
    schedule = Schedule(registry=registry, store=fake_store, book=book, validation=validation, new_id=uuid4)
    await registry.add_service_points([ServicePoint(point, str(ZONE), MIDNIGHT)])
    await registry.add_meters([Meter(meter, "S-1", MIDNIGHT, channels=(Channel.DELIVERED,))])
    start = local_midnight(FIRST, ZONE)
    await registry.install([Installation(uuid4(), point, meter, start)], at=MIDNIGHT)
    yield Utility(registry, book, fake_store, schedule, point, meter)
    await engine.dispose()


async def test_a_day_is_due_half_an_hour_after_its_end_and_once(utility: Utility) -> None:
    grid = grid_of(ZONE, FIRST, LAST, 900)
    await utility.store.write_readings(readings(utility.meter, grid.start_s), token="r")
    assert await utility.due(MIDNIGHT + timedelta(minutes=29)) == 3
    assert await utility.due(MIDNIGHT + timedelta(minutes=29)) == 0
    assert await utility.due(MIDNIGHT + timedelta(minutes=30)) == 1
    assert await utility.due(MIDNIGHT + timedelta(minutes=31)) == 0
    assert await utility.book.days_done(str(ZONE), FIRST, LAST) == {FIRST + timedelta(days=d) for d in range(4)}


async def test_a_day_on_which_the_whole_fleet_is_silent_waits(utility: Utility) -> None:
    assert await utility.due(MIDNIGHT + timedelta(hours=1)) == 0
    assert await utility.book.days_done(str(ZONE), FIRST, LAST) == set()
    grid = grid_of(ZONE, FIRST, LAST, 900)
    await utility.store.write_readings(readings(utility.meter, grid.start_s), token="r")
    assert await utility.due(MIDNIGHT + timedelta(hours=2)) == 4


async def test_announced_late_rows_run_their_day_again_and_live_rows_do_not(utility: Utility) -> None:
    grid, now = grid_of(ZONE, FIRST, LAST, 900), MIDNIGHT + timedelta(hours=1)
    late = grid.start_s[110:130]
    await utility.store.write_readings(readings(utility.meter, np.setdiff1d(grid.start_s, late)), token="r")
    assert await utility.due(now) == 4
    batch = readings(utility.meter, late)
    await utility.store.write_readings(batch, token="late")
    arrival = parse_arrival(announcement("reading", batch))
    assert arrival is not None
    assert await utility.schedule.note_arrivals([arrival], now) == 1
    live = parse_arrival(announcement("reading", readings(utility.meter, np.array([int(MIDNIGHT.timestamp()) + 900]))))
    assert live is not None
    assert await utility.schedule.note_arrivals([live], now) == 0
    assert await utility.due(now) == 1
    table = await utility.store.days(SCOPE, [utility.point], Channel.DELIVERED, FIRST, LAST)
    assert dict(zip(table.local_day.tolist(), table.version.tolist(), strict=True)) == {
        20574: 1, 20575: 2, 20576: 1, 20577: 1,
    }  # fmt: skip


async def test_rows_that_come_between_a_first_run_and_its_mark_run_the_day_again(
    utility: Utility, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, now = grid_of(ZONE, FIRST, LAST, 900), MIDNIGHT + timedelta(hours=1)
    late = grid.start_s[110:130]
    await utility.store.write_readings(readings(utility.meter, np.setdiff1d(grid.start_s, late)), token="r")
    _, of_the_installation = await utility.schedule.requested(now)
    await utility.book.settle(of_the_installation)
    (work,) = await utility.schedule.due_days(now)
    true_mark = PostgresBook.mark_done

    async def overtaken(book: PostgresBook, *arguments: Any, **stamps: Any) -> None:
        batch = readings(utility.meter, late)
        await utility.store.write_readings(batch, token="overtaking")
        arrival = parse_arrival(announcement("reading", batch))
        assert arrival is not None
        await utility.schedule.note_arrivals([arrival], now)
        await true_mark(book, *arguments, **stamps)

    monkeypatch.setattr(PostgresBook, "mark_done", overtaken)
    assert (await utility.schedule.carry_out(work, now)).versions == 4
    monkeypatch.undo()
    assert await utility.due(now) == 1
    table = await utility.store.days(SCOPE, [utility.point], Channel.DELIVERED, FIRST, LAST)
    assert int(table.quality.max()) == 0


async def test_an_imported_file_is_validated_whatever_its_days(utility: Utility) -> None:
    now, old = MIDNIGHT + timedelta(hours=1), grid_of(ZONE, date(2015, 11, 1), date(2015, 11, 2), 900)
    data = MeterData(registry=utility.registry, store=utility.store, book=utility.book)
    point, meter = ServicePoint(uuid4(), str(ZONE), now), Meter(uuid4(), "file", now, is_virtual=True)
    start, end = (instant_from_epoch_s(int(old.edge_s[at])) for at in (0, -1))
    installation = Installation(uuid4(), point.id, meter.id, start, end)
    rows = readings(meter.id, old.start_s)
    for _ in range(2):
        await data.attach_import(
            service_point=point, meter=meter, installation=installation, readings=rows, token="f", at=now
        )
    assert await utility.due(now) == 2
    totals = await data.daily_totals(SCOPE, [point.id], Channel.DELIVERED, date(2015, 11, 1), date(2015, 11, 2))
    assert totals.total.tolist() == [7000, 6720]


async def test_two_workers_take_turns(utility: Utility) -> None:
    async with utility.book.turn() as first, utility.book.turn() as second:
        assert (first, second) == (True, False)
    async with utility.book.turn() as again:
        assert again


@pytest.mark.parametrize(
    "octets", [b"", b"[]", b"{}", b'{"first":"x"}', b'{"first":1,"last":2,"many":false,"meters":["q"]}']
)
def test_what_is_no_announcement_is_refused(octets: bytes) -> None:
    with pytest.raises(ContractError):
        parse_arrival(octets)


async def test_days_that_a_storm_held_are_asked_for_again_after_each_first_run(utility: Utility) -> None:
    grid = grid_of(ZONE, FIRST, LAST, 900)
    await utility.store.write_readings(readings(utility.meter, grid.start_s), token="r")
    held = FIRST + timedelta(days=1)
    finding = DayFinding(
        service_point_id=utility.point, channel=Channel.DELIVERED, local_day=held, version=1, run_id=uuid4(),
        rule="storm_hold", severity=Severity.WARN, period=local_day(held, ZONE), known_at=MIDNIGHT,
    )  # fmt: skip
    await utility.book.keep_findings([(utility.point, Channel.DELIVERED, held, 1)], [finding], at=MIDNIGHT)
    _, of_the_installation = await utility.schedule.requested(MIDNIGHT)
    await utility.book.settle(of_the_installation)
    day = Work(None, LAST - timedelta(days=1), LAST - timedelta(days=1), first_run=str(ZONE))
    await utility.schedule.carry_out(day, MIDNIGHT)
    (asked,) = await utility.book.requests(limit=9)
    assert (asked.service_point_id, asked.first, asked.last, asked.reason) == (utility.point, held, held, "storm")
