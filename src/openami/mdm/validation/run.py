"""One validation run over service points and local days.

Most days are clean or bracketed by both of their midnight reads: they need the day and a margin. What needs more (a
long gap that wants like days, a missing midnight read) is loaded again in a wider window, and days outside the asked
span that share its bracket get a new version too, so that energy is conserved across the whole bracket.

Findings are written before versions: a crash between the two repeats both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.changed import MAX_DAYS, ChangedDay
from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.day import DayTable, day_from_number, day_number
from openami.contracts.quality import Method
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuids_of
from openami.kernel.time import Period, instant_from_epoch_s, local_date, local_midnight, zone_named
from openami.mdm.editing.decision import SWAPPED, UNSEEN, Decision, DecisionRefusedError, Target
from openami.mdm.editing.ports import DecisionBook
from openami.mdm.editing.raw import Loaded, corrected, reach_s, swapped_ends, swapping
from openami.mdm.ports import IntervalStore, Values
from openami.mdm.registry.facts import FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.registry.segments import by_network
from openami.mdm.validation.decisions import force_of, unanswered, with_decisions
from openami.mdm.validation.fleet.ports import FleetStore
from openami.mdm.validation.fleet.roster import roster_of
from openami.mdm.validation.fleet.run import METERS_PER_SHARD, FleetDay
from openami.mdm.validation.frozen import carried, frozen_cells, keep_cells
from openami.mdm.validation.load import NO_PLACES, Inputs, inputs_of, standing_still, with_versions
from openami.mdm.validation.places import PlaceSource
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.validation.references import ReferenceSource
from openami.mdm.validation.spans import spans_of
from openami.mdm.validation.table import Stamp, Versions, changed_days, findings_of, unchanged_versions, versions_of
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import LOOK_BACK_DAYS, NO_REFERENCES, References
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of
from openami.mdm.vee.history import DIGEST_DAYS, PROFILE_HOURS, History, remembered
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome, Statement
from openami.mdm.vee.profile import DayDigests, digests_at, profiles
from openami.mdm.vee.rules.seen import Surroundings
from openami.mdm.vee.ruleset import RuleBook
from openami.security.access.scope import Purpose, Scope, system_scope

POINTS_AT_ONCE = 500
POINTS_OF_ONE_DAY = 1_500
"""One day and the four weeks before it, of so many, are some 250 MB."""
LOADS_KEPT = 3
"""Of a piece of work the narrow window of each channel is loaded once: it is validated, and looked at by the others."""
MAX_DAYS_AT_ONCE = 31
MAX_BRACKET_DAYS = 92
"""How far a run looks for the register read before and after a day; beyond, its estimates stay unscaled."""
NEAR = timedelta(days=14)
"""Brackets that reach no farther beyond the asked days share one window."""
MAX_FINDINGS = 20_000
"""A day with more open findings than this is run again with care, all of it."""
_SETTLED = (
    Method.MEASURED, Method.POWER_FAIL_ZERO, Method.LINEAR_SCALED, Method.MANUAL, Method.CALCULATED, Method.CHECK_METER
)  # fmt: skip
"""Methods of values that no wider window would change."""
CHANNELS_VALIDATED = (Channel.DELIVERED, Channel.RECEIVED, Channel.VOLTAGE)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did.

    Args:
        versions: versions written.
        findings: findings opened, and findings closed where no version was written.
        days: the days that had a version before; None where they are more than a message names.
    """

    versions: int = 0
    findings: int = 0
    days: tuple[ChangedDay, ...] | None = field(default=(), compare=False)

    def __add__(self, other: RunReport) -> RunReport:
        versions = self.versions + other.versions
        days = None if self.days is None or other.days is None else self.days + other.days
        if days is not None and len(days) > MAX_DAYS:
            days = None
        return RunReport(versions, self.findings + other.findings, days)


