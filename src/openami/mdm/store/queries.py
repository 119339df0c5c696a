"""The store's named queries: SQL with typed parameters, and what is done to the columns that come back. Pure.

Ids go to the engine as an array of hexadecimal text and are turned into a set there, which its primary index uses.
``FINAL`` collapses exact replays. Which of several *different* readings of one interval is the latest is decided here,
on the few rows concerned, because asking the engine for it costs every query a half more (docs/adr/0005).
"""

# ruff: noqa: S608 - the only texts put into SQL are constants of this room; values go in as typed parameters.

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.errors import ContractError
from openami.contracts.quality import RawQuality, Source
from openami.contracts.reading import READING_SCHEMA, REGISTER_SCHEMA, UUIDS, arrow_column
from openami.kernel.time import Period, epoch_s
from openami.mdm.store.day_columns import STORED_DAY_SCHEMA
from openami.mdm.store.order import in_places, sorted_places
from openami.mdm.store.schema import READING_DAY, READING_RAW, REGISTER_READ, Table
from openami.mdm.store.spans import LATEST_S, SpanRow, rows_in_spans, run_starts
from openami.security.access.scope import Scope

MAX_CONFLICTS = 10_000
_RAW_ORDER = "meter_id, channel, start, interval_s, source, message_id"
_METERS = "meter_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))"
_METER = "meter_id = toFixedString(unhex({id:String}), 16)"
_POINT = "service_point_id = toFixedString(unhex({id:String}), 16)"
_POINTS = "service_point_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))"
_AT_ONCE = "SETTINGS optimize_move_to_prewhere = 0"
"""Rows of one id lie in one or two marks of a part: to read the filter's columns before the others only costs."""
_TIME = "{column} >= toDateTime({{from_s:UInt32}}, 'UTC') AND {column} <= toDateTime({{to_s:UInt32}}, 'UTC')"
_START = _TIME.format(column="start")
_DAYS = "local_day >= toDate({first:UInt16}) AND local_day <= toDate({last:UInt16})"
_LATEST_DAY = (
    "ORDER BY service_point_id, channel, local_day, version DESC, known_at DESC, run_id DESC "
    "LIMIT 1 BY service_point_id, channel, local_day"
)
TOTALS_SCHEMA = pa.schema(
    [
        ("service_point_id", pa.binary(16)),
        ("local_day", pa.int32()),
        ("interval_s", pa.uint32()),
        ("start_utc", pa.int64()),
        ("version", pa.uint64()),
        ("known_at", pa.int64()),
        ("total", pa.int64()),
        ("intervals", pa.int32()),
        ("estimated", pa.int32()),
        ("missing", pa.int32()),
    ]
)
RUN_TOTALS_SCHEMA = pa.schema([*TOTALS_SCHEMA, ("run_id", pa.binary(16))])
"""Sums with the run that made them, which is the last thing that tells two versions apart."""
POINT_SCHEMA = pa.schema([("service_point_id", pa.binary(16))])
HOUR_SCHEMA = pa.schema([("hour", pa.int64()), ("readings", pa.int64())])
LAST_SCHEMA = pa.schema(
    [("meter_id", pa.binary(16)), ("first", pa.int64()), ("start", pa.int64()), ("ingested_at", pa.int64())]
)
VALUE_SCHEMA = pa.schema(
    [("meter_id", pa.binary(16)), ("start", pa.int64()), ("value", pa.int64()), ("quality", pa.uint16())]
)
CONFLICT_SCHEMA = pa.schema([*READING_SCHEMA.remove_metadata(), ("ingested_at", pa.int64())])
SIZE_SCHEMA = pa.schema([("table", pa.string()), ("rows", pa.int64()), ("octets", pa.int64()), ("parts", pa.int64())])


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text and the values of its typed parameters."""

    sql: str
    parameters: dict[str, Any]


def select_readings(channel: int, spans: Sequence[SpanRow], known_at_s: int | None = None) -> Statement:
    """Return every raw reading (kept by a second, if one is given) within the spans' outer times, by (meter, start)."""
    return Statement(
        "SELECT meter_id, channel, start, interval_s, value, quality, source, message_id, ingested_at "
        f"FROM {Table.READING_RAW} FINAL WHERE {_METERS} AND channel = {{channel:UInt8}} AND {_START} "
        f"{_kept_by(known_at_s)}ORDER BY {_RAW_ORDER}",
        _span_parameters(channel, spans) | _known(known_at_s),
    )


