"""The face of meter data management: what billing, the portal and imports may ask. Nothing else of the room is theirs.

Every read takes a scope. Values are integer counts; the channel's table gives unit and power of ten. Local days are
those of the service point's zone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuids_of
from openami.kernel.time import Period, instant_from_epoch_s, local_date, local_day, zone_named
from openami.mdm.beside import side_by_side
from openami.mdm.ports import (
    DailyTotals,
    IntervalStore,
    IntervalSummaries,
    LastReading,
    MeterSpan,
    StoreError,
    StoreUnavailableError,
    Values,
)
from openami.mdm.quality_codes import codes_of
from openami.mdm.registry.arrays import place_days
from openami.mdm.registry.facts import Fact, FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import (
    Affected,
    Installation,
    InstalledMeter,
    Meter,
    OverlapError,
    RegistryError,
    ServicePoint,
    UnknownRecordError,
)
from openami.mdm.registry.segments import Factors
from openami.mdm.usage.actual_reads import ReadsOfMeters, actual_reads
from openami.mdm.usage.end_reads import WINDOW_AFTER as READ_WINDOW_AFTER
from openami.mdm.usage.end_reads import WINDOW_BEFORE as READ_WINDOW_BEFORE
from openami.mdm.usage.end_reads import EndOfRead, ReadKind, ReadPiece, end_reads
from openami.mdm.usage.estimated_end import with_estimated_end
from openami.mdm.usage.matrix import LocalDays, UsageMatrix, matrices_of
from openami.mdm.usage.origin import RawOrigin, origins_of
from openami.mdm.usage.series import (
    IntervalSeries,
    UsageTotal,
    cut_series,
    daily_totals,
    estimated_share,
    joined_series,
    monthly_totals,
    owned_series,
    raw_tail,
    series_of_days,
)
from openami.mdm.usage.unbilled import UnbilledUsage, unbilled_usage
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.vee.grid import grid_of
from openami.mdm.weather.degree_days import HUNDREDTHS as DEGREE_DAY_HUNDREDTHS
from openami.mdm.weather.degree_days import DegreeDays, degree_days, degree_days_of
from openami.mdm.weather.ports import WeatherBook
from openami.mdm.weather.record import DayTemperature, Station, StationDays, use_of
from openami.security.access.scope import Scope

__all__ = [
    "DEGREE_DAY_HUNDREDTHS",
    "READ_WINDOW_AFTER",
    "READ_WINDOW_BEFORE",
    "Affected",
    "Completeness",
    "DailyTotals",
    "DayFinding",
    "DayTemperature",
    "DegreeDays",
    "EndOfRead",
    "Fact",
    "FactKind",
    "Installation",
    "InstalledMeter",
    "IntervalSeries",
    "LocalDays",
    "Meter",
    "MeterData",
    "OverlapError",
    "RawOrigin",
    "ReadKind",
    "ReadPiece",
    "Register",
    "RegistryError",
    "ServicePoint",
    "Station",
    "StationDays",
    "StoreError",
    "StoreUnavailableError",
    "UnbilledUsage",
    "UnknownRecordError",
    "UsageMatrix",
    "UsageTotal",
    "codes_of",
    "daily_totals",
    "degree_days",
    "degree_days_of",
    "estimated_share",
    "monthly_totals",
    "side_by_side",
]  # fmt: skip


MAX_ZONES = 200_000
"""Places whose zone is remembered: some 20 MB."""


class Store(IntervalStore, IntervalSummaries, Protocol):
    """What the store's adapter offers: intervals and their summaries."""


@dataclass(frozen=True, slots=True)
class Register:
    """One register read of one meter: counts before the multiplier, as the display shows it."""

    meter_id: UUID
    serial: str
    at: datetime
    value: int
    multiplier: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """Readings that came, against those expected, of one hour.

    Args:
        hour: its start.
        received, expected: intervals of one channel.
    """

    hour: datetime
    received: int
    expected: int


