"""The territory against the real chain: history by the store's door, frames by collector, gateway, bus and head-end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.conftest import free_port

from openami.app.devices.shipment import public_shipment_key, register_maker, take_shipment
from openami.app.engines.address import postgres_url
from openami.app.engines.nats import NatsEngine
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.readings.history import load_history
from openami.app.settings import Home, Settings, real_now
from openami.app.territory.territory_files import TerritoryFiles
from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.registry.records import ServicePoint
from openami.mdm.weather.record import DayTemperature
from openami.meter.registers import MJ_PER_WH
from openami.security.access.scope import Purpose, system_scope
from openami.sim.history import days_between, tell_story
from openami.sim.plan import DemoPlan

HOMES, DAYS, SPEED = 30, 9, 300.0
SCOPE = system_scope(process="territory-test", purpose=Purpose.MAINTENANCE)


class Hooks:
    """Vault only: rates and customers have tests of their own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.points: list[ServicePoint] = []
        self.loaded: list[date] = []

    async def agree_with_maker(self, maker: str, public_key: bytes) -> bytes:
        await register_maker(self.settings, maker, public_key, by="test")
        return await public_shipment_key(self.settings)

    async def import_shipment(self, place: Path) -> None:
        await take_shipment(self.settings, place)

    async def on_weather(self, zone: str, days: Sequence[DayTemperature]) -> None:
        assert len(days) > 0

    async def on_service_points(self, service_points: Sequence[ServicePoint]) -> None:
        self.points = list(service_points)

    async def on_loaded(self, first: date, last: date) -> None:
        self.loaded += days_between(first, last)


@asynccontextmanager
async def process(settings: Settings, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one process of the platform until the block ends."""
    flag = settings.home.folder("run") / f"{name}.ready"
    flag.unlink(missing_ok=True)
    log = settings.home.path / f"{name}.log"
    with log.open("ab") as out:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "openami.app.process", name, "--home", str(settings.home.path),
            stdout=out, stderr=out, env={**os.environ, "OPENAMI_READY_FILE": str(flag)},
        )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while not flag.exists():
                assert child.returncode is None, log.read_text()[-2000:]
                await asyncio.sleep(0.05)
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
            await asyncio.wait_for(child.wait(), 40)


@pytest.fixture
def settings(short_tmp: Path, nats_server: NatsEngine, postgres: PostgresEngine) -> Settings:
    now = real_now()
    made = Settings(
        home=Home(short_tmp), gateway_port=free_port(), nats_port=nats_server.port, speed=SPEED,
        real_origin=now, domain_origin=now, postgres_url=postgres.url(SUPERUSER),
    )  # fmt: skip
    made.save()
    (short_tmp / "demo.json").write_text(json.dumps({"homes": HOMES, "days": DAYS, "seed": 4}))
    return made


@dataclass(slots=True)
class Truth:
    """What the world says each meter's registers did."""

    plan: DemoPlan
    meter_ids: list[UUID]

    def intervals(self, days: Sequence[date]) -> dict[tuple[UUID, int], int]:
        """Return (meter, start) to delivered energy [Wh], losses not taken out."""
        territory = self.plan.territory()
        bank = territory.registers_at_genesis()
        values = {}
        for day in days:
            today = territory.day(day)
            energy = bank.integrate(today.delivered_mj, today.received_mj)
            for m, s in zip(*np.nonzero(today.captured), strict=True):
                values[self.meter_ids[m], int(today.slots.start_s[s])] = int(energy.delivered_wh[m, s])
        return values


async def stored(
    store: SocketStore, registry: PostgresRegistry, period: Period
) -> dict[tuple[UUID, int], tuple[int, int]]:
    """Return (meter, start) to (delivered energy, source) of everything in the period."""
    batch = await store.readings(SCOPE, await registry.spans(None, period), Channel.DELIVERED, period)
    ids = [UUID(bytes=bytes(i)) for i in batch.meter_id.tolist()]
    rows = zip(ids, batch.start.tolist(), batch.value.tolist(), batch.source.tolist(), strict=True)
    return {(i, int(s)): (int(v), int(source)) for i, s, v, source in rows}


async def test_history_and_live_frames_are_one_story_in_the_store_through_a_kill_of_the_territory(
    settings: Settings,
) -> None:
    mdm = create_async_engine(postgres_url(settings, "openami_mdm"))
    registry, store = PostgresRegistry(mdm), SocketStore(settings.home.store_socket)
    hooks = Hooks(settings)
    try:
        async with process(settings, "store"), process(settings, "gateway"), process(settings, "headend"):
            assert await load_history(settings, registry=registry, store=store, hooks=hooks, stop=asyncio.Event())
            files = TerritoryFiles(settings.home.folder("territory"))
            plan = files.plan()
            truth = Truth(plan, [m.meter_id for m in files.book()])
            assert len(hooks.points) == HOMES
            assert sorted(hooks.loaded) == days_between(plan.first_day, plan.last_day)
            genesis = instant_from_epoch_s(plan.territory().genesis_s)
            history = Period(genesis, instant_from_epoch_s(plan.history_end_s))
            held_back = {truth.meter_ids[m] for m in plan.held_back.tolist()}

            loaded = await stored(store, registry, history)
            assert {source for _, source in loaded.values()} == {int(Source.BULK)}
            assert not {m for m, s in loaded if s >= plan.held_back_from_s} & held_back

            for _ in range(2):
                async with process(settings, "territory") as child:
                    await asyncio.sleep(4)
                    child.kill()
                    await child.wait()
            async with process(settings, "territory"):
                now = settings.clock().now()
                after = Period(genesis, now + timedelta(days=1))
                async with asyncio.timeout(60):
                    while True:
                        found = await stored(store, registry, after)
                        if any(s * 1.0 >= now.timestamp() for _, s in found):
                            break
                        await asyncio.sleep(0.5)
            days = days_between(plan.first_day, plan.last_day + timedelta(days=1))
            true = truth.intervals(days)
            assert {k: v for k, (v, _) in found.items()} == {k: true[k] for k in found}
            sent = {m for (m, s), (_, source) in found.items() if source == Source.PUSH and s < plan.history_end_s}
            assert sent == held_back
            late = [k for k in true if k[1] < plan.history_end_s and k not in found]
            assert len(late) < 0.05 * len(true)
            await registers_equal_the_world(store, registry, plan, truth, history)
    finally:
        await store.close()
        await mdm.dispose()


async def registers_equal_the_world(
    store: SocketStore, registry: PostgresRegistry, plan: DemoPlan, truth: Truth, period: Period
) -> None:
    story = tell_story(plan.territory(), days_between(plan.first_day, plan.last_day))
    batch = await store.registers(SCOPE, await registry.spans(None, period), Channel.DELIVERED, period)
    midnights = {int(plan.territory().world.slots(day).start_s[0]): k for k, day in enumerate(story.days)}
    place = {m.bytes: k for k, m in enumerate(truth.meter_ids)}
    assert len(batch) > 0.9 * HOMES * DAYS
    for k in range(len(batch)):
        meter = place[bytes(batch.meter_id[k])]
        total_mj = int(story.delivered_mj[midnights[int(batch.at[k])]][meter])
        assert int(batch.value[k]) == total_mj // MJ_PER_WH % int(story.end.capacity_wh[meter])
