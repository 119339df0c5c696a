"""A collector, a gateway and the stream on one machine, for tests of the network room."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from nats.js.errors import NotFoundError

from openami.app.engines.nats import NatsEngine, connect
from openami.app.settings import Home, Settings
from openami.contracts.frame import FrameClass, SealedFrame, decode_frame_batch
from openami.contracts.health import HealthReport
from openami.contracts.stream import DMZ_FRAME
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.network.adapters.airtime import JetStreamAirtime
from openami.network.adapters.commands import NatsCommandBus
from openami.network.adapters.directives import NatsDirectives
from openami.network.adapters.health import JetStreamHealth
from openami.network.adapters.jetstream import JetStreamFrames
from openami.network.adapters.thresholds import JetStreamThresholds
from openami.network.collector import Collector, OfferedFrame
from openami.network.gateway import Commanding, Gateway, GatewayLimits, HealthTelling, ListedSigningKeys
from openami.network.gateway.flow import Flow
from openami.network.ports import FrameStream, KnownTitles
from openami.security.pki import RevocationList, Role, client_context, ensure_identity, server_context

BATCH = 20
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def real_now_ms() -> int:
    return time.time_ns() // 1_000_000


def title_of(number: int) -> SystemTitle:
    return SystemTitle(b"OAM" + number.to_bytes(5))


def sealed_frame(title: bytes, counter: int, *, size: int = 60, control: int = 0x30, source_port: int = 1) -> bytes:
    """A wrapper frame that looks sealed; nobody here can open one."""
    body = bytes([control]) + counter.to_bytes(4) + bytes((counter + i) & 0xFF for i in range(size)) + bytes(12)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2)
    apdu = b"\xdb\x08" + title + length + body
    return b"\x00\x01" + source_port.to_bytes(2) + b"\x00\x67" + len(apdu).to_bytes(2) + apdu


def offered(
    first: int, count: int, *, frame_class: FrameClass = FrameClass.PROFILE, size: int = 60
) -> list[OfferedFrame]:
    rows: list[OfferedFrame] = []
    for counter in range(first, first + count):
        title = title_of(counter % 97)
        rows.append((frame_class, title, 1_000 + counter, sealed_frame(title.octets, counter, size=size)))
    return rows


def pki_contexts(
    folder: Path, *, collector_id: int = 7, role: Role = Role.COLLECTOR
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    gateway = ensure_identity(folder, role=Role.GATEWAY, number=1, now=datetime.now(UTC))
    peer = ensure_identity(folder, role=role, number=collector_id, now=datetime.now(UTC))
    return (
        server_context(certificate=gateway.certificate, key=gateway.key, authority=gateway.authority),
        client_context(certificate=peer.certificate, key=peer.key, authority=peer.authority),
    )


@dataclass
class RunningGateway:
    gateway: Gateway
    port: int
    server: ssl.SSLContext
    pki: Path
    task: asyncio.Task[None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def collector(
        self, folder: Path, *, collector_id: int = 7, health: Callable[[int], HealthReport] | None = None
    ) -> Collector:
        _, client = pki_contexts(self.pki, collector_id=collector_id)
        return Collector(
            collector_id,
            spool_folder=folder,
            host="127.0.0.1",
            port=self.port,
            ssl_context=client,
            dice=lambda: 0.0,
            health=health,
        )


@asynccontextmanager
async def running_gateway(
    engine: NatsEngine,
    folder: Path,
    *,
    limits: GatewayLimits | None = None,
    titles: KnownTitles | None = None,
    port: int = 0,
    keys: Path | None = None,
    flow: Flow | None = None,
    through: Callable[[FrameStream], FrameStream] = lambda stream: stream,
) -> AsyncIterator[RunningGateway]:
    client = await connect(engine.url("gateway"), name="test-gateway")
    server, _ = pki_contexts(folder / "pki")
    gateway = Gateway(
        gateway_id=1,
        folder=folder / "gateway",
        stream=through(JetStreamFrames(client, commit_timeout_s=3.0)),
        ssl_context=server,
        clock=FixedClock(NOW),
        real_today=lambda: date(2026, 7, 1),
        run_name=f"t-{time.time_ns():x}",
        revoked=RevocationList(folder / "pki" / "revoked"),
        titles=titles,
        telling=HealthTelling(JetStreamHealth(client), lambda: time.time_ns() // 1_000_000),
        commanding=Commanding(NatsCommandBus(client), ListedSigningKeys(keys), real_now_ms) if keys else None,
        directive_bus=NatsDirectives(client) if keys else None,
        threshold_bus=JetStreamThresholds(client),
        airtime_bus=JetStreamAirtime(client),
        limits=limits,
        flow=flow,
    )
    stop = asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(gateway.run(stop, host="127.0.0.1", port=port, ready=listening.set_result))
    await asyncio.wait_for(asyncio.shield(listening), 10)
    try:
        yield RunningGateway(gateway, listening.result(), server, folder / "pki", task, stop)
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
        await client.close()


@dataclass
class Child:
    """A program of its own that a test may kill and start again."""

    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill -9 and wait."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)


@contextmanager
def children(*programs: Child) -> Iterator[None]:
    """Start these programs; kill what is left of them at the end."""
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in programs:
            if program.process is not None:
                program.kill()


def gateway_child(engine: NatsEngine, home: Path, port: int) -> Child:
    """The gateway process as the supervisor would start it."""
    now = datetime.now(UTC)
    Settings(home=Home(home), gateway_port=port, nats_port=engine.port, real_origin=now, domain_origin=now).save()
    command = [sys.executable, "-m", "openami.app.process", "gateway", "--home", str(home)]
    return Child(command, home / "gateway.log")


async def stream_frames(engine: NatsEngine) -> list[SealedFrame]:
    """Every frame in the stream, in stream order."""
    client = await connect(engine.url("dmz_admin"), name="test-reader")
    try:
        stream = client.jetstream()
        state = (await stream.stream_info(DMZ_FRAME.name)).state
        frames: list[SealedFrame] = []
        for sequence in range(state.first_seq, state.last_seq + 1):
            try:
                message = await stream.get_msg(DMZ_FRAME.name, sequence)
            except NotFoundError:
                continue
            if (message.subject or "").startswith("dmz.frame."):
                frames += decode_frame_batch(message.data or b"").frames
        return frames
    finally:
        await client.close()


async def delivered(collector: Collector, *, timeout: float = 30.0) -> None:
    await asyncio.wait_for(collector.drained(), timeout)


def expect_exactly(frames: Sequence[SealedFrame], rows: Sequence[OfferedFrame], *, collector_id: int = 7) -> None:
    """Assert that what is in the stream is what was offered, no more and no fewer, in gapless sequence."""
    mine = [f for f in frames if f.collector_id == collector_id]
    assert sorted(f.octets for f in mine) == sorted(octets for _, _, _, octets in rows)
    assert sorted(f.seq for f in mine) == list(range(1, len(rows) + 1))
