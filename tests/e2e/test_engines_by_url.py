"""A PostgreSQL and a NATS of one's own, by address: the platform starts on them and starts none of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.conftest import free_port
from tests.e2e.conftest import announced, stop

from openami.app.engines.nats import NatsEngine
from openami.app.engines.postgres import SUPERUSER, PostgresEngine

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(240)]
PASSWORD = "not-in-any-file"


@contextmanager
def own_postgres(folder: Path) -> Iterator[str]:
    """Run a server that asks for a password over TCP; give the address of a login that may make roles and schemas."""
    port = free_port()
    engine = PostgresEngine(folder / "data", folder / "s")
    engine.prepare()
    configuration = engine.data / "postgresql.conf"
    text = configuration.read_text().replace("listen_addresses = ''", f"listen_addresses = '127.0.0.1'\nport = {port}")
    configuration.write_text(text)
    (engine.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    child = subprocess.Popen(engine.command(), cwd="/", stderr=subprocess.DEVNULL, **engine.rights())
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                dsn = f"host={engine.sockets} port={port} user={SUPERUSER} dbname=postgres"
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute(f"create role utility login superuser password '{PASSWORD}'")
                    connection.execute("create database ami owner utility")
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.1)
        yield f"postgresql+psycopg://utility:{PASSWORD}@127.0.0.1:{port}/ami"
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(30)


@contextmanager
def own_nats(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a server; give its addresses for the DMZ and for core."""
    engine = NatsEngine(folder / "nats", "127.0.0.1", free_port())
    engine.prepare()
    child = subprocess.Popen(engine.command(), stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not engine.is_ready():
            assert time.monotonic() < deadline, "nats-server did not start"
            time.sleep(0.05)
        yield engine.url("dmz_admin"), engine.url("core_admin")
    finally:
        child.terminate()
        child.wait(30)


def test_the_platform_runs_on_engines_of_ones_own_and_writes_no_password_down(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oa-own-"))
    folder.chmod(0o755)
    home = folder / "home"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        monkeypatch.setenv("OPENAMI_POSTGRES_URL", stack.enter_context(own_postgres(folder)))
        dmz, core = stack.enter_context(own_nats(folder))
        monkeypatch.setenv("OPENAMI_NATS_DMZ_URL", dmz)
        monkeypatch.setenv("OPENAMI_NATS_CORE_URL", core)
        ports = ("--port", str(free_port()), "--gateway-port", str(free_port()))
        process, told = announced(home, "up", ports, timeout_s=120)
        try:
            serving = {p["name"] for p in told["processes"] if p["serves"]}
        finally:
            stop(process)
        written = b"".join(f.read_bytes() for f in home.rglob("*") if f.is_file() and f.stat().st_size < 1_000_000)
    assert serving == {"store", "gateway", "headend", "command", "worker", "web"}
    assert PASSWORD.encode() not in written
