"""What the head-end publishes is in the store, once, soon, whatever dies on the way."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from nats.aio.client import Client
from tests.integration.store.support import START_S, StoreChild, quarter_hours

from openami.app.engines.nats import NatsEngine, connect
from openami.app.settings import Home
from openami.contracts.channel import Channel
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.contracts.stream import CORE_READING, changed_subject, reading_subject
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_ingest import DURABLE, KIND_HEADER, Ingest
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan, StoreUnavailableError
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
WHOLE = Period(instant_from_epoch_s(START_S) - timedelta(days=1), instant_from_epoch_s(START_S) + timedelta(days=400))


@pytest.fixture
async def child(nats_server: NatsEngine, short_tmp: Path) -> AsyncIterator[StoreChild]:
    running = StoreChild(Home(short_tmp), nats_server.port)
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def bus(nats_server: NatsEngine) -> AsyncIterator[Client]:
    client = await connect(nats_server.url("core"), name="test")
    yield client
    await client.close()


async def publish(bus: Client, kind: str, octets: bytes) -> None:
    await bus.jetstream().publish(reading_subject(3), octets, timeout=5, headers={KIND_HEADER: kind})


async def values_of(store: SocketStore, meter: UUID) -> list[int]:
    try:
        got = await store.readings(SYSTEM, [MeterSpan(uuid4(), meter, WHOLE)], Channel.DELIVERED, WHOLE)
    except StoreUnavailableError:
        return []
    return [int(v) for v in got.value]


async def until(store: SocketStore, meter: UUID, count: int, *, within_s: float) -> float:
    """Wait for that many readings; returns how long it took."""
    began = time.monotonic()
    while len(found := await values_of(store, meter)) < count:
        assert time.monotonic() - began < within_s, f"{len(found)} of {count} readings after {within_s} s"
        await asyncio.sleep(0.03)
    return time.monotonic() - began


async def test_a_push_is_seen_and_announced_within_two_seconds(child: StoreChild, bus: Client) -> None:
    store, meter = child.client(), uuid4()
    changes = await bus.subscribe(changed_subject("raw"))
    await publish(bus, "reading", quarter_hours(uuid4(), 1).encode())
    await until(store, uuid4(), 0, within_s=10)
    await changes.next_msg(timeout=20)
    await publish(bus, "reading", quarter_hours(meter, 4).encode())
    assert await until(store, meter, 4, within_s=2) < 2
    said = json.loads((await changes.next_msg(timeout=2)).data)
    assert said == {
        "kind": "reading", "rows": 4, "many": False, "meters": [meter.hex], "first": START_S, "last": START_S + 2700,
        "spans": [[[START_S, START_S + 2700]]],
    }  # fmt: skip
    await store.close()


async def test_register_reads_are_kept_too(child: StoreChild, bus: Client) -> None:
    store, meter = child.client(), uuid4()
    batch = RegisterBatch(
        meter_id=uuid_column([meter]),
        channel=np.ones(1, np.uint8),
        at=np.full(1, START_S, np.int64),
        value=np.full(1, 123_456, np.int64),
        source=np.ones(1, np.uint8),
        message_id=np.ones(1, np.uint64),
    )
    await publish(bus, "register", batch.encode())
    await publish(bus, "reading", quarter_hours(meter, 1).encode())
    await until(store, meter, 1, within_s=20)
    got = await store.registers(SYSTEM, [MeterSpan(uuid4(), meter, WHOLE)], Channel.DELIVERED, WHOLE)
    assert got.value.tolist() == [123_456]
    await store.close()


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        pytest.param("reading", b"", id="nothing"),
        pytest.param("reading", b"\xff" * 500, id="noise"),
        pytest.param("reading", RegisterBatch.empty().encode(), id="another schema"),
        pytest.param("reading", quarter_hours(UUID(int=1), 4).encode()[:-40], id="cut"),
        pytest.param("", quarter_hours(UUID(int=1), 4).encode(), id="no kind"),
        pytest.param("event", quarter_hours(UUID(int=1), 4).encode(), id="another kind"),
    ],
)
async def test_a_message_that_cannot_be_read_stalls_nothing(
    child: StoreChild, bus: Client, kind: str, octets: bytes
) -> None:
    store, meter = child.client(), uuid4()
    await publish(bus, kind, octets)
    await publish(bus, "reading", quarter_hours(meter, 2).encode())
    await until(store, meter, 2, within_s=20)
    deadline = time.monotonic() + 10
    while (info := await bus.jetstream().consumer_info(CORE_READING.name, DURABLE)).num_ack_pending:
        assert time.monotonic() < deadline, "the message that cannot be read still waits"
        await asyncio.sleep(0.05)
    assert info.num_pending == 0
    assert '"store.undecodable"' in child.log.read_text()
    await store.close()


async def test_rows_of_a_clock_gone_wrong_are_left_out_and_counted(child: StoreChild, bus: Client) -> None:
    store, meter = child.client(), uuid4()
    bad = quarter_hours(meter, 3, first_s=0)
    await publish(bus, "reading", ReadingBatch.concatenate([bad, quarter_hours(meter, 2)]).encode())
    await until(store, meter, 2, within_s=20)
    assert await values_of(store, meter) == [0, 1]
    assert '"rows": 3' in child.log.read_text()
    await store.close()


async def test_a_store_killed_at_any_moment_has_every_published_reading_once(child: StoreChild, bus: Client) -> None:
    dice, store = random.Random(20260308), child.client()
    meters = [uuid4() for _ in range(6)]
    sent = 0
    for _ in range(4):
        for _ in range(dice.randint(5, 25)):
            parts = [quarter_hours(m, 40, first_s=START_S + 36_000 * sent, message=sent + 1) for m in meters]
            await publish(bus, "reading", ReadingBatch.concatenate(parts).encode())
            sent += 1
        await asyncio.sleep(dice.random() * 0.5)
        child.kill()
        child.start()
    for meter in meters:
        await until(store, meter, sent * 40, within_s=60)
        assert await values_of(store, meter) == list(range(40)) * sent
    assert await store.conflicts(SYSTEM, None, Channel.DELIVERED, WHOLE) == []
    await store.close()


class Counting:
    """A service that keeps nothing and notes what it was given at once."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def keep(self, batch: ReadingBatch | RegisterBatch, *, token: str) -> None:
        assert token
        self.rows.append(len(batch))


async def test_messages_that_wait_become_few_inserts(bus: Client) -> None:
    """The engine makes a part of each insert and merges it: a small insert costs a hundred times its size."""
    service, stop = Counting(), asyncio.Event()
    for number in range(120):
        await publish(bus, "reading", quarter_hours(uuid4(), 4, message=number).encode())
    running = asyncio.create_task(Ingest(bus, service).run(stop))  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        while sum(service.rows) < 480:
            await asyncio.sleep(0.02)
    stop.set()
    await running
    assert sum(service.rows) == 480
    assert len(service.rows) <= 6