@dataclass(frozen=True, slots=True)
class _Span:
    """Days asked for, of service points that share zone, interval and window."""

    zone: ZoneInfo
    interval_s: int
    points: tuple[UUID, ...]
    first: date
    last: date


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
        self._references = ReferenceSource(registry=registry, store=store, scope=self._scope)

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
        installed = await self._installed(service_points, around)
        points = await self._registry.service_points({i.installation.service_point_id for i in installed})
        reach = timedelta(days=MAX_BRACKET_DAYS)
        force = await force_of(self._decisions, service_points, Period(around.start - reach, around.end + reach))
        book = await self._book.rule_book()
        zones = {p.id: zone_named(p.zone) for p in points}
        groups: dict[tuple[ZoneInfo, int], dict[UUID, None]] = defaultdict(dict)
        for one in installed:
            point = one.installation.service_point_id
            groups[zones[point], one.meter.interval_s][point] = None
        own: dict[UUID, list[InstalledMeter]] = defaultdict(list)
        for one in installed:
            own[one.installation.service_point_id].append(one)
        report = RunReport()
        for (zone, interval_s), members in groups.items():
            ended = min(last, local_date(known_at, zone) - timedelta(days=1))
            stamp = Stamp(channels[0], run_id, known_at, force, book=book, since=since)
            left = _Left(dict.fromkeys(channels, members))
            if service_points is None and first == ended:
                theirs = [i for point in members for i in own[point] if i.meter.interval_s == interval_s]
                left, settled = await self._run_fleet(grid_of(zone, first, first, interval_s), theirs, left, stamp)
                report += settled
            for span in _pieces(zone, interval_s, left.points, first, ended):
                loads: dict[Any, Inputs] = {}
                for channel in channels:
                    measuring = [
                        i for p in span.points if p in left.by_channel[channel] for i in own[p]
                        if channel in i.meter.channels
                    ]  # fmt: skip
                    if channel is Channel.RECEIVED:
                        measuring = await self._advancing(span, measuring, force.places)
                    if measuring:
                        mine = replace(stamp, channel=channel, loads=loads)
                        report += await self._run_span(span, measuring, mine)
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

    async def _seen(
        self, grid: Grid, channel: Channel, targets: Mapping[int, Target], known_at: datetime
    ) -> dict[int, tuple[int, ...]]:
        points = sorted({t.service_point_id for t in targets.values()})
        period = Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
        installed = [i for i in await self._installed(set(points), period) if channel in i.meter.channels]
        force = await force_of(self._decisions, points, period)
        stamp = Stamp(channel, UUID(int=0), known_at, force)
        matrix = (await self._load(grid, points, installed, stamp)).matrix
        values = np.where(matrix.present, matrix.values, UNSEEN)
        row_of = {point: row for row, point in enumerate(points)}
        found = {}
        for index, t in targets.items():
            lo, hi = np.searchsorted(grid.start_s, [t.period.start_s, t.period.end_s])
            found[index] = tuple(values[row_of[t.service_point_id], lo:hi].tolist())
        return found

    async def _installed(self, points: Collection[UUID] | None, period: Period) -> list[InstalledMeter]:
        """Return the installations that the network reads: what is read by hand has no intervals to expect."""
        installed = await self._registry.installed(points, period)
        return by_network(installed, await self._registry.facts.of(points, period, kinds=[FactKind.READING]))

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
        day = FleetDay(self._store, self._fleet, self._book, self._scope)
        done = await day.run(grid, roster, list(left.by_channel), stamp)
        plain = set(uuids_of(roster.point))
        rest = {
            channel: {p: None for p in points if p not in plain} | dict.fromkeys(done.careful[channel])
            for channel, points in left.by_channel.items()
        }
        return _Left(rest), RunReport(done.versions, done.findings)

    async def _run_span(self, span: _Span, installed: Sequence[InstalledMeter], stamp: Stamp) -> RunReport:
        """Validate one span in the narrow window, and in wide ones where that is not enough."""
        points = tuple(dict.fromkeys(i.installation.service_point_id for i in installed))
        span = replace(span, points=points)
        day = timedelta(days=1)
        grid = grid_of(span.zone, span.first - day, span.last + day, span.interval_s)
        inputs = await self._load(grid, points, installed, stamp)
        latest = await self._store.days(self._scope, points, stamp.channel, span.first, span.last)
        is_energy = CHANNELS[stamp.channel].is_energy
        # A gap that wants like days wants the wide window, so here none are looked for.
        wanted = _wanted(grid, inputs, span.first, span.last)
        memory = await self._history(points, stamp.channel, span.first)
        around = _around(grid, inputs, stamp.channel, wanted, memory, span.first)
        around = replace(around, siblings=await self._siblings(grid, points, installed, stamp))
        outcome = _validate(grid, inputs, around, stamp.book, with_like_days=False)
        rows = _worth_writing(inputs, stamp.channel, latest)
        wide = _needs_wide(grid, inputs, outcome, span) & rows if is_energy else np.zeros(len(points), bool)
        narrow = wanted & (rows & ~wide)[:, None]
        report = await self._write(grid, inputs, outcome, narrow, latest, stamp, memory=memory, first=span.first)
        near = wide & _held_whole(grid, inputs, span) & _hung_long(points, installed, span)
        if near.any():
            windows = [(point, span.first, span.last) for point in _at(points, near)]
            report += await self._run_windows(span, installed, windows, stamp)
        if (wide & ~near).any():
            report += await self._run_wide(replace(span, points=_at(points, wide & ~near)), stamp)
        return report

    async def _run_wide(self, span: _Span, stamp: Stamp) -> RunReport:
        """Validate service points whose brackets or references lie outside the narrow window."""
        zone, reach = span.zone, timedelta(days=MAX_BRACKET_DAYS)
        period = Period(local_midnight(span.first - reach, zone), local_midnight(span.last + reach, zone))
        installed = [
            i
            for i in await self._installed(set(span.points), period)
            if stamp.channel in i.meter.channels and i.meter.interval_s == span.interval_s
        ]
        grid = grid_of(zone, span.first - reach, span.last + reach, span.interval_s)
        inputs = await self._load(grid, span.points, installed, stamp, with_readings=False)
        windows = _windows(grid, inputs.brackets, span)
        groups: dict[tuple[date, date], list[int]] = defaultdict(list)
        for row, (first, last) in enumerate(windows):
            is_near = first >= span.first - NEAR and last <= span.last + NEAR
            groups[(span.first, span.last) if is_near else (first, last)].append(row)
        report = RunReport()
        for rows in groups.values():
            report += await self._run_windows(span, installed, [(span.points[r], *windows[r]) for r in rows], stamp)
        return report

    async def _run_windows(
        self, span: _Span, installed: Sequence[InstalledMeter], windows: Sequence[tuple[UUID, date, date]], stamp: Stamp
    ) -> RunReport:
        """Validate each service point over the whole brackets that the asked days lie in, with like days before.

        The days before are taken from their versions. Where one has no version yet (days are first validated in any
        order) raw readings stand for all of them.
        """
        first, last = min(w[1] for w in windows), max(w[2] for w in windows)
        lookback = timedelta(days=LOOK_BACK_DAYS)
        before = await self._store.days(
            self._scope, [w[0] for w in windows], stamp.channel, first - lookback, first - timedelta(days=1)
        )
        count = Counter(bytes(p) for p in before.service_point_id.tolist())
        report = RunReport()
        for versions, chosen in (
            (before, [w for w in windows if count[w[0].bytes] == LOOK_BACK_DAYS]),
            (None, [w for w in windows if count[w[0].bytes] != LOOK_BACK_DAYS]),
        ):
            if chosen:
                grid = grid_of(span.zone, first - lookback, last + timedelta(days=1), span.interval_s)
                report += await self._run_with_like_days(grid, span, installed, chosen, stamp, before=versions)
        return report

    async def _run_with_like_days(
        self,
        grid: Grid,
        span: _Span,
        installed: Sequence[InstalledMeter],
        windows: Sequence[tuple[UUID, date, date]],
        stamp: Stamp,
        *,
        before: DayTable | None,
    ) -> RunReport:
        points = tuple(w[0] for w in windows)
        chosen = set(points)
        first, last = grid.day(LOOK_BACK_DAYS), grid.last - timedelta(days=1)
        own = [i for i in installed if i.installation.service_point_id in chosen]
        inside = np.zeros((len(points), grid.days), bool)
        for row, (_, a, b) in enumerate(windows):
            inside[row, grid.index_of(a) : grid.index_of(b) + 1] = True
        loaded = await self._load(grid, points, own, stamp, since=None if before is None else first)
        if before is not None:
            loaded = with_versions(grid, loaded, before)
        inputs = _confined(loaded, grid, inside)
        latest = await self._store.days(self._scope, points, stamp.channel, first, last)
        asked = _wanted(grid, inputs, span.first, span.last)
        wanted = asked.copy()
        # Outside the asked days only what had a version is run again: the rest has its first run to come.
        row_of = {point.bytes: row for row, point in enumerate(points)}
        base = day_number(grid.first)
        for point, number in zip(latest.service_point_id.tolist(), latest.local_day.tolist(), strict=True):
            wanted[row_of[bytes(point)], number - base] = True
        wanted &= inside & inputs.has_data[:, None]
        memory = await self._history(points, stamp.channel, first)
        references = await self._references.of(grid, inputs, stamp.channel, known_at=stamp.known_at)
        around = _around(grid, inputs, stamp.channel, wanted, memory, first)
        around = replace(around, siblings=await self._siblings(grid, points, own, stamp, since=first))
        outcome = _validate(grid, inputs, around, stamp.book, references=references)
        frozen = frozen_cells(grid, wanted & ~asked, inputs.brackets)
        keep_cells(grid, points, outcome, frozen, latest)
        return await self._write(
            grid, inputs, outcome, wanted, latest, stamp, memory=memory, first=first, frozen=frozen
        )

    async def _siblings(
        self,
        grid: Grid,
        points: Sequence[UUID],
        installed: Sequence[InstalledMeter],
        stamp: Stamp,
        *,
        since: date | None = None,
    ) -> dict[Channel, Matrix]:
        """Return what the meters' other channels say: a stopped meter is told from an outage by its voltage."""
        found = {}
        for other in CHANNELS_VALIDATED:
            theirs = [i for i in installed if other in i.meter.channels]
            if other is not stamp.channel and theirs:
                asked = replace(stamp, channel=other)
                found[other] = (await self._load(grid, points, theirs, asked, since=since)).matrix
        return found

    async def _history(self, points: Sequence[UUID], channel: Channel, before: date) -> History | None:
        """Return what is remembered of the weeks before a day; of averages nothing is."""
        if not CHANNELS[channel].is_energy:
            return None
        return await self._store.history(self._scope, points, channel, before, DIGEST_DAYS)

    async def _advancing(
        self, span: _Span, installed: Sequence[InstalledMeter], decided: Collection[UUID]
    ) -> list[InstalledMeter]:
        """Leave out meters whose register stood still over the span and lately: most homes never feed in.

        A home that does keeps its versions through a dark day, and so does one about which people decided something.
        """
        period = Period(local_midnight(span.first, span.zone), local_midnight(span.last + timedelta(days=1), span.zone))
        batch = await self._store.registers(self._scope, spans_of(installed, period), Channel.RECEIVED, period)
        still = standing_still(batch, period)
        points = {i.installation.service_point_id for i in installed if i.meter.id in still}
        if not points:
            return list(installed)
        lately = span.first - timedelta(days=14)
        known = await self._store.days(self._scope, sorted(points), Channel.RECEIVED, lately, span.last)
        feeding = {UUID(bytes=bytes(p)) for p in known.service_point_id.tolist()}
        idle = points - feeding - frozenset(decided)
        return [i for i in installed if i.installation.service_point_id not in idle]

    async def _load(
        self,
        grid: Grid,
        points: Sequence[UUID],
        installed: Sequence[InstalledMeter],
        stamp: Stamp,
        *,
        with_readings: bool = True,
        since: date | None = None,
    ) -> Inputs:
        """Fetch what the store has for the grid, or for its days from one on, unless it was; read it as decided."""
        meters = tuple(i.installation.id for i in installed)
        key = (stamp.channel, grid.first, grid.last, tuple(points), meters, with_readings, since)
        found = stamp.loads.get(key)
        if found is None:
            found = await self._loaded(grid, points, installed, stamp, with_readings=with_readings, since=since)
            if len(stamp.loads) < LOADS_KEPT:
                stamp.loads[key] = found
        return found

    async def _loaded(
        self,
        grid: Grid,
        points: Sequence[UUID],
        installed: Sequence[InstalledMeter],
        stamp: Stamp,
        *,
        with_readings: bool,
        since: date | None,
    ) -> Inputs:
        start = local_midnight(since or grid.first, grid.zone)
        period = Period(start, instant_from_epoch_s(int(grid.edge_s[-1])))
        decisions = await stamp.force.touching(points, period)
        places = await self._places.of(grid, points) if with_readings else NO_PLACES
        if not decisions:
            loaded = await self._fetch(installed, stamp.channel, period, with_readings=with_readings)
            inputs = inputs_of(
                grid, points, installed, stamp.channel,
                readings=loaded.readings, registers=loaded.registers, until=stamp.known_at,
            )  # fmt: skip
            return replace(inputs, places=places)
        loaded = await self._corrected(installed, stamp.channel, period, decisions, with_readings=with_readings)
        inputs = inputs_of(
            grid, points, swapped_ends(installed, decisions), stamp.channel,
            readings=loaded.readings, registers=loaded.registers, until=stamp.known_at,
        )  # fmt: skip
        return with_decisions(grid, replace(inputs, places=places), stamp.channel, decisions)

    async def _fetch(
        self, installed: Sequence[InstalledMeter], channel: Channel, period: Period, *, with_readings: bool = True
    ) -> Loaded:
        spans = spans_of(installed, period)
        readings, registers = Values.of(ReadingBatch.empty()), RegisterBatch.empty()
        if with_readings:
            readings = await self._store.values(self._scope, spans, channel, period)
        if CHANNELS[channel].is_energy:
            registers = await self._store.registers(self._scope, spans, channel, period)
        return Loaded(readings, registers)

    async def _corrected(
        self,
        installed: Sequence[InstalledMeter],
        channel: Channel,
        period: Period,
        decisions: Sequence[Decision],
        *,
        with_readings: bool,
    ) -> Loaded:
        """Fetch what belongs to a period by decisions about clocks and crossed channels."""
        reach = timedelta(seconds=reach_s(decisions))
        wider = Period(period.start - reach, period.end + reach)
        loaded = await self._fetch(installed, channel, wider, with_readings=with_readings)
        other, crossed = None, swapping(decisions)
        if crossed and channel in SWAPPED:
            theirs = [i for i in installed if i.installation.service_point_id in crossed]
            other = await self._fetch(theirs, SWAPPED[channel], wider, with_readings=with_readings)
        return corrected(loaded, other, installed, channel, decisions)

    async def _write(
        self,
        grid: Grid,
        inputs: Inputs,
        outcome: Outcome,
        wanted: BOOLS,
        latest: DayTable,
        stamp: Stamp,
        *,
        memory: History | None,
        first: date,
        frozen: BOOLS | None = None,
    ) -> RunReport:
        """Write changed days, from a first one on, and what the rules say about them, but for frozen cells (S, N)."""
        wanted = stamp.kept_back(grid, wanted)
        days, row, day = changed_days(grid, inputs.points, outcome, wanted, latest=latest, stamp=stamp)
        changed = versions_of(days)
        same = unchanged_versions(grid, inputs.points, wanted, latest=latest, changed=changed)
        if not changed and not same:
            return RunReport()
        findings = findings_of(
            grid, inputs.points, unanswered(inputs, _spoken(grid, outcome, wanted, frozen)), changed | same, stamp
        )
        if frozen is not None and frozen.any():
            known = await self._book.findings(inputs.points, grid.first, grid.last, limit=MAX_FINDINGS)
            findings += carried(grid, inputs.points, frozen, known, changed | same, stamp)
        report = RunReport()
        if same:
            report += await self._refresh(inputs.points, same, findings, stamp)
        if changed:
            fresh = [f for f in findings if (f.service_point_id.bytes, day_number(f.local_day)) in changed]
            keys = _keys(inputs.points, changed, stamp.channel)
            await self._book.keep_findings(keys, fresh, at=stamp.known_at)
            token = f"vee-{stamp.run_id}-{int(stamp.channel)}-{keys[0][0]}-{keys[0][2]}-{len(keys)}"
            digests = _digests(grid, outcome, row, day, history=memory, first=first)
            await self._store.write_days(days, token=token, digests=digests, stamp=True)
            report += RunReport(len(days), len(fresh), tuple(ChangedDay(*key) for key in keys if key[3] > 1))
        return report

    async def _refresh(
        self, points: Sequence[UUID], same: Versions, findings: Sequence[DayFinding], stamp: Stamp
    ) -> RunReport:
        """Open and close findings of days whose content stayed as it was."""
        theirs = [f for f in findings if (f.service_point_id.bytes, day_number(f.local_day)) in same]
        keys = _keys(points, same, stamp.channel)
        return RunReport(0, await self._book.refresh_findings(keys, theirs, at=stamp.known_at))


