"""A head-end on real engines: a vault, frames as the gateway publishes them, and what comes out."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import api
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import PostgresEngine
from openami.app.settings import real_now
from openami.contracts.deadletter import DeadLetter
from openami.contracts.event import DeviceEvent, decode_events
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuids_of
from openami.contracts.stream import (
    CORE_DEADLETTER,
    CORE_EVENT,
    CORE_READING,
    DMZ_FRAME,
    StreamSpec,
    frame_subject,
    partition_of,
)
from openami.headend.adapters.jetstream import JetStreamFrames, JetStreamOutbox
from openami.headend.adapters.postgres import PostgresGroupStore, PostgresHeadendStatus
from openami.headend.group import Engines
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.ports import Outbox
from openami.headend.service import Headend
from openami.kernel.clock import FixedClock
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.shipment import parse_shipment
from openami.security.keys.table import KeyTable

GROUPS = 4
WAIT_S = 20.0
Row = tuple[str, int, int, int, int]
"""(meter id, channel, start, value, message id)"""


@dataclass(slots=True)
class Rig:
    """Everything a test of the head-end needs."""

    nats: NatsEngine
    factory: PushFactory
    vault: PostgresVault
    state: AsyncEngine
    gateway: Client
    dmz: Client
    core: Client
    clock: FixedClock

    async def ship(self, factory: PushFactory, name: str = "made-up") -> None:
        """Put a factory's keys into the vault."""
        shipment = parse_shipment(json.dumps(factory.shipment(name)).encode())
        await self.vault.import_shipment(shipment, at=FIRST_END)

    async def send(self, frames: Sequence[SealedFrame]) -> int:
        """Publish frames as the gateway does, a message for each partition; return the last stream sequence."""
        parts: dict[int, list[SealedFrame]] = defaultdict(list)
        for frame in frames:
            parts[partition_of(frame.system_title)].append(frame)
        last = 0
        for partition, members in parts.items():
            octets = encode_frame_batch(gateway_id=1, received_at_ms=1_767_600_000_000, frames=members)
            last = (await self.gateway.jetstream().publish(frame_subject(partition), octets, timeout=20)).seq
        return last

    def headend(self, owner: str = "one", outbox: Outbox | None = None) -> Headend:
        """Return a new head-end on these engines; it owns nothing until it runs."""
        table = KeyTable()
        engines = Engines(
            source=JetStreamFrames(self.dmz),
            outbox=outbox or JetStreamOutbox(self.core),
            store=PostgresGroupStore(self.state),
            keys=KeyFeed(self.vault, table),
            clock=self.clock,
            real_now=real_now,
            monotonic=time.monotonic,
        )
        return Headend(owner=owner, groups=GROUPS, zone="America/Chicago", table=table, engines=engines)

    @asynccontextmanager
    async def running(self, headend: Headend) -> AsyncIterator[asyncio.Task[None]]:
        """Run it while the block lasts, then drain it."""
        stop = asyncio.Event()
        task = asyncio.create_task(headend.run(stop))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=False), WAIT_S)

    async def messages(self, spec: StreamSpec) -> list[tuple[dict[str, str], bytes]]:
        """Return every message of a stream with its headers."""
        stream = self.core.jetstream()
        info = await stream.stream_info(spec.name)
        found = []
        for seq in range(info.state.first_seq or 1, info.state.last_seq + 1):
            message = await stream.get_msg(spec.name, seq)
            found.append((dict(message.headers or {}), message.data or b""))
        return found

    async def emitted(self) -> list[Row]:
        """Return every interval reading that was published, repeats included."""
        rows: list[Row] = []
        for headers, octets in await self.messages(CORE_READING):
            if headers["Openami-Kind"] == "reading":
                b = ReadingBatch.decode(octets)
                rows += [
                    (str(m), int(c), int(s), int(v), int(i))
                    for m, c, s, v, i in zip(
                        uuids_of(b.meter_id), b.channel, b.start, b.value, b.message_id, strict=True
                    )
                ]
        return rows

    async def registers(self) -> list[RegisterBatch]:
        """Return every register batch that was published."""
        found = await self.messages(CORE_READING)
        return [RegisterBatch.decode(o) for h, o in found if h["Openami-Kind"] == "register"]

    async def events(self) -> list[DeviceEvent]:
        """Return every event that was published."""
        return [e for _, octets in await self.messages(CORE_EVENT) for e in decode_events(octets)]

    async def letters(self) -> list[DeadLetter]:
        """Return every dead letter that was published."""
        return [DeadLetter.decode(octets) for _, octets in await self.messages(CORE_DEADLETTER)]

    @property
    def status(self) -> PostgresHeadendStatus:
        """What the staff page reads."""
        return PostgresHeadendStatus(self.state)

    async def purge(self, *specs: StreamSpec) -> None:
        """Empty streams of core."""
        for spec in specs:
            await self.core.jetstream().purge_stream(spec.name)

    async def consumers(self) -> list[api.ConsumerInfo]:
        """Return the consumers that head-ends have on the frame stream."""
        client = await connect(self.nats.url("dmz_admin"), name="test-admin")
        try:
            return await client.jetstream().consumers_info(DMZ_FRAME.name)
        finally:
            await client.close()

    async def is_connected(self) -> bool:
        """Tell whether every client has found the bus again."""
        return all(c.is_connected for c in (self.gateway, self.dmz, self.core))

    async def until(self, holds: Callable[[], Awaitable[bool]], *, wait_s: float = WAIT_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + wait_s
        while not await holds():
            assert time.monotonic() < deadline, "it did not happen in time"
            await asyncio.sleep(0.05)

    async def until_counted(self, frames: int, *, wait_s: float = WAIT_S) -> None:
        """Wait until that many frames are in snapshots."""

        async def counted() -> bool:
            return (await self.status.counts(now=real_now())).frames >= frames

        await self.until(counted, wait_s=wait_s)


@pytest.fixture
async def rig(nats_server: NatsEngine, postgres: PostgresEngine, tmp_path: Path) -> AsyncIterator[Rig]:
    """Real engines, 40 made-up meters whose keys are in the vault, nothing sent yet."""
    root = FileRootKey(tmp_path / "root.key")
    root.ensure()
    security = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
    state = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
    gateway = await connect(nats_server.url("gateway"), name="test")
    dmz, core = (
        await connect(nats_server.url("headend_dmz"), name="test"),
        await connect(nats_server.url("core"), name="test"),
    )
    made = Rig(
        nats_server,
        PushFactory(meters=40),
        PostgresVault(security, root),
        state,
        gateway,
        dmz,
        core,
        FixedClock(FIRST_END),
    )
    await made.ship(made.factory)
    yield made
    for client in (gateway, dmz, core):
        await client.close()
    await security.dispose()
    await state.dispose()
