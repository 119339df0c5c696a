"""Restore a backup into a home that has none of what it holds, and prove that everything is back.

All is built in a folder beside and moved into place once every count and checksum is as it was; a restore that was
broken off leaves a folder ``restoring`` that the next one clears away.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from openami.app.backup import database
from openami.app.backup.files import open_from, unpacked
from openami.app.backup.manifest import BackupError, Manifest, TableCheck, compared
from openami.app.engines.postgres import PostgresEngine
from openami.app.settings import Home
from openami.mdm.adapters.store_engine import StoreEngine
from openami.mdm.adapters.store_snapshot import contents, detached_folder, require_table, restore_parts

_HOLDS = ("postgres", "store", "settings.json")
KEPT_APART = ("keys", "pki", "command", "nats", "gateway")
"""What a backup does not hold and a home needs or may want back; docs/operations/backup.md says which is which."""


def restore_backup(
    folder: Path, manifest: Manifest, home: Home, *, key: bytes, tell: Callable[[str], None] = print
) -> list[TableCheck]:
    """Restore a backup and return how each table compares.

    Args:
        folder: the backup.
        manifest: what it holds.
        home: where to; its ``postgres``, ``store`` and ``settings.json`` must not be there.
        key: opens the backup.
        tell: takes one line of progress.

    Raises:
        BackupError: the home is taken, an engine refused, or what was restored is not what was backed up.
        SealError: a file of the backup is not what was written.
    """
    taken = [name for name in _HOLDS if (home.path / name).exists()]
    if taken:
        raise BackupError(f"{home.path} already has {', '.join(taken)}: restore into another folder, or move them away")
    home.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    building = home.path / "restoring"
    shutil.rmtree(building, ignore_errors=True)
    work = Home(building)
    building.mkdir(mode=0o755)
    tables = _database(folder, manifest, work, key=key)
    tell("database restored")
    parts = _intervals(folder, manifest, work, key=key)
    tell("intervals restored")
    checks = compared(manifest, tables, parts)
    wrong = [c.table for c in checks if not c.is_same]
    if wrong:
        raise BackupError(f"restored, but not as it was: {', '.join(wrong)}; what was built is in {building}")
    for name in ("postgres", "store"):
        (building / name).rename(home.path / name)
    home.settings_file.write_text(json.dumps(manifest.settings, indent=2) + "\n")
    shutil.rmtree(building, ignore_errors=True)
    return checks


def _database(folder: Path, manifest: Manifest, work: Home, *, key: bytes) -> dict[str, tuple[int, str]]:
    engine = PostgresEngine(work.folder("postgres"), work.socket("pg"))
    with (work.path / "postgres.log").open("wb") as log, database.running(engine, log):

        def take(source: IO[bytes]) -> None:
            database.restore(engine, manifest.roles, source)

        open_from(folder, manifest.database, key=key, stream="database", take=take)
        return database.tables_of(engine)


def _intervals(folder: Path, manifest: Manifest, work: Home, *, key: bytes) -> dict[str, list[tuple[int, str]]]:
    temporary = tempfile.tempdir
    engine = StoreEngine.embedded(work.folder("store"))
    try:
        # Merged parts would be new ones, with digests of their own.
        engine.execute("SYSTEM STOP MERGES")
        for table, statement in manifest.made.items():
            require_table(engine, table, statement)
        places = {table: detached_folder(engine, table) for table in manifest.store_contents()}
        for part in manifest.parts:
            open_from(folder, part.sealed, key=key, stream=part.stream, take=unpacked(places[part.table]))
            restore_parts(engine, part.table, [part.part])
        return contents(engine)
    finally:
        engine.close()
        tempfile.tempdir = temporary
