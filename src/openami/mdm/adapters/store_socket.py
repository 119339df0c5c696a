"""The client of the store process: every room's door to interval data."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.errors import ContractError
from openami.contracts.reading import ReadingBatch, RegisterBatch, arrow_column, uuid_column
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_stream import ConnectionEndedError, FrameStream
from openami.mdm.ports import (
    Conflict,
    DailyTotals,
    LastReading,
    MeterSpan,
    StoreError,
    StoreUnavailableError,
    TableSize,
    Values,
)
from openami.mdm.store import answers, queries
from openami.mdm.store.day_columns import full_days, sparse_days
from openami.mdm.store.history_answer import HistoryAnswer
from openami.mdm.store.schema import Table
from openami.mdm.store.spans import granted_spans, span_columns
from openami.mdm.store.wire import (
    FrameKind,
    Refusal,
    Request,
    WireError,
    decode_columns,
    decode_refusal,
    encode_columns,
)
from openami.mdm.vee.history import History
from openami.mdm.vee.profile import DayDigests
from openami.security.access.scope import Scope, ScopeError

WRITE_ROWS = 1_000_000
DAY_ROWS = 100_000
MAX_CONNECTIONS = 8
_IDLE_WAIT_S = 60


@dataclass(slots=True)
class SocketStore:
    """The interval store over its Unix socket. One instance serves a whole process; it connects when first asked.

    A lost connection is made anew for the next question. A read that had not begun to arrive is asked once more; a
    write is not repeated here: the caller repeats it with the same token and it counts once.

    Args:
        place: path of the store's socket.
        timeout_s: longest wait for each part of an answer [s].
    """

    place: Path
    timeout_s: float = 75.0
    _idle: list[FrameStream] = field(default_factory=list)
    _open: dict[int, FrameStream] = field(default_factory=dict)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))

    async def close(self) -> None:
        """Close every connection: also that of an answer whose reader went away halfway."""
        self._idle.clear()
        for stream in list(self._open.values()):
            self._drop(stream)

    async def write_readings(self, batch: ReadingBatch, *, token: str) -> None:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        await self._write(Table.READING_RAW, batch.to_arrow(), token, WRITE_ROWS)

    async def write_registers(self, batch: RegisterBatch, *, token: str) -> None:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        await self._write(Table.REGISTER_READ, batch.to_arrow(), token, WRITE_ROWS)

    async def write_days(
        self, days: DayTable, *, token: str, digests: DayDigests | None = None, stamp: bool = False
    ) -> None:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        try:
            rows = sparse_days(days, digests)
        except ContractError as error:
            raise StoreError(str(error)) from error
        await self._write(Table.READING_DAY, rows, token, DAY_ROWS, stamp=stamp)

    async def readings(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> ReadingBatch:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        parts = self.stream_readings(scope, spans, channel, period, as_known_at=as_known_at)
        return ReadingBatch.concatenate([b async for b in parts])

    async def stream_readings(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> AsyncIterator[ReadingBatch]:
        """Yield what :meth:`readings` returns in parts of whole meters, about a million rows each."""
        columns = span_columns(granted_spans(scope, spans, period))
        parameters = {"channel": int(channel), "known_at": queries.known_second(as_known_at)}
        async for part in self._ask("readings", scope, parameters, columns):
            yield ReadingBatch.from_arrow(part)

    async def values(self, scope: Scope, spans: Sequence[MeterSpan], channel: Channel, period: Period) -> Values:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        columns = span_columns(granted_spans(scope, spans, period))
        return answers.values([p async for p in self._ask("values", scope, {"channel": int(channel)}, columns)])

    async def registers(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> RegisterBatch:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        columns = span_columns(granted_spans(scope, spans, period, end_included=True))
        parameters = {"channel": int(channel), "known_at": queries.known_second(as_known_at)}
        parts = self._ask("registers", scope, parameters, columns)
        return RegisterBatch.concatenate([RegisterBatch.from_arrow(p) async for p in parts])

    async def days(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> DayTable:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        parts = self.stream_days(scope, service_points, channel, first, last, as_known_at=as_known_at)
        return answers.joined_days([t async for t in parts])

    async def stream_days(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> AsyncIterator[DayTable]:
        """Yield what :meth:`days` returns in parts of whole service points, about a million values each."""
        async for part in self._ask_days("days", scope, service_points, channel, first, last, as_known_at):
            yield full_days(part)

    async def history(
        self, scope: Scope, service_points: Sequence[UUID], channel: Channel, before: date, days: int
    ) -> History:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        first, last = before - timedelta(days=days), before - timedelta(days=1)
        answer = HistoryAnswer(uuid_column(list(service_points)), day_number(first), days)
        if service_points and days:
            async for part in self._ask_days("history", scope, service_points, channel, first, last, None):
                answer.add(part)
            async for part in self._ask_days("profiles", scope, service_points, channel, last, last, None):
                answer.add_profiles(part)
        return answer.history(slice(None))

    async def daily_totals(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> DailyTotals:
        """See :class:`~openami.mdm.ports.IntervalSummaries`."""
        parts = self._ask_days("daily_totals", scope, service_points, channel, first, last, as_known_at)
        return answers.daily_totals([p async for p in parts])

    async def completeness(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, channel: Channel, period: Period
    ) -> dict[datetime, int]:
        """See :class:`~openami.mdm.ports.IntervalSummaries`."""
        hours: dict[datetime, int] = {}
        async for part in self._ask_spans("completeness", scope, spans, {"channel": int(channel)}, period):
            for hour, count in zip(part.column("hour").to_pylist(), part.column("readings").to_pylist(), strict=True):
                instant = instant_from_epoch_s(hour)
                hours[instant] = hours.get(instant, 0) + count
        return dict(sorted(hours.items()))

    async def last_readings(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, period: Period
    ) -> dict[UUID, LastReading]:
        """See :class:`~openami.mdm.ports.IntervalSummaries`."""
        return answers.last_readings([p async for p in self._ask_spans("last_readings", scope, spans, {}, period)])

    async def conflicts(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, channel: Channel, period: Period
    ) -> list[Conflict]:
        """See :class:`~openami.mdm.ports.IntervalSummaries`."""
        parts = self._ask_spans("conflicts", scope, spans, {"channel": int(channel)}, period)
        found = [conflict async for part in parts for conflict in answers.conflicts(part)]
        return found[: queries.MAX_CONFLICTS]

    async def table_sizes(self, scope: Scope) -> list[TableSize]:
        """See :class:`~openami.mdm.ports.IntervalSummaries`."""
        parts = [p async for p in self._ask("table_sizes", scope, {}, None)]
        return [TableSize(*row.values()) for part in parts for row in part.to_pylist()]

    async def hold_writes(self, scope: Scope, name: str, *, seconds: float) -> None:
        """Hold all writes until :meth:`freeze`, :meth:`thaw` or the end of the time; for a process's scope alone."""
        async for _ in self._exchange(Request("hold", {"name": name, "seconds": seconds}, scope), None, repeat=False):
            pass

    async def freeze(self, scope: Scope, name: str) -> list[dict[str, Any]]:
        """Snapshot the tables under a hold and let writes go on; returns the parts that were linked.

        See :mod:`openami.mdm.adapters.store_snapshot`.
        """
        parts = self._exchange(Request("freeze", {"name": name}, scope), None, repeat=False)
        return [row async for part in parts for row in part.to_pylist()]

    async def months(self, scope: Scope) -> dict[Table, list[int]]:
        """Return the months (year * 100 + month) that each table has rows of; for a process's scope alone."""
        found: dict[Table, list[int]] = {}
        async for part in self._exchange(Request("months", {}, scope), None, repeat=True):
            for row in part.to_pylist():
                found.setdefault(Table(row["table"]), []).append(row["month"])
        return found

    async def forget(self, scope: Scope, table: Table, month: int, *, keep: Collection[UUID]) -> None:
        """Remove a month's rows of a table but those of some meters (places, for days); for maintenance alone."""
        ids = arrow_column(uuid_column(sorted(keep)), pa.binary(16))
        columns = pa.RecordBatch.from_arrays([ids], schema=queries.POINT_SCHEMA)
        request = Request("forget", {"table": str(table), "month": month}, scope, has_body=bool(keep))
        async for _ in self._exchange(request, columns if keep else None, repeat=False):
            pass

    async def thaw(self, scope: Scope, name: str) -> None:
        """Let go of a snapshot."""
        async for _ in self._exchange(Request("thaw", {"name": name}, scope), None, repeat=True):
            pass

    def ask_fleet(self, query: str, scope: Scope, parameters: Mapping[str, Any]) -> AsyncIterator[pa.RecordBatch]:
        """Yield the parts of an answer about the whole fleet or a range of ids of it.

        Raises:
            ScopeError: the scope names service points: the fleet is for a process's scope alone.
        """
        if scope.service_points is not None:
            raise ScopeError("the whole fleet is for a process's scope alone")
        return self._ask(query, scope, parameters, None)

    async def _write(self, table: Table, rows: pa.RecordBatch, token: str, step: int, *, stamp: bool = False) -> None:
        if not token:
            raise StoreError("a write needs a token")
        for number, at in enumerate(range(0, rows.num_rows, step)):
            # The cut depends on nothing but the rows, so a repeat makes the same tokens.
            name = token if rows.num_rows <= step else f"{token}/{number}"
            parameters = {"table": str(table), "token": name, "stamp": stamp}
            request = Request("write", parameters, None, has_body=True)
            async for _ in self._exchange(request, rows.slice(at, step), repeat=False):
                pass

    def _ask_spans(
        self,
        query: str,
        scope: Scope,
        spans: Sequence[MeterSpan] | None,
        parameters: Mapping[str, int],
        period: Period,
    ) -> AsyncIterator[pa.RecordBatch]:
        if spans is not None:
            return self._ask(query, scope, parameters, span_columns(granted_spans(scope, spans, period)))
        if scope.service_points is not None:
            raise ScopeError("the whole fleet is for a process's scope alone")
        from_s, to_s = queries.second_bounds(period)
        return self._ask(query, scope, {**parameters, "from_s": from_s, "to_s": to_s}, None)

    def _ask_days(
        self,
        query: str,
        scope: Scope,
        points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        as_known_at: datetime | None,
    ) -> AsyncIterator[pa.RecordBatch]:
        scope.require(frozenset(points))
        first_day, last_day = queries.day_bounds(first, last)
        parameters = {
            "channel": int(channel),
            "first": first_day,
            "last": last_day,
            "known_at": queries.known_second(as_known_at),
        }
        ids = arrow_column(uuid_column(list(points) if first_day <= last_day else []), pa.binary(16))
        columns = pa.RecordBatch.from_arrays([ids], schema=queries.POINT_SCHEMA)
        return self._ask(query, scope, parameters, columns)

    async def _ask(
        self,
        query: str,
        scope: Scope,
        parameters: Mapping[str, Any],
        columns: pa.RecordBatch | None,
    ) -> AsyncIterator[pa.RecordBatch]:
        if columns is not None and not columns.num_rows:
            return
        request = Request(query, dict(parameters), scope, has_body=columns is not None)
        async for part in self._exchange(request, columns, repeat=True):
            yield part

    async def _exchange(
        self, request: Request, columns: pa.RecordBatch | None, *, repeat: bool
    ) -> AsyncIterator[pa.RecordBatch]:
        """Send one request and yield the parts of its answer."""
        async with self._free:
            stream, fresh = await self._connected()
            begun = whole = False
            try:
                try:
                    kind, octets = await self._first(stream, request, columns)
                except OSError as error:
                    if fresh or not repeat or isinstance(error, TimeoutError):
                        raise
                    # An idle connection may have died with the store's last process.
                    self._drop(stream)
                    stream = await self._connect()
                    kind, octets = await self._first(stream, request, columns)
                while kind is FrameKind.PART:
                    begun = True
                    yield decode_columns(octets)
                    kind, octets = await asyncio.wait_for(stream.receive(), self.timeout_s)
                whole = kind in {FrameKind.END, FrameKind.ERROR}
                if kind is FrameKind.ERROR:
                    _raise_refusal(*decode_refusal(bytes(octets)))
            except ConnectionEndedError as error:
                raise StoreUnavailableError(f"the store ended the connection{' midway' * begun}: try again") from error
            except OSError as error:
                raise StoreUnavailableError(f"the store does not answer ({type(error).__name__}): try again") from error
            except (WireError, ContractError) as error:
                raise StoreError(f"the store's answer cannot be read: {error}") from error
            finally:
                # Only a connection whose answer was read to its end may carry another question.
                if whole:
                    self._idle.append(stream)
                else:
                    self._drop(stream)

    async def _first(
        self, stream: FrameStream, request: Request, columns: pa.RecordBatch | None
    ) -> tuple[FrameKind, memoryview]:
        async with asyncio.timeout(self.timeout_s):
            await stream.send(FrameKind.REQUEST, request.encode())
            if columns is not None:
                await stream.send(FrameKind.BODY, encode_columns(columns))
            return await stream.receive()

    async def _connected(self) -> tuple[FrameStream, bool]:
        while self._idle:
            stream = self._idle.pop()
            if _is_quiet(stream.connection):
                return stream, False
            self._drop(stream)
        return await self._connect(), True

    async def _connect(self) -> FrameStream:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream = FrameStream(connection)
        self._open[id(stream)] = stream
        try:
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_connect(connection, str(self.place)), 5)
        except OSError as error:
            self._drop(stream)
            raise StoreUnavailableError(f"the store does not answer ({type(error).__name__}): try again") from error
        except BaseException:
            # Whoever asked went away while we were connecting.
            self._drop(stream)
            raise
        return stream

    def _drop(self, stream: FrameStream) -> None:
        self._open.pop(id(stream), None)
        stream.close()


def _is_quiet(connection: socket.socket) -> bool:
    """Tell whether an idle connection is still open: nothing to read, not even its end."""
    with contextlib.suppress(BlockingIOError):
        connection.recv(1, socket.MSG_PEEK)
        return False
    return True


def _raise_refusal(refusal: Refusal, text: str) -> None:
    kinds = {Refusal.UNAVAILABLE: StoreUnavailableError, Refusal.REFUSED: StoreError, Refusal.OUT_OF_SCOPE: ScopeError}
    raise kinds[refusal](text)
