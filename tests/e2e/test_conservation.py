"""Energy is conserved through 13 months of losses, rollovers, exchanges and clock changes; a separate checker says so.

The checker (:mod:`tests.e2e.conservation`) runs as a process that loads nothing of the program, on the files of a
stopped platform. It must also be seen to fail: a history whose meters drop the remainder below a watt-hour does.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conftest import ROOT, free_port
from tests.e2e.conftest import DAYS, HOMES, Demo, announced, restart_demo, stop
from tests.e2e.conservation import Account, Scenario, Verdict
from tests.e2e.own_meter import signed_in, until

from openami.app.engines.address import postgres_engine
from openami.app.engines.postgres import DATABASE, SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.people.demo_people import DemoHooks
from openami.app.readings.history import load_history
from openami.app.settings import Settings
from openami.app.territory.territory_files import TerritoryFiles
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.meter.registers import I64, MJ_PER_WH

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(420)]
CHECKER = ROOT / "tests" / "e2e" / "conservation.py"
QUIET_S = 5.0
"""Nothing new for this long: what the meters have sent is validated."""


def drop_remainder(_total_mj: I64, added_mj: I64) -> I64:
    """Round each interval by itself, as a careless meter would."""
    return added_mj // MJ_PER_WH


def dsn(engine: PostgresEngine) -> str:
    """Return how the checker reaches the master data."""
    return f"host={engine.sockets} user={SUPERUSER} dbname={DATABASE}"


def validated_days(engine: PostgresEngine) -> tuple[int, int]:
    """Return how many local days had their first validation, and how many requests for another wait."""
    with psycopg.connect(dsn(engine)) as connection:
        found = connection.execute(
            "select (select count(distinct local_day) from mdm.vee_day), (select count(*) from mdm.vee_request)"
        ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


@contextmanager
def postgres_alone(settings: Settings) -> Iterator[PostgresEngine]:
    """Run the master data's engine of a stopped platform, and nothing else of it."""
    engine = postgres_engine(settings)
    engine.prepare()
    rights: dict[str, Any] = (
        {"user": engine.user(), "group": engine.user(), "extra_groups": []} if engine.user() else {}
    )
    child = subprocess.Popen(engine.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **rights)
    try:
        engine.wait_ready(60)
        yield engine
    finally:
        child.terminate()
        child.wait(30)


def checked(settings: Settings) -> Verdict:
    """Run the checker on a stopped platform."""
    with postgres_alone(settings) as engine:
        command = [sys.executable, str(CHECKER), dsn(engine), str(settings.home.path / "store" / "engine")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["loaded"] == [], "the checker knows SQL and nothing of the program"
    accounts = [Account(**{**a, "faults": tuple(a["faults"])}) for a in found["accounts"]]
    return Verdict(accounts, Scenario(**found["scenario"]))


async def _settled(demo: Demo, settings: Settings) -> None:
    """Wait until all that was held back has been sent, stored and validated."""
    files, engine = TerritoryFiles(settings.home.path / "territory"), postgres_engine(settings)
    end_s = files.plan().history_end_s

    async def sent() -> bool:
        return files.standing().back_at_s >= end_s

    await until(sent, what="the territory has sent what was held back", timeout_s=120)
    async with signed_in(demo, demo.people["staff"]) as staff:
        last: tuple[Any, ...] = ()
        since = time.monotonic()

        async def quiet() -> bool:
            nonlocal last, since
            frames = (await staff.get("/staff/now")).json()["frames_total"]
            seen = (frames, *validated_days(engine))
            if seen != last or seen[2] or seen[1] < DAYS:
                last, since = seen, time.monotonic()
            return time.monotonic() - since > QUIET_S

        await until(quiet, what="everything is validated", timeout_s=180)


async def test_thirteen_months_add_up_to_the_registers(demo: Demo) -> None:
    settings = Settings.load(demo.home)
    await _settled(demo, settings)
    places = set(TerritoryFiles(demo.home / "territory").plan().service_points)
    stop(demo.process)
    try:
        verdict = checked(settings)
    finally:
        began = time.monotonic()
        restart_demo(demo)
    print(f"\nan existing home serves again after {time.monotonic() - began:.1f} s")  # noqa: T201 - shown to people
    mine = [a for a in verdict.accounts if a.place in places]
    delivered = [a for a in mine if a.channel == "delivered"]
    print(f"{verdict.scenario}\n{verdict.table(delivered[:4])}")  # noqa: T201 - shown to people
    print(  # noqa: T201 - shown to people
        f"{len(mine)} accounts, {sum(a.register_wh for a in mine)} Wh by registers, "
        f"{sum(a.days_wh for a in mine)} Wh by days, largest difference {max(abs(a.difference_wh) for a in mine)} Wh"
    )
    assert not [a for a in mine if a.faults], verdict.table(a for a in mine if a.faults)
    assert len(delivered) == HOMES
    assert min(a.days for a in delivered) >= DAYS - 20
    assert sum(a.register_wh for a in mine if a.channel == "received") > 0
    seen = verdict.scenario
    assert seen.lost_intervals > 100
    assert seen.estimated_intervals > 100
    assert (seen.rollovers >= 1, seen.exchanges, seen.short_days >= 1, seen.long_days >= 1) == (True, 2, True, True)


@pytest.fixture
def small_home() -> Iterator[tuple[Settings, subprocess.Popen[str]]]:
    """A platform without a territory, asked for a small history."""
    folder = Path(tempfile.mkdtemp(prefix="oa-drop-"))
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    (home / "demo.json").write_text(json.dumps({"homes": 12, "days": 17, "seed": 3}))
    options = ("--port", str(free_port()), "--gateway-port", str(free_port()), "--nats-port", str(free_port()))
    process, _ = announced(home, "up", options, timeout_s=120)
    try:
        yield Settings.load(home), process
    finally:
        stop(process)
        shutil.rmtree(folder, ignore_errors=True)


async def test_the_checker_fails_where_the_remainder_is_dropped(
    small_home: tuple[Settings, subprocess.Popen[str]],
) -> None:
    settings, process = small_home
    store = SocketStore(settings.home.store_socket)
    try:
        async with room_database(settings, "openami_mdm") as engine:
            registry = PostgresRegistry(engine)
            hooks, never = DemoHooks(settings), asyncio.Event()
            assert await load_history(
                settings, registry=registry, store=store, hooks=hooks, stop=never, capture=drop_remainder
            )
    finally:
        await store.close()

    async def done() -> bool:
        return validated_days(postgres_engine(settings)) >= (17, 0) and not validated_days(postgres_engine(settings))[1]

    await until(done, what="the history is validated", timeout_s=120)
    await asyncio.to_thread(stop, process)
    verdict = checked(settings)
    delivered = [a for a in verdict.accounts if a.channel == "delivered"]
    print(f"\nremainder dropped:\n{verdict.table(delivered)}")  # noqa: T201 - shown to people
    assert len(verdict.failures) >= len(delivered) == 12
    assert all(a.faults and a.difference_wh > 100 for a in delivered)
