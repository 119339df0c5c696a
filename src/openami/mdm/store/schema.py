"""ClickHouse tables of the interval store, as text: for the embedded engine, one server, or a cluster.

Three tables, nothing updated in place. Equal keys collapse when read with ``FINAL``, so an exact replay counts once;
a conflict (the same interval from another message) is another key and both rows stay.

* ``reading_raw``: one row per raw interval reading, by UTC day and then by meter: validation reads one day of every
  meter, and a key that began with the meter would make it unpack the whole month for that. Of two rows with one key
  the *first* ingested stays, so that a replay cannot make an old reading look newer than its correction (``keep``
  falls as the instant of arrival rises, and ``ingested_at`` is computed from it).
* ``register_read``: one row per register read, by the same rule.
* ``reading_day``: one row per version of a channel's local day, values as an array. Sparse where a day was measured
  whole: ``quality`` and ``method`` are empty when all zero, ``below`` and ``above`` (distances of the uncertainty band
  from the value) are empty when all zero. ``maximum`` to ``profile`` are what rules want to
  know of earlier days without reading their values. See :mod:`openami.mdm.store.day_columns`.

Instants are UTC. Source: DESIGN section 4 step 5; codecs and settings from measurements, docs/adr/0005.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEDUPLICATION_WINDOW = 10_000
"""How many of the newest insert tokens a table remembers, per replica."""


class Table(StrEnum):
    """Tables of the store."""

    READING_RAW = "reading_raw"
    REGISTER_READ = "register_read"
    READING_DAY = "reading_day"


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its column list, keys and granularity, common to every kind of engine."""

    name: Table
    columns: tuple[str, ...]
    version: str
    partition_by: str
    order_by: str
    shard_by: str
    index_granularity: int

    @property
    def id_column(self) -> str:
        """Name of the column that says whose a row is."""
        return self.columns[0].split(" ", 1)[0]


KEEP_BASE = 2**64 - 1
"""A row's ``keep`` is this less the milliseconds of its arrival: of equal keys the first to arrive has the highest."""
_ARRIVAL = (
    "keep UInt64 CODEC(Delta, ZSTD(1))",
    f"ingested_at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64({KEEP_BASE} - keep), 'UTC')",
)

READING_RAW = TableSpec(
    name=Table.READING_RAW,
    columns=(
        "meter_id FixedString(16) CODEC(ZSTD(1))",
        "channel UInt8 CODEC(ZSTD(1))",
        "start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1))",
        "interval_s UInt32 CODEC(ZSTD(1))",
        "value Int64 CODEC(T64, ZSTD(1))",
        "quality UInt16 CODEC(ZSTD(1))",
        "source UInt8 CODEC(ZSTD(1))",
        "message_id UInt64 CODEC(DoubleDelta, ZSTD(1))",
        *_ARRIVAL,
    ),
    version="keep",
    partition_by="toYYYYMM(start)",
    order_by="toDate(start), meter_id, channel, start, interval_s, source, message_id",
    shard_by="sipHash64(meter_id)",
    index_granularity=1024,
)
REGISTER_READ = TableSpec(
    name=Table.REGISTER_READ,
    columns=(
        "meter_id FixedString(16) CODEC(ZSTD(1))",
        "channel UInt8 CODEC(ZSTD(1))",
        "at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1))",
        "value Int64 CODEC(Delta, ZSTD(1))",
        "source UInt8 CODEC(ZSTD(1))",
        "message_id UInt64 CODEC(DoubleDelta, ZSTD(1))",
        *_ARRIVAL,
    ),
    version="keep",
    partition_by="toYYYYMM(at)",
    order_by="meter_id, channel, at, source, message_id",
    shard_by="sipHash64(meter_id)",
    index_granularity=1024,
)
_OF_LATER_HOMES = (
    "maximum Int64 MATERIALIZED arrayMax(values) CODEC(T64, ZSTD(1))",
    "state UInt8 DEFAULT multiIf(missing > 0, 2, estimated > 0, 1, 0) CODEC(ZSTD(1))",
    "base Int64 DEFAULT 0 CODEC(T64, ZSTD(1))",
    "digest UInt32 DEFAULT 0 CODEC(NONE)",
    "profile Array(Int32) CODEC(T64, ZSTD(1))",
)
"""Columns that the first homes did not have; the engine computes them where an old part has none."""
READING_DAY = TableSpec(
    name=Table.READING_DAY,
    columns=(
        "service_point_id FixedString(16) CODEC(ZSTD(1))",
        "channel UInt8 CODEC(ZSTD(1))",
        "local_day Date CODEC(DoubleDelta, ZSTD(1))",
        "interval_s UInt32 CODEC(ZSTD(1))",
        "start_utc DateTime('UTC') CODEC(DoubleDelta, ZSTD(1))",
        "version UInt64 CODEC(ZSTD(1))",
        "known_at DateTime('UTC') CODEC(ZSTD(1))",
        "run_id FixedString(16) CODEC(ZSTD(1))",
        "values Array(Int64) CODEC(T64('bit'), ZSTD(1))",
        "quality Array(UInt8) CODEC(ZSTD(1))",
        "method Array(UInt8) CODEC(ZSTD(1))",
        "below Array(Int64) CODEC(T64, ZSTD(1))",
        "above Array(Int64) CODEC(T64, ZSTD(1))",
        "total Int64 MATERIALIZED arraySum(values) CODEC(T64, ZSTD(1))",
        "intervals UInt16 MATERIALIZED length(values) CODEC(ZSTD(1))",
        "estimated UInt16 MATERIALIZED countEqual(quality, 1) CODEC(ZSTD(1))",
        "missing UInt16 MATERIALIZED countEqual(quality, 2) CODEC(ZSTD(1))",
        *_OF_LATER_HOMES,
    ),
    version="",
    partition_by="toYYYYMM(local_day)",
    order_by="service_point_id, channel, local_day, version, run_id",
    shard_by="sipHash64(service_point_id)",
    index_granularity=256,
)
TABLES = (READING_RAW, REGISTER_READ, READING_DAY)