def select_values(channel: int, spans: Sequence[SpanRow]) -> Statement:
    """Return meter, start, value and quality of every reading, replays too, in whatever order is cheapest."""
    what, parameters = (
        f"SELECT {', '.join(VALUE_SCHEMA.names)} FROM {Table.READING_RAW} ",
        _span_parameters(channel, spans),
    )
    if len(parameters["ids"]) > 1:
        return Statement(f"{what}WHERE {_METERS} AND channel = {{channel:UInt8}} AND {_START}", parameters)
    parameters["id"] = parameters.pop("ids")[0]
    return Statement(f"{what}WHERE {_METER} AND channel = {{channel:UInt8}} AND {_START} {_AT_ONCE}", parameters)


def select_registers(channel: int, spans: Sequence[SpanRow], known_at_s: int | None = None) -> Statement:
    """Return every register read (kept by a second, if one is given) within the spans' outer times, by (meter, at)."""
    return Statement(
        "SELECT meter_id, channel, at, value, source, message_id, ingested_at "
        f"FROM {Table.REGISTER_READ} FINAL WHERE {_METERS} AND channel = {{channel:UInt8}} "
        f"AND {_TIME.format(column='at')} {_kept_by(known_at_s)}ORDER BY {REGISTER_READ.order_by}",
        _span_parameters(channel, spans) | _known(known_at_s),
    )


def select_days(channel: int, points: Sequence[bytes], first: int, last: int, known_at_s: int | None) -> Statement:
    """Return the latest version (known at an instant, if one is given) of each day, first to last day number."""
    known = "" if known_at_s is None else "AND known_at <= toDateTime({known_at:UInt32}, 'UTC') "
    return Statement(
        f"SELECT {', '.join(STORED_DAY_SCHEMA.names)} FROM {Table.READING_DAY} FINAL "
        f"WHERE {_POINTS} AND channel = {{channel:UInt8}} AND {_DAYS} {known}{_LATEST_DAY}",
        _day_parameters(channel, points, first, last, known_at_s),
    )


def select_totals(channel: int, points: Sequence[bytes], first: int, last: int, known_at_s: int | None) -> Statement:
    """Return the sums of what :func:`select_days` would return, without reading a value array."""
    known = "" if known_at_s is None else "AND known_at <= toDateTime({known_at:UInt32}, 'UTC') "
    return Statement(
        f"SELECT {', '.join(TOTALS_SCHEMA.names)} FROM {Table.READING_DAY} FINAL "
        f"WHERE {_POINTS} AND channel = {{channel:UInt8}} AND {_DAYS} {known}{_LATEST_DAY}",
        _day_parameters(channel, points, first, last, known_at_s),
    )


def select_days_of_one(
    channel: int, point: bytes, first: int, last: int, known_at_s: int | None, schema: pa.Schema
) -> Statement:
    """Return every version of one service point's days, for :func:`latest_days`, in whatever order is cheapest.

    A page asks for one place. To find the latest among its few rows takes the engine longer than to read them.
    """
    known = "" if known_at_s is None else " AND known_at <= toDateTime({known_at:UInt32}, 'UTC')"
    parameters: dict[str, Any] = {"id": point.hex(), "channel": channel, "first": first, "last": last}
    return Statement(
        f"SELECT {', '.join(schema.names)} FROM {Table.READING_DAY} "
        f"WHERE {_POINT} AND channel = {{channel:UInt8}} AND {_DAYS}{known} {_AT_ONCE}",
        parameters | _known(known_at_s),
    )


