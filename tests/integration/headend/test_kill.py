"""The head-end process, killed without warning again and again while frames come, loses and invents nothing."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from openami.app.bench.pushes import PushFactory
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Home, Settings, real_now
from openami.contracts.channel import Channel
from openami.kernel.time import epoch_s

pytestmark = pytest.mark.engines
FRAMES = 4_000
PART = 50


def expected_deliveries(factory: PushFactory) -> set[tuple[str, int, int]]:
    """(meter id, start, value) of every delivered interval of the frames, from before they were sealed."""
    return {(str(m.meter_id), epoch_s(row.end) - 900, row.delivered_wh) for m, row in factory.rows_of_frames(FRAMES)}


async def started(home: Path, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "openami.app.process", "headend", "--home", str(home),
        env={**os.environ, **environment}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.timeout(240)
async def test_kill_9_at_random_moments_loses_and_invents_no_row(
    rig: Any, postgres: PostgresEngine, tmp_path: Path
) -> None:
    dice = random.Random(7)
    home = Home(tmp_path / "home")
    Settings(home, partition_groups=4).save()
    (home.folder("keys") / "root.key").write_bytes((tmp_path / "root.key").read_bytes())
    (home.folder("keys") / "root.key").chmod(0o400)
    environment = {
        "OPENAMI_POSTGRES_URL": postgres.url(SUPERUSER),
        "OPENAMI_NATS_DMZ_URL": rig.nats.url("headend_dmz"),
        "OPENAMI_NATS_CORE_URL": rig.nats.url("core"),
    }
    frames = rig.factory.profile_frames(FRAMES)

    async def feed() -> None:
        for start in range(0, FRAMES, PART):
            await rig.send(frames[start : start + PART])
            await asyncio.sleep(0.1)

    feeding = asyncio.create_task(feed())
    child = await started(home.path, environment)
    for _ in range(5):
        await asyncio.sleep(dice.uniform(0.8, 3.5))
        child.kill()
        await child.wait()
        child = await started(home.path, environment)
    await feeding
    try:
        await rig.until_counted(FRAMES, wait_s=90)
    finally:
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 20) == 0
    emitted = await rig.emitted()
    assert {(m, s, v) for m, c, s, v, _ in emitted if c == Channel.DELIVERED} == expected_deliveries(rig.factory)
    assert len({(m, c, s, i) for m, c, s, _, i in emitted}) == FRAMES * 12
    counts = await rig.status.counts(now=real_now())
    assert (counts.frames, counts.accepted, counts.refused) == (FRAMES, FRAMES, {})


@pytest.mark.timeout(120)
async def test_a_bus_killed_and_started_again_leaves_no_gap(rig: Any) -> None:
    frames = rig.factory.profile_frames(200)
    configuration = str(rig.nats.folder / "nats.conf")
    (server,) = [p for p in psutil.process_iter(["cmdline"]) if configuration in (p.info["cmdline"] or [])]
    async with rig.running(rig.headend()):
        await rig.send(frames[:100])
        server.kill()
        await asyncio.sleep(1)
        again = await asyncio.create_subprocess_exec(*rig.nats.command(), stderr=asyncio.subprocess.DEVNULL)
        await rig.until(lambda: asyncio.to_thread(rig.nats.is_ready))
        await rig.until(rig.is_connected)
        await rig.send(frames[100:])
        await rig.until_counted(200)
        counts = await rig.status.counts(now=real_now())
        assert (counts.accepted, counts.refused) == (200, {})
        assert len({(m, c, s, i) for m, c, s, _, i in await rig.emitted()}) == 200 * 12
    again.terminate()
    await again.wait()