def _spoken(grid: Grid, outcome: Outcome, wanted: BOOLS, frozen: BOOLS | None) -> list[Statement]:
    """Return what was said of wanted days (S, D), but for what speaks of frozen cells (S, N) alone."""
    return [
        s
        for s in outcome.statements
        if wanted[s.row, grid.day_of[s.lo] : grid.day_of[s.hi - 1] + 1].any()
        and (frozen is None or not frozen[s.row, s.lo : s.hi].all())
    ]


def _keys(points: Sequence[UUID], versions: Versions, channel: Channel) -> list[tuple[UUID, Channel, date, int]]:
    id_of = {p.bytes: p for p in points}
    return [(id_of[point], channel, day_from_number(n), version) for (point, n), version in versions.items()]


def _pieces(zone: ZoneInfo, interval_s: int, points: tuple[UUID, ...], first: date, last: date) -> list[_Span]:
    """Cut a piece of work into such as fit in memory: some service points, at most a month."""
    pieces: list[_Span] = []
    while first <= last:
        until = min(last, first + timedelta(days=MAX_DAYS_AT_ONCE - 1))
        step = POINTS_OF_ONE_DAY if first == until else POINTS_AT_ONCE
        pieces += [_Span(zone, interval_s, points[at : at + step], first, until) for at in range(0, len(points), step)]
        first = until + timedelta(days=1)
    return pieces