def embedded_ddl() -> list[str]:
    """Return statements for one engine (embedded or a single server), each safe to repeat."""
    tables = [_create(spec, spec.name, f"ReplacingMergeTree({spec.version})", window=True) for spec in TABLES]
    return tables + [f"ALTER TABLE {READING_DAY.name} ADD COLUMN IF NOT EXISTS {c}" for c in _OF_LATER_HOMES]


def cluster_ddl(cluster: str) -> list[str]:
    """Return statements for a cluster: a replicated local table and a distributed face of the plain name.

    Rows are sharded by meter or service point, so the rows of one key live on one shard and ``FINAL`` stays right.

    Args:
        cluster: name of the cluster in the servers' configuration.
    """
    statements = []
    for spec in TABLES:
        local = f"{spec.name}_local"
        version = f", {spec.version}" if spec.version else ""
        engine = (
            f"ReplicatedReplacingMergeTree('/clickhouse/tables/{{shard}}/{{database}}/{local}', '{{replica}}'{version})"
        )
        statements.append(_create(spec, f"{local} ON CLUSTER {cluster}", engine, window=False))
        statements.append(
            f"CREATE TABLE IF NOT EXISTS {spec.name} ON CLUSTER {cluster} AS {local}\n"
            f"ENGINE = Distributed({cluster}, currentDatabase(), {local}, {spec.shard_by})\n"
            "SETTINGS fsync_after_insert = 1, fsync_directories = 1"
        )
    # On a cluster of an earlier release: the shards' tables first, then what stands before them.
    for name in (f"{READING_DAY.name}_local", READING_DAY.name):
        statements += [f"ALTER TABLE {name} ON CLUSTER {cluster} ADD COLUMN IF NOT EXISTS {c}" for c in _OF_LATER_HOMES]
    return statements


def _create(spec: TableSpec, name: str, engine: str, *, window: bool) -> str:
    columns = ",\n    ".join(spec.columns)
    settings = [f"index_granularity = {spec.index_granularity}", "fsync_after_insert = 1", "fsync_part_directory = 1"]
    kind = "non_replicated_deduplication_window" if window else "replicated_deduplication_window"
    settings.append(f"{kind} = {DEDUPLICATION_WINDOW}")
    return (
        f"CREATE TABLE IF NOT EXISTS {name}\n(\n    {columns}\n)\nENGINE = {engine}\n"
        f"PARTITION BY {spec.partition_by}\nORDER BY ({spec.order_by})\nSETTINGS {', '.join(settings)}"
    )


def cluster_file() -> str:
    """Return the text of ``deploy/clickhouse/cluster.sql``.

    >>> cluster_file().splitlines()[0]
    '-- Tables of the interval store on a ClickHouse cluster named openami. Written by openami.mdm.store.schema.'
    """
    head = (
        "-- Tables of the interval store on a ClickHouse cluster named openami. Written by openami.mdm.store.schema.\n"
        "-- Each server needs the macros {shard} and {replica}. Then set OPENAMI_CLICKHOUSE_URL.\n"
    )
    return head + "\n" + ";\n\n".join(cluster_ddl("openami")) + ";\n"


def server_file() -> str:
    """Return the text of ``deploy/clickhouse/server.sql``."""
    head = (
        "-- Tables of the interval store on one ClickHouse server. Written by openami.mdm.store.schema.\n"
        "-- Run it in the database that OPENAMI_CLICKHOUSE_URL names; it may be run again after an upgrade.\n"
    )
    return head + "\n" + ";\n\n".join(embedded_ddl()) + ";\n"
