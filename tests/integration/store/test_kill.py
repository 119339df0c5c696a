"""``kill -9`` of the store at random moments while a writer writes: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import random
import shutil
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
KILLS = 5
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
    for _ in range(KILLS):
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
    # A write that was repeated after a kill may lie there twice until a merge, a whole write and no more.
    sizes = {s.table: s.rows for s in await store.table_sizes(SYSTEM)}
    assert ROWS * len(kept) <= sizes["reading_raw"] <= ROWS * (len(kept) + 3 * KILLS)
    assert await store.conflicts(SYSTEM, spans, Channel.DELIVERED, WHOLE) == []
    await store.close()


async def test_a_token_that_outlived_its_rows_keeps_no_row_out(child: StoreChild) -> None:
    """The engine notes a token before the rows are in place: a kill in between leaves the note alone."""
    store, meter = child.client(), uuid4()
    await store.write_readings(quarter_hours(meter, 4), token="noted")
    child.kill()
    folder = child.home.path / "store" / "engine"
    parts = [
        p.parent for p in folder.rglob("columns.txt") if "message_id" in p.read_text() and "value" in p.read_text()
    ]
    assert parts, "the rows lie in no part"
    notes = [p for p in folder.rglob("deduplication_log_*") if p.stat().st_size]
    assert notes, "the engine noted no token"
    for part in parts:
        shutil.rmtree(part)
    child.start()
    await store.write_readings(quarter_hours(meter, 4), token="noted")
    got = await store.readings(SYSTEM, [MeterSpan(uuid4(), meter, WHOLE)], Channel.DELIVERED, WHOLE)
    assert got.value.tolist() == [0, 1, 2, 3]
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