def _midnight_utc(day: date) -> datetime:
    return instant_from_epoch_s(day_number(day) * 86_400)


def _at(points: Sequence[UUID], mask: BOOLS) -> tuple[UUID, ...]:
    return tuple(p for p, here in zip(points, mask.tolist(), strict=True) if here)


def _validate(
    grid: Grid,
    inputs: Inputs,
    around: Surroundings,
    book: RuleBook,
    *,
    with_like_days: bool = True,
    references: References = NO_REFERENCES,
) -> Outcome:
    return validated(
        grid,
        inputs.matrix,
        coverage=inputs.coverage,
        brackets=inputs.brackets,
        limit=inputs.limit,
        is_energy=CHANNELS[around.channel].is_energy,
        with_like_days=with_like_days,
        decided=inputs.decided,
        references=references,
        around=around,
        book=book,
    )


def _digests(grid: Grid, outcome: Outcome, row: I64, day: I64, *, history: History | None, first: date) -> DayDigests:
    """Return what is to be remembered of days that are written; an average has no profile."""
    memory = remembered(grid, outcome.values, outcome.quality)
    if history is None:
        return digests_at(row, day, memory, np.zeros((len(outcome.values), grid.days, PROFILE_HOURS), np.int32))
    hours = profiles(grid, history.profile, outcome.values, memory, first=grid.index_of(first))
    return digests_at(row, day, memory, hours)


