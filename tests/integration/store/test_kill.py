"""``kill -9`` of the store at random moments while a writer writes: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.conftest import free_port
from tests.integration.store.support import START_S, StoreChild, quarter_hours

from openami.app.settings import Home
from openami.contracts.channel import Channel
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan, StoreUnavailableError
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
ROWS = 500
STEP_S = 6 * 3600
"""Rows 6 h apart: one write of 500 spans four months, so an insert broken off leaves some of them."""
WHOLE = Period(instant_from_epoch_s(START_S) - timedelta(days=1), instant_from_epoch_s(START_S) + timedelta(days=400))


@pytest.fixture
def child(short_tmp: Path) -> Iterator[StoreChild]:
    running = StoreChild(Home(short_tmp), free_port())
    running.start()
    yield running
    running.stop()


async def write_until_kept(store: SocketStore, meter: UUID) -> None:
    """Write one batch, with the same token, until the store says it is kept."""
    batch = quarter_hours(meter, ROWS, step=STEP_S)
    for _ in range(600):
        try:
            await store.write_readings(batch, token=f"kill-{meter}")
        except StoreUnavailableError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail("the store never answered")


async def grown_to(kept: list[UUID], count: int) -> None:
    """Wait until that many writes are acknowledged."""
    async with asyncio.timeout(60):
        while len(kept) < count:
            await asyncio.sleep(0.005)


async def test_every_acknowledged_write_is_there_once_after_kills(child: StoreChild) -> None:
    dice, store = random.Random(7), child.client()
    kept: list[UUID] = []
    done = asyncio.Event()

    async def writer() -> None:
        while not done.is_set():
            meter = uuid4()
            await write_until_kept(store, meter)
            kept.append(meter)

    writers = [asyncio.create_task(writer()) for _ in range(3)]
    for _ in range(5):
        await grown_to(kept, len(kept) + dice.randint(2, 9))
        await asyncio.sleep(dice.random() * 0.1)
        child.kill()
        await asyncio.to_thread(child.start)
    done.set()
    await asyncio.wait_for(asyncio.gather(*writers), 60)
    assert len(kept) > 10
    spans = [MeterSpan(uuid4(), meter, WHOLE) for meter in kept]
    got = await store.readings(SYSTEM, spans, Channel.DELIVERED, WHOLE)
    assert got.value.tolist() == list(range(ROWS)) * len(kept)
    # Tokens alone already kept repeats out: not one row is there twice, even before any merge.
    sizes = {s.table: s.rows for s in await store.table_sizes(SYSTEM)}
    assert sizes["reading_raw"] == ROWS * len(kept)
    await store.close()


async def test_insert_files_of_a_killed_store_are_wiped_at_its_next_start(child: StoreChild) -> None:
    leaked = child.home.path / "store" / "tmp" / "left-behind.raw"
    leaked.write_bytes(b"readings")
    child.kill()
    assert leaked.exists()
    child.start()
    assert not leaked.exists()


async def test_a_stop_lets_a_write_under_way_finish(child: StoreChild) -> None:
    store, meter = child.client(), uuid4()
    writing = asyncio.create_task(store.write_readings(quarter_hours(meter, 100_000, step=60), token="slow"))
    await asyncio.sleep(0.05)
    assert await asyncio.to_thread(child.stop) == 0
    await asyncio.wait_for(writing, 30)
    child.start()
    got = await store.readings(SYSTEM, [MeterSpan(uuid4(), meter, WHOLE)], Channel.DELIVERED, WHOLE)
    assert len(got) == 100_000
    await store.close()