class MeterData:
    """Questions about meter data.

    Args:
        registry: who hung where.
        store: readings, versions and their summaries.
        book: validation's findings and queue.
        weather: temperatures; None where nobody asks for them.
    """

    def __init__(
        self, *, registry: Registry, store: Store, book: ValidationBook, weather: WeatherBook | None = None
    ) -> None:
        self.registry = registry
        self.store = store
        self.book = book
        self._weather = weather
        self._zones: dict[UUID, ZoneInfo] = {}

    async def zone_of(self, service_point_id: UUID) -> ZoneInfo:
        """Return the zone of a service point; it never changes, so the registry is asked once.

        Raises:
            UnknownRecordError: there is none.
        """
        if service_point_id not in self._zones:
            point = await self.registry.service_point(service_point_id)
            if len(self._zones) >= MAX_ZONES:
                self._zones.clear()
            self._zones[service_point_id] = zone_named(point.zone)
        return self._zones[service_point_id]

    async def service_point(self, scope: Scope, service_point_id: UUID) -> ServicePoint:
        """Return a service point.

        Raises:
            ScopeError: outside the scope.
            UnknownRecordError: there is none.
        """
        scope.require(frozenset({service_point_id}))
        return await self.registry.service_point(service_point_id)

    async def service_points(self, scope: Scope) -> list[ServicePoint]:
        """Return every service point of the scope."""
        return await self.registry.service_points(scope.service_points)

    async def installed(self, scope: Scope, service_point_id: UUID, period: Period) -> list[InstalledMeter]:
        """Return the meters that hung at a service point in the period, by start."""
        scope.require(frozenset({service_point_id}))
        return await self.registry.installed({service_point_id}, period)

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
        """Return the latest version of each local day, or the latest known then."""
        return await self.store.days(scope, service_points, channel, first, last, as_known_at=as_known_at)

    async def intervals(self, scope: Scope, service_point_id: UUID, channel: Channel, period: Period) -> IntervalSeries:
        """Return a service point's intervals that start in the period: validated days, then the raw tail.

        Days without a version give their raw readings, marked preliminary; intervals that never came are absent there.
        Of a scope with times, only what lies in them: validated days are whole days, and may be of two occupants.

        Raises:
            ScopeError: outside the scope.
            UnknownRecordError: no such service point.
            StoreError: the store refused or did not answer.
        """
        scope.require(frozenset({service_point_id}))
        zone = await self.zone_of(service_point_id)
        first, last = local_date(period.start, zone), local_date(period.end - timedelta(microseconds=1), zone)
        table = await self.store.days(scope, [service_point_id], channel, first, last)
        done = set(table.local_day.tolist())
        open_days = [d for d in range(day_number(first), day_number(last) + 1) if d not in done]
        # Where every day is validated, which meter hung there changes nothing: most questions of a page are such.
        installed = await self.registry.installed({service_point_id}, period) if open_days else []
        interval_s = installed[-1].meter.interval_s if installed else 900
        series = series_of_days(table, service_point_id=service_point_id, channel=channel, interval_s=interval_s)
        if installed:
            begin = local_day(date.fromordinal(open_days[0] + date(1970, 1, 1).toordinal()), zone).start
            tail = await self._raw(scope, installed, series, Period(max(begin, period.start), period.end))
            series = joined_series(series, tail)
        series = cut_series(series, period)
        return series if scope.periods is None else owned_series(series, scope.periods.get(service_point_id, ()))

    async def daily_totals(
        self, scope: Scope, service_points: Sequence[UUID], channel: Channel, first: date, last: date
    ) -> DailyTotals:
        """Return sums of validated days with their estimated and missing intervals: month and year charts."""
        return await self.store.daily_totals(scope, service_points, channel, first, last)

    async def registers(self, scope: Scope, service_point_id: UUID, channel: Channel, period: Period) -> list[Register]:
        """Return register reads in the period (its end included), installers' reads too, by instant."""
        scope.require(frozenset({service_point_id}))
        wider = Period(period.start, period.end + timedelta(seconds=1))
        installed = await self.registry.installed({service_point_id}, wider)
        spans = _spans(installed, wider)
        batch = await self.store.registers(scope, spans, channel, period) if spans else RegisterBatch.empty()
        meters = {i.meter.id: i.meter for i in installed}
        factors = Factors(installed, channel)
        found = {
            (meter, int(at)): int(value)
            for meter, at, value in zip(uuids_of(batch.meter_id), batch.at, batch.value, strict=True)
        }
        for one in installed:
            i = one.installation
            ends = ((i.start, i.in_reads), *((s.start, s.reads) for s in i.steps), (i.end, i.out_reads))
            for instant, reads in ends:
                if instant is not None and channel in reads and period.start <= instant <= period.end:
                    found[one.meter.id, int(instant.timestamp())] = reads[channel]
        return [
            Register(meter, meters[meter].serial, instant_from_epoch_s(at), value, factors.at(meter, at))
            for (meter, at), value in sorted(found.items(), key=lambda item: item[0][1])
        ]

    async def end_reads(
        self,
        scope: Scope,
        service_points: Collection[UUID],
        period: Period,
        channel: Channel,
        *,
        as_known_at: datetime | None = None,
    ) -> dict[UUID, list[ReadPiece]]:
        """Return register reads at both ends of a bill, one piece for each meter that hung there in it, by time.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        found = await self.reads_at_ends(
            scope, dict.fromkeys(service_points, period), (channel,), as_known_at=as_known_at
        )
        return {point: list(pieces) for point, pieces in found.items()}

    async def reads_at_ends(
        self,
        scope: Scope,
        periods: Mapping[UUID, Period],
        channels: Sequence[Channel],
        *,
        as_known_at: datetime | None = None,
    ) -> dict[UUID, list[ReadPiece]]:
        """Return what :meth:`end_reads` does of bills of many service points at once, each with its own period.

        Pieces come channel by channel, each by time.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        scope.require(frozenset(periods))
        return await end_reads(self.registry, self.store, scope, periods, channels, as_known_at=as_known_at)

    async def actual_reads(
        self, scope: Scope, service_points: Collection[UUID], period: Period, channel: Channel
    ) -> ReadsOfMeters:
        """Return every actual register read of places in a span, its end included: no estimate is among them.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        scope.require(frozenset(service_points))
        return await actual_reads(self.registry, self.store, scope, service_points, period, channel)

    async def origins(
        self,
        scope: Scope,
        service_point_id: UUID,
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> list[RawOrigin]:
        """Return the raw reading behind each interval of the period, with the message that brought it, by start.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        scope.require(frozenset({service_point_id}))
        installed = await self.registry.installed({service_point_id}, period, as_known_at=as_known_at)
        spans = _spans(installed, period)
        if not spans:
            return []
        return await origins_of(self.store, scope, installed, spans, channel, period, as_known_at)

    async def with_estimated_end(
        self, scope: Scope, piece: ReadPiece, *, as_known_at: datetime | None = None
    ) -> ReadPiece:
        """Return a piece whose unread end is estimated from the reads before it, where they tell enough.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        scope.require(frozenset({piece.service_point_id}))
        return await with_estimated_end(self.registry, self.store, scope, piece, as_known_at=as_known_at)

    async def matrix(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> list[UsageMatrix]:
        """Return validated intervals of many service points: one matrix for each zone and interval length.

        Days without a version are zero with state MISSING and version 0. Service points that have no version in the
        span are in no matrix.
        """
        scope.require(frozenset(service_points))
        places = await self.registry.service_points(set(service_points))
        asked = {p.id: LocalDays(zone_named(p.zone), first, last) for p in places}
        found = await self.matrices(scope, asked, channel, as_known_at=as_known_at)
        return [matrix for own in found.values() for matrix in own]

    async def matrices(
        self, scope: Scope, asked: Mapping[UUID, LocalDays], channel: Channel, *, as_known_at: datetime | None = None
    ) -> dict[LocalDays, list[UsageMatrix]]:
        """Return what :meth:`matrix` does of service points at once that each have their own local days.

        All days from the first to the last are read of all of them: ask for days that lie near each other.
        """
        if not asked:
            return {}
        first, last = min(d.first for d in asked.values()), max(d.last for d in asked.values())
        table = await self.store.days(scope, list(asked), channel, first, last, as_known_at=as_known_at)
        return matrices_of(table, asked)

    async def completeness(
        self, scope: Scope, period: Period, *, channel: Channel = Channel.DELIVERED
    ) -> list[Completeness]:
        """Return, by hour, how many of the expected raw intervals came; for a process's scope the whole fleet."""
        installed = await self.registry.installed(scope.service_points, period)
        spans = _spans([i for i in installed if channel in i.meter.channels and not i.meter.is_virtual], period)
        intervals = {i.meter.id: i.meter.interval_s for i in installed}
        received = await self.store.completeness(scope, spans, channel, period) if spans else {}
        hour = period.start.replace(minute=0, second=0, microsecond=0)
        hours = []
        while hour < period.end:
            expected = sum(_expected(s.period, hour, intervals[s.meter_id]) for s in spans)
            hours.append(Completeness(hour, received.get(hour, 0), expected))
            hour += timedelta(hours=1)
        return hours

    async def findings(
        self, scope: Scope, service_points: Collection[UUID] | None, first: date, last: date, *, limit: int = 1000
    ) -> list[DayFinding]:
        """Return open findings, newest day first; None asks for all of the scope."""
        asked = scope.service_points if service_points is None else frozenset(service_points)
        if asked is not None:
            scope.require(asked)
        return await self.book.findings(asked, first, last, limit=limit)

    async def weather(self, scope: Scope, service_point_id: UUID, first: date, end: date) -> StationDays | None:
        """Return the temperatures of local days ``[first, end)`` at the station that speaks for a place on the last.

        One station for all of them: days of two stations say nothing of each other. None where none is set.

        Raises:
            ScopeError: outside the scope.
            UnknownRecordError: no such service point.
        """
        point = await self.service_point(scope, service_point_id)
        if self._weather is None:
            return None
        last, uses = end - timedelta(days=1), await self._weather.uses()
        station = use_of(uses, transformer=point.transformer or "", feeder=point.feeder or "", on=last)
        return None if station is None else await self._weather.days(station, first, end)

    async def unassigned(self, scope: Scope, period: Period) -> list[LastReading]:
        """Return meters that sent readings in the period and hang nowhere; for a process's scope alone."""
        seen = await self.store.last_readings(scope, None, period)
        loose = await self.registry.meters_unassigned(seen)
        return [seen[meter] for meter in loose]

    async def unbilled(self, scope: Scope, first: date, last: date) -> list[UnbilledUsage]:
        """Return usage on days for which the registry names no account, the most energy first.

        Args:
            scope: a process's scope looks at the whole fleet.
            first: local day.
            last: local day, included.
        """
        # A day before and after, so that every zone's local days lie inside.
        around = Period(
            datetime.combine(first, time(), UTC) - timedelta(days=1),
            datetime.combine(last, time(), UTC) + timedelta(days=2),
        )
        installed = await self.registry.installed(scope.service_points, around)
        places = await self.registry.service_points({i.installation.service_point_id for i in installed})
        facts = await self.registry.facts.of({p.id for p in places}, around, kinds=[FactKind.ACCOUNT])
        by_zone: dict[str, list[UUID]] = {}
        for place in places:
            by_zone.setdefault(place.zone, []).append(place.id)
        found: list[UnbilledUsage] = []
        for zone, points in by_zone.items():
            held = place_days(grid_of(zone_named(zone), first, last, 86_400), points, facts, {}).has_account
            loose = np.flatnonzero((~held).any(axis=1))
            rows = [points[r] for r in loose.tolist()]
            if rows:
                totals = await self.store.daily_totals(scope, rows, Channel.DELIVERED, first, last)
                found += unbilled_usage(totals, rows, held[loose], first)
        return sorted(found, key=lambda u: (-u.usage_wh, u.service_point_id))

    async def attach_import(
        self,
        *,
        service_point: ServicePoint,
        meter: Meter,
        installation: Installation,
        readings: ReadingBatch,
        registers: RegisterBatch | None = None,
        token: str,
        at: datetime,
    ) -> list[Affected]:
        """Bring an imported file in: its virtual meter at its service point, then its rows, then validation's queue.

        Every step may be repeated: with the same ids and token nothing is counted twice. Readings are written before
        the installation is, so a crash between leaves rows that belong to nobody yet.

        Raises:
            RegistryError: the registry refused.
            StoreError: the store refused or did not answer; repeating mends it.
        """
        await self.registry.add_service_points([service_point])
        await self.registry.add_meters([meter])
        await self.store.write_readings(readings, token=token)
        if registers is not None and len(registers):
            await self.store.write_registers(registers, token=f"{token}-registers")
        whole = Period(installation.start, installation.end or max(at, installation.start + timedelta(seconds=1)))
        there = await self.registry.installed({service_point.id}, whole)
        if any(i.installation.id == installation.id for i in there):
            return []
        return await self.registry.install([installation], at=at)

    async def request_validation(
        self, service_points: Collection[UUID] | None, first: date, last: date, *, reason: str, at: datetime
    ) -> None:
        """Put local days on validation's queue: bulk-loaded history, corrected master data."""
        await self.book.ask(service_points, first, last, reason=reason, at=at)

    async def _raw(
        self, scope: Scope, installed: Sequence[InstalledMeter], series: IntervalSeries, period: Period
    ) -> IntervalSeries:
        """Return raw readings of the period after the multiplier."""
        spans = _spans([i for i in installed if i.meter.interval_s == series.interval_s], period)
        batch = (
            await self.store.values(scope, spans, series.channel, period) if spans else Values.of(ReadingBatch.empty())
        )
        factors = Factors(installed, series.channel)
        multiplier = np.array(
            [factors.at(m, s) for m, s in zip(uuids_of(batch.meter_id), batch.start.tolist(), strict=True)],
            dtype=np.int64,
        )
        order = np.argsort(batch.start, kind="stable")
        value = batch.value * multiplier if len(batch) else batch.value
        return raw_tail(series, start_s=batch.start[order], value=value[order], flags=batch.quality[order])


def _spans(installed: Sequence[InstalledMeter], period: Period) -> list[MeterSpan]:
    spans = []
    for one in installed:
        i = one.installation
        cut = Period(i.start, i.end or max(period.end, i.start + timedelta(seconds=1))).intersection(period)
        if cut is not None:
            spans.append(MeterSpan(i.service_point_id, i.meter_id, cut))
    return spans


def _expected(span: Period, hour: datetime, interval_s: int) -> int:
    """Return how many intervals of a span start in an hour."""
    part = span.intersection(Period(hour, hour + timedelta(hours=1)))
    return part.duration_s // interval_s if part is not None else 0