def _around(
    grid: Grid, inputs: Inputs, channel: Channel, wanted: BOOLS, memory: History | None, first: date
) -> Surroundings:
    """Return what rules see besides the readings."""
    return Surroundings(
        channel=channel, wanted=wanted, history=memory, first=0 if memory is None else grid.index_of(first),
        faults=inputs.faults, places=inputs.places,
    )  # fmt: skip


def _wanted(grid: Grid, inputs: Inputs, first: date, last: date) -> BOOLS:
    """Return the asked days on which a meter hung there."""
    asked = np.zeros(grid.days, bool)
    asked[grid.index_of(first) : grid.index_of(last) + 1] = True
    hung = np.logical_or.reduceat(inputs.coverage.touched, grid.day_at[:-1], axis=1)
    return np.asarray(hung & asked)


def _worth_writing(inputs: Inputs, channel: Channel, latest: DayTable) -> BOOLS:
    """Return the rows that get versions: all of delivered energy, others where the meter has anything to say."""
    rows: BOOLS = np.asarray(inputs.matrix.present.any(axis=1))
    if channel is Channel.DELIVERED:
        return np.ones(len(rows), bool)
    if channel is Channel.RECEIVED:
        rows = np.asarray((inputs.matrix.values != 0).any(axis=1))
        rows[inputs.brackets.row[inputs.brackets.energy != 0]] = True
    known = {bytes(p) for p in np.unique(latest.service_point_id).tolist()} if len(latest) else set()
    return np.asarray(rows | np.array([p.bytes in known for p in inputs.points], dtype=bool))


