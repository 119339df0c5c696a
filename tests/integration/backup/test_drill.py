"""The restore drill: back up while rows are written, destroy, restore, compare counts and checksums."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from tests.conftest import free_port
from tests.integration.store.support import START_S, StoreChild, quarter_hours

from openami.app.backup.files import backup_key, check_files, read_manifest
from openami.app.backup.manifest import BackupError, Manifest
from openami.app.backup.restore import restore_backup
from openami.app.backup.take import take_backup
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Home, Settings
from openami.contracts.channel import Channel
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.security.access.scope import Purpose, system_scope
from openami.security.sealed_stream import SealError

pytestmark = pytest.mark.engines
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
WHOLE = Period(instant_from_epoch_s(START_S) - timedelta(days=1), instant_from_epoch_s(START_S) + timedelta(days=400))
ROWS = 200
_NOTE = "insert into mdm.service_point (id, zone, status, made_at) values (%s, 'America/Chicago', 'active', now())"


@pytest.fixture
def child(short_tmp: Path, postgres: PostgresEngine) -> Iterator[StoreChild]:
    home = Home(short_tmp / "a")
    Settings(home, nats_port=free_port(), postgres_url=postgres.url(SUPERUSER)).save()
    running = StoreChild(home, 0)
    running.start()
    yield running
    running.stop()


def dsn(engine: PostgresEngine) -> str:
    return engine.url(SUPERUSER).replace("postgresql+psycopg", "postgresql")


class Load:
    """Writers that first keep readings and then note the meter in the database, as a worker does."""

    def __init__(self, store: SocketStore, database: str) -> None:
        self.store, self.database = store, database
        self.kept: list[UUID] = []
        self.ended = asyncio.Event()

    async def write(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self.database, autocommit=True)
        async with connection:
            while not self.ended.is_set():
                meter = uuid4()
                await self.store.write_readings(quarter_hours(meter, ROWS), token=str(meter))
                await connection.execute(_NOTE, (meter,))
                self.kept.append(meter)

    async def grown(self, more: int) -> None:
        wanted = len(self.kept) + more
        async with asyncio.timeout(60):
            while len(self.kept) < wanted:
                await asyncio.sleep(0.01)


async def backed_up_under_load(
    child: StoreChild, database: str, folder: Path, key: bytes
) -> tuple[Manifest, Load, int]:
    store = child.client()
    load = Load(store, database)
    writers = [asyncio.create_task(load.write()) for _ in range(3)]
    await load.grown(12)
    before = len(load.kept)
    manifest = await take_backup(Settings.load(child.home.path), folder, key=key, tell=lambda _: None)
    await load.grown(12)
    load.ended.set()
    await asyncio.gather(*writers)
    await store.close()
    return manifest, load, before


async def test_a_backup_under_load_restores_to_one_point_with_every_count_and_checksum(
    child: StoreChild, postgres: PostgresEngine, short_tmp: Path
) -> None:
    key = backup_key(short_tmp / "backup.key", make=True)
    manifest, load, before = await backed_up_under_load(child, dsn(postgres), short_tmp / "b", key)
    child.kill()
    shutil.rmtree(child.home.path)
    home = Home(short_tmp / "c")
    checks = restore_backup(
        short_tmp / "b", read_manifest(short_tmp / "b", key=key), home, key=key, tell=lambda _: None
    )
    assert {c.table for c in checks if c.rows} >= {"mdm.service_point", "public.alembic_version", "reading_raw"}
    assert all(c.is_same for c in checks)

    noted = noted_in(home)
    restored = StoreChild(home, 0)
    restored.start()
    store = restored.client()
    spans = [MeterSpan(m, m, WHOLE) for m in load.kept]
    got = await store.readings(SYSTEM, spans, Channel.DELIVERED, WHOLE)
    ids, found = np.unique(got.meter_id.view("S16"), return_counts=True)
    by_id = {bytes(i).ljust(16, b"\0"): int(n) for i, n in zip(ids, found, strict=True)}
    counts = {m: by_id.get(m.bytes, 0) for m in load.kept}
    await store.close()
    assert restored.stop() == 0
    assert set(load.kept[:before]) <= noted, "what was acknowledged before the backup is missing"
    assert len(noted) < len(load.kept), "the load went on after the backup"
    assert {m for m, n in counts.items() if n} >= noted, "the database refers to readings that the store lacks"
    assert set(counts.values()) <= {0, ROWS}, "a write came back in part"
    # One write of each of three writers may have been kept and not yet noted.
    assert len([m for m, n in counts.items() if n]) <= len(noted) + 3
    assert sum(counts.values()) == dict(manifest_rows(manifest))["reading_raw"]


def manifest_rows(manifest: Manifest) -> list[tuple[str, int]]:
    return [(table, sum(n for n, _ in parts)) for table, parts in manifest.store_contents().items()]


def noted_in(home: Home) -> set[UUID]:
    """Start the restored database as ``openami up`` would, and read what it notes."""
    from openami.app.backup import database

    engine = PostgresEngine(home.folder("postgres"), home.socket("pg"))
    with (home.path / "pg.log").open("wb") as log, database.running(engine, log), psycopg.connect(dsn(engine)) as c:
        return {row[0] for row in c.execute("select id from mdm.service_point").fetchall()}


async def test_a_second_backup_links_what_the_first_has_and_each_opens_alone(
    child: StoreChild, postgres: PostgresEngine, short_tmp: Path
) -> None:
    settings, key = Settings.load(child.home.path), os.urandom(32)
    store = child.client()
    await store.write_readings(quarter_hours(uuid4(), 50), token="one")
    first, second = short_tmp / "first", short_tmp / "second"
    await take_backup(settings, first, key=key, tell=lambda _: None)
    await store.write_readings(quarter_hours(uuid4(), 50), token="two")
    await store.close()
    manifest = await take_backup(settings, second, key=key, since=first, tell=lambda _: None)
    links = [(second / p.sealed.file).stat().st_nlink for p in manifest.parts if p.rows == 50]
    assert sorted(links) == [1, 2]
    shutil.rmtree(first)
    assert check_files(second, manifest, key=key) > 0
    shadow = child.home.path / "store" / "engine" / "shadow"
    assert not [p for p in shadow.iterdir() if p.is_dir()], "the snapshot's links are left behind"


async def test_a_changed_missing_or_foreign_backup_is_refused_in_words_and_leaves_no_home(
    child: StoreChild, postgres: PostgresEngine, short_tmp: Path
) -> None:
    settings, key, folder = Settings.load(child.home.path), os.urandom(32), short_tmp / "b"
    store = child.client()
    await store.write_readings(quarter_hours(uuid4(), 50), token="one")
    await store.close()
    manifest = await take_backup(settings, folder, key=key, tell=lambda _: None)
    with pytest.raises(BackupError, match="is not empty"):
        await take_backup(settings, folder, key=key, tell=lambda _: None)
    with pytest.raises(BackupError, match="was sealed with key"):
        read_manifest(folder, key=os.urandom(32))
    with pytest.raises(BackupError, match="already has store"):
        restore_backup(folder, manifest, child.home, key=key, tell=lambda _: None)

    part = folder / manifest.parts[0].sealed.file
    octets = bytearray(part.read_bytes())
    octets[len(octets) // 2] ^= 1
    part.write_bytes(octets)
    with pytest.raises(SealError, match="not authentic"):
        check_files(folder, manifest, key=key)
    part.unlink()
    with pytest.raises(BackupError, match="missing from the backup"):
        check_files(folder, manifest, key=key)
    (folder / "backup.json").unlink()
    with pytest.raises(BackupError, match="not finished"):
        read_manifest(folder, key=key)


async def test_nothing_in_a_backup_can_be_read_without_its_key(
    child: StoreChild, postgres: PostgresEngine, short_tmp: Path
) -> None:
    meter = uuid4()
    with psycopg.connect(dsn(postgres), autocommit=True) as connection:
        connection.execute(_NOTE, (meter,))
    await take_backup(Settings.load(child.home.path), short_tmp / "b", key=os.urandom(32), tell=lambda _: None)
    whole = b"".join(p.read_bytes() for p in (short_tmp / "b").rglob("*") if p.is_file())
    for plain in (str(meter).encode(), meter.bytes, b"PGDMP", b"columns format version", b"America/Chicago"):
        assert plain not in whole
    head = json.loads((short_tmp / "b" / "backup.json").read_text())
    assert set(head) == {"format", "made_at", "key", "manifest"}
