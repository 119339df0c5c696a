"""``bench link``: frames from a collector's disk over TLS through the gateway into the stream, durable at each hop.

The bus, the gateway and the collector are three processes on this machine. A frame counts when the collector has the
acknowledgement: spool fsync, order log fsync, segment fsync and stream commit (``sync_interval: always``) lie before.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvloop

from openami.app.bench.processor import processor_s
from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import NatsEngine, ensure_streams
from openami.app.settings import Home, Settings, real_now
from openami.contracts.frame import FrameClass
from openami.kernel.ids import SystemTitle
from openami.network.collector import Collector, OfferedFrame
from openami.network.reconnection import LONGEST_WAIT_S
from openami.protocol.envelope import build_sealed, wrap
from openami.protocol.envelope.ports import PUSH_SINK_PORT, PushPort
from openami.security.pki import Role, client_context, ensure_identity

OFFER_FRAMES = 500
TITLES = 1_000


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    link = uvloop.run(measure_link())
    per_s = {
        "sustained": link.sustained_per_s,
        "spool to stream": link.drain_per_s,
        "into the spool": link.offer_per_s,
    }
    figures = {name: {"value": value, "unit": "frames/s"} for name, value in per_s.items()}
    figures["gateway processor time"] = {"value": link.gateway_us, "unit": "us/frame"}
    durability = "fsync of spool, order log and segment, and sync_interval always on the bus, before a frame counts"
    return {"durability": durability, "figures": figures, "peers": {}, "ratio": {}}


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What one run measured.

    Args:
        frames: how many went through.
        sustained_per_s: offered, fsynced, sent and acknowledged at the same time.
        offer_per_s: taken into the spool alone.
        drain_per_s: a full spool to the stream, from connecting to the last acknowledgement.
        gateway_us: processor time of the gateway for a frame, microseconds.
    """

    frames: int
    sustained_per_s: float
    offer_per_s: float
    drain_per_s: float
    gateway_us: float


def opaque_frames(count: int, *, frame_octets: int = 250) -> list[OfferedFrame]:
    """Return frames that look sealed; nobody on this path can open one."""
    overhead = 8 + 10 + 3
    rows: list[OfferedFrame] = []
    for number in range(count):
        title = SystemTitle(b"OAM" + (number % TITLES).to_bytes(5))
        body = b"\x30" + number.to_bytes(4) + os.urandom(frame_octets - overhead - 5)
        octets = wrap(PushPort.LOAD_PROFILE, PUSH_SINK_PORT, build_sealed(title.octets, body))
        rows.append((FrameClass.PROFILE, title, number, octets))
    return rows


@dataclass(slots=True)
class Served:
    """A bus and a gateway at work in a home of their own.

    Args:
        settings: the home's.
        children: the bus and, last, the gateway.
    """

    settings: Settings
    children: list[subprocess.Popen[bytes]]

    @property
    def gateway_pid(self) -> int:
        """The gateway's process."""
        return self.children[-1].pid

    async def start_gateway(self) -> None:
        """Start the gateway and wait until it listens."""
        command = [sys.executable, "-m", "openami.app.process", "gateway", "--home", str(self.settings.home.path)]
        with (self.settings.home.path / "log").open("ab") as log:
            self.children.append(_start(command, log))
        await _until(lambda: _listens(self.settings.gateway_port), "the gateway")

    async def kill_gateway(self) -> None:
        """Kill -9 the gateway and start another."""
        child = self.children.pop()
        child.kill()
        child.wait(30)
        await self.start_gateway()


@asynccontextmanager
async def served_home(place: Path | None = None) -> AsyncIterator[Served]:
    """Start a bus and a gateway in a temporary home.

    Args:
        place: where the home is made; None: where temporary files go.
    """
    folder = Path(tempfile.mkdtemp(prefix="oa-bench-", dir=place))
    now = real_now()
    settings = Settings(
        home=Home(folder), gateway_port=_free_port(), nats_port=_free_port(), real_origin=now, domain_origin=now
    )
    settings.save()
    engine = NatsEngine(settings.home.folder("nats"), "127.0.0.1", settings.nats_port)
    engine.prepare()
    served = Served(settings, [])
    try:
        with (folder / "log").open("wb") as log:
            served.children.append(_start(engine.command(), log))
        await _until(engine.is_ready, "the bus")
        await ensure_streams(dmz_url=engine.url("dmz_admin"), core_url=engine.url("core_admin"))
        await served.start_gateway()
        yield served
    finally:
        for child in reversed(served.children):
            child.terminate()
            child.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def collector_of(
    settings: Settings, number: int, *, port: int | None = None, longest_wait_s: float = LONGEST_WAIT_S
) -> Collector:
    """Return a collector with a certificate of this home; ``port`` leads to the gateway by another way."""
    identity = ensure_identity(settings.home.folder("pki"), role=Role.COLLECTOR, number=number, now=real_now())
    return Collector(
        number,
        spool_folder=settings.home.folder("spools") / str(number),
        host=settings.gateway_address,
        port=port or settings.gateway_port,
        ssl_context=client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority),
        longest_wait_s=longest_wait_s,
    )


async def measure_link(*, frames: int = 200_000, frame_octets: int = 250) -> LinkFigures:
    """Measure one collector against one gateway.

    Args:
        frames: how many go through each of the two parts.
        frame_octets: size of a wrapper frame.
    """
    rows = opaque_frames(frames, frame_octets=frame_octets)
    async with served_home() as served:
        settings, gateway_pid = served.settings, served.gateway_pid
        collector, stop = collector_of(settings, 1), asyncio.Event()
        start = time.perf_counter()
        for first in range(0, frames, OFFER_FRAMES):
            await collector.offer(rows[first : first + OFFER_FRAMES])
        offered_s = time.perf_counter() - start
        running = asyncio.create_task(collector.run(stop))
        start = time.perf_counter()
        await asyncio.wait_for(collector.drained(), 300)
        drained_s = time.perf_counter() - start
        used_s, start = processor_s(gateway_pid), time.perf_counter()
        for first in range(0, frames, OFFER_FRAMES):
            await collector.offer(rows[first : first + OFFER_FRAMES])
        await asyncio.wait_for(collector.drained(), 300)
        sustained_s = time.perf_counter() - start
        used_s = processor_s(gateway_pid) - used_s
        stop.set()
        await running
    return LinkFigures(frames, frames / sustained_s, frames / offered_s, frames / drained_s, used_s / frames * 1e6)


def _start(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=log, stderr=log)


async def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise BusError(f"{what} did not start")
        await asyncio.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
