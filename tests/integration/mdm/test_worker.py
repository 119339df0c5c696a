"""The worker process: real database, bus and store; killed at any moment, it goes on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Home, Settings
from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.contracts.stream import reading_subject
from openami.kernel.time import local_midnight
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.vee.grid import grid_of
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
ZONE = ZoneInfo("America/Chicago")
FIRST, LAST = date(2026, 5, 1), date(2026, 5, 4)
MIDNIGHT = local_midnight(date(2026, 5, 5), ZONE)
SCOPE = system_scope(process="test", purpose=Purpose.VALIDATION)
GRID = grid_of(ZONE, FIRST, LAST, 900)
LATE = np.arange(100, 130)
WAIT_S = 90.0


def readings(meter: UUID, columns: np.ndarray) -> ReadingBatch:
    n = len(columns)
    return ReadingBatch(
        meter_id=uuid_column([meter] * n),
        channel=np.full(n, Channel.DELIVERED, np.uint8),
        start=GRID.start_s[columns],
        interval_s=np.full(n, 900, np.uint32),
        value=columns.astype(np.int64),
        quality=np.zeros(n, np.uint16),
        source=np.full(n, Source.PUSH, np.uint8),
        message_id=columns.astype(np.uint64),
    )


def midnight_reads(meter: UUID) -> RegisterBatch:
    n = len(GRID.day_at)
    total = np.concatenate([[0], np.cumsum(np.arange(GRID.columns))])
    return RegisterBatch(
        meter_id=uuid_column([meter] * n),
        channel=np.full(n, Channel.DELIVERED, np.uint8),
        at=GRID.edge_s[GRID.day_at],
        value=total[GRID.day_at].astype(np.int64),
        source=np.full(n, Source.PUSH, np.uint8),
        message_id=np.arange(n, dtype=np.uint64),
    )


@contextmanager
def process(name: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    ready = home / f"{name}-{uuid4()}"
    command = [sys.executable, "-m", "openami.app.process", name, "--home", str(home)]
    with (home / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OPENAMI_READY_FILE": str(ready)})
    try:
        deadline = time.monotonic() + WAIT_S
        while not ready.exists():
            assert child.poll() is None, (home / f"{name}.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.05)
        yield child
    finally:
        child.terminate()
        child.wait(30)


async def until(ask: Callable[[], Awaitable[dict[date, int]]], wanted: dict[date, int]) -> None:
    deadline = time.monotonic() + WAIT_S
    found: dict[date, int] = {}
    while found != wanted:
        assert time.monotonic() < deadline, f"{found} instead of {wanted}"
        await asyncio.sleep(0.2)
        found = await ask()


@pytest.mark.timeout(400)
async def test_a_killed_worker_s_successor_goes_on_and_late_rows_from_the_bus_make_a_version(
    postgres: PostgresEngine, nats_server: NatsEngine, short_tmp: Path
) -> None:
    home = Home(short_tmp / "h")
    Settings(
        home, postgres_url=postgres.url(SUPERUSER), nats_core_url=nats_server.url("core"), nats_port=1,
        domain_origin=MIDNIGHT + timedelta(hours=1),
    ).save()  # fmt: skip
    engine = create_async_engine(postgres.url("openami_mdm"))
    registry, store = PostgresRegistry(engine), SocketStore(home.store_socket)
    point, meter = uuid4(), uuid4()
    await registry.add_service_points([ServicePoint(point, str(ZONE), MIDNIGHT)])
    await registry.add_meters([Meter(meter, "S-1", MIDNIGHT, channels=(Channel.DELIVERED,))])
    await registry.install([Installation(uuid4(), point, meter, local_midnight(FIRST, ZONE))], at=MIDNIGHT)

    async def versions() -> dict[date, int]:
        table = await store.days(SCOPE, [point], Channel.DELIVERED, FIRST, LAST)
        return {row.local_day: row.version for row in table.rows()}

    first_runs = {GRID.day(d): 1 for d in range(GRID.days)}
    with process("store", home.path):
        await store.write_readings(readings(meter, np.setdiff1d(np.arange(GRID.columns), LATE)), token="r")
        await store.write_registers(midnight_reads(meter), token="k")
        for pause in (0.0, 0.3, 1.0):
            with process("worker", home.path) as worker:
                await asyncio.sleep(pause)
                worker.kill()
        with process("worker", home.path):
            await until(versions, first_runs)
            bus = await connect(nats_server.url("core"), name="test")
            headers = {"Openami-Kind": "reading"}
            octets = readings(meter, LATE).encode()
            await bus.jetstream().publish(reading_subject(3), octets, timeout=10, headers=headers)
            await until(versions, {**first_runs, GRID.day(1): 2})
            await bus.close()
        table = await store.days(SCOPE, [point], Channel.DELIVERED, FIRST, LAST)
        assert int(table.values.sum()) == int(np.arange(GRID.columns).sum())
    await store.close()
    await engine.dispose()
