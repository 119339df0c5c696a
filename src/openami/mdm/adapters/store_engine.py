"""The engine beneath the store: chDB inside this process, or a ClickHouse server by URL. Same client, same SQL.

What went wrong with chDB in measurements is guarded here (docs/adr/0005):

* A query that fails after it began to answer leaves its octets in its handle, and the *next* answer on that handle
  begins with them. A handle whose call raised is closed and never used again.
* A forked child that uses the engine hangs. A call from another process than the opener's is refused.
* The engine takes one process at a time: an exclusive lock beside its folder says who, before the engine is touched.
* Insert files that a killed process left behind fill the disk: they go to a private folder, wiped at each opening.
* The first insert takes a second: opening ends with one.
* The engine notes an insert's token *before* its rows are in place. A kill or a failure in between leaves the note
  alone, and the repeat, which is what would save the rows, is dropped as known. So a token is good only while this
  engine is open and no insert has failed; a repeat beyond that is stored again and collapses by its key when read.
"""

# ruff: noqa: S608 - the only texts put into SQL are constants of this room, numbers and hexadecimal digits.

from __future__ import annotations

import fcntl
import os
import queue
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import structlog

from openami.contracts.reading import arrow_column
from openami.mdm.adapters.store_gate import WriteGate
from openami.mdm.ports import StoreError, StoreUnavailableError
from openami.mdm.store.schema import TABLES, Table, embedded_ddl
from openami.mdm.store.wire import encode_columns

_LOG = structlog.get_logger()
MEMORY_LIMIT_OCTETS = 800_000_000
MARK_CACHE_OCTETS = 64 * 1024 * 1024
INDEX_MARK_CACHE_OCTETS = 8 * 1024 * 1024
"""Our tables have no secondary index; the engine would set gigabytes aside for one."""
QUERY_MEMORY_OCTETS = 400_000_000
QUERY_SECONDS = 60
IDS_PER_FIELD = 2_500
"""Ids of 32 hexadecimal digits in quotes: 88 kB, of the 128 KiB (``http_max_field_value_size``) that a server takes."""
READ_HANDLES = 4
WRITE_HANDLES = 2
_BLOCK_ROWS = 2_100_000
"""More than the largest batch, so one batch is one block and its token names all of it."""
READ_SETTINGS = {
    "max_threads": 1,
    "max_execution_time": QUERY_SECONDS,
    "max_memory_usage": QUERY_MEMORY_OCTETS,
    # The partition and every filtered column are functions of the key, so both are exact with FINAL, and faster.
    "do_not_merge_across_partitions_select_final": 1,
    "optimize_move_to_prewhere_if_final": 1,
    "output_format_arrow_compression_method": "none",
}
WRITE_SETTINGS = {
    "max_threads": 1,
    "max_insert_threads": 1,
    "max_insert_block_size": _BLOCK_ROWS,
    "min_insert_block_size_rows": _BLOCK_ROWS,
    "max_partitions_per_insert_block": 0,
    # A removal names the ids that it spares.
    "max_query_size": 64 * 1024 * 1024,
    "optimize_on_insert": 0,
}
SERVER_SETTINGS = {
    # Rows of one meter or place are on one shard, so a subquery over the same table means that shard's part of it.
    "distributed_product_mode": "local",
    # A read after an acknowledged write goes to the replica that took it, for as long as that one is up.
    "load_balancing": "in_order",
}
"""Settings of reads on a server; they mean nothing where it is alone."""
SERVER_WRITE_SETTINGS = {
    # Acknowledged means on the shard's disk, not in the queue of the server that was asked.
    "distributed_foreground_insert": 1,
    "load_balancing": "in_order",
}
_TRANSIENT = frozenset({"MEMORY_LIMIT_EXCEEDED", "TIMEOUT_EXCEEDED", "TOO_MANY_SIMULTANEOUS_QUERIES", "NETWORK_ERROR"})


class StoreOwnedError(StoreError):
    """Another process owns the store's folder."""