def latest_days(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the latest version of each day of one service point, by day, as :func:`select_days` orders versions."""
    day = batch.column("local_day").to_numpy()
    if (day[1:] > day[:-1]).all():
        return batch
    run = batch.column("run_id")
    halves = np.frombuffer(run.buffers()[1], dtype=">u8", count=2 * (run.offset + len(run)))[2 * run.offset :]
    known, version = (batch.column(name).to_numpy() for name in ("known_at", "version"))
    order = np.lexsort((halves[1::2], halves[::2], known, version, day))
    last = order[np.append(day[order][1:] != day[order][:-1], True)]
    return batch.take(arrow_column(last, pa.int64()))


def select_fleet_hours(channel: int, from_s: int, to_s: int) -> Statement:
    """Return how many distinct (meter, start) fall in each hour, over every meter."""
    return Statement(
        "SELECT toStartOfHour(start) AS hour, count() AS readings FROM "
        f"(SELECT meter_id, start FROM {Table.READING_RAW} WHERE channel = {{channel:UInt8}} AND {_START} "
        "GROUP BY meter_id, start) GROUP BY hour ORDER BY hour",
        {"channel": channel, "from_s": from_s, "to_s": to_s},
    )


def select_last(spans: Sequence[SpanRow] | None, from_s: int, to_s: int) -> Statement:
    """Return the oldest and the newest start of each meter (of the spans' meters, or of all) within the times."""
    meters = ""
    parameters: dict[str, Any] = {"from_s": from_s, "to_s": to_s}
    if spans is not None:
        meters, parameters = f"{_METERS} AND ", {**parameters, "ids": _meter_ids(spans)}
    return Statement(
        "SELECT meter_id, min(start) AS oldest, max(start) AS newest, "
        "argMax(ingested_at, (start, ingested_at)) AS stored "
        f"FROM {Table.READING_RAW} WHERE {meters}{_START} GROUP BY meter_id ORDER BY meter_id",
        parameters,
    )


def select_conflicts(channel: int, spans: Sequence[SpanRow] | None, from_s: int, to_s: int) -> Statement:
    """Return the readings of intervals with more than one value."""
    meters = ""
    parameters: dict[str, Any] = {"channel": channel, "from_s": from_s, "to_s": to_s, "most": MAX_CONFLICTS}
    if spans is not None:
        meters, parameters = f"{_METERS} AND ", {**parameters, "ids": _meter_ids(spans)}
    where = f"{meters}channel = {{channel:UInt8}} AND {_START}"
    return Statement(
        f"SELECT {', '.join(CONFLICT_SCHEMA.names)} FROM {Table.READING_RAW} FINAL WHERE {where} "
        f"AND (meter_id, start) IN (SELECT meter_id, start FROM {Table.READING_RAW} WHERE {where} "
        "GROUP BY meter_id, start HAVING min(value) != max(value)) "
        f"ORDER BY {_RAW_ORDER} LIMIT {{most:UInt32}}",
        parameters,
    )


def select_sizes(cluster: str = "") -> Statement:
    """Return rows, octets on disk and parts of each of our tables; of a cluster, one replica of each shard."""
    suffix = "_local" if cluster else ""
    names = ", ".join(f"'{t.name}{suffix}'" for t in (READING_RAW, REGISTER_READ, READING_DAY))
    parts = f"cluster('{cluster}', system.parts)" if cluster else "system.parts"
    return Statement(
        "SELECT replaceRegexpOne(table, '_local$', '') AS name, sum(rows) AS all_rows, sum(bytes_on_disk) AS octets, "
        f"count() AS parts FROM {parts} WHERE active AND database = currentDatabase() AND table IN ({names}) "
        "GROUP BY name ORDER BY name",
        {},
    )


def latest_readings(table: pa.Table, spans: Sequence[SpanRow]) -> pa.RecordBatch:
    """Return one row per (meter, start) that lies in a span, marked where another of its interval says otherwise."""
    batch = one_batch(table, CONFLICT_SCHEMA)
    return _latest(batch, spans, "start").cast(READING_SCHEMA)


def sorted_values(table: pa.Table) -> tuple[pa.RecordBatch, set[bytes]]:
    """Return the rows by (meter, start), and the meters of which an interval occurs more than once.

    Which of several is the latest, or whether they are one reading kept twice, is not in these columns: those meters
    are to be asked for by :func:`select_readings`.
    """
    batch = _by_meter_and_start(one_batch(table, VALUE_SCHEMA))
    ids, starts = _ids(batch), batch.column("start").to_numpy()
    begins = np.zeros(len(ids), dtype=bool)
    begins[run_starts(ids)] = True
    again = np.flatnonzero(~begins[1:] & (starts[1:] == starts[:-1]))
    return batch, {bytes(i) for i in ids[again].tolist()}


def with_readings_of(batch: pa.RecordBatch, meters: Collection[bytes], readings: pa.RecordBatch) -> pa.RecordBatch:
    """Return values with the rows of some meters replaced by what their readings say, by (meter, start)."""
    ids = _ids(batch)
    begin = run_starts(ids)
    other = np.array([bytes(i) not in meters for i in ids[begin].tolist()], dtype=bool)
    kept = picked(batch, np.repeat(other, np.diff(begin, append=len(ids))))
    theirs = readings.select(VALUE_SCHEMA.names).cast(VALUE_SCHEMA)
    table = pa.Table.from_batches([kept, theirs], schema=VALUE_SCHEMA)
    return _by_meter_and_start(one_batch(table, VALUE_SCHEMA))


def _by_meter_and_start(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of values sorted; most are in runs already."""
    ids, starts = _ids(batch), batch.column("start").to_numpy()
    place = sorted_places(ids, starts)
    if place is None:
        return batch
    columns = (ids, starts, batch.column("value").to_numpy(), batch.column("quality").to_numpy())
    arrays = [arrow_column(in_places(c, place), f.type) for c, f in zip(columns, VALUE_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=VALUE_SCHEMA)


def latest_registers(table: pa.Table, spans: Sequence[SpanRow]) -> pa.RecordBatch:
    """Return one row per (meter, at) that lies in a span, chosen as :func:`latest_readings` chooses."""
    batch = one_batch(table, pa.schema([*REGISTER_SCHEMA.remove_metadata(), ("ingested_at", pa.int64())]))
    return _latest(batch, spans, "at").cast(REGISTER_SCHEMA)


def hours_of(readings: pa.RecordBatch) -> pa.RecordBatch:
    """Return how many rows start in each hour."""
    hours, counts = np.unique(readings.column("start").to_numpy() // 3600, return_counts=True)
    columns = [arrow_column(hours * 3600, pa.int64()), arrow_column(counts, pa.int64())]
    return pa.RecordBatch.from_arrays(columns, schema=HOUR_SCHEMA)


def in_spans(batch: pa.RecordBatch, spans: Sequence[SpanRow]) -> pa.RecordBatch:
    """Return the rows, sorted by (meter, start), that lie in a span of their meter."""
    mask = rows_in_spans(spans, _ids(batch), batch.column("start").to_numpy())
    return batch if mask is None else picked(batch, mask)


def granted_points(scope: Scope, columns: pa.RecordBatch | None) -> list[bytes]:
    """Return the service points asked for, sorted, each once.

    Raises:
        ContractError: not a column of ids.
        ScopeError: one is outside the scope.
    """
    if columns is None or not columns.schema.equals(POINT_SCHEMA) or columns.column(0).null_count:
        raise ContractError("service points: not a column of ids")
    points = sorted(set(columns.column(0).to_pylist()))
    if scope.service_points is not None:
        scope.require(frozenset(UUID(bytes=p) for p in points))
    return points


def days_in_scope(batch: pa.RecordBatch, scope: Scope) -> pa.RecordBatch:
    """Return the days that lie whole in a period of the scope; a day half another occupant's is left out."""
    if scope.periods is None or not batch.num_rows:
        return batch
    lengths = batch.column("values").value_lengths() if "values" in batch.schema.names else batch.column("intervals")
    ends = batch.column("start_utc").to_numpy() + batch.column("interval_s").to_numpy() * lengths.to_numpy()
    rows = zip(
        batch.column("service_point_id").to_pylist(), batch.column("start_utc").to_pylist(), ends.tolist(), strict=True
    )
    edges = {point.bytes: [(p.start_s, p.end_s) for p in periods] for point, periods in scope.periods.items()}
    mask = np.array([any(a <= start and end <= b for a, b in edges.get(point, ())) for point, start, end in rows])
    return batch if mask.all() else picked(batch, mask)


def picked(batch: pa.RecordBatch, mask: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Return the rows that the mask names."""
    return batch.take(arrow_column(np.flatnonzero(mask), pa.int64()))


def one_batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    """Return what the engine gave as one record batch of the schema, column by column in order.

    Raises:
        ContractError: another number of columns, or a value the schema cannot hold.
    """
    if table.num_columns != len(schema):
        raise ContractError(f"the engine gave {table.num_columns} columns, expected {len(schema)}")
    columns = []
    for chunked, wanted in zip(table.columns, schema, strict=True):
        column = chunked.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.nulls(0, column.type)
        columns.append(_as(column, wanted.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type.equals(kind):
        return column
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz)).cast(pa.int64())
    return column.cast(kind)


def _latest(batch: pa.RecordBatch, spans: Sequence[SpanRow], instant: str) -> pa.RecordBatch:
    if not batch.num_rows:
        return batch.drop_columns(["ingested_at"])
    ids, instants = _ids(batch), batch.column(instant).to_numpy()
    mask = rows_in_spans(spans, ids, instants)
    group = _groups(ids, instants)
    if group is not None:
        last = _last_of_each(batch, group)
        mask = last if mask is None else mask & last
        if "quality" in batch.schema.names:
            batch = _with_conflicts(batch, group)
    kept = batch.drop_columns(["ingested_at"])
    return kept if mask is None or mask.all() else picked(kept, mask)


def _groups(ids: UUIDS, instants: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    """Number the (meter, instant) of each row, rising; None where every row is the only one of its own."""
    begins = np.zeros(len(ids), dtype=bool)
    begins[run_starts(ids)] = True
    same = ~begins[1:] & (instants[1:] == instants[:-1])
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(~same)]) if same.any() else None


def _last_of_each(batch: pa.RecordBatch, group: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which row of each group counts: by source, a meter's pushes by its own count, the rest by their arrival.

    A push says when it was made: no order of arrival, redelivery or replay makes an older one count. Two files or two
    answers say no such thing, and whoever brought the second meant it.
    """
    source, ingested_at = batch.column("source").to_numpy(), batch.column("ingested_at").to_numpy()
    arrival = np.where(source == Source.PUSH, 0, ingested_at)
    order = np.lexsort((batch.column("message_id").to_numpy(), arrival, source, group))
    mask = np.zeros(len(group), dtype=bool)
    mask[order[np.append(group[order][1:] != group[order][:-1], True)]] = True
    return mask


def _with_conflicts(batch: pa.RecordBatch, group: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Return the rows with a mark on those of which another of their group says otherwise."""
    value, heads = batch.column("value").to_numpy(), np.flatnonzero(np.diff(group, prepend=-1))
    differs = np.maximum.reduceat(value, heads) != np.minimum.reduceat(value, heads)
    if not differs.any():
        return batch
    at = batch.schema.get_field_index("quality")
    marked = batch.column(at).to_numpy() | np.where(differs[group], RawQuality.CONFLICTING, 0).astype(np.uint16)
    return batch.set_column(at, batch.schema.field(at), arrow_column(marked, pa.uint16()))


def _ids(batch: pa.RecordBatch) -> UUIDS:
    column = batch.column("meter_id")
    return np.frombuffer(column.buffers()[1], dtype="V16", count=column.offset + len(column))[column.offset :]


def _meter_ids(spans: Sequence[SpanRow]) -> list[str]:
    return sorted({s.meter_id.hex() for s in spans})


def _kept_by(known_at_s: int | None) -> str:
    # Of equal keys the first kept stays, so what FINAL leaves was there then if any of them was.
    return "" if known_at_s is None else "AND ingested_at < toDateTime({known_at:UInt32} + 1, 'UTC') "


def _known(known_at_s: int | None) -> dict[str, int]:
    return {} if known_at_s is None else {"known_at": known_at_s}


def _span_parameters(channel: int, spans: Sequence[SpanRow]) -> dict[str, Any]:
    return {
        "ids": _meter_ids(spans),
        "channel": channel,
        "from_s": min(s.from_s for s in spans),
        "to_s": max(s.to_s for s in spans),
    }


def _day_parameters(
    channel: int, points: Sequence[bytes], first: int, last: int, known_at_s: int | None
) -> dict[str, Any]:
    parameters: dict[str, Any] = {"ids": [p.hex() for p in points], "channel": channel, "first": first, "last": last}
    if known_at_s is not None:
        parameters["known_at"] = known_at_s
    return parameters


def day_bounds(first: date, last: date) -> tuple[int, int]:
    """Return day numbers, cut to what the engine's date type holds (1970 to 2149)."""
    epoch = date(1970, 1, 1).toordinal()
    return max(0, first.toordinal() - epoch), min(65_535, last.toordinal() - epoch)


def known_second(as_known_at: datetime | None) -> int | None:
    """Return the instant as whole seconds within the engine's time type, or None."""
    return None if as_known_at is None else max(0, min(LATEST_S, epoch_s(as_known_at)))


def second_bounds(period: Period) -> tuple[int, int]:
    """Return the first and last whole second in the period, within the engine's time type."""
    after_end = epoch_s(period.end) + (1 if period.end.microsecond else 0)
    from_s = epoch_s(period.start) + (1 if period.start.microsecond else 0)
    return max(0, min(LATEST_S, from_s)), max(0, min(LATEST_S, after_end - 1))
