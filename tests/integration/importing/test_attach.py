"""An imported file becomes a virtual meter at a service point, once, with its rows and its rate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.contract.store.fake_store import FakeStore

from openami.app.commands.import_ import Options
from openami.app.commands.import_run import attach
from openami.app.engines.postgres import PostgresEngine
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Billing
from openami.contracts.channel import Channel
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.api import MeterData, ServicePoint
from openami.mdm.importing import FileRefusedError, parse_file
from openami.mdm.importing.place import PlacedMeter, place_file
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
NOW = datetime(2026, 11, 10, 18, tzinfo=UTC)
SCOPE = system_scope(process="test", purpose=Purpose.IMPORT)


@pytest.fixture
async def rooms(postgres: PostgresEngine) -> AsyncIterator[tuple[MeterData, Billing]]:
    mdm = create_async_engine(postgres.url("openami_mdm"))
    own = create_async_engine(postgres.url("openami_billing"))
    data = MeterData(registry=PostgresRegistry(mdm), store=FakeStore(FixedClock(NOW)), book=PostgresBook(mdm))
    yield data, Billing(meters=data, book=PostgresBillBook(own), rates=base_rates())
    await mdm.dispose()
    await own.dispose()


async def test_a_file_lands_once_however_often_it_is_imported(
    rooms: tuple[MeterData, Billing], shared_data: Path
) -> None:
    data, billing = rooms
    octets = (shared_data / "greenbutton" / "samples" / "sdk-15minLP_15Days.xml").read_bytes()
    (placed,) = place_file(parse_file(octets, zone=None), octets, zone="America/New_York", now=NOW)
    reports = [await attach(data, billing, placed, Options(), settings=None, now=NOW) for _ in range(2)]
    assert reports[0] == reports[1]
    point = UUID(reports[0]["service_point"])
    series = await data.intervals(SCOPE, point, Channel.DELIVERED, _whole(placed))
    assert (len(series), int(series.value.sum())) == (1340, 1_397_734)
    assert bool(series.preliminary.all())
    rate = await billing.rate_of(point, date(2012, 3, 5))
    assert rate is not None
    assert rate.code == reports[0]["rate"] == "ameren-mo-anytime@open"
    assert "prices of 2025-06-01" in rate.name
    assert await billing.rate_of(point, date(2012, 3, 20)) is None
    assert len(await data.book.requests(limit=100)) == 1


def _whole(placed: PlacedMeter) -> Period:
    assert placed.installation.end is not None
    return Period(placed.installation.start, placed.installation.end)


async def test_a_file_may_hang_at_a_service_point_that_is_there(
    rooms: tuple[MeterData, Billing], shared_data: Path
) -> None:
    data, billing = rooms
    point = ServicePoint(uuid4(), "America/Chicago", NOW)
    await data.registry.add_service_points([point])
    octets = (shared_data / "nem12" / "Example_NEM12_month_solar.csv").read_bytes()
    options = Options(service_point=str(point.id), rate="")
    (placed,) = place_file(
        parse_file(octets, zone=None), octets, zone="Australia/Sydney", now=NOW, service_point_id=point.id
    )
    report = await attach(data, billing, placed, options, settings=None, now=NOW)
    assert (report["service_point"], report["readings"], report["rate"]) == (str(point.id), 2 * 31 * 288, None)


def test_a_file_without_intervals_is_not_placed(shared_data: Path) -> None:
    octets = (shared_data / "greenbutton" / "samples" / "gbo-gas_direct.xml").read_bytes()
    with pytest.raises(FileRefusedError, match="no interval"):
        place_file(parse_file(octets, zone=None), octets, zone="America/Chicago", now=NOW)
