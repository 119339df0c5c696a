"""A run asks the registry for holidays and check meters, and the store for storms, before it estimates anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.quality import Method, QualityState, Source
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.kernel.time import epoch_s, local_midnight
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.validation.run import Validation
from openami.mdm.vee.grid import grid_of
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
ZONE = ZoneInfo("America/Chicago")
DAY = date(2026, 7, 3)
"""A Friday; Independence Day is made a holiday of the calendar below."""
GRID = grid_of(ZONE, DAY - timedelta(days=28), DAY + timedelta(days=1), 900)
MORNING = slice(int(GRID.day_at[28]) + 20, int(GRID.day_at[28]) + 44)
SCOPE = system_scope(process="test", purpose=Purpose.VALIDATION)


class Street:
    """Service points of one cell that all cook at seven on working days, and at nine otherwise."""

    def __init__(self, registry: PostgresRegistry, book: PostgresBook, store: Any) -> None:
        self.registry, self.book, self.store = registry, book, store
        self.points: list[UUID] = []
        self.meters: list[UUID] = []
        self.neighbors: list[UUID] = []
        hours = np.where(GRID.is_weekend, 9, 7)
        self.truth = np.full(GRID.columns, 100)
        for day in range(GRID.days):
            at = int(GRID.day_at[day]) + 4 * int(hours[day])
            self.truth[at : at + 4] = 900

    async def place(self, count: int, *, cell: str = "", neighbors: int = 0) -> None:
        """Place points, and neighbors in the same cell that are read by the hour."""
        made = local_midnight(GRID.first, ZONE)
        self.points, self.meters = [uuid4() for _ in range(count)], [uuid4() for _ in range(count)]
        await self.registry.add_service_points([ServicePoint(p, str(ZONE), made, cell=cell) for p in self.points])
        await self.registry.add_meters([Meter(m, f"R-{m}", made, channels=(Channel.DELIVERED,)) for m in self.meters])
        rows = [Installation(uuid4(), p, m, made) for p, m in zip(self.points, self.meters, strict=True)]
        await self.registry.install(rows, at=made)
        if neighbors:
            places, meters = [uuid4() for _ in range(neighbors)], [uuid4() for _ in range(neighbors)]
            hourly = [Meter(m, f"H-{m}", made, interval_s=3600, channels=(Channel.DELIVERED,)) for m in meters]
            await self.registry.add_service_points([ServicePoint(p, str(ZONE), made, cell=cell) for p in places])
            await self.registry.add_meters(hourly)
            lately = local_midnight(DAY - timedelta(days=1), ZONE)
            hung = [Installation(uuid4(), p, m, lately) for p, m in zip(places, meters, strict=True)]
            await self.registry.install(hung, at=made)
            self.neighbors = meters

    async def send(
        self, meters: list[UUID], columns: np.ndarray, *, scale: float = 1.0, interval_s: int = 900
    ) -> None:  # fmt: skip
        n, k = len(columns), len(meters)
        batch = ReadingBatch(
            meter_id=uuid_column([m for m in meters for _ in range(n)]),
            channel=np.full(n * k, Channel.DELIVERED, np.uint8),
            start=np.tile(GRID.start_s[columns], k),
            interval_s=np.full(n * k, interval_s, np.uint32),
            value=np.tile(np.rint(self.truth[columns] * scale).astype(np.int64), k),
            quality=np.zeros(n * k, np.uint16),
            source=np.full(n * k, Source.PUSH, np.uint8),
            message_id=np.arange(n * k, dtype=np.uint64),
        )
        await self.store.write_readings(batch, token=str(uuid4()))

    async def run(self, known_at: datetime, points: list[UUID] | None = None) -> Any:
        validation = Validation(registry=self.registry, store=self.store, book=self.book)
        return await validation.run(
            self.points if points is None else points, DAY, DAY, run_id=uuid4(), known_at=known_at
        )

    async def day(self, index: int) -> Any:
        (row,) = (await self.store.days(SCOPE, [self.points[index]], Channel.DELIVERED, DAY, DAY)).rows()
        return row


@pytest.fixture
async def street(postgres: PostgresEngine, fake_store: Any) -> AsyncIterator[Street]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    yield Street(PostgresRegistry(engine), PostgresBook(engine), fake_store)
    await engine.dispose()


NIGHT = local_midnight(DAY + timedelta(days=1), ZONE) + timedelta(minutes=30)
BEFORE = np.arange(int(GRID.day_at[29]))
HOURS = np.arange(int(GRID.day_at[27]), int(GRID.day_at[29]), 4)
"""Hours of the day and of the one before: enough for a norm."""
LOST = np.setdiff1d(BEFORE, np.arange(MORNING.start, MORNING.stop))


async def test_a_holiday_of_the_places_calendar_is_filled_like_a_weekend(street: Street) -> None:
    await street.place(2)
    at = local_midnight(GRID.first, ZONE)
    await street.registry.facts.set_calendar("town", {DAY: "fair"}, at=at)
    await street.registry.facts.enter([FactEntry(street.points[0], FactKind.CALENDAR, "town", at)], at=at)
    await street.send(street.meters, LOST)
    await street.run(NIGHT)
    festive, working = await street.day(0), await street.day(1)
    assert festive.values[36] > festive.values[28]
    assert working.values[28] > working.values[36]


async def test_what_a_check_meter_counted_goes_before_an_estimate(street: Street) -> None:
    await street.place(2)
    at = local_midnight(GRID.first, ZONE)
    entry = FactEntry(street.points[1], FactKind.CHECK_OF, str(street.points[0]), at)
    await street.registry.facts.enter([entry], at=at)
    await street.send(street.meters[:1], LOST)
    await street.send(street.meters[1:], BEFORE, scale=1.01)
    await street.run(NIGHT)
    filled = await street.day(0)
    assert set(filled.method[20:44]) == {Method.CHECK_METER}
    assert filled.values[28] == 909


async def test_in_a_storm_a_street_is_held_and_named_and_three_days_later_estimated(street: Street) -> None:
    await street.place(6, cell="hill", neighbors=114)
    await street.send(street.meters[:4], BEFORE)
    await street.send(street.meters[4:], LOST)
    await street.send(street.neighbors, HOURS[~np.isin(HOURS, np.arange(MORNING.start, MORNING.stop))], interval_s=3600)
    await street.run(NIGHT)
    assert (set((await street.day(5)).quality[20:44]), set((await street.day(0)).quality)) == (
        {QualityState.MISSING}, {QualityState.ACTUAL},
    )  # fmt: skip
    held = await street.book.places_found("storm_hold", DAY, DAY)
    assert held == {DAY: set(street.points[4:6])}
    began = local_midnight(DAY, ZONE) + timedelta(hours=5)
    assert (await street.run(began + timedelta(days=3) - timedelta(minutes=1))).versions == 0
    assert (await street.run(began + timedelta(days=3))).versions == 2
    assert set((await street.day(5)).quality[20:44]) == {QualityState.ESTIMATED}
    assert await street.book.places_found("storm_hold", DAY, DAY) == {}
    assert epoch_s(began) == GRID.start_s[MORNING.start]


async def test_a_lone_silent_meter_of_a_cell_is_estimated_at_once(street: Street) -> None:
    await street.place(1, cell="hill", neighbors=119)
    await street.send(street.meters, LOST)
    await street.send(street.neighbors, HOURS, interval_s=3600)
    await street.run(NIGHT, street.points[:1])
    assert set((await street.day(0)).quality[20:44]) == {QualityState.ESTIMATED}
