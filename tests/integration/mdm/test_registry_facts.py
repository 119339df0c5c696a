"""The registry keeps what was believed of a place, when it held, and when it was believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.registry.errors import RegistryError, UnknownRecordError
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import Meter, RegisterForm, ServicePoint
from openami.mdm.validation.places import PlaceSource
from openami.mdm.vee.grid import grid_of

pytestmark = pytest.mark.engines
NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 5, tzinfo=UTC)


@pytest.fixture
async def registry(postgres: PostgresEngine) -> AsyncIterator[PostgresRegistry]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    yield PostgresRegistry(engine)
    await engine.dispose()


async def place(registry: PostgresRegistry) -> UUID:
    point = uuid4()
    await registry.add_service_points([ServicePoint(point, "America/Chicago", NOW)])
    return point


async def test_what_was_believed_before_a_correction_can_still_be_asked(registry: PostgresRegistry) -> None:
    point = await place(registry)
    await registry.facts.enter([FactEntry(point, FactKind.TRANSFORMER, "T1", MAY)], at=NOW)
    later = NOW + timedelta(days=1)
    moved = FactEntry(point, FactKind.TRANSFORMER, "T2", MAY + timedelta(days=10))
    await registry.facts.enter([moved], at=later, by="ada", reason="map was wrong")
    now = [(f.value, f.start, f.end) for f in await registry.facts.of([point])]
    assert now == [("T1", MAY, moved.start), ("T2", moved.start, None)]
    then = await registry.facts.of([point], as_known_at=NOW)
    assert [(f.value, f.end) for f in then] == [("T1", None)]
    (told,) = await registry.facts.of([point], Period(NOW, later))
    assert (told.value, told.entered_by, told.reason) == ("T2", "ada", "map was wrong")


async def test_a_back_dated_service_state_asks_for_its_days_again(registry: PostgresRegistry) -> None:
    point = await place(registry)
    off = FactEntry(point, FactKind.SERVICE, "disconnected", MAY, MAY + timedelta(days=3))
    (affected,) = await registry.facts.enter([off], at=NOW)
    assert (affected.first, affected.last) == (date(2026, 5, 1), date(2026, 5, 4))
    asked = await PostgresBook(registry._engine).requests(limit=10)
    assert [(r.service_point_id, r.first, r.reason) for r in asked] == [(point, date(2026, 5, 1), "master data")]
    assert await registry.facts.enter([off], at=NOW) == []
    phase = FactEntry(point, FactKind.PHASE, "A", MAY)
    assert await registry.facts.enter([phase], at=NOW) == []


async def test_one_call_may_enter_and_correct_the_same_fact(registry: PostgresRegistry) -> None:
    point = await place(registry)
    rows = [FactEntry(point, FactKind.PHASE, p, MAY + timedelta(days=n)) for n, p in enumerate(("A", "B", "C"))]
    await registry.facts.enter([rows[0], rows[2], rows[1], rows[0]], at=NOW)
    assert [(f.value, f.start) for f in await registry.facts.of(None)] == [("A", MAY)]


async def test_a_fact_of_no_service_point_is_refused_and_leaves_none_of_its_batch(registry: PostgresRegistry) -> None:
    point = await place(registry)
    rows = [FactEntry(p, FactKind.RATE, "1M", MAY) for p in (point, uuid4())]
    with pytest.raises(UnknownRecordError, match="not registered"):
        await registry.facts.enter(rows, at=NOW)
    assert await registry.facts.of(None) == []


async def test_two_hands_at_once_leave_one_fact(registry: PostgresRegistry) -> None:
    point = await place(registry)
    rows = [FactEntry(point, FactKind.FEEDER, f"F{n}", MAY) for n in range(6)]
    told = await asyncio.gather(*(registry.facts.enter([r], at=NOW) for r in rows), return_exceptions=True)
    assert all(isinstance(t, (list, RegistryError)) for t in told)
    assert len(await registry.facts.of([point])) == 1


async def test_a_calendar_of_the_utilitys_own_stands_beside_the_shipped_ones(registry: PostgresRegistry) -> None:
    await registry.facts.set_calendar("fair", {date(2026, 8, 13): "State fair"}, at=NOW)
    await registry.facts.set_calendar("fair", {date(2026, 8, 14): "State fair"}, at=NOW)
    known = await registry.facts.holidays(date(2026, 7, 1), date(2026, 8, 31))
    assert known["fair"] == {date(2026, 8, 14)}
    assert known["us"] == {date(2026, 7, 4)}
    assert known["none"] == frozenset()


async def test_a_meters_registers_come_back_with_their_own_forms(registry: PostgresRegistry) -> None:
    meter = Meter(uuid4(), "S-9", NOW, registers={Channel.RECEIVED: RegisterForm(1000, 99_999_000)})
    await registry.add_meters([meter])
    await registry.add_meters([meter])
    assert await registry.meter(meter.id) == meter


async def test_the_registry_tells_which_kinds_of_facts_it_keeps(registry: PostgresRegistry) -> None:
    assert await registry.facts.kinds() == frozenset()
    point = await place(registry)
    rows = [FactEntry(point, FactKind.PHASE, "A", MAY), FactEntry(point, FactKind.INTERCONNECTION, "5000", MAY)]
    await registry.facts.enter(rows, at=NOW)
    assert await registry.facts.kinds() == {FactKind.PHASE, FactKind.INTERCONNECTION}
    await registry.facts.enter([FactEntry(point, FactKind.PHASE, None, MAY)], at=NOW)
    assert await registry.facts.kinds() == {FactKind.INTERCONNECTION}


async def test_rules_see_what_is_said_of_places_and_nothing_where_nothing_is_kept(registry: PostgresRegistry) -> None:
    points = [await place(registry), await place(registry)]
    grid = grid_of(ZoneInfo("America/Chicago"), date(2026, 5, 1), date(2026, 5, 4), 900)
    source = PlaceSource(registry)
    nothing = await source.of(grid, points)
    assert (nothing.is_inactive, nothing.is_disconnected, nothing.may_feed_in) == (None, None, None)
    assert nothing.neighborhood is not None
    assert nothing.neighborhood.tolist() == [-1, -1]
    assert await source.feeding_in(grid) is None
    rows = [
        FactEntry(points[0], FactKind.INTERCONNECTION, "5000", MAY),
        FactEntry(points[1], FactKind.SERVICE, "inactive", MAY + timedelta(days=2)),
        FactEntry(points[1], FactKind.TRANSFORMER, "T1", MAY),
    ]
    await registry.facts.enter(rows, at=NOW)
    said = await source.of(grid, points)
    assert said.may_feed_in is not None
    assert said.may_feed_in.tolist() == [[True] * 4, [False] * 4]
    assert said.is_inactive is not None
    assert said.is_inactive.tolist() == [[False] * 4, [False, False, True, True]]
    assert said.neighborhood is not None
    assert said.neighborhood.tolist() == [-1, 0]
    assert await source.feeding_in(grid) == {points[0]}
    assert await source.out_of_service(grid) == {points[1]}
