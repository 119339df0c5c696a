"""A bus that hangs or dies: the collectors wait, the gateway's memory is bounded, nothing is lost.

The bus is a real server that the tests stop, kill and start again under a running gateway. A slow one is in
``test_fence.py``. OPENAMI_BACK_PRESSURE_COLLECTORS and OPENAMI_BACK_PRESSURE_FRAMES make it as large as wanted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import free_port
from tests.integration.network.support import RunningGateway, offered, running_gateway, stream_frames

from openami.app.engines.nats import NatsEngine, ensure_streams
from openami.network.collector import Collector, OfferedFrame
from openami.network.gateway import GatewayLimits

pytestmark = pytest.mark.engines
COLLECTORS = int(os.environ.get("OPENAMI_BACK_PRESSURE_COLLECTORS", "6"))
FRAMES = int(os.environ.get("OPENAMI_BACK_PRESSURE_FRAMES", "1200"))
LIMIT = 150_000
"""Octets that the gateway gathers at most, far below what the collectors hold."""
ONE_READ = 300_000
"""What one read of a socket may bring on top, for each collector at most once before it is held."""


@dataclass
class Bus:
    """A bus that can be frozen, killed and started again."""

    engine: NatsEngine
    log: Path
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.engine.command(), stdout=log, stderr=log)
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(self.engine.is_ready):
                await asyncio.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)


@contextmanager
def always_killed(bus: Bus) -> Iterator[None]:
    try:
        yield
    finally:
        if bus.process is not None:
            bus.kill()


@asynccontextmanager
async def pushing(running: RunningGateway, folder: Path) -> AsyncIterator[dict[int, Collector]]:
    """Collectors with a full spool each, all at once."""
    collectors = {n: running.collector(folder / f"spool-{n}", collector_id=n) for n in range(1, COLLECTORS + 1)}
    stop = asyncio.Event()
    tasks = [asyncio.create_task(c.run(stop)) for c in collectors.values()]
    try:
        yield collectors
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)


def frames_of(number: int) -> list[OfferedFrame]:
    return offered(number * 1_000_000, FRAMES, size=120)


async def seen_full(running: RunningGateway, until: asyncio.Task[None]) -> tuple[int, int]:
    """Return the most octets that were gathered, and how often everybody had to wait."""
    most, waits = 0, 0
    while not until.done():
        most = max(most, running.gateway.publisher.octets)
        waits += running.gateway.publisher.is_full
        await asyncio.sleep(0.002)
    await until
    return most, waits


# A frozen bus must be away for longer than a commit waits for its answer.
@pytest.mark.parametrize(("trouble", "away_s"), [("frozen", 4.0), pytest.param("killed", 1.0, marks=pytest.mark.soak)])
async def test_a_bus_that_is_gone_for_a_while_costs_waiting_and_no_frame(
    short_tmp: Path, trouble: str, away_s: float
) -> None:
    bus = Bus(NatsEngine(short_tmp / "nats", "127.0.0.1", free_port()), short_tmp / "nats.log")
    bus.engine.prepare()
    with always_killed(bus):
        await bus.start()
        await ensure_streams(dmz_url=bus.engine.url("dmz_admin"), core_url=bus.engine.url("core_admin"))
        limits = GatewayLimits(max_gathered_octets=LIMIT)
        async with running_gateway(bus.engine, short_tmp, limits=limits) as running:
            async with pushing(running, short_tmp) as collectors:
                for number, collector in collectors.items():
                    await collector.offer(frames_of(number))
                drained = asyncio.gather(*(c.drained() for c in collectors.values()))
                watching = asyncio.create_task(_wait(drained))
                measured = asyncio.create_task(seen_full(running, watching))
                await _some_are_in(collectors)
                if trouble == "frozen":
                    bus.signal(signal.SIGSTOP)
                else:
                    await asyncio.to_thread(bus.kill)
                await asyncio.sleep(away_s)
                acked = sum(c.status().acked_seq for c in collectors.values())
                assert acked < COLLECTORS * FRAMES, "all was in before the trouble began: the test shows nothing"
                if trouble == "frozen":
                    bus.signal(signal.SIGCONT)
                else:
                    await bus.start()
                most, waits = await asyncio.wait_for(measured, 90)
            counts = running.gateway.counts
        assert counts["ended_not_committed"] + counts["ended_no_mark"] > 0, "nobody noticed that the bus was gone"
        assert most < LIMIT + COLLECTORS * ONE_READ
        found = await stream_frames(bus.engine)
        for number in collectors:
            mine = [f for f in found if f.collector_id == number]
            assert sorted(f.octets for f in mine) == sorted(octets for *_, octets in frames_of(number))
            assert [f.seq for f in sorted(mine, key=lambda f: f.seq)] == list(range(1, FRAMES + 1))
        said = f"bus {trouble}: {len(found)} frames once each; at most {most:,} octets gathered, full {waits} times"
        print(said)  # noqa: T201 - the measure


async def _wait(waiting: asyncio.Future[list[None]]) -> None:
    await waiting


async def _some_are_in(collectors: dict[int, Collector]) -> None:
    async with asyncio.timeout(30):
        while not any(c.status().acked_seq for c in collectors.values()):
            await asyncio.sleep(0.005)
