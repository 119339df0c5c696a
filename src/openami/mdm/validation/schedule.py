"""What to validate when: the first run of each local day, requests, and days that late data touch.

The first version of a local day is due 30 minutes after its end. A day for which the whole fleet sent nothing waits:
either its history is still being loaded, or collection is down and nothing must be invented.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.contracts.changed import DaysChanged, news_of
from openami.contracts.channel import Channel
from openami.kernel.time import Period, local_date, local_day, local_days, zone_named
from openami.mdm.ports import IntervalSummaries
from openami.mdm.registry.ports import Registry
from openami.mdm.validation.arrival import Arrival, Spans, by_meter, days_touched, runs_of, span_of
from openami.mdm.validation.ports import Request, ValidationBook
from openami.mdm.validation.run import Validation
from openami.mdm.vee.hold import RULE
from openami.security.access.scope import Purpose, system_scope

HELD_AT_MOST = timedelta(days=5)
"""A storm holds back for three days; after one more daily run nothing of it is left."""
DUE_AFTER = timedelta(minutes=30)
CHUNK_DAYS = 31
MAX_REQUESTS = 20_000


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work: days of some service points, all for None.

    Args:
        first_run: zone whose progress is marked when it is done; None for a re-run.
    """

    service_points: frozenset[UUID] | None
    first: date
    last: date
    first_run: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a piece of work came to: versions, findings, and the news of it."""

    versions: int
    findings: int
    news: DaysChanged


class Schedule:
    """Plans and carries out validation work.

    Args:
        registry: who hung where.
        store: summaries, for whether anything came.
        book: progress and queue.
        validation: the runner.
        new_id: gives run ids.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        store: IntervalSummaries,
        book: ValidationBook,
        validation: Validation,
        new_id: Callable[[], UUID],
    ) -> None:
        self._registry = registry
        self._store = store
        self._book = book
        self._validation = validation
        self._new_id = new_id
        self._scope = system_scope(process="worker", purpose=Purpose.VALIDATION)

    async def due_days(self, now: datetime, *, since: date | None = None) -> list[Work]:
        """Return first runs that are due, newest month first.

        Args:
            now: domain time.
            since: look back to this day only; None looks back to the first installation.
        """
        work: list[Work] = []
        for zone_name, begin in (await self._zones()).items():
            zone = zone_named(zone_name)
            last = local_date(now - DUE_AFTER, zone) - timedelta(days=1)
            first = max(begin, since) if since is not None else begin
            done = await self._book.days_done(zone_name, first, last) if first <= last else set()
            open_days = [d for d in local_days(first, last) if d not in done]
            came = await self._days_with_data(open_days, zone)
            work += [
                Work(None, chunk[0], chunk[-1], first_run=zone_name)
                for chunk in _chunks([d for d in open_days if d in came])
            ]
        return sorted(work, key=lambda w: w.first, reverse=True)

    async def requested(self, now: datetime) -> tuple[list[Work], list[int]]:
        """Return the work on the queue, merged, and the ids of the requests that it settles.

        A request for all service points is also the first run of its days. One for a metered service point whose day
        had no first run yet is dropped: no run is under way now, and the one to come will see it.
        """
        requests = await self._book.requests(limit=MAX_REQUESTS)
        ids = [r.id for r in requests]
        zones = await self._zones()
        work: list[Work] = []
        for zone_name in zones:
            ended = local_date(now - DUE_AFTER, zone_named(zone_name)) - timedelta(days=1)
            whole = {d for r in requests if r.service_point_id is None for d in local_days(r.first, min(r.last, ended))}
            work += [Work(None, c[0], c[-1], first_run=zone_name) for c in _chunks(sorted(whole))]
        work += await self._single([r for r in requests if r.service_point_id is not None])
        return sorted(work, key=lambda w: w.first, reverse=True), ids

    async def carry_out(self, work: Work, now: datetime) -> Done:
        """Validate and mark progress. Carried out twice, it writes nothing the second time.

        That a run begins is kept before it writes anything: if the process dies, its successor says what may have
        changed (:meth:`unsaid`). The caller publishes the news and then calls :meth:`said`.
        """
        run_id = self._new_id()
        await self._book.begin_news(run_id, work.first, work.last, at=now)
        report = await self._validation.run(work.service_points, work.first, work.last, run_id=run_id, known_at=now)
        if work.first_run is not None:
            await self._book.mark_done(work.first_run, list(local_days(work.first, work.last)), run_id=run_id, at=now)
            await self._ask_held(work, now)
        news = news_of(run_id, work.first, work.last, versions=report.versions, days=report.days)
        return Done(report.versions, report.findings, news)

    async def _ask_held(self, work: Work, now: datetime) -> None:
        """Ask again for days on which a storm held estimation back: it may be over, or too old to hold any longer."""
        held = await self._book.places_found(RULE, work.first - HELD_AT_MOST, work.last - timedelta(days=1))
        for day, points in sorted(held.items()):
            await self._book.ask(points, day, day, reason="storm", at=now)

    async def unsaid(self) -> list[DaysChanged]:
        """Return news of runs that ended without saying what they changed. Only whose turn it is may ask."""
        return [news_of(n.run_id, n.first, n.last, versions=0, days=None) for n in await self._book.begun_news()]

    async def said(self, run_id: UUID) -> None:
        """Note that a run's news are published, or that it changed nothing."""
        await self._book.end_news(run_id)

    async def note_arrivals(self, arrivals: Sequence[Arrival], now: datetime) -> int:
        """Ask for the days that late rows touch and whose first run is due; return how many requests that made.

        A due day is asked for even if its first run is not marked: the run may be under way and have read its rows
        before these came. If it is not, the request is dropped when its turn comes.
        """
        if not arrivals:
            return 0
        count = 0
        for arrival in (a for a in arrivals if a.meters is None):
            for zone_name in await self._zones():
                first = local_date(arrival.first - timedelta(seconds=1), zone_named(zone_name))
                count += await self._ask_due(
                    None, first, local_date(arrival.last, zone_named(zone_name)), zone_name, now
                )
        meters = by_meter(arrivals)
        return count + (await self._ask_points(meters, now) if meters else 0)

    async def _ask_points(self, meters: Mapping[UUID, Spans], now: datetime) -> int:
        """Ask for the days of the places at which the meters hung; equal spans are asked for together."""
        period = span_of(meters, now + timedelta(days=1))
        if local_date(period.start, ZoneInfo("UTC")) >= local_date(now, ZoneInfo("UTC")) + timedelta(days=1):
            return 0
        installed = await self._registry.installed(None, period, meters=meters)
        places = {i.installation.service_point_id for i in installed}
        zones = {p.id: p.zone for p in await self._registry.service_points(places)}
        together: dict[tuple[date, date, str], set[UUID]] = defaultdict(set)
        for found in days_touched(meters, installed, zones):
            together[found.first, found.last, found.zone].add(found.service_point_id)
        count = 0
        for (first, last, zone_name), points in together.items():
            count += await self._ask_due(points, first, last, zone_name, now)
        return count

    async def _ask_due(
        self, points: Collection[UUID] | None, first: date, last: date, zone_name: str, now: datetime
    ) -> int:
        last = min(last, local_date(now - DUE_AFTER, zone_named(zone_name)) - timedelta(days=1))
        chunks = _chunks(list(local_days(first, last))) if first <= last else []
        for chunk in chunks:
            await self._book.ask(points, chunk[0], chunk[-1], reason="late data", at=now)
        return len(chunks)

    async def _single(self, requests: Sequence[Request]) -> list[Work]:
        """Return the work of requests that name a service point: exactly their days, equal spans together."""
        days: dict[UUID, set[date]] = defaultdict(set)
        for r in requests:
            if r.service_point_id is not None:
                days[r.service_point_id].update(local_days(r.first, r.last))
        together: dict[tuple[date, date], set[UUID]] = defaultdict(set)
        for point, of_point in days.items():
            for span in runs_of(of_point):
                together[span].add(point)
        work: list[Work] = []
        for (first, last), points in together.items():
            imported = await self._imported(points, first, last)
            if imported:
                work += [Work(frozenset(imported), c[0], c[-1]) for c in _chunks(list(local_days(first, last)))]
            for zone_name in await self._zones():
                done = sorted(await self._book.days_done(zone_name, first, last))
                metered = frozenset(points - imported)
                work += [Work(metered, c[0], c[-1]) for c in _chunks(done) if metered]
        return work

    async def _imported(self, points: set[UUID], first: date, last: date) -> set[UUID]:
        """Return those of the service points that hold the virtual meter of a file."""
        around = Period(_utc(first) - timedelta(days=2), _utc(last) + timedelta(days=3))
        installed = await self._registry.installed(points, around)
        return {i.installation.service_point_id for i in installed if i.meter.is_virtual}

    async def _zones(self) -> dict[str, date]:
        """Return each zone in use with the local day of its first installation of a real meter."""
        return {name: local_date(first, zone_named(name)) for name, first in (await self._registry.zones()).items()}

    async def _days_with_data(self, days: Sequence[date], zone: ZoneInfo) -> set[date]:
        """Return those of the days on which any meter of the fleet sent anything."""
        came: set[date] = set()
        for chunk in _chunks(days):
            period = Period(local_day(chunk[0], zone).start, local_day(chunk[-1], zone).end)
            hours = await self._store.completeness(self._scope, None, Channel.DELIVERED, period)
            came |= {local_date(hour, zone) for hour, count in hours.items() if count}
        return came & set(days)


def _utc(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _chunks(days: Sequence[date]) -> list[list[date]]:
    """Cut sorted days into runs without a hole, each at most a month long."""
    chunks: list[list[date]] = []
    for day in days:
        if chunks and day - chunks[-1][-1] == timedelta(days=1) and len(chunks[-1]) < CHUNK_DAYS:
            chunks[-1].append(day)
        else:
            chunks.append([day])
    return chunks
