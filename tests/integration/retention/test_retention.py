"""Removal on a real store and database: what is due goes, what a bill stands on stays, the horizon is noted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.conftest import free_port
from tests.integration.store.support import StoreChild, quarter_hours

from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.people.desk import Decided
from openami.app.readings.retention_desk import RetentionDesk
from openami.app.settings import Home, Settings
from openami.contracts.channel import Channel
from openami.kernel.time import Period, epoch_s
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.retention_postgres import PostgresRetention
from openami.mdm.ports import MeterSpan, StoreError
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.retention.policy import RetentionError, Rule, digest_of
from openami.mdm.store.schema import Table
from openami.security.access.role import Principal, Role
from openami.security.access.scope import Purpose, ScopeError, system_scope

pytestmark = pytest.mark.engines
ME = Decided(Principal(uuid4(), frozenset({Role.SECADM})))
OTHER = Decided(Principal(uuid4(), frozenset({Role.SECADM})))
OLD, NEW = datetime(2023, 1, 10, tzinfo=UTC), datetime(2026, 6, 10, tzinfo=UTC)
TODAY = datetime(2026, 7, 10, 12, tzinfo=UTC)
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
ALL = Period(datetime(2022, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
PLACES = [(uuid4(), uuid4()) for _ in range(3)]
"""Places with their meters; the first is billed for the old days."""
_BILL = """
    insert into billing.bill (bill_id, service_point_id, first_day, end_day, zone, rate_code, rate_name, currency,
        state, version, day_versions, made_at, issued_at)
    values (%s, %s, '2023-01-05', '2023-02-05', 'UTC', 'r', 'r', 'USD', 'issued', 1, '{1}', now(), now())
"""


@pytest.fixture
def child(short_tmp: Path, postgres: PostgresEngine) -> Iterator[StoreChild]:
    home = Home(short_tmp / "h")
    engines = {"nats_port": free_port(), "postgres_url": postgres.url(SUPERUSER)}
    Settings(home, domain_origin=TODAY, **engines).save()  # type: ignore[arg-type]
    running = StoreChild(home, 0)
    running.start()
    yield running
    running.stop()


async def furnish(settings: Settings, child: StoreChild, postgres: PostgresEngine) -> None:
    async with room_database(settings, "openami_mdm") as engine:
        registry = PostgresRegistry(engine)
        await registry.add_service_points([ServicePoint(p, "America/Chicago", OLD) for p, _ in PLACES])
        await registry.add_meters([Meter(m, str(n), OLD) for n, (_, m) in enumerate(PLACES)])
        hung = [Installation(uuid4(), p, m, datetime(2022, 1, 1, tzinfo=UTC)) for p, m in PLACES]
        await registry.install(hung, at=OLD)
    store = child.client()
    for place, meter in PLACES:
        for since in (OLD, NEW):
            batch = quarter_hours(meter, 96, first_s=epoch_s(since))
            await store.write_readings(batch, token=f"{place}{since}")
    await store.close()
    dsn = postgres.url(SUPERUSER).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_BILL, (uuid4(), PLACES[0][0]))


async def counted(child: StoreChild) -> list[int]:
    store = child.client()
    spans: list[tuple[UUID, UUID]] = PLACES
    found = []
    for place, meter in spans:
        got = await store.readings(SYSTEM, [MeterSpan(place, meter, ALL)], Channel.DELIVERED, ALL)
        found.append(len(got))
    await store.close()
    return found


async def test_what_is_due_goes_what_a_bill_stands_on_stays_and_validation_does_not_go_there(
    child: StoreChild, postgres: PostgresEngine
) -> None:
    settings = Settings.load(child.home.path)
    desk = RetentionDesk(settings)
    await furnish(settings, child, postgres)
    assert await desk.planned(ME) == []
    await desk.enter(ME, Rule(Table.READING_RAW, 24, date(2026, 7, 1), "the commission's order"))
    removals = await desk.planned(ME)
    assert [(r.table, r.month, r.held) for r in removals] == [(Table.READING_RAW, 202301, frozenset({PLACES[0][0]}))]
    with pytest.raises(RetentionError, match="another by now"):
        await desk.carry_out(ME, "0123456789ab")
    assert await counted(child) == [192, 192, 192]
    with pytest.raises(RetentionError, match="somebody else must carry the plan out"):
        await desk.carry_out(ME, digest_of(removals))
    assert await counted(child) == [192, 192, 192]
    assert await desk.carry_out(OTHER, digest_of(removals)) == removals
    assert await counted(child) == [192, 96, 96]
    async with room_database(settings, "openami_mdm") as engine:
        assert await PostgresRetention(engine).horizon() == date(2023, 2, 2)


async def test_a_month_that_no_bill_touches_goes_as_a_whole_and_the_rest_survives_a_restart(
    child: StoreChild, postgres: PostgresEngine
) -> None:
    settings = Settings.load(child.home.path)
    await furnish(settings, child, postgres)
    store = child.client()
    maintenance = system_scope(process="test", purpose=Purpose.MAINTENANCE)
    assert (await store.months(maintenance))[Table.READING_RAW] == [202301, 202606]
    with pytest.raises(ScopeError):
        await store.forget(SYSTEM, Table.READING_RAW, 202301, keep=[])
    await store.forget(maintenance, Table.READING_RAW, 202301, keep=[])
    await store.forget(maintenance, Table.READING_RAW, 202301, keep=[])
    with pytest.raises(StoreError, match="is no month"):
        await store.forget(maintenance, Table.READING_RAW, 202613, keep=[])
    await store.close()
    child.kill()
    child.start()
    assert await counted(child) == [96, 96, 96]
