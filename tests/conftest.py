"""Shared fixtures: real engines started once for a whole run, and the folder of data made by others."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tests.attacks.marks import mark_by_name
from tests.scheduling import PLATFORMS, PlatformsTogether
from xdist.remote import Producer

from openami.app.engines.migrate import migrate
from openami.app.engines.nats import NatsEngine, ensure_streams
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Home, Settings
from openami.kernel.clock import FixedClock

ROOT = Path(__file__).parent.parent
# How long an example takes is this machine's affair; every test has a time limit of its own.
hypothesis.settings.register_profile("openami", deadline=None)
hypothesis.settings.load_profile("openami")
SHARED_DATA = Path(os.environ.get("OPENAMI_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each test the attacks that it is about, before ``-m`` chooses, and begin with what takes longest."""
    for item in items:
        mark_by_name(item)
    items.sort(key=lambda item: not item.nodeid.startswith(PLATFORMS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> PlatformsTogether:
    """Share the suite among workers as :mod:`tests.scheduling` says."""
    config.option.loadscopereorder = False
    return PlatformsTogether(config, log)


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of telegrams, tariffs and Green Button files made by others."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"conformance data made by others is not at {SHARED_DATA} (set OPENAMI_TEST_DATA)")
    return SHARED_DATA


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary folder whose path is short enough for Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="oa-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresEngine]:
    """A PostgreSQL server with every migration run; its data are thrown away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="oa-pg-"))
    folder.chmod(0o755)
    engine = PostgresEngine(folder / "data", folder / "s")
    engine.prepare()
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(engine.command(), stdout=log, stderr=log, cwd="/", **engine.rights())
    try:
        engine.wait_ready(60)
        engine.ensure_database()
        forget_power_cuts(engine)
        migrate(engine.url(SUPERUSER))
        yield engine
    finally:
        # At once: nobody reads it again, and whoever is still connected need not be waited for.
        child.send_signal(signal.SIGQUIT)
        child.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def forget_power_cuts(engine: PostgresEngine) -> None:
    """Wait for no disk: the tests kill processes of ours, and never the machine."""
    import psycopg

    with psycopg.connect(f"host={engine.sockets} user={SUPERUSER} dbname=openami", autocommit=True) as c:
        c.execute("alter system set fsync = off")
        c.execute("select pg_reload_conf()")


@pytest.fixture
def postgres(postgres_server: PostgresEngine) -> Iterator[PostgresEngine]:
    """The server with all rows of all rooms removed after the test."""
    yield postgres_server
    import psycopg
    from psycopg import sql

    with psycopg.connect(f"host={postgres_server.sockets} user={SUPERUSER} dbname=openami", autocommit=True) as c:
        tables = c.execute(
            "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname not in "
            "('pg_catalog', 'information_schema', 'public')"
        ).fetchall()
        # To truncate costs a file each, and a test fills a handful.
        look = sql.SQL("select {name} where exists (select from {table})")
        looks = [look.format(name=sql.Literal(t), table=sql.SQL(t)) for (t,) in tables]
        tables = c.execute(sql.SQL(" union all ").join(looks)).fetchall() if looks else []
        if tables:
            c.execute(f"truncate {', '.join(t for (t,) in tables)} restart identity cascade")


@pytest.fixture
async def nats_server(short_tmp: Path) -> AsyncIterator[NatsEngine]:
    """A JetStream server with every stream made."""
    engine = NatsEngine(short_tmp / "nats", "127.0.0.1", free_port())
    engine.prepare()
    with (short_tmp / "nats.log").open("wb") as log:
        child = subprocess.Popen(engine.command(), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while not engine.is_ready():
            assert time.monotonic() < deadline, "nats-server did not start"
            time.sleep(0.05)
        await ensure_streams(dmz_url=engine.url("dmz_admin"), core_url=engine.url("core_admin"))
        yield engine
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture(scope="session")
def store_process() -> Iterator[Path]:
    """The store process over its own home, without a bus; yields the path of its socket. Kept for a whole run."""
    home = Home(Path(tempfile.mkdtemp(prefix="oa-st-")))
    Settings(home, nats_port=free_port()).save()
    ready = home.path / "ready"
    command = [sys.executable, "-m", "openami.app.process", "store", "--home", str(home.path)]
    with (home.path / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OPENAMI_READY_FILE": str(ready)})
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert child.poll() is None, (home.path / "log").read_text()
            assert time.monotonic() < deadline, "the store did not start"
            time.sleep(0.05)
        yield home.store_socket
    finally:
        child.terminate()
        child.wait(30)
        shutil.rmtree(home.path, ignore_errors=True)


@pytest.fixture
def fake_store() -> Any:
    """An interval store in memory (both store ports), stamped by a clock that stands at 2026-06-01T00:00Z."""
    from tests.contract.store.fake_store import FakeStore

    return FakeStore(FixedClock(datetime(2026, 6, 1, tzinfo=UTC)))