def _needs_wide(grid: Grid, inputs: Inputs, outcome: Outcome, span: _Span) -> BOOLS:
    """Return the rows that the narrow window cannot settle: a long gap, or an end of a day that no read brackets."""
    lo, hi = (int(c) for c in (grid.day_at[grid.index_of(span.first)], grid.day_at[grid.index_of(span.last) + 1]))
    asked = slice(lo, hi)
    settled = np.isin(outcome.method[:, asked], _SETTLED)
    wide: BOOLS = np.asarray((inputs.coverage.touched[:, asked] & ~settled).any(axis=1))
    held = np.zeros((len(inputs.points), grid.columns + 1), bool)
    held[inputs.brackets.row, inputs.brackets.lo] = True
    held[inputs.brackets.row, inputs.brackets.hi] = True
    hung_first = inputs.coverage.touched[:, lo - 1] & inputs.coverage.touched[:, lo]
    hung_last = inputs.coverage.touched[:, hi - 1] & inputs.coverage.touched[:, min(hi, grid.columns - 1)]
    return np.asarray(wide | (hung_first & ~held[:, lo]) | (hung_last & ~held[:, hi]) | ~inputs.has_data)


def _held_whole(grid: Grid, inputs: Inputs, span: _Span) -> BOOLS:
    """Return the rows whose asked days begin and end with a register read that nothing speaks against."""
    lo, hi = (int(c) for c in (grid.day_at[grid.index_of(span.first)], grid.day_at[grid.index_of(span.last) + 1]))
    begins, ends = np.zeros(len(inputs.points), bool), np.zeros(len(inputs.points), bool)
    begins[inputs.brackets.row[inputs.brackets.lo == lo]] = True
    ends[inputs.brackets.row[inputs.brackets.hi == hi]] = True
    held = np.asarray(begins & ends)
    held[[fault.row for fault in inputs.faults]] = False
    return held


