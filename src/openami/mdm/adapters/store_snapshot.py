"""A snapshot of the embedded engine's tables: hard links to their parts, made while writes are held.

Parts are never changed once written, so links to them cost no room and no time, and merges go on meanwhile. The links
lie in ``engine/shadow/<name>`` until the snapshot is thawed; whoever copies them reads files, not the engine.
"""

# ruff: noqa: S608 - the only texts put into SQL are constants of this module and checked names.

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from openami.mdm.adapters.store_engine import StoreEngine
from openami.mdm.ports import StoreError
from openami.mdm.store.schema import TABLES

SNAPSHOT_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("part", pa.string()),
        ("rows", pa.int64()),
        ("content", pa.string()),
        ("folder", pa.string()),
        ("create", pa.string()),
    ]
)
"""``content`` is the engine's digest of what the part holds, the same wherever it lies and however it is compressed;
``folder`` is relative to the store's folder; ``create`` makes its table, whose
order an older home may have otherwise."""
_NAME = re.compile(r"[a-z0-9]{8,64}")
_OURS = "database = currentDatabase() AND {0} IN ({{tables:Array(String)}})"
_PARTS = "SELECT table, name, rows, uncompressed_hash_of_compressed_files AS content FROM system.parts WHERE {}".format(
    _OURS.format("table")
)
_PLACES = "SELECT name, data_paths[1] AS place, create_table_query AS made FROM system.tables WHERE {}".format(
    _OURS.format("name")
)


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """Snapshots of an open engine.

    Args:
        engine: an embedded one.
    """

    engine: StoreEngine

    def hold(self, name: str, seconds: float) -> None:
        """Hold writes until :meth:`freeze`, :meth:`thaw` or the end of the time, whichever comes first."""
        self._folder(name)
        self.engine.gate.hold(name, seconds)

    def freeze(self, name: str) -> pa.RecordBatch:
        """Link the tables' parts under a held gate, let writes go on, and return what was linked.

        Raises:
            StoreUnavailableError: the hold had ended before every table was linked.
            StoreError: the engine refused, or is not embedded.
        """
        folder = self._folder(name)
        self.engine.gate.require_held(name)
        try:
            for spec in TABLES:
                self.engine.execute(f"ALTER TABLE {spec.name} FREEZE WITH NAME '{name}'")
            known = self._parts()
            self.engine.gate.require_held(name)
        except BaseException:
            self.thaw(name)
            raise
        finally:
            self.engine.gate.release(name)
        root = self.root()
        rows, made = [], self.made()
        for table, place in self.places().items():
            for part in sorted((folder / place).glob("*/")):
                count, content = known[table, part.name]
                rows.append((table, part.name, count, content, str(part.relative_to(root)), made[table]))
        columns = list(zip(*rows, strict=True)) or [()] * len(SNAPSHOT_SCHEMA)
        arrays = [pa.array(list(c), f.type) for c, f in zip(columns, SNAPSHOT_SCHEMA, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=SNAPSHOT_SCHEMA)

    def thaw(self, name: str) -> None:
        """Let go of a snapshot's links and of its hold."""
        self.engine.gate.release(name)
        shutil.rmtree(self._folder(name), ignore_errors=True)

    def root(self) -> Path:
        """Return the store's folder. Raises StoreError where the engine is a server."""
        if self.engine.folder is None:
            raise StoreError(
                "the intervals are on a ClickHouse server: back them up there (docs/operations/backup.md says how)"
            )
        return self.engine.folder

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StoreError("a snapshot's name has 8 to 64 lower-case letters and digits")
        return self.root() / "engine" / "shadow" / name

    def places(self) -> dict[str, Path]:
        """Return each table's folder below the engine's."""
        found = self.engine.fetch(_PLACES, {"tables": [str(t.name) for t in TABLES]}).to_pylist()
        return {r["name"]: Path(r["place"]).relative_to(self.root() / "engine") for r in found}

    def made(self) -> dict[str, str]:
        """Return the statement that makes each table."""
        found = self.engine.fetch(_PLACES, {"tables": [str(t.name) for t in TABLES]}).to_pylist()
        return {r["name"]: r["made"] for r in found}

    def _parts(self) -> dict[tuple[str, str], tuple[int, str]]:
        # Inactive ones too: a part may have been merged away since it was linked.
        found = self.engine.fetch(_PARTS, {"tables": [str(t.name) for t in TABLES]}).to_pylist()
        return {(r["table"], r["name"]): (r["rows"], r["content"]) for r in found}


def require_table(engine: StoreEngine, table: str, statement: str) -> None:
    """Have a table as a backup had it: parts of another order cannot be taken in. The table is empty.

    Args:
        engine: an embedded one.
        table: one of ours.
        statement: what made the backup's.

    Raises:
        StoreError: not a table of ours, or the engine refused.
    """
    if table not in {str(t.name) for t in TABLES} or not statement.startswith("CREATE TABLE "):
        raise StoreError(f"the store has no table {table[:40]!r}")
    if StoreSnapshot(engine).made()[table] != statement:
        engine.execute(f"DROP TABLE {table} SYNC")
        engine.execute(statement)


def restore_parts(engine: StoreEngine, table: str, parts: list[str]) -> None:
    """Take parts that were put into the table's ``detached`` folder into the table.

    Raises:
        StoreError: the engine refused one.
    """
    if table not in {str(t.name) for t in TABLES}:
        raise StoreError(f"the store has no table {table[:40]!r}")
    for part in parts:
        if not re.fullmatch(r"[0-9a-z_]{1,80}", part):
            raise StoreError(f"{part[:40]!r} is no part's name")
        engine.execute(f"ALTER TABLE {table} ATTACH PART '{part}'")


def detached_folder(engine: StoreEngine, table: str) -> Path:
    """Return where a table of an embedded engine looks for parts to take in."""
    snapshot = StoreSnapshot(engine)
    return snapshot.root() / "engine" / snapshot.places()[table] / "detached"


def contents(engine: StoreEngine) -> dict[str, list[tuple[int, str]]]:
    """Return rows and digest of each active part of each table, sorted: equal where equal rows lie in equal parts."""
    found = engine.fetch(f"{_PARTS} AND active", {"tables": [str(t.name) for t in TABLES]}).to_pylist()
    by_table: dict[str, list[tuple[int, str]]] = {str(t.name): [] for t in TABLES}
    for row in found:
        by_table[row["table"]].append((row["rows"], row["content"]))
    return {table: sorted(rows) for table, rows in by_table.items()}