@dataclass(slots=True)
class _Pool:
    """Open handles of one kind, with the settings they are opened with."""

    settings: Mapping[str, Any]
    idle: queue.LifoQueue[Any] = field(default_factory=queue.LifoQueue)


@dataclass(slots=True)
class StoreEngine:
    """An open engine with its handles. Every method may be called from any thread of the opening process.

    ``folder`` is an embedded engine's, None for a server's; ``gate`` holds inserts while a snapshot is made;
    ``cluster`` is the name of the cluster that a server's tables are on, empty for none.
    """

    _open_handle: Any
    _lock_file: IO[str] | None
    folder: Path | None = None
    gate: WriteGate = field(default_factory=WriteGate)
    _owner_pid: int = field(default_factory=os.getpid)
    _readers: _Pool = field(default_factory=lambda: _Pool(READ_SETTINGS))
    _writers: _Pool = field(default_factory=lambda: _Pool(WRITE_SETTINGS))
    handles_discarded: int = 0
    cluster: str = ""
    _life: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def embedded(cls, folder: Path) -> StoreEngine:
        """Open the embedded engine over a folder, made if missing, and bring its tables up to date.

        Sets this process's folder for temporary files.

        Raises:
            StoreOwnedError: another process has it open; the text says which.
            StoreError: the engine does not open.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_file = _lock(folder / "owner.lock")
        temporary = folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o700)
        tempfile.tempdir = str(temporary)
        options = {
            "max_server_memory_usage": str(MEMORY_LIMIT_OCTETS),
            "mark_cache_size": str(MARK_CACHE_OCTETS),
            "index_mark_cache_size": str(INDEX_MARK_CACHE_OCTETS),
            "index_uncompressed_cache_size": "0",
            "uncompressed_cache_size": "0",
            # The limit is the engine's own. Our other processes share its control group, and what it may need next at
            # the pace of the last moment is not what it needs: both would refuse queries far below the limit.
            "memory_worker_use_cgroup": "0",
            "memory_worker_rss_speculative_reserve_ratio": "0",
        }

        def open_handle() -> Any:
            from clickhouse_connect import get_client

            place = str(folder.resolve() / "engine")
            return get_client(interface="chdb", path=place, chdb_options=options, show_clickhouse_errors="scrub")

        engine = cls(open_handle, lock_file, folder.resolve())
        engine.prepare()
        return engine

    @classmethod
    def by_url(cls, url: str) -> StoreEngine:
        """Connect to a ClickHouse server or cluster whose tables :mod:`openami.mdm.store.schema` describes.

        Raises:
            StoreError: it does not answer, or a table is missing or has other columns.
        """

        def open_handle() -> Any:
            from clickhouse_connect import get_client

            # Thousands of ids do not fit into an address.
            return get_client(
                dsn=url, show_clickhouse_errors="scrub", autogenerate_session_id=False, form_encode_query_params=True
            )

        engine = cls(open_handle, None)
        engine._readers.settings = {**READ_SETTINGS, **SERVER_SETTINGS}
        engine._writers.settings = {**WRITE_SETTINGS, **SERVER_WRITE_SETTINGS}
        engine.prepare()
        return engine

    def fetch(self, sql: str, parameters: Mapping[str, Any]) -> pa.Table:
        """Run a query and return its columns.

        Raises:
            StoreUnavailableError: a limit of time or memory was reached: ask for less, or try again.
            StoreError: the engine refused.
        """
        if self.folder is None:
            sql, parameters = in_short_fields(sql, parameters)
        with self._handle(self._readers) as handle:
            octets = handle.raw_query(sql, parameters=dict(parameters), fmt="ArrowStream")
            if not octets:
                raise StoreError("the engine gave no columns")
            with pa.ipc.open_stream(octets) as reader:
                return reader.read_all()

    def insert(self, table: Table, batch: pa.RecordBatch, *, token: str) -> None:
        """Keep rows, on disk before this returns.

        A token that this open engine has kept is dropped; after a failure or a new opening the rows are stored again,
        and equal keys count once.

        Raises:
            StoreUnavailableError: a limit was reached: try again.
            StoreError: the engine refused.
        """
        settings = {"insert_deduplication_token": f"{self._life}/{token}"}
        try:
            with self.gate.write(), self._handle(self._writers) as handle:
                handle.raw_insert(
                    str(table),
                    batch.schema.names,
                    memoryview(encode_columns(batch)),
                    settings=settings,
                    fmt="ArrowStream",
                )
        except BaseException:
            self._life = uuid4().hex
            raise

    def execute(self, sql: str) -> None:
        """Run a statement that answers nothing (tables, maintenance).

        Raises:
            StoreError: the engine refused.
        """
        with self._handle(self._writers) as handle:
            handle.command(sql)

    def forget(self, table: Table, month: int, kept: Collection[bytes]) -> None:
        """Remove a month's rows of a table but those of some ids, on disk before this returns.

        Args:
            table: of ours.
            month: year * 100 + month.
            kept: ids (of meters, or of service points for days) whose rows stay.

        Raises:
            StoreError: the engine refused.
        """
        spec = next(s for s in TABLES if s.name is table)
        name = f"{table}_local ON CLUSTER {self.cluster}" if self.cluster else str(table)
        if not kept:
            statement = f"ALTER TABLE {name} DROP PARTITION ID '{month:06d}'"
        else:
            ids = ",".join(f"unhex('{i.hex()}')" for i in sorted(kept))
            statement = (
                f"ALTER TABLE {name} DELETE WHERE {spec.partition_by} = {month} AND {spec.id_column} NOT IN ({ids}) "
                "SETTINGS mutations_sync = 2"
            )
        with self.gate.write():
            self.execute(statement)

    def months(self) -> dict[Table, list[int]]:
        """Return the months that each table has rows of, rising."""
        suffix = "_local" if self.cluster else ""
        parts = f"cluster('{self.cluster}', system.parts)" if self.cluster else "system.parts"
        sql = (
            f"SELECT table, partition_id AS month FROM {parts} WHERE active AND rows > 0 AND database = "
            "currentDatabase() AND table IN ({tables:Array(String)}) GROUP BY table, month ORDER BY month"
        )
        found: dict[Table, list[int]] = {t: [] for t in Table}
        for row in self.fetch(sql, {"tables": [f"{t}{suffix}" for t in Table]}).to_pylist():
            found[Table(row["table"].removesuffix("_local"))].append(int(row["month"]))
        return found

    def close(self) -> None:
        """Close every idle handle and let go of the folder."""
        for pool in (self._readers, self._writers):
            while not pool.idle.empty():
                pool.idle.get_nowait().close()
        if self._lock_file is not None:
            self._lock_file.close()

    def prepare(self) -> None:
        """Open the handles, make the tables of an embedded engine and warm it up. Called once, by the openers.

        Raises:
            StoreError: the engine does not open.
        """
        try:
            for pool, count in ((self._writers, WRITE_HANDLES), (self._readers, READ_HANDLES)):
                for _ in range(count):
                    pool.idle.put(self._opened(pool))
            for statement in embedded_ddl() if self._lock_file is not None else ():
                self.execute(statement)
            self._warm_up()
        except StoreError:
            self.close()
            raise

    def _require_tables(self) -> None:
        """Pass if a server has our tables with all that we write and read, and note the cluster that they are on."""
        sql = (
            "SELECT t.name AS name, t.engine_full AS made, groupArray(c.name) AS columns FROM system.tables t "
            "LEFT JOIN system.columns c ON c.database = t.database AND c.table = t.name "
            "WHERE t.database = currentDatabase() AND t.name IN ({tables:Array(String)}) GROUP BY name, made"
        )
        found = {r["name"]: r for r in self.fetch(sql, {"tables": [str(t) for t in Table]}).to_pylist()}
        for spec in TABLES:
            have = set(found[spec.name]["columns"]) if spec.name in found else set()
            missing = [name for name in (c.split(" ", 1)[0] for c in spec.columns) if name not in have]
            if missing:
                raise StoreError(
                    f"the ClickHouse server's table {spec.name} lacks {', '.join(missing)}: run deploy/clickhouse/"
                    "server.sql there, or cluster.sql on a cluster"
                )
            cluster = re.match(r"Distributed\('?([A-Za-z0-9_]+)'?", found[spec.name]["made"])
            self.cluster = cluster.group(1) if cluster else ""

    def _warm_up(self) -> None:
        if self._lock_file is None:
            self._require_tables()
            return
        one = pa.RecordBatch.from_arrays([arrow_column(np.ones(1, np.int64), pa.int64())], names=["n"])
        self.execute("CREATE TABLE IF NOT EXISTS warm_up (n Int64) ENGINE = MergeTree ORDER BY n")
        with self._handle(self._writers) as handle:
            handle.raw_insert("warm_up", ["n"], encode_columns(one), fmt="ArrowStream")
        self.execute("TRUNCATE TABLE warm_up")
        for table in Table:
            self.fetch(f"SELECT count() FROM {table}", {})

    def _opened(self, pool: _Pool) -> Any:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            handle = self._open_handle()
            for name, value in pool.settings.items():
                handle.set_client_setting(name, value)
        except (ClickHouseError, OSError) as error:
            raise StoreUnavailableError(f"the engine does not open: {type(error).__name__}") from error
        return handle

    @contextmanager
    def _handle(self, pool: _Pool) -> Iterator[Any]:
        """Lend a handle; one whose use raised is closed and replaced, whatever the reason."""
        from clickhouse_connect.driver.exceptions import ClickHouseError

        if os.getpid() != self._owner_pid:
            raise StoreError("the engine was opened by another process: spawn processes, never fork after opening")
        try:
            handle = pool.idle.get(timeout=QUERY_SECONDS)
        except queue.Empty:
            raise StoreUnavailableError("every handle of the store is busy: try again") from None
        sound = False
        try:
            yield handle
            sound = True
        except ClickHouseError as error:
            # The engine's own text may quote rows, so only the name of the error leaves this function.
            name = str(getattr(error, "name", None) or type(error).__name__)
            kind = StoreUnavailableError if name in _TRANSIENT else StoreError
            raise kind(f"the engine refused: {name}") from None
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"the engine's answer cannot be read: {type(error).__name__}") from error
        finally:
            if sound:
                pool.idle.put(handle)
            else:
                self.handles_discarded += 1
                # The new handle opens first: closing the last one would shut the engine down.
                pool.idle.put(self._opened(pool))
                handle.close()


def _lock(place: Path) -> IO[str]:
    """Take the exclusive lock of the store's folder for the life of this process.

    Raises:
        StoreOwnedError: another process has it.
    """
    file = place.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise StoreOwnedError(
            f"{place.parent} is owned by process {holder}: stop it first, one store owns it"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def in_short_fields(sql: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a query whose long lists are given in several parameters: a server takes fields of 128 KiB and no more.

    >>> sql, parameters = in_short_fields("SELECT {ids:Array(String)}", {"ids": ["a"] * 2_501, "n": 1})
    >>> sql, sorted(parameters)
    ('SELECT arrayConcat({ids_0:Array(String)}, {ids_1:Array(String)})', ['ids_0', 'ids_1', 'n'])
    """
    short: dict[str, Any] = {}
    for name, value in parameters.items():
        if not isinstance(value, list) or len(value) <= IDS_PER_FIELD:
            short[name] = value
            continue
        pieces = [value[at : at + IDS_PER_FIELD] for at in range(0, len(value), IDS_PER_FIELD)]
        short |= {f"{name}_{n}": piece for n, piece in enumerate(pieces)}
        marks = ", ".join(f"{{{name}_{n}:Array(String)}}" for n in range(len(pieces)))
        sql = sql.replace(f"{{{name}:Array(String)}}", f"arrayConcat({marks})")
    return sql, short
