"""The whole road on real engines: command and gateway processes, a collector, a head-end, and a meter of the test."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.conftest import free_port
from tests.integration.headend.conftest import Rig
from tests.integration.network.support import pki_contexts

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.process.command import client_title
from openami.app.settings import Home, Settings, real_now
from openami.contracts.frame import FrameClass
from openami.headend.adapters.command_process import NatsCommandProcess, listen_to_outcomes
from openami.headend.adapters.jetstream import JetStreamFrames, JetStreamOutbox
from openami.headend.adapters.postgres import PostgresGroupStore
from openami.headend.group import Engines
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.service import Headend
from openami.headend.session.exchange import Exchanges
from openami.headend.session.sealing import SessionSealing
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.network.collector import Collector
from openami.network.delivery import Deliveries
from openami.network.ports import DeliveryError, UnknownMeterError
from openami.protocol.apdu import general_glo
from openami.protocol.envelope.association import parse_association
from openami.protocol.envelope.sealed import parse_sealed_header
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.table import KeyTable
from openami.security.suites.gcm import open_sealed, seal

COLLECTOR = 7
ANSWER = bytes.fromhex("c401c10006000004d2")
INITIATE_RESPONSE = bytes.fromhex("0800065f1f0400007e1f04b00007")


@dataclass
class Process:
    """A process of the platform that a test may kill and start again."""

    name: str
    home: Path
    environment: dict[str, str]
    starts_within_s: float = 60.0
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        ready = self.home / f"{self.name}.ready"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "openami.app.process", self.name, "--home", str(self.home)]
        with (self.home / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env={**self.environment, "OPENAMI_READY_FILE": str(ready)}
            )
        deadline = time.monotonic() + self.starts_within_s
        while not ready.exists():
            assert self.process.returncode is None, (self.home / f"{self.name}.log").read_text()
            assert time.monotonic() < deadline, f"{self.name} did not start"
            await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill -9 and wait."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@dataclass
class Meter:
    """Answers one GET and one association as a real meter would, with a counter of its own."""

    factory: PushFactory
    counter: int = 100
    holds: bool = False
    silent: bool = False
    asked: list[bytes] = field(default_factory=list)
    has_it: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def title(self) -> SystemTitle:
        return SystemTitle(self.factory.meters[0].title)

    async def deliver(self, title: SystemTitle, octets: bytes) -> list[bytes]:
        if title != self.title:
            raise UnknownMeterError("another meter")
        self.has_it.set()
        if self.holds:
            await self.go.wait()
        if self.silent:
            raise DeliveryError("nothing came back")
        return [self.answer(octets)]

    def answer(self, octets: bytes) -> bytes:
        header, apdu = parse_wrapper(octets)
        if apdu[0] == 0x60:
            sealed_at = parse_association(apdu).sealed_at
            assert sealed_at is not None
            self.asked.append(self._open(apdu[apdu.index(b"\xa6\x0a\x04\x08") + 4 :][:8], apdu[sealed_at:]))
            body = self._seal(INITIATE_RESPONSE)
            inside = bytes([0x28, len(body)]) + body
            elements = bytes.fromhex("a109060760857405080103a203020100a40a0408") + self.title.octets
            elements += bytes([0xBE, len(inside) + 2, 4, len(inside)]) + inside
            return wrap(header.destination_port, header.source_port, bytes([0x61, len(elements)]) + elements)
        sealed = parse_sealed_header(apdu)
        self.asked.append(self._open(sealed.system_title, apdu[sealed.body_offset :]))
        return wrap(header.destination_port, header.source_port, general_glo(self.title.octets, self._seal(ANSWER)))

    def push(self) -> bytes:
        self.counter += 1
        return self.factory.profile_push(0, self.counter)

    def _open(self, client: bytes, body: bytes) -> bytes:
        meter = self.factory.meters[0]
        return open_sealed(client, body, key=meter.key, auth_key=meter.auth_key)

    def _seal(self, plaintext: bytes) -> bytes:
        meter = self.factory.meters[0]
        self.counter += 1
        return seal(meter.title, self.counter, plaintext, key=meter.key, auth_key=meter.auth_key)


@dataclass
class Road:
    """Everything between a session and a meter."""

    home: Path
    nats: NatsEngine
    rig: Rig
    meter: Meter
    gateway: Process
    command: Process
    exchanges: Exchanges
    sealing: SessionSealing
    headend: Headend
    collector: Collector
    collector_stop: asyncio.Event
    collector_task: asyncio.Task[None] | None = None
    deliveries: Deliveries | None = None

    @property
    def own_title(self) -> bytes:
        return client_title(Home(self.home)).octets

    async def read(self, plaintext: bytes, *, timeout_s: float = 10.0) -> bytes:
        """Seal a request, send it to the meter and return the plain answer."""
        title = self.meter.title
        sealed = await self.sealing.seal(title, plaintext, control=0x30)
        frame = wrap(2, 1, general_glo(self.own_title, sealed))
        _, apdu = parse_wrapper(await self.exchanges.exchange(title, frame, timeout_s=timeout_s))
        return await self.sealing.open(title, apdu[parse_sealed_header(apdu).body_offset :])

    async def heard(self) -> None:
        """Let the meter push once, so that the gateway knows the way, and wait until the stream has it."""
        frames = [(FrameClass.PROFILE, self.meter.title, 1, self.meter.push())]
        await asyncio.wait_for(self.collector.offer(frames), 10)
        await asyncio.wait_for(self.collector.drained(), 30)

    def start_collector(self) -> None:
        """Begin anew with what is on the collector's disk."""
        _, client = pki_contexts(self.home / "pki", collector_id=COLLECTOR)
        settings = Settings.load(self.home)
        self.collector_stop = asyncio.Event()
        self.collector = Collector(
            COLLECTOR,
            spool_folder=self.home / "spool",
            host="127.0.0.1",
            port=settings.gateway_port,
            ssl_context=client,
            dice=lambda: 0.0,
        )
        self.deliveries = Deliveries(
            deliver=self.meter.deliver, offer=self.collector.offer, tell=self.collector.tell, stamp_ms=lambda: 1
        )
        self.collector.on_down(self.deliveries.take)
        self.collector_task = asyncio.create_task(self.collector.run(self.collector_stop))

    async def stop_collector(self) -> None:
        """Drop what the collector has in hand and end it."""
        assert self.deliveries is not None
        assert self.collector_task is not None
        await self.deliveries.close()
        self.collector_stop.set()
        await asyncio.wait_for(self.collector_task, 20)


