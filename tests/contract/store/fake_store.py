"""An interval store in memory, in plain Python: what the contract means, and a stand-in for other rooms' tests.

It keeps every row in a dictionary by its key and sorts when asked. Slow on purpose; right by being obvious.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion, day_number
from openami.contracts.quality import QualityState, RawQuality, Source
from openami.contracts.reading import I64, UUIDS, ReadingBatch, RegisterBatch, uuid_column, uuids_of
from openami.kernel.clock import FixedClock
from openami.kernel.time import EPOCH, Period, epoch_s, instant_from_epoch_s
from openami.mdm.ports import Conflict, DailyTotals, LastReading, MeterSpan, StoreError, TableSize, Values
from openami.mdm.validation.fleet.ports import Block, IdRange, ReadBlock, offsets_of
from openami.mdm.vee.grid import BOOLS
from openami.mdm.vee.history import History
from openami.mdm.vee.profile import DayDigests
from openami.security.access.scope import Scope, ScopeError

MAX_CONFLICTS = 10_000
SECOND = timedelta(seconds=1)
MISSING, ESTIMATED = QualityState.MISSING, QualityState.ESTIMATED


@dataclass(frozen=True, slots=True)
class Raw:
    """One stored raw row: an interval reading, or a register read with ``interval_s`` 0."""

    meter_id: UUID
    channel: int
    start: int
    interval_s: int
    value: int
    quality: int
    source: int
    message_id: int
    ingested_at: datetime

    @property
    def key(self) -> tuple[UUID, int, int, int, int, int]:
        return (self.meter_id, self.channel, self.start, self.interval_s, self.source, self.message_id)


@dataclass(slots=True)
class FakeFleetHistory:
    """What is remembered of a fleet, and which days have a version."""

    whole: History
    written: np.ndarray

    def history(self, rows: slice | I64, first: int = 0, after: int | None = None) -> History:
        days, whole = slice(first, after), self.whole
        return History(
            whole.total[rows, days], whole.maximum[rows, days], whole.base[rows, days], whole.digest[rows, days],
            whole.state[rows, days], whole.profile[rows],
        )  # fmt: skip

    def has_version(self, rows: slice | I64, first: int, after: int | None = None) -> BOOLS:
        return np.asarray(self.written[rows, first:after].any(axis=1))


# Without a text of its rows: asyncio prints a finished task's result each time that it puts Ctrl-C's handler back.
@dataclass(slots=True, repr=False)
class FakeStore:
    """Both store ports over dictionaries. ``clock`` stamps what is kept."""

    clock: FixedClock
    intervals: dict[tuple[UUID, int, int, int, int, int], Raw] = field(default_factory=dict)
    reads: dict[tuple[UUID, int, int, int, int, int], Raw] = field(default_factory=dict)
    versions: dict[tuple[UUID, int, date, int, UUID], DayVersion] = field(default_factory=dict)
    digests: dict[tuple[UUID, int, date, int, UUID], tuple[DayDigests, int]] = field(default_factory=dict)
    tokens: set[tuple[str, str]] = field(default_factory=set)

    async def write_readings(self, batch: ReadingBatch, *, token: str) -> None:
        columns = (
            uuids_of(batch.meter_id), batch.channel.tolist(), batch.start.tolist(), batch.interval_s.tolist(),
            batch.value.tolist(), batch.quality.tolist(), batch.source.tolist(), batch.message_id.tolist(),
        )  # fmt: skip
        now = self.clock.now()
        rows = [Raw(m, c, at, n, v, q, s, i, now) for m, c, at, n, v, q, s, i in zip(*columns, strict=True)]
        self._keep(self.intervals, rows, "raw", token)

    async def write_registers(self, batch: RegisterBatch, *, token: str) -> None:
        columns = (
            uuids_of(batch.meter_id), batch.channel.tolist(), batch.at.tolist(), batch.value.tolist(),
            batch.source.tolist(), batch.message_id.tolist(),
        )  # fmt: skip
        rows = [Raw(m, c, at, 0, v, 0, s, i, self.clock.now()) for m, c, at, v, s, i in zip(*columns, strict=True)]
        self._keep(self.reads, rows, "register", token)

    async def write_days(
        self, days: DayTable, *, token: str, digests: DayDigests | None = None, stamp: bool = False
    ) -> None:
        if self._seen("day", token):
            return
        for index, told in enumerate(days.rows()):
            row = replace(told, known_at=self.clock.now()) if stamp else told
            key = row.service_point_id, row.channel, row.local_day, row.version, row.run_id
            self.versions[key] = row
            if digests is not None:
                self.digests[key] = digests, index

    async def readings(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> ReadingBatch:
        rows = _latest(_picked(_known(self.intervals.values(), as_known_at), scope, spans, channel, period))
        return ReadingBatch(
            meter_id=uuid_column([r.meter_id for r in rows]),
            channel=np.array([r.channel for r in rows], np.uint8),
            start=np.array([r.start for r in rows], np.int64),
            interval_s=np.array([r.interval_s for r in rows], np.uint32),
            value=np.array([r.value for r in rows], np.int64),
            quality=np.array([r.quality for r in rows], np.uint16),
            source=np.array([r.source for r in rows], np.uint8),
            message_id=np.array([r.message_id for r in rows], np.uint64),
        )

    async def values(self, scope: Scope, spans: Sequence[MeterSpan], channel: Channel, period: Period) -> Values:
        return Values.of(await self.readings(scope, spans, channel, period))

    async def registers(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> RegisterBatch:
        known = _known(self.reads.values(), as_known_at)
        rows = _latest(_picked(known, scope, spans, channel, period, end_included=True))
        return RegisterBatch(
            meter_id=uuid_column([r.meter_id for r in rows]),
            channel=np.array([r.channel for r in rows], np.uint8),
            at=np.array([r.start for r in rows], np.int64),
            value=np.array([r.value for r in rows], np.int64),
            source=np.array([r.source for r in rows], np.uint8),
            message_id=np.array([r.message_id for r in rows], np.uint64),
        )

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
        return DayTable.from_rows(self._latest_days(scope, service_points, channel, first, last, as_known_at))

    async def history(
        self, scope: Scope, service_points: Sequence[UUID], channel: Channel, before: date, days: int
    ) -> History:
        history = History.none(len(service_points), days)
        first, last = before - timedelta(days=days), before - timedelta(days=1)
        for r in self._latest_days(scope, service_points, channel, first, last, None):
            row, day = list(service_points).index(r.service_point_id), (r.local_day - first).days
            history.total[row, day], history.maximum[row, day] = r.values.sum(), r.values.max()
            history.state[row, day] = next(s for s in (MISSING, ESTIMATED, 0) if s == 0 or (r.quality == s).any())
            kept = self.digests.get((r.service_point_id, r.channel, r.local_day, r.version, r.run_id))
            if kept is not None:
                digests, index = kept
                history.state[row, day], history.base[row, day] = digests.state[index], digests.base[index]
                history.digest[row, day] = digests.digest[index]
                if r.local_day == last:
                    history.profile[row] = digests.profile[index]
        return history

    async def fleet_block(self, scope: Scope, meters: IdRange, period: Period) -> Block:
        first, last = period.start_s, period.end_s
        rows = [r for r in _of_fleet(self.intervals.values(), scope, meters) if first <= r.start < last]
        groups: dict[tuple[int, bytes, int], list[Raw]] = {}
        for r in sorted(rows, key=lambda r: (r.start // 86_400, r.meter_id.bytes, *r.key[1:])):
            groups.setdefault((r.start // 86_400, r.meter_id.bytes, r.channel), []).append(r)
        flat = [r for group in groups.values() for r in group]
        odd = [r for r in flat if r.quality]
        return Block(
            meter_id=uuid_column([g[0].meter_id for g in groups.values()]),
            channel=np.array([g[0].channel for g in groups.values()], np.uint8),
            offsets=offsets_of(np.array([len(g) for g in groups.values()], np.int64)),
            value=np.array([r.value for r in flat], np.int64),
            start=np.array([r.start for r in flat], np.uint32),
            flag_offsets=offsets_of(np.array([sum(r.quality != 0 for r in g) for g in groups.values()], np.int64)),
            flag_start=np.array([r.start for r in odd], np.uint32),
            flag=np.array([r.quality for r in odd], np.uint16),
        )

    async def fleet_reads(self, scope: Scope, meters: IdRange, period: Period) -> ReadBlock:
        first, last = period.start_s, period.end_s
        rows = [r for r in _of_fleet(self.reads.values(), scope, meters) if first <= r.start <= last]
        groups: dict[tuple[bytes, int], list[Raw]] = {}
        for r in sorted(rows, key=lambda r: (r.meter_id.bytes, *r.key[1:])):
            groups.setdefault((r.meter_id.bytes, r.channel), []).append(r)
        flat = [r for group in groups.values() for r in group]
        return ReadBlock(
            meter_id=uuid_column([g[0].meter_id for g in groups.values()]),
            channel=np.array([g[0].channel for g in groups.values()], np.uint8),
            offsets=offsets_of(np.array([len(g) for g in groups.values()], np.int64)),
            value=np.array([r.value for r in flat], np.int64),
            at=np.array([r.start for r in flat], np.uint32),
        )

    async def fleet_history(
        self, scope: Scope, points: UUIDS, day: date, days: Mapping[Channel, int]
    ) -> dict[Channel, FakeFleetHistory]:
        return {c: await self._fleet_history(scope, points, c, day, before) for c, before in days.items()}

    async def _fleet_history(
        self, scope: Scope, points: UUIDS, channel: Channel, day: date, days: int
    ) -> FakeFleetHistory:
        if scope.service_points is not None:
            raise ScopeError("the whole fleet is for a process's scope alone")
        ids = uuids_of(points)
        before = await self.history(scope, ids, channel, day, days)
        whole = await self.history(scope, ids, channel, day + timedelta(days=1), days + 1)
        first = day - timedelta(days=days)
        latest = self._latest_days(scope, ids, channel, first, day, None)
        written = {(r.service_point_id, (r.local_day - first).days) for r in latest}
        mask = np.array([[(p, d) in written for d in range(days + 1)] for p in ids], bool).reshape(len(ids), days + 1)
        return FakeFleetHistory(replace(whole, profile=before.profile), mask)

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
        rows = self._latest_days(scope, service_points, channel, first, last, as_known_at)
        return DailyTotals(
            service_point_id=uuid_column([r.service_point_id for r in rows]),
            local_day=np.array([day_number(r.local_day) for r in rows], np.int32),
            total=np.array([r.values.sum() for r in rows], np.int64),
            intervals=np.array([len(r.values) for r in rows], np.int32),
            estimated=np.array([(r.quality == QualityState.ESTIMATED).sum() for r in rows], np.int32),
            missing=np.array([(r.quality == QualityState.MISSING).sum() for r in rows], np.int32),
            version=np.array([r.version for r in rows], np.uint64),
            known_at=np.array([epoch_s(r.known_at) for r in rows], np.int64),
        )

    async def completeness(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, channel: Channel, period: Period
    ) -> dict[datetime, int]:
        rows = _latest(_picked(self.intervals.values(), scope, spans, channel, period))
        hours: dict[datetime, int] = {}
        for row in sorted(rows, key=lambda r: r.start):
            hour = instant_from_epoch_s(row.start // 3600 * 3600)
            hours[hour] = hours.get(hour, 0) + 1
        return hours

    async def last_readings(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, period: Period
    ) -> dict[UUID, LastReading]:
        newest: dict[UUID, LastReading] = {}
        rows = _picked(self.intervals.values(), scope, spans, None, period)
        for r in sorted(rows, key=lambda r: (r.meter_id, r.start, r.ingested_at)):
            first = newest[r.meter_id].first if r.meter_id in newest else instant_from_epoch_s(r.start)
            newest[r.meter_id] = LastReading(
                r.meter_id, first, instant_from_epoch_s(r.start), instant_from_epoch_s(epoch_s(r.ingested_at))
            )
        return newest

    async def conflicts(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, channel: Channel, period: Period
    ) -> list[Conflict]:
        rows = _picked(self.intervals.values(), scope, spans, channel, period)
        values: dict[tuple[UUID, int], set[int]] = {}
        for r in rows:
            values.setdefault((r.meter_id, r.start), set()).add(r.value)
        return [
            Conflict(
                r.meter_id,
                Channel(r.channel),
                instant_from_epoch_s(r.start),
                r.interval_s,
                r.value,
                r.source,
                r.message_id,
                instant_from_epoch_s(epoch_s(r.ingested_at)),
            )
            for r in sorted(rows, key=lambda r: (r.meter_id.bytes, *r.key[1:]))
            if len(values[r.meter_id, r.start]) > 1
        ][:MAX_CONFLICTS]

    async def table_sizes(self, scope: Scope) -> list[TableSize]:
        if scope.service_points is not None:
            raise ScopeError("the whole fleet is for a process's scope alone")
        sizes = {
            "reading_day": len(self.versions),
            "reading_raw": len(self.intervals),
            "register_read": len(self.reads),
        }
        return [TableSize(name, count, count, 1) for name, count in sizes.items() if count]

    def _seen(self, table: str, token: str) -> bool:
        if not token:
            raise StoreError("a write needs a token")
        if (table, token) in self.tokens:
            return True
        self.tokens.add((table, token))
        return False

    def _keep(
        self, rows: dict[tuple[UUID, int, int, int, int, int], Raw], fresh: list[Raw], table: str, token: str
    ) -> None:
        if any(not 946_684_800 <= r.start < 4_102_444_800 for r in fresh):
            raise StoreError("a reading before 2000 or after 2099: the meter's clock is wrong")
        if not self._seen(table, token):
            for row in fresh:
                rows.setdefault(row.key, row)

    def _latest_days(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        as_known_at: datetime | None,
    ) -> list[DayVersion]:
        scope.require(frozenset(service_points))
        found: dict[tuple[bytes, date], DayVersion] = {}
        known = [r for r in self.versions.values() if as_known_at is None or r.known_at <= as_known_at]
        for row in sorted(known, key=lambda r: (r.version, r.known_at, r.run_id.bytes)):
            if row.service_point_id in service_points and row.channel == channel and first <= row.local_day <= last:
                found[row.service_point_id.bytes, row.local_day] = row
        return [row for _, row in sorted(found.items(), key=lambda item: item[0]) if _whole_day_granted(scope, row)]


def _whole_day_granted(scope: Scope, row: DayVersion) -> bool:
    if scope.periods is None:
        return True
    end = row.start_utc + timedelta(seconds=row.interval_s * len(row.values))
    return any(p.start <= row.start_utc and end <= p.end for p in scope.periods.get(row.service_point_id, ()))


def _of_fleet(rows: Iterable[Raw], scope: Scope, meters: IdRange) -> list[Raw]:
    if scope.service_points is not None:
        raise ScopeError("the whole fleet is for a process's scope alone")
    return [r for r in rows if meters.low <= r.meter_id.bytes <= meters.high]


def _picked(
    rows: object,
    scope: Scope,
    spans: Sequence[MeterSpan] | None,
    channel: Channel | None,
    period: Period,
    *,
    end_included: bool = False,
) -> list[Raw]:
    assert hasattr(rows, "__iter__")
    first, last = seconds_of(period)
    asked = [
        r
        for r in rows
        if (channel is None or r.channel == channel) and (first <= r.start < last or (end_included and r.start == last))
    ]
    if spans is None:
        if scope.service_points is not None:
            raise ScopeError("the whole fleet is for a process's scope alone")
        return asked
    scope.require(frozenset(s.service_point_id for s in spans))

    # When a meter hung there and its readings were granted, once a span: not once a row.
    windows: dict[int, list[tuple[float, float]]] = {}
    for span in spans:
        (hung, gone), place = seconds_of(span.period), span.service_point_id
        for granted in (period,) if scope.periods is None else scope.periods.get(place, ()):
            start, end = seconds_of(granted)
            windows.setdefault(span.meter_id.int, []).append((max(hung, start), min(gone, end)))
    return [
        r
        for r in asked
        if any(
            lo <= r.start < hi or (end_included and lo <= r.start == hi) for lo, hi in windows.get(r.meter_id.int, ())
        )
    ]


def seconds_of(period: Period) -> tuple[float, float]:
    """Return start and end in seconds since the epoch, with their fractions."""
    return (period.start - EPOCH) / SECOND, (period.end - EPOCH) / SECOND


def _known(rows: Iterable[Raw], as_known_at: datetime | None) -> list[Raw]:
    return [r for r in rows if as_known_at is None or epoch_s(r.ingested_at) <= epoch_s(as_known_at)]


def _latest(rows: Sequence[Raw]) -> list[Raw]:
    def order(r: Raw) -> tuple[int, datetime, int]:
        return (r.source, EPOCH if r.source == Source.PUSH else r.ingested_at, r.message_id)

    by_interval: dict[tuple[int, int], list[Raw]] = {}
    for row in sorted(rows, key=order):
        by_interval.setdefault((row.meter_id.int, row.start), []).append(row)
    found = []
    for _, same in sorted(by_interval.items()):
        last, differs = same[-1], len({r.value for r in same}) > 1
        found.append(replace(last, quality=last.quality | RawQuality.CONFLICTING) if differs else last)
    return found
