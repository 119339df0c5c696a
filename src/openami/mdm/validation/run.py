"""One validation run over service points and local days: the fleet's plain days in columns, the rest with care.

Which road a place takes is decided here, once a zone and interval length; see :mod:`.fleet` and :mod:`.careful`. Both
write findings before versions: a crash between the two repeats both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import day_number
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s, local_date, zone_named
from openami.mdm.editing.decision import UNSEEN, DecisionRefusedError, Target
from openami.mdm.editing.ports import DecisionBook
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.validation.careful import MAX_BRACKET_DAYS, CarefulRoad
from openami.mdm.validation.decisions import force_of
from openami.mdm.validation.fleet.ports import FleetStore
from openami.mdm.validation.fleet.roster import roster_of
from openami.mdm.validation.fleet.run import METERS_PER_SHARD, FleetDay
from openami.mdm.validation.lengths import fits, spans_by_length
from openami.mdm.validation.load import Inputs
from openami.mdm.validation.loading import CHANNELS_VALIDATED, Loading
from openami.mdm.validation.places import PlaceSource
from openami.mdm.validation.ports import ValidationBook
from openami.mdm.validation.references import ReferenceSource
from openami.mdm.validation.table import Stamp
from openami.mdm.validation.windows import POINTS_AT_ONCE, Span, pieces
from openami.mdm.validation.writing import RunReport, Writing
from openami.mdm.vee.grid import Grid, grid_of
from openami.mdm.vee.matrix import Matrix
from openami.security.access.scope import Purpose, Scope, system_scope

MAX_FINDINGS = 20_000
"""A day with more open findings than this is run again with care, all of it."""


@dataclass(frozen=True, slots=True)
class _Left:
    """Service points that the careful road must do, by channel."""

    by_channel: Mapping[Channel, Mapping[UUID, None]]

    @property
    def points(self) -> tuple[UUID, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(p for points in self.by_channel.values() for p in points))


class Validation:
    """Runs validation.

    Args:
        registry: who hung where.
        store: readings and versions.
        book: progress and findings.
        decisions: what people decided; None for a run that knows of none.
        fleet: the store, asked about a whole fleet; None does every day with the same care.
        process: name of the process, for the scope.
        horizon: returns the first day whose raw readings are all there; days before it keep the versions that they
            have, for nothing is left to make others from. None where nothing was ever removed.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        store: IntervalStore,
        book: ValidationBook,
        decisions: DecisionBook | None = None,
        fleet: FleetStore | None = None,
        process: str = "worker",
        horizon: Callable[[], Awaitable[date | None]] | None = None,
    ) -> None:
        self._registry = registry
        self._horizon = horizon
        self._store = store
        self._book = book
        self._decisions = decisions
        self._fleet = fleet
        self._places = PlaceSource(registry)
        self._scope: Scope = system_scope(process=process, purpose=Purpose.VALIDATION)
        self._loading = Loading(registry=registry, store=store, places=self._places, scope=self._scope)
        self._references = ReferenceSource(registry=registry, store=store, scope=self._scope)
        self._careful = CarefulRoad(
            loading=self._loading,
            writing=Writing(store=store, book=book),
            references=self._references,
            store=store,
            scope=self._scope,
        )

    async def run(
        self,
        service_points: Collection[UUID] | None,
        first: date,
        last: date,
        *,
        run_id: UUID,
        known_at: datetime,
        channels: Sequence[Channel] = CHANNELS_VALIDATED,
    ) -> RunReport:
        """Validate local days from first to last (both included) of these service points, all for None.

        Days that have not ended at ``known_at`` are left out. Only days whose content changes get a new version.

        Raises:
            StoreError: the store refused or did not answer; running again mends it.
        """
        since = await self._horizon() if self._horizon is not None else None
        first = max(first, since or first)
        if last < first:
            return RunReport()
        around = Period(_midnight_utc(first) - timedelta(days=2), _midnight_utc(last) + timedelta(days=3))
        installed = await self._loading.installed(service_points, around)
        points = await self._registry.service_points({i.installation.service_point_id for i in installed})
        reach = timedelta(days=MAX_BRACKET_DAYS)
        force = await force_of(self._decisions, service_points, Period(around.start - reach, around.end + reach))
        book = await self._book.rule_book()
        zones = {p.id: zone_named(p.zone) for p in points}
        own: dict[UUID, list[InstalledMeter]] = defaultdict(list)
        for one in installed:
            own[one.installation.service_point_id].append(one)
        ended = {zone: min(last, local_date(known_at, zone) - timedelta(days=1)) for zone in set(zones.values())}
        groups: dict[tuple[ZoneInfo, int, date, date], dict[UUID, None]] = defaultdict(dict)
        for point, mine in own.items():
            zone = zones[point]
            for interval_s, a, b in spans_by_length(mine, zone, first, ended[zone]):
                groups[zone, interval_s, a, b][point] = None
        stamp = Stamp(channels[0], run_id, known_at, force, book=book, since=since)
        report = RunReport()
        for (zone, interval_s, a, b), members in groups.items():
            left = _Left(dict.fromkeys(channels, members))
            is_night = service_points is None and a == b == ended[zone] == first
            if is_night:
                theirs = [i for point in members for i in own[point]]
                left, settled = await self._run_fleet(grid_of(zone, a, a, interval_s), theirs, left, stamp)
                report += settled
            # Where a part of the fleet runs, those with one fault are together: they must not judge each other.
            is_part = service_points is not None or (is_night and self._fleet is not None)
            for span in pieces(zone, interval_s, left.points, a, b, with_mates=is_part):
                report += await self._run_channels(span, own, left, channels, stamp)
        return report

    async def _run_channels(
        self,
        span: Span,
        own: Mapping[UUID, Sequence[InstalledMeter]],
        left: _Left,
        channels: Sequence[Channel],
        stamp: Stamp,
    ) -> RunReport:
        """Validate the channels of one span, each window loaded once."""
        report, loads = RunReport(), dict[Any, Inputs]()
        for channel in channels:
            measuring = [
                i for p in span.points if p in left.by_channel[channel] for i in own[p]
                if channel in i.meter.channels and fits(i, span.interval_s)
            ]  # fmt: skip
            if channel is Channel.RECEIVED:
                measuring = await self._loading.advancing(span, measuring, stamp.force.places)
            if measuring:
                report += await self._careful.run(span, measuring, replace(stamp, channel=channel, loads=loads))
        return report

    async def seen(self, targets: Sequence[Target], *, known_at: datetime) -> list[tuple[int, ...]]:
        """Return the reading of each interval of each span as a run would take it, UNSEEN where none has come.

        Args:
            targets: spans; at most :data:`POINTS_AT_ONCE` places are loaded at once.
            known_at: domain time.
        """
        zones = {
            p.id: zone_named(p.zone) for p in await self._registry.service_points({t.service_point_id for t in targets})
        }
        groups: dict[tuple[ZoneInfo, int, Channel, date, date], list[int]] = defaultdict(list)
        for index, t in enumerate(targets):
            zone = zones.get(t.service_point_id)
            if zone is None:
                raise DecisionRefusedError(f"there is no service point {t.service_point_id}")
            last = local_date(t.period.end - timedelta(microseconds=1), zone)
            groups[zone, t.interval_s, t.channel, local_date(t.period.start, zone), last].append(index)
        found: dict[int, tuple[int, ...]] = {}
        for (zone, interval_s, channel, first, last), members in groups.items():
            for at in range(0, len(members), POINTS_AT_ONCE):
                part = members[at : at + POINTS_AT_ONCE]
                grid = grid_of(zone, first, last, interval_s)
                found |= await self._seen(grid, channel, {i: targets[i] for i in part}, known_at)
        return [found[index] for index in range(len(targets))]

    async def raw(self, grid: Grid, channel: Channel, points: Sequence[UUID], *, known_at: datetime) -> Matrix:
        """Return the readings of a grid as a run would take them, a row for each of at most POINTS_AT_ONCE places."""
        period = Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
        installed = [
            i
            for i in await self._loading.installed(set(points), period)
            if channel in i.meter.channels and fits(i, grid.interval_s)
        ]
        force = await force_of(self._decisions, points, period)
        stamp = Stamp(channel, UUID(int=0), known_at, force)
        return (await self._loading.load(grid, points, installed, stamp)).matrix

    async def _seen(
        self, grid: Grid, channel: Channel, targets: Mapping[int, Target], known_at: datetime
    ) -> dict[int, tuple[int, ...]]:
        points = sorted({t.service_point_id for t in targets.values()})
        matrix = await self.raw(grid, channel, points, known_at=known_at)
        values = np.where(matrix.present, matrix.values, UNSEEN)
        row_of = {point: row for row, point in enumerate(points)}
        found = {}
        for index, t in targets.items():
            lo, hi = np.searchsorted(grid.start_s, [t.period.start_s, t.period.end_s])
            found[index] = tuple(values[row_of[t.service_point_id], lo:hi].tolist())
        return found

    async def _run_fleet(
        self, grid: Grid, installed: Sequence[InstalledMeter], left: _Left, stamp: Stamp
    ) -> tuple[_Left, RunReport]:
        """Settle the plain days of a fleet at once; return what is left for the careful road."""
        open_findings = await self._book.findings(None, grid.first, grid.last, limit=MAX_FINDINGS)
        if self._fleet is None or len(open_findings) == MAX_FINDINGS:
            return left, RunReport()
        careful = stamp.force.places | {f.service_point_id for f in open_findings}
        careful |= await self._places.out_of_service(grid)
        roster = roster_of(grid, installed, careful, feeding_in=await self._places.feeding_in(grid))
        if not len(roster):
            return left, RunReport()
        are_together = len(roster) <= METERS_PER_SHARD
        neighborhood = await self._places.neighborhoods(uuids_of(roster.point), are_together=are_together)
        roster = replace(roster, neighborhood=neighborhood)
        day = FleetDay(self._store, self._fleet, self._book, self._scope, self._references)
        done = await day.run(grid, roster, list(left.by_channel), stamp)
        plain = set(uuids_of(roster.point))
        rest = {
            channel: {p: None for p in points if p not in plain} | dict.fromkeys(done.careful[channel])
            for channel, points in left.by_channel.items()
        }
        return _Left(rest), RunReport(done.versions, done.findings)


def _midnight_utc(day: date) -> datetime:
    return instant_from_epoch_s(day_number(day) * 86_400)