@asynccontextmanager
async def _headend(nats: NatsEngine, postgres: PostgresEngine, home: Path) -> AsyncIterator[tuple[Rig, Headend, Road]]:
    async with AsyncExitStack() as stack:
        root = FileRootKey(home / "keys" / "root.key")
        root.ensure()
        security = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
        state = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
        stack.push_async_callback(security.dispose)
        stack.push_async_callback(state.dispose)
        clients = [await connect(nats.url(u), name="test") for u in ("gateway", "headend_dmz", "core_headend")]
        for client in clients:
            stack.push_async_callback(client.close)
        gateway, dmz, core = clients
        clock, vault, table = FixedClock(FIRST_END), PostgresVault(security, root), KeyTable()
        rig = Rig(nats, PushFactory(meters=2), vault, state, gateway, dmz, core, clock)
        await rig.ship(rig.factory)
        process = NatsCommandProcess(core, real_now)
        exchanges = Exchanges(process, new_id=uuid4)
        await listen_to_outcomes(core, exchanges.told)
        engines = Engines(
            source=JetStreamFrames(dmz),
            outbox=JetStreamOutbox(core),
            store=PostgresGroupStore(state),
            keys=KeyFeed(vault, table),
            clock=clock,
            real_now=real_now,
            monotonic=time.monotonic,
            on_answers=exchanges.answered,
        )
        headend = Headend(owner="one", groups=4, zone="America/Chicago", table=table, engines=engines)
        environment = {**os.environ, "OPENAMI_POSTGRES_URL": postgres.url(SUPERUSER)}
        road = Road(
            home,
            nats,
            rig,
            Meter(rig.factory),
            Process("gateway", home, environment),
            Process("command", home, environment),
            exchanges,
            SessionSealing(process, exchanges, table),
            headend,
            collector=None,  # type: ignore[arg-type]  # made below, once the gateway has a port
            collector_stop=asyncio.Event(),
        )
        yield rig, headend, road


@pytest.fixture
async def road(nats_server: NatsEngine, postgres: PostgresEngine, short_tmp: Path) -> AsyncIterator[Road]:
    """Everything runs, and the meter was heard."""
    now = datetime.now(UTC)
    Settings(
        home=Home(short_tmp),
        gateway_port=free_port(),
        nats_port=nats_server.port,
        real_origin=now,
        domain_origin=FIRST_END,
    ).save()
    async with _headend(nats_server, postgres, short_tmp) as (rig, headend, made), rig.running(headend):
        try:
            await asyncio.gather(made.gateway.start(), made.command.start())
            made.start_collector()
            await made.heard()
            yield made
            await made.stop_collector()
        finally:
            await made.gateway.kill()
            await made.command.kill()
