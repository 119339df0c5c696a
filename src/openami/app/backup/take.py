"""Make a backup of a running platform, at one point of database and interval store.

The store's writes are held for a moment (the bus and the workers wait), the database's snapshot is taken, and the
store's parts are linked. What the database of that instant refers to is in the store of that instant, for a worker
writes to the store first. Everything else, the copying, goes on beside a platform that works.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from openami.app.backup.database import DatabaseSnapshot, snapshot
from openami.app.backup.files import packed, read_manifest, seal_to, write_manifest
from openami.app.backup.manifest import DATABASE_FILE, BackupError, Manifest, PartCopy, SealedFile
from openami.app.engines.address import postgres_url
from openami.app.engines.postgres import SUPERUSER
from openami.app.settings import Settings, real_now
from openami.mdm.adapters.store_socket import SocketStore
from openami.security.access.scope import Purpose, system_scope

HOLD_S = 20.0
_SCOPE = system_scope(process="backup", purpose=Purpose.MAINTENANCE)


async def take_backup(
    settings: Settings, folder: Path, *, key: bytes, since: Path | None = None, tell: Callable[[str], None] = print
) -> Manifest:
    """Make a backup in a new folder.

    Args:
        settings: of an installation that runs.
        folder: made; must not be there, or be empty.
        key: seals it.
        since: an earlier backup under the same key, on the same disk; parts that it has are linked, not copied.
        tell: takes one line of progress.

    Raises:
        BackupError: the folder is taken, the platform does not run here, or the disk refused.
        StoreError: the store refused or did not answer; trying again helps.
    """
    known = {} if since is None else _known(since, key)
    _make(folder)
    name = uuid4().hex
    store = SocketStore(settings.home.store_socket)
    try:
        async with _held(store, name):
            with snapshot(postgres_url(settings, SUPERUSER)) as database:
                made_at, point = real_now(), settings.clock().now()
                linked = await store.freeze(_SCOPE, name)
                tell(f"one point held: {len(linked)} parts of the store, a snapshot of the database")
                return await asyncio.to_thread(
                    _copied, settings, folder, database, linked, known, key, tell, {"point": point, "made_at": made_at}
                )
    finally:
        await store.close()


@asynccontextmanager
async def _held(store: SocketStore, name: str) -> AsyncIterator[None]:
    await store.hold_writes(_SCOPE, name, seconds=HOLD_S)
    try:
        yield
    finally:
        await store.thaw(_SCOPE, name)


def _copied(
    settings: Settings,
    folder: Path,
    database: DatabaseSnapshot,
    linked: list[dict[str, Any]],
    known: dict[str, PartCopy],
    key: bytes,
    tell: Callable[[str], None],
    stamps: dict[str, Any],
) -> Manifest:
    """Copy what stands still, and write the manifest last."""
    root = settings.home.folder("store")
    parts = []
    for row in linked:
        file = f"store/{row['table']}/{row['part']}.sealed"
        part = PartCopy(row["table"], row["part"], row["rows"], row["content"], SealedFile(file, 0, ""))
        earlier = known.get(part.stream)
        if earlier is not None:
            sealed = _link(Path(earlier.sealed.file), folder / file, earlier.sealed, file)
        else:
            sealed = seal_to(folder, file, key=key, stream=part.stream, fill=packed(root / row["folder"]))
        parts.append(PartCopy(part.table, part.part, part.rows, part.content, sealed))
    tell(f"intervals copied: {sum(p.rows for p in parts)} rows")
    dump = seal_to(folder, DATABASE_FILE, key=key, stream="database", fill=database.dump)
    tables = database.tables()
    tell(f"database copied: {sum(count for count, _ in tables.values())} rows in {len(tables)} tables")
    manifest = Manifest(
        settings=_portable(settings), roles=database.roles(), revision=database.revision(), database=dump,
        tables=tables, parts=parts, made={row["table"]: row["create"] for row in linked}, **stamps,
    )  # fmt: skip
    write_manifest(folder, manifest, key=key)
    return manifest


def _known(since: Path, key: bytes) -> dict[str, PartCopy]:
    """Return the parts of an earlier backup by content, each with the whole path of its file."""
    found = {}
    for part in read_manifest(since, key=key).parts:
        place = SealedFile(str(since / part.sealed.file), part.sealed.octets, part.sealed.sha256)
        found[part.stream] = PartCopy(part.table, part.part, part.rows, part.content, place)
    return found


def _link(source: Path, target: Path, sealed: SealedFile, file: str) -> SealedFile:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        raise BackupError(f"{source} cannot be linked ({error.strerror}): leave --since out") from error
    return SealedFile(file, sealed.octets, sealed.sha256)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise BackupError(f"{folder} cannot be made: {error.strerror}") from error
    if taken:
        raise BackupError(f"{folder} is not empty: a backup goes to a folder of its own")


def _portable(settings: Settings) -> dict[str, Any]:
    """Return the settings without what belongs to this machine: addresses of engines may hold passwords."""
    row = {name: value for name, value in asdict(settings).items() if not name.endswith("_url")}
    row["home"] = None
    row["real_origin"] = settings.real_origin.isoformat()
    row["domain_origin"] = (settings.domain_origin or settings.real_origin).isoformat()
    return row
