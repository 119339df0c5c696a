"""``kill -9`` of gateway, bus or collector at any moment: the stream has what the spool took, once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import free_port
from tests.integration.network.support import (
    BATCH,
    Child,
    children,
    delivered,
    expect_exactly,
    gateway_child,
    offered,
    pki_contexts,
    stream_frames,
)

from openami.app.engines.nats import NatsEngine, ensure_streams
from openami.network.collector import Collector, OfferedFrame

pytestmark = pytest.mark.engines
SEED = int(os.environ.get("OPENAMI_SEED", "20260701"))


async def _push_while_killed(
    victim: Child, collector: Collector, *, kills: int, dice: random.Random
) -> list[OfferedFrame]:
    """Push without pause while the victim dies and comes back; return everything that was offered."""
    stop = asyncio.Event()
    running = asyncio.create_task(collector.run(stop))
    rows: list[OfferedFrame] = []
    done = False

    async def push() -> None:
        while not done:
            batch = offered(len(rows), 50)
            await collector.offer(batch)
            rows.extend(batch)
            await asyncio.sleep(0.002)

    pushing = asyncio.create_task(push())
    await asyncio.sleep(1.0)
    for _ in range(kills):
        await asyncio.sleep(dice.uniform(0.0, 0.4))
        victim.kill()
        victim.start()
        await asyncio.sleep(dice.uniform(0.6, 1.2))
    done = True
    await pushing
    await delivered(collector, timeout=60)
    stop.set()
    await asyncio.wait_for(running, 10)
    return rows


@pytest.mark.attack("A2")
async def test_frames_arrive_once_though_the_gateway_is_killed(nats_server: NatsEngine, short_tmp: Path) -> None:
    port = free_port()
    gateway = gateway_child(nats_server, short_tmp, port)
    _, context = pki_contexts(short_tmp / "pki")
    collector = Collector(
        7, spool_folder=short_tmp / "spool", host="127.0.0.1", port=port, ssl_context=context, dice=lambda: 0.0
    )
    with children(gateway):
        rows = await _push_while_killed(gateway, collector, kills=5, dice=random.Random(SEED))
    expect_exactly(await stream_frames(nats_server), rows)
    assert collector.status().connections > 3


async def test_frames_arrive_once_though_the_bus_is_killed(short_tmp: Path) -> None:
    engine, port = NatsEngine(short_tmp / "nats", "127.0.0.1", free_port()), free_port()
    engine.prepare()
    bus = Child(engine.command(), short_tmp / "nats.log")
    gateway = gateway_child(engine, short_tmp, port)
    _, context = pki_contexts(short_tmp / "pki")
    collector = Collector(
        7, spool_folder=short_tmp / "spool", host="127.0.0.1", port=port, ssl_context=context, dice=lambda: 0.0
    )
    with children(bus):
        deadline = time.monotonic() + 20
        while not engine.is_ready():
            assert time.monotonic() < deadline, "the bus did not start"
            await asyncio.sleep(0.05)
        await ensure_streams(dmz_url=engine.url("dmz_admin"), core_url=engine.url("core_admin"))
        with children(gateway):
            rows = await _push_while_killed(bus, collector, kills=5, dice=random.Random(SEED))
        expect_exactly(await stream_frames(engine), rows)


async def test_what_was_safe_arrives_once_though_the_collector_is_killed(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    dice, port = random.Random(SEED), free_port()
    gateway = gateway_child(nats_server, short_tmp, port)
    pki_contexts(short_tmp / "pki")
    safe: list[int] = []
    with children(gateway):
        await asyncio.sleep(1.5)
        first = 0
        for life in range(5):
            command = [sys.executable, "-m", "tests.integration.network.pushing", str(short_tmp / "spool")]
            command += [str(short_tmp / "pki"), str(port), str(first), "2000" if life < 4 else "50"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            if life < 4:
                heard = process.stdout.readline()
                await asyncio.sleep(dice.uniform(0.05, 0.7))
                process.send_signal(signal.SIGKILL)
            else:
                heard = ""
            heard += process.communicate(timeout=60)[0]
            ends = [int(line) for line in heard.split()]
            for end in ends:
                safe += range(end - BATCH, end)
            # A batch that was not heard of may be safe too: its numbers are not used again.
            first = (ends[-1] if ends else first) + BATCH
        assert process.returncode == 0
    frames = await stream_frames(nats_server)
    counters = [f.collected_at_ms - 1_000 for f in frames]
    assert len(counters) == len(set(counters)), "a frame came twice"
    assert set(safe) <= set(counters), "a safe frame is missing"
    assert len(set(counters) - set(safe)) <= 4 * BATCH, "more than the batch under way at each kill"
    assert sorted(f.seq for f in frames) == list(range(1, len(frames) + 1))
