"""Named queries over an open engine: what the store process answers, apart from how it is asked.

Every method blocks and runs in a thread of the store. Reads yield record batches, each from one bounded query, so an
answer of any size needs the memory of one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from openami.contracts.errors import ContractError
from openami.contracts.reading import ReadingBatch, RegisterBatch, arrow_column
from openami.kernel.clock import Clock
from openami.kernel.time import EPOCH
from openami.mdm.adapters.store_engine import StoreEngine
from openami.mdm.adapters.store_known import KnownClock
from openami.mdm.adapters.store_snapshot import StoreSnapshot
from openami.mdm.ports import StoreError
from openami.mdm.store import fleet_queries, history_queries, queries
from openami.mdm.store.day_columns import STORED_DAY_SCHEMA
from openami.mdm.store.history_queries import Places
from openami.mdm.store.rows import known_from, require_storable_days, stamped, storable
from openami.mdm.store.schema import Table
from openami.mdm.store.spans import SpanRow, meter_chunks, require_granted, spans_of_columns
from openami.mdm.store.wire import Request, decode_columns
from openami.security.access.scope import Purpose, Scope, ScopeError

PART_ROWS = 1_000_000
"""About 48 MB of raw readings; the same number of interval values is one part of day versions."""
POINTS_PER_PART = 5_000
ID_OCTETS = 16
_Parts = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class StoreService:
    """The queries by name. ``clock`` gives the domain time that stamps what is kept."""

    engine: StoreEngine
    clock: Clock
    known: KnownClock = field(init=False)

    def __post_init__(self) -> None:
        folder = self.engine.folder
        object.__setattr__(self, "known", KnownClock(self.clock, None if folder is None else folder / "known-at"))

    def answer(self, request: Request, body: bytes | bytearray | memoryview | None) -> _Parts:
        """Yield the parts of the answer to a request; a write has none.

        Raises:
            StoreError: unknown query, wrong parameters, or the engine refused.
            ScopeError: no scope, or something outside it.
            ContractError: a body that is not the columns it must be.
        """
        reads: dict[str, Callable[[Scope, dict[str, Any], pa.RecordBatch | None], _Parts]] = {
            "readings": self._readings,
            "values": self._values,
            "registers": self._registers,
            "days": self._days,
            "daily_totals": self._totals,
            "history": self._history,
            "profiles": self._profiles,
            "fleet_history": self._fleet_history,
            "fleet_profiles": self._fleet_profiles,
            "fleet_block": self._fleet_block,
            "fleet_reads": self._fleet_reads,
            "completeness": self._completeness,
            "last_readings": self._last,
            "conflicts": self._conflicts,
            "table_sizes": self._sizes,
            "hold": self._hold,
            "freeze": self._freeze,
            "thaw": self._thaw,
            "months": self._months,
            "forget": self._forget,
        }
        columns = None if body is None else decode_columns(body)
        try:
            if request.query == "write":
                self._write(request.parameters, columns)
                return
            read = reads.get(request.query)
            if read is None:
                raise StoreError("no query of that name")
            if request.scope is None:
                raise ScopeError("a query for readings needs a scope")
            yield from read(request.scope, request.parameters, columns)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"query {request.query[:40]!r}: wrong parameters ({type(error).__name__})") from error

    def keep(self, batch: ReadingBatch | RegisterBatch, *, token: str) -> None:
        """Keep raw rows; every instant must be storable.

        Raises:
            ContractError: an instant before 2000 or after 2099.
            StoreError: the engine refused.
        """
        if not len(batch):
            return
        if not storable(batch).all():
            raise ContractError("a reading before 2000 or after 2099: the meter's clock is wrong")
        table = Table.READING_RAW if isinstance(batch, ReadingBatch) else Table.REGISTER_READ
        with self.known.write() as second:
            ingested_at_ms = max(int((self.clock.now() - EPOCH).total_seconds() * 1000), second * 1000)
            self.engine.insert(table, stamped(batch, ingested_at_ms=ingested_at_ms), token=token)

    def _write(self, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> None:
        token, table = str(parameters["token"]), Table(parameters["table"])
        if columns is None or not token:
            raise StoreError("a write needs a token and rows")
        if table is Table.READING_DAY:
            require_storable_days(columns)
            if not columns.num_rows:
                return
            with self.known.write() as second:
                rows = known_from(columns, second) if parameters.get("stamp") else columns
                self.engine.insert(table, rows, token=token)
        elif table is Table.READING_RAW:
            self.keep(ReadingBatch.from_arrow(columns), token=token)
        else:
            self.keep(RegisterBatch.from_arrow(columns), token=token)

    def _readings(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel, known_at = _channel(parameters), self._settled(parameters)
        for chunk in meter_chunks(_granted(scope, columns), max_rows=PART_ROWS):
            found = self._fetch(queries.select_readings(channel, chunk, known_at))
            yield queries.latest_readings(found, chunk)

    def _values(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel = _channel(parameters)
        for chunk in meter_chunks(_granted(scope, columns), max_rows=PART_ROWS):
            found, unclear = queries.sorted_values(self._fetch(queries.select_values(channel, chunk)))
            if unclear:
                theirs = [s for s in chunk if s.meter_id in unclear]
                every = queries.latest_readings(self._fetch(queries.select_readings(channel, theirs)), theirs)
                found = queries.with_readings_of(found, unclear, every)
            yield queries.in_spans(found, chunk)

    def _registers(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel, known_at = _channel(parameters), self._settled(parameters)
        for chunk in meter_chunks(_granted(scope, columns), max_rows=PART_ROWS):
            found = self._fetch(queries.select_registers(channel, chunk, known_at))
            yield queries.latest_registers(found, chunk)

    def _days(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        return self._versions(scope, parameters, columns, queries.select_days, STORED_DAY_SCHEMA)

    def _totals(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        return self._versions(scope, parameters, columns, queries.select_totals, queries.TOTALS_SCHEMA)

    def _versions(
        self,
        scope: Scope,
        parameters: dict[str, Any],
        columns: pa.RecordBatch | None,
        select: Callable[..., queries.Statement],
        schema: pa.Schema,
    ) -> _Parts:
        channel, first, last = _channel(parameters), int(parameters["first"]), int(parameters["last"])
        known_at = self._settled(parameters)
        points = queries.granted_points(scope, columns)
        if len(points) == 1:
            wide = queries.RUN_TOTALS_SCHEMA if schema is queries.TOTALS_SCHEMA else schema
            statement = queries.select_days_of_one(channel, points[0], first, last, known_at, wide)
            found = queries.latest_days(queries.one_batch(self._fetch(statement), wide))
            yield queries.days_in_scope(found.select(schema.names), scope)
            return
        days = max(1, last - first + 1)
        values_per_point = days * (96 if schema is STORED_DAY_SCHEMA else 1)
        step = max(1, min(POINTS_PER_PART, PART_ROWS // values_per_point))
        for at in range(0, len(points), step):
            statement = select(channel, points[at : at + step], first, last, known_at)
            batch = queries.one_batch(self._fetch(statement), schema)
            yield queries.days_in_scope(batch, scope)

    def _history(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel, first, last = _channel(parameters), int(parameters["first"]), int(parameters["last"])
        for places in _places(scope, parameters, columns):
            statement = history_queries.select_history(channel, places, first, last)
            part = queries.one_batch(self._fetch(statement), history_queries.HISTORY_SCHEMA)
            repeated = history_queries.rows_with_repeated_days(part)
            if repeated.any():
                ids = queries.picked(part, repeated).column("service_point_id").to_pylist()
                again = history_queries.select_latest_history(channel, ids, first, last)
                yield queries.one_batch(self._fetch(again), history_queries.HISTORY_SCHEMA)
                part = queries.picked(part, ~repeated)
            yield part

    def _profiles(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel, day = _channel(parameters), int(parameters["last"])
        for places in _places(scope, parameters, columns):
            statement = history_queries.select_profiles(channel, places, day)
            yield queries.one_batch(self._fetch(statement), history_queries.PROFILE_SCHEMA)

    def _fleet_history(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        last, places = int(parameters["last"]), Places(range=_range(parameters))
        firsts = {_channel({"channel": c}): int(first) for c, first in dict(parameters["firsts"]).items()}
        statement = history_queries.select_fleet_history(places, firsts, last)
        part = queries.one_batch(self._fetch(statement), history_queries.FLEET_HISTORY_SCHEMA)
        repeated = history_queries.rows_with_repeated_days(part)
        if repeated.any():
            theirs = queries.picked(part, repeated)
            of = theirs.column("channel").to_numpy()
            for channel in np.unique(of).tolist():
                ids = queries.picked(theirs, of == channel).column("service_point_id").to_pylist()
                again = history_queries.select_latest_history(channel, ids, firsts[channel], last)
                one = queries.one_batch(self._fetch(again), history_queries.HISTORY_SCHEMA)
                yield one.append_column("channel", arrow_column(np.full(one.num_rows, channel), pa.uint8()))
            part = queries.picked(part, ~repeated)
        yield part

    def _fleet_profiles(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        channels = [_channel({"channel": c}) for c in parameters["channels"]]
        places = Places(range=_range(parameters))
        statement = history_queries.select_fleet_profiles(places, channels, int(parameters["last"]))
        yield queries.one_batch(self._fetch(statement), history_queries.FLEET_PROFILE_SCHEMA)

    def _fleet_block(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        statement = fleet_queries.select_block(*_range(parameters), int(parameters["from_s"]), int(parameters["to_s"]))
        yield queries.one_batch(self._fetch(statement), fleet_queries.BLOCK_SCHEMA)

    def _fleet_reads(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        statement = fleet_queries.select_reads(*_range(parameters), int(parameters["from_s"]), int(parameters["to_s"]))
        yield queries.one_batch(self._fetch(statement), fleet_queries.READS_SCHEMA)

    def _completeness(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel = _channel(parameters)
        if columns is None:
            _require_fleet(scope)
            statement = queries.select_fleet_hours(channel, int(parameters["from_s"]), int(parameters["to_s"]))
            yield queries.one_batch(self._fetch(statement), queries.HOUR_SCHEMA)
            return
        for part in self._readings(scope, parameters, columns):
            yield queries.hours_of(part)

    def _last(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        if columns is None:
            _require_fleet(scope)
            statement = queries.select_last(None, int(parameters["from_s"]), int(parameters["to_s"]))
            yield queries.one_batch(self._fetch(statement), queries.LAST_SCHEMA)
            return
        # Spans of one length share a query; a meter that moved in or out within the period has one of its own.
        groups: dict[tuple[int, int], list[SpanRow]] = {}
        for row in _granted(scope, columns):
            groups.setdefault((row.from_s, row.to_s), []).append(row)
        for (from_s, to_s), rows in groups.items():
            for at in range(0, len(rows), POINTS_PER_PART):
                statement = queries.select_last(rows[at : at + POINTS_PER_PART], from_s, to_s)
                yield queries.one_batch(self._fetch(statement), queries.LAST_SCHEMA)

    def _conflicts(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        channel = _channel(parameters)
        if columns is None:
            _require_fleet(scope)
            statement = queries.select_conflicts(channel, None, int(parameters["from_s"]), int(parameters["to_s"]))
            yield queries.one_batch(self._fetch(statement), queries.CONFLICT_SCHEMA)
            return
        for chunk in meter_chunks(_granted(scope, columns), max_rows=PART_ROWS):
            from_s, to_s = min(s.from_s for s in chunk), max(s.to_s for s in chunk)
            statement = queries.select_conflicts(channel, chunk, from_s, to_s)
            yield queries.in_spans(queries.one_batch(self._fetch(statement), queries.CONFLICT_SCHEMA), chunk)

    def _sizes(self, scope: Scope, _parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        yield queries.one_batch(self._fetch(queries.select_sizes(self.engine.cluster)), queries.SIZE_SCHEMA)

    def _hold(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        StoreSnapshot(self.engine).hold(str(parameters["name"]), float(parameters["seconds"]))
        return iter(())

    def _freeze(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        yield StoreSnapshot(self.engine).freeze(str(parameters["name"]))

    def _thaw(self, scope: Scope, parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        StoreSnapshot(self.engine).thaw(str(parameters["name"]))
        return iter(())

    def _months(self, scope: Scope, _parameters: dict[str, Any], _columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        rows = [(str(table), month) for table, months in self.engine.months().items() for month in months]
        names = pa.array([t for t, _ in rows], pa.string())
        yield pa.RecordBatch.from_arrays([names, pa.array([m for _, m in rows], pa.int64())], ["table", "month"])

    def _forget(self, scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> _Parts:
        _require_fleet(scope)
        if scope.purpose is not Purpose.MAINTENANCE:
            raise ScopeError("only maintenance removes rows")
        month = int(parameters["month"])
        if not 2000_01 <= month <= 2099_12 or not 1 <= month % 100 <= 12:
            raise StoreError(f"{month} is no month: 202607 is one")
        kept = queries.granted_points(scope, columns) if columns is not None else []
        self.engine.forget(Table(parameters["table"]), month, kept)
        return iter(())

    def _settled(self, parameters: dict[str, Any]) -> int | None:
        """Return the second as of which is asked, once what is known of it cannot change; None for now."""
        known_at = parameters.get("known_at")
        return None if known_at is None else self.known.settle(int(known_at))

    def _fetch(self, statement: queries.Statement) -> pa.Table:
        return self.engine.fetch(statement.sql, statement.parameters)


def _channel(parameters: dict[str, Any]) -> int:
    channel = int(parameters["channel"])
    if not 0 <= channel <= np.iinfo(np.uint8).max:
        raise StoreError("channel: not a channel number")
    return channel


def _places(scope: Scope, parameters: dict[str, Any], columns: pa.RecordBatch | None) -> Iterator[Places]:
    """Yield the service points asked for, some at a time; a range of ids is for a process's scope alone."""
    if columns is None:
        _require_fleet(scope)
        yield Places(range=_range(parameters))
        return
    points = queries.granted_points(scope, columns)
    if scope.periods is not None:
        raise ScopeError("what is remembered of days is for whole places, not for periods of them")
    for at in range(0, len(points), POINTS_PER_PART):
        yield Places(points[at : at + POINTS_PER_PART])


def _range(parameters: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the ends of a range of ids."""
    low, high = bytes.fromhex(str(parameters["from_id"])), bytes.fromhex(str(parameters["to_id"]))
    if len(low) != len(high) or len(low) != ID_OCTETS:
        raise StoreError("a range of ids: not 16 octets at each end")
    return low, high


def _granted(scope: Scope, columns: pa.RecordBatch | None) -> list[SpanRow]:
    if columns is None:
        raise StoreError("this query needs spans")
    rows = spans_of_columns(columns)
    require_granted(scope, rows)
    return rows


def _require_fleet(scope: Scope) -> None:
    if scope.service_points is not None:
        raise ScopeError("the whole fleet is for a process's scope alone")
