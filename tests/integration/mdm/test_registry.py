"""The registry holds who hung where, and refuses what cannot have been."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.change import EndRead, Exchange, Hang, TakeDown
from openami.mdm.registry.records import (
    Installation,
    Meter,
    OverlapError,
    RegistryError,
    ServicePoint,
    UnknownRecordError,
)

pytestmark = pytest.mark.engines
NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
START = datetime(2026, 6, 1, 5, tzinfo=UTC)


@pytest.fixture
async def registry(postgres: PostgresEngine) -> AsyncIterator[PostgresRegistry]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    yield PostgresRegistry(engine)
    await engine.dispose()


async def placed(registry: PostgresRegistry, count: int) -> tuple[list[UUID], list[UUID]]:
    points, meters = [uuid4() for _ in range(count)], [uuid4() for _ in range(count)]
    await registry.add_service_points([ServicePoint(p, "America/Chicago", NOW) for p in points])
    await registry.add_meters([Meter(m, f"S-{m}", NOW, system_title=m.bytes[:8]) for m in meters])
    return points, meters


def hung(point: UUID, meter: UUID, start: datetime = START, end: datetime | None = None) -> Installation:
    return Installation(uuid4(), point, meter, start, end, in_reads={Channel.DELIVERED: 0})


def reads(delivered: int, received: int) -> dict[Channel, EndRead]:
    return {Channel.DELIVERED: EndRead(delivered), Channel.RECEIVED: EndRead(received)}


async def test_a_thousand_installations_go_in_by_one_call_and_come_back_as_spans(registry: PostgresRegistry) -> None:
    points, meters = await placed(registry, 1000)
    affected = await registry.install([hung(p, m) for p, m in zip(points, meters, strict=True)], at=NOW)
    assert {(a.first, a.last) for a in affected} == {(date(2026, 6, 1), date(2026, 6, 20))}
    spans = await registry.spans(None, Period(NOW, NOW + timedelta(days=1)))
    assert {(s.service_point_id, s.meter_id) for s in spans} == set(zip(points, meters, strict=True))
    assert {s.period for s in spans} == {Period(NOW, NOW + timedelta(days=1))}


async def test_two_meters_at_one_point_are_refused_with_the_reason(registry: PostgresRegistry) -> None:
    points, meters = await placed(registry, 2)
    await registry.install([hung(points[0], meters[0])], at=NOW)
    with pytest.raises(OverlapError, match="two meters"):
        await registry.install([hung(points[0], meters[1], NOW)], at=NOW)
    with pytest.raises(OverlapError, match="two service points"):
        await registry.install([hung(points[1], meters[0], NOW)], at=NOW)
    with pytest.raises(UnknownRecordError, match="service point"):
        await registry.install([hung(uuid4(), meters[1])], at=NOW)


async def test_one_bad_row_leaves_none_of_its_batch(registry: PostgresRegistry) -> None:
    points, meters = await placed(registry, 2)
    with pytest.raises(RegistryError):
        await registry.install([hung(points[0], meters[0]), hung(points[0], meters[1])], at=NOW)
    assert await registry.installed(None, Period(START, NOW)) == []


async def test_an_exchange_keeps_both_meters_with_their_reads(registry: PostgresRegistry) -> None:
    points, meters = await placed(registry, 2)
    await registry.install([hung(points[0], meters[0])], at=NOW)
    swapped = datetime(2026, 6, 10, 15, 7, tzinfo=UTC)
    gone = TakeDown(meters[0], swapped, reads(12_345, 7))
    new = Hang(uuid4(), points[0], meters[1], swapped, reads(0, 0))
    affected = await registry.change(Exchange(gone, new), at=NOW)
    assert {a.first for a in affected} == {date(2026, 6, 10)}
    first, second = await registry.installed([points[0]], Period(START, NOW))
    assert first.installation.end == swapped == second.installation.start
    assert first.installation.out_reads == {Channel.DELIVERED: 12_345, Channel.RECEIVED: 7}
    assert second.meter.id == meters[1]


async def test_a_back_dated_removal_asks_for_its_days_again(registry: PostgresRegistry) -> None:
    points, meters = await placed(registry, 1)
    await registry.install([hung(points[0], meters[0])], at=NOW)
    affected = await registry.change(TakeDown(meters[0], datetime(2026, 6, 15, tzinfo=UTC), reads(5, 0)), at=NOW)
    assert [(a.first, a.last) for a in affected] == [(date(2026, 6, 14), date(2026, 6, 20))]
    with pytest.raises(UnknownRecordError):
        await registry.change(TakeDown(meters[0], NOW, reads(5, 0)), at=NOW)


async def test_a_meter_that_hangs_nowhere_is_unassigned(registry: PostgresRegistry) -> None:
    points, meters = await placed(registry, 2)
    await registry.install([hung(points[0], meters[0])], at=NOW)
    assert await registry.meters_unassigned(meters) == [meters[1]]
