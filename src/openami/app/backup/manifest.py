"""What a backup holds and what must be found again after it was restored. Pure.

A backup is a folder: ``backup.json`` (open: when, which key), ``manifest.sealed`` (the rest, as JSON),
``database.sealed`` (what ``pg_dump`` wrote) and one sealed file for each part of a table of the interval store.
``backup.json`` is written last: a folder without it is no backup.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from openami.kernel.errors import OpenAmiError

FORMAT = 1
HEAD_FILE, MANIFEST_FILE, DATABASE_FILE = "backup.json", "manifest.sealed", "database.sealed"


class BackupError(OpenAmiError):
    """A backup cannot be made, read or restored; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file of a backup.

    Args:
        file: its path in the backup.
        octets: its length, sealed.
        sha256: of the sealed octets, in hexadecimal.
    """

    file: str
    octets: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PartCopy:
    """One part of a table of the interval store.

    Args:
        table, part: the engine's names.
        rows: in it.
        content: the engine's digest of what it holds.
        sealed: its file.
    """

    table: str
    part: str
    rows: int
    content: str
    sealed: SealedFile

    @property
    def stream(self) -> str:
        """Name under which it is sealed: by content, so that another backup may hold the same file."""
        return f"part/{self.table}/{self.rows}/{self.content}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one backup holds.

    Args:
        point: the instant of the copy, in the installation's own time.
        made_at: the same instant by the host's clock.
        settings: the home's settings, without addresses of engines.
        roles: database roles that must be there.
        revision: of the database schema.
        database: the dump.
        tables: rows and checksum of each table of the database.
        parts: of the interval store.
        made: the statement that makes each table of the interval store that has parts.
    """

    point: datetime
    made_at: datetime
    settings: dict[str, Any]
    roles: list[str]
    revision: str
    database: SealedFile
    tables: dict[str, tuple[int, str]]
    parts: list[PartCopy] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the manifest as JSON."""
        row = asdict(self) | {"format": FORMAT, "point": self.point.isoformat(), "made_at": self.made_at.isoformat()}
        return json.dumps(row, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, octets: bytes) -> Manifest:
        """Read a manifest.

        Raises:
            BackupError: not one, or of another release's format.
        """
        try:
            row = json.loads(octets)
            if row.pop("format") != FORMAT:
                raise BackupError("the backup is of another release's format: restore it with that release")
            row["point"], row["made_at"] = (datetime.fromisoformat(row[n]) for n in ("point", "made_at"))
            row["database"] = SealedFile(**row["database"])
            row["tables"] = {name: (int(count), str(check)) for name, (count, check) in row["tables"].items()}
            row["parts"] = [PartCopy(**{**p, "sealed": SealedFile(**p["sealed"])}) for p in row["parts"]]
            return cls(**row)
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError(f"the backup's manifest cannot be read ({type(error).__name__})") from error

    def store_contents(self) -> dict[str, list[tuple[int, str]]]:
        """Return rows and digest of each part by table, sorted, as the engine tells them after a restore."""
        found: dict[str, list[tuple[int, str]]] = {}
        for part in self.parts:
            found.setdefault(part.table, []).append((part.rows, part.content))
        return {table: sorted(rows) for table, rows in found.items()}


@dataclass(frozen=True, slots=True)
class TableCheck:
    """One table, as the backup has it and as it was found after the restore."""

    table: str
    rows: int
    rows_found: int
    is_same: bool


def compared(
    manifest: Manifest, tables: dict[str, tuple[int, str]], store: dict[str, list[tuple[int, str]]]
) -> list[TableCheck]:
    """Compare a restored installation with its backup, table by table; a table on one side alone is not the same."""
    checks = []
    for name in sorted({*manifest.tables, *tables}):
        was, now = manifest.tables.get(name, (0, "none")), tables.get(name, (0, "none"))
        checks.append(TableCheck(name, was[0], now[0], was == now))
    expected = manifest.store_contents()
    for name in sorted({*expected, *store}):
        was_parts, now_parts = expected.get(name, []), store.get(name, [])
        counts = [sum(rows for rows, _ in parts) for parts in (was_parts, now_parts)]
        checks.append(TableCheck(name, counts[0], counts[1], was_parts == now_parts))
    return checks
