"""A head-end's file lands under the registry's meters; what the registry says otherwise of is rejected by meter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.store.fake_store import FakeStore

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.kernel.clock import FixedClock
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.api import Installation, Meter, MeterData, ServicePoint
from openami.mdm.importing import parse_file
from openami.mdm.importing.arrival import Arrival, bring_in

pytestmark = pytest.mark.engines
NOW = datetime(2026, 6, 4, tzinfo=UTC)
INSTALLED = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "MEPMD01,20080501,MAKER,U:1,1,X,202606031515"


@pytest.fixture
async def data(postgres: PostgresEngine) -> AsyncIterator[MeterData]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    found = MeterData(registry=PostgresRegistry(engine), store=FakeStore(FixedClock(NOW)), book=PostgresBook(engine))
    yield found
    await engine.dispose()


async def hang(
    data: MeterData, serial: str, *, multiplier: int = 1, interval_s: int = 900
) -> tuple[Meter, ServicePoint]:
    meter = Meter(uuid4(), serial, INSTALLED, interval_s=interval_s, capacity_wh=100_000_000)
    point = ServicePoint(uuid4(), "America/Chicago", INSTALLED)
    await data.registry.add_meters([meter])
    await data.registry.add_service_points([point])
    await data.registry.install([Installation(uuid4(), point.id, meter.id, INSTALLED, None, multiplier)], at=INSTALLED)
    return meter, point


async def bring(data: MeterData, text: str, *, mapping: bytes | None = None) -> Arrival:
    octets = text.encode()
    found = parse_file(octets, zone=None, mapping=mapping)
    return await bring_in(found, octets, registry=data.registry, store=data.store, book=data.book, at=NOW)


def intervals(serial: str, *, constant: int = 1, units: str = "KWH", length: str = "00000015") -> str:
    second = "202606020530" if length == "00000015" else "202606020545"
    return f"{HEAD},{serial},OK,E,{units},{constant},{length},2,202606020515,R0,0.5,{second},R0,0.7\n"


async def test_rows_land_under_the_meter_and_its_days_are_asked_for_however_often_the_file_comes(
    data: MeterData,
) -> None:
    meter, point = await hang(data, f"A-{uuid4()}")
    register = f"{HEAD},{meter.serial},OK,E,KWHREG,1,00000000,1,202606020500,R0,1234.5\n"
    reports = [await bring(data, intervals(meter.serial) + register) for _ in range(2)]
    assert reports[0] == reports[1]
    assert (reports[0].readings, reports[0].registers, reports[0].meters, reports[0].unassigned) == (2, 1, 1, 0)
    store = data.store
    assert isinstance(store, FakeStore)
    assert sorted((r.start, r.value, r.source) for r in store.intervals.values()) == [
        (1_780_376_400, 500, Source.FILE), (1_780_377_300, 700, Source.FILE),
    ]  # fmt: skip
    assert [r.value for r in store.reads.values()] == [1_234_500]
    asked = {(r.first, r.last) for r in await data.book.requests(limit=100) if r.service_point_id == point.id}
    assert (date(2026, 6, 1), date(2026, 6, 2)) in asked


async def test_a_meter_the_registry_does_not_know_is_rejected_and_the_others_land(data: MeterData) -> None:
    meter, _ = await hang(data, f"B-{uuid4()}")
    report = await bring(data, intervals("NOBODY") + intervals(meter.serial))
    assert report.meters == 1
    assert [(r.name, r.line) for r in report.rejected] == [("NOBODY", 1)]
    assert "master data" in report.rejected[0].reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"constant": 40, "units": "KWHREG"}, "the file's multiplier is 40, the registry's 80"),
        ({"length": "00000030"}, "intervals of 900 s, the file of 1800 s"),
        ({"units": "KVARH"}, "does not measure reactive_delivered"),
    ],
)
async def test_what_the_registry_says_otherwise_of_is_rejected_with_the_difference(
    data: MeterData, change: dict[str, object], reason: str
) -> None:
    meter, _ = await hang(data, f"C-{uuid4()}", multiplier=80)
    report = await bring(data, intervals(meter.serial, **change))  # type: ignore[arg-type]
    assert reason in report.rejected[0].reason
    assert report.readings == 0


async def test_values_after_the_multiplier_are_kept_before_it_and_lose_no_energy(data: MeterData) -> None:
    meter, _ = await hang(data, f"D-{uuid4()}", multiplier=40)
    mapping = b"[value]\nmultiplier_applied = true\n"
    await bring(data, intervals(meter.serial, constant=40), mapping=mapping)
    store = data.store
    assert isinstance(store, FakeStore)
    rows = sorted((r.start, r.value) for r in store.intervals.values() if r.channel == Channel.DELIVERED)
    # 500 and 700 Wh through a multiplier of 40 are 12.5 and 17.5 counts; together 30, which is 1,200 Wh.
    assert [v for _, v in rows] == [13, 17]


async def test_a_meter_that_hangs_nowhere_keeps_its_rows_for_the_installation_to_come(data: MeterData) -> None:
    meter = Meter(uuid4(), f"E-{uuid4()}", INSTALLED)
    await data.registry.add_meters([meter])
    report = await bring(data, intervals(meter.serial))
    assert (report.readings, report.days, report.unassigned) == (2, 0, 1)