def _hung_long(points: Sequence[UUID], installed: Sequence[InstalledMeter], span: _Span) -> BOOLS:
    """Return the places at which one meter hung over all days that an estimate may refer to."""
    since = local_midnight(span.first - timedelta(days=LOOK_BACK_DAYS), span.zone)
    count = Counter(i.installation.service_point_id for i in installed)
    long = {i.installation.service_point_id for i in installed if i.installation.start <= since}
    return np.array([count[p] == 1 and p in long for p in points], dtype=bool)


def _windows(grid: Grid, brackets: Brackets, span: _Span) -> list[tuple[date, date]]:
    """Return for each row the days of all brackets that touch the asked days."""
    lo, hi = int(grid.day_at[grid.index_of(span.first)]), int(grid.day_at[grid.index_of(span.last) + 1])
    first = np.full(len(span.points), grid.index_of(span.first))
    last = np.full(len(span.points), grid.index_of(span.last))
    touching = (brackets.lo < hi) & (brackets.hi > lo)
    np.minimum.at(first, brackets.row[touching], grid.day_of[brackets.lo[touching]])
    np.maximum.at(last, brackets.row[touching], grid.day_of[brackets.hi[touching] - 1])
    return [(grid.day(a), grid.day(b)) for a, b in zip(first.tolist(), last.tolist(), strict=True)]


def _confined(inputs: Inputs, grid: Grid, inside: BOOLS) -> Inputs:
    """Return inputs in which only the days (S, D) inside are to be filled; the days around are references."""
    columns = inside[:, grid.day_of]
    b = inputs.brackets
    kept = columns[b.row, b.lo] & columns[b.row, b.hi - 1]
    brackets = b.kept(kept)
    coverage = Coverage(inputs.coverage.whole, inputs.coverage.touched & columns)
    return replace(inputs, coverage=coverage, brackets=brackets)
