"""``kill -9`` of any process at any moment: what was acknowledged is stored once, no more and no fewer."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conftest import free_port
from tests.e2e.kill import PushingMeters, kill_and_wait

from openami.app.settings import Home, Settings, real_now
from openami.app.supervisor.platform import Platform

PROCESSES = ["gateway", "headend", "store", "worker", "web", "nats", "postgres"]
SOAK_KILLS = int(os.environ.get("OPENAMI_SOAK_KILLS", "1000"))
SEED = int(os.environ.get("OPENAMI_SEED", "20261123"))

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]


@pytest.fixture
async def platform() -> AsyncIterator[tuple[Platform, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="oa-kill-"))
    folder.chmod(0o755)
    now = real_now()
    settings = Settings(
        home=Home(folder / "home"),
        web_port=free_port(),
        gateway_port=free_port(),
        nats_port=free_port(),
        real_origin=now,
        domain_origin=now,
    )
    settings.save()
    running = Platform(settings)
    try:
        async with running.running():
            yield running, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _killed_while_pushing(
    platform: Platform, folder: Path, *, kills: list[list[str]], dice: random.Random
) -> None:
    """Push all the time, kill as told, and compare the promise with the store."""
    meters = await PushingMeters.made(platform.settings, folder, dice, meters=10)
    stop = asyncio.Event()
    carrying = asyncio.create_task(meters.collector.run(stop))

    enough = asyncio.Event()

    async def push() -> None:
        # Ended between pushes, never inside one: a push that was cut off may or may not be on the collector's disk.
        while not enough.is_set():
            await meters.push_once()
            await asyncio.sleep(0.02)

    pushing = asyncio.create_task(push())
    try:
        await asyncio.sleep(1.0)
        for names in kills:
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            await kill_and_wait(platform, names)
            assert not pushing.done(), "the meters stopped pushing"
    finally:
        enough.set()
        await pushing
    try:
        async with asyncio.timeout(90):
            await meters.collector.drained()
        stored = await meters.settled(timeout_s=90)
    finally:
        stop.set()
        await carrying
    missing, extra = meters.expected - stored, stored - meters.expected
    assert not missing, f"seed {SEED}: {len(missing)} of {len(meters.expected)} promised rows are missing"
    assert not extra, f"seed {SEED}: {len(extra)} rows were stored that nobody sent"
    assert len(meters.expected) > 1000


@pytest.mark.timeout(540)
async def test_five_kills_of_each_process_and_one_of_all_lose_nothing(platform: tuple[Platform, Path]) -> None:
    running, folder = platform
    dice = random.Random(SEED)
    kills = [[name] for name in PROCESSES for _ in range(5)]
    dice.shuffle(kills)
    await _killed_while_pushing(running, folder, kills=[*kills, PROCESSES], dice=dice)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
async def test_a_thousand_kills_lose_nothing(platform: tuple[Platform, Path]) -> None:
    running, folder = platform
    dice = random.Random(SEED)
    kills = [[dice.choice(PROCESSES)] if dice.random() < 0.9 else dice.sample(PROCESSES, 3) for _ in range(SOAK_KILLS)]
    await _killed_while_pushing(running, folder, kills=kills, dice=dice)
