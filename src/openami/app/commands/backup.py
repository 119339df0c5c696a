"""``openami backup`` and ``openami restore``: registry, accounts, bills, keys and intervals at one point in time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption

if TYPE_CHECKING:
    from openami.app.backup.manifest import Manifest, TableCheck

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup's folder.")]
KeyOption = Annotated[
    Path | None, typer.Option("--key-file", help="File of the backup key (keys/backup.key in the home).")
]


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder for the backup.")],
    since: Annotated[
        Path | None, typer.Option("--since", help="Earlier backup on the same disk: what it has is linked, not copied.")
    ] = None,
    key_file: KeyOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Back up database and intervals at one point, beside a platform that goes on working. Sealed with a key."""
    from openami.app.backup.files import backup_key
    from openami.app.backup.take import take_backup
    from openami.app.settings import Settings

    settings = Settings.load(home)
    place = key_file or settings.home.folder("keys") / "backup.key"
    key = backup_key(place, make=key_file is None)
    console = Console(stderr=True)
    manifest = asyncio.run(take_backup(settings, folder, key=key, since=since, tell=console.print))
    if json_output:
        print(json.dumps(_summary(manifest)))
        return
    _show(manifest)
    print(f"Keep a copy of {place} elsewhere: without it the backup cannot be opened.")


def restore(
    folder: FolderArgument,
    key_file: KeyOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only open every file of the backup; restore nothing.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Restore a backup into a new home and compare every count and checksum. Start it with ``openami up`` then."""
    from openami.app.backup.files import backup_key, check_files, read_manifest
    from openami.app.backup.restore import KEPT_APART, restore_backup
    from openami.app.settings import Home

    key = backup_key(key_file or home / "keys" / "backup.key", make=False)
    manifest = read_manifest(folder, key=key)
    if check:
        octets = check_files(folder, manifest, key=key)
        if json_output:
            print(json.dumps(_summary(manifest) | {"octets": octets}))
        else:
            _show(manifest)
            print(f"Every file opens and is what was written: {octets / 1e6:,.1f} MB.")
        return
    checks = restore_backup(folder, manifest, Home(home), key=key, tell=Console(stderr=True).print)
    missing = [name for name in KEPT_APART if not (home / name).exists()]
    if json_output:
        rows = [{"table": c.table, "rows": c.rows, "found": c.rows_found, "same": c.is_same} for c in checks]
        print(json.dumps({"point": manifest.point.isoformat(), "tables": rows, "bring": missing}))
        return
    _show_checks(checks)
    print(f"Restored to {manifest.point.isoformat()}.")
    if missing:
        print(f"Not part of a backup, bring what you still have to {home}: {', '.join(missing)}.")


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "point": manifest.point.isoformat(),
        "made_at": manifest.made_at.isoformat(),
        "database": {name: count for name, (count, _) in manifest.tables.items()},
        "store": {table: sum(r for r, _ in parts) for table, parts in manifest.store_contents().items()},
    }


def _show(manifest: Manifest) -> None:
    table = Table(title=f"Backup at {manifest.point.isoformat()}", title_justify="left")
    table.add_column("what")
    table.add_column("rows", justify="right")
    rows = sum(count for count, _ in manifest.tables.values())
    table.add_row(f"database, {len(manifest.tables)} tables", f"{rows:,}")
    for name, parts in manifest.store_contents().items():
        table.add_row(f"{name}, {len(parts)} parts", f"{sum(r for r, _ in parts):,}")
    Console().print(table)


def _show_checks(checks: list[TableCheck]) -> None:
    table = Table(title="Restored and compared", title_justify="left")
    for column in ("table", "rows", "checksum"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for check in checks:
        if check.rows:
            table.add_row(check.table, f"{check.rows:,}", "the same" if check.is_same else "differs")
    Console().print(table)
