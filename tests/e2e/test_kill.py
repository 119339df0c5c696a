"""``kill -9`` of any process at any moment: what was acknowledged is stored once, no more and no fewer."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.conftest import free_port
from tests.e2e.kill import PushingMeters, kill_and_wait

from openami.app.settings import Home, Settings, real_now
from openami.app.supervisor.platform import Platform

PROCESSES = ["gateway", "headend", "command", "store", "worker", "web", "nats", "postgres"]
KILLS_OF_EACH = 2
SOAK_KILLS = int(os.environ.get("OPENAMI_SOAK_KILLS", "1000"))
KILLS_A_ROUND = int(os.environ.get("OPENAMI_SOAK_ROUND", "50"))
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
    meters: PushingMeters, platform: Platform, *, kills: list[list[str]], dice: random.Random, pause_s: float
) -> None:
    """Push all the time, kill as told, and compare the promise with the store."""
    enough = asyncio.Event()

    async def push() -> None:
        # Ended between pushes, never inside one: a push that was cut off may or may not be on the collector's disk.
        while not enough.is_set():
            await meters.push_once()
            await asyncio.sleep(pause_s)

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
    async with asyncio.timeout(90):
        await meters.collector.drained()
    stored = await meters.settled(timeout_s=90)
    missing, extra = meters.expected - stored, stored - meters.expected
    assert not missing, f"seed {SEED}: {len(missing)} of {len(meters.expected)} promised rows are missing"
    assert not extra, f"seed {SEED}: {len(extra)} rows were stored that nobody sent"


@asynccontextmanager
async def _carried(running: Platform, folder: Path, dice: random.Random) -> AsyncIterator[PushingMeters]:
    """Yield ten meters whose collector carries."""
    meters = await PushingMeters.made(running.settings, folder, dice, meters=10)
    stop = asyncio.Event()
    carrying = asyncio.create_task(meters.collector.run(stop))
    try:
        yield meters
    finally:
        stop.set()
        await carrying


@pytest.mark.timeout(540)
async def test_two_kills_of_each_process_and_one_of_all_lose_nothing(platform: tuple[Platform, Path]) -> None:
    """The thousand below are the proof; these few are here so that a change that loses rows does not land."""
    running, folder = platform
    dice = random.Random(SEED)
    kills = [[name] for name in PROCESSES for _ in range(KILLS_OF_EACH)]
    dice.shuffle(kills)
    async with _carried(running, folder, dice) as meters:
        await _killed_while_pushing(meters, running, kills=[*kills, PROCESSES], dice=dice, pause_s=0.02)
        assert len(meters.expected) > 500


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
async def test_a_thousand_kills_lose_nothing(
    platform: tuple[Platform, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Compare after every fifty kills, and everything once more at the end: a late kill must not harm early rows."""
    running, folder = platform
    dice = random.Random(SEED)
    left, rows = SOAK_KILLS, 0
    async with _carried(running, folder, dice) as meters:
        while left > 0:
            count = min(left, KILLS_A_ROUND)
            kills = [
                [dice.choice(PROCESSES)] if dice.random() < 0.9 else dice.sample(PROCESSES, 3) for _ in range(count)
            ]
            await _killed_while_pushing(meters, running, kills=kills, dice=dice, pause_s=0.2)
            rows += meters.close_account().rows
            left -= count
            _say(capsys, f"{SOAK_KILLS - left} of {SOAK_KILLS} kills, {rows} rows promised and stored")
        for account in meters.accounts:
            assert await meters.is_still_stored(account), f"seed {SEED}: rows of {account.span.start} have changed"
    _say(capsys, f"{SOAK_KILLS} kills; all {rows} rows found again")


def _say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with capsys.disabled():
        print(words, flush=True)  # noqa: T201 - an hour's run tells how far it is
