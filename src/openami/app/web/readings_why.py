"""What is known of one channel of one place, gathered for the page that says why a read is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.app.readings.editing_desk import Rooms
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.quality import QualityState
from openami.kernel.clock import Clock
from openami.kernel.time import Period, epoch_s, local_date, local_day, zone_named
from openami.mdm.editing.decision import UNSEEN, Target
from openami.mdm.editing.ports import DecisionHead
from openami.mdm.editing.why import Act, DayCount, WhyAnswer, WhyFacts, why
from openami.mdm.editing.words import evidence_words, method_words, state_words
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.validation.ports import DayFinding
from openami.mdm.validation.run import Validation
from openami.mdm.validation.schedule import DUE_AFTER
from openami.portal.chart import QUALITY_WORDS
from openami.portal.views.readings import (
    ChainLinkView,
    DecisionView,
    LinkState,
    SeverityName,
    WhyActionView,
    WhyDayView,
    WhyFindingView,
    WhyIntervalView,
    WhyView,
)
from openami.security.access.scope import Purpose, system_scope

DAYS = 35
HEARD_DAYS = 35
_SCOPE = system_scope(process="web", purpose=Purpose.OPERATIONS)
_TITLES = {
    "installed": "A meter hangs here",
    "heard": "It is heard",
    "complete": "Its readings are complete",
    "believed": "They are believed",
    "decided": "No decision waits",
    "validated": "The day is validated",
}


@dataclass(frozen=True, slots=True)
class WhyDesk:
    """Gathers facts of a place.

    Args:
        domain: domain time.
    """

    domain: Clock

    async def why(
        self,
        rooms: Rooms,
        point: UUID,
        channel: Channel,
        day: date | None,
        heads: Sequence[DecisionHead],
        decisions: Sequence[DecisionView],
    ) -> WhyView:
        """Return the page.

        Args:
            rooms: open.
            point: the service point; the route has written the look down.
            channel: what is asked about.
            day: the local day; None for the newest with something to say, or yesterday.
            heads: decisions about the place.
            decisions: the same as they are shown.

        Raises:
            UnknownRecordError: no such place.
            StoreError: the store did not answer.
        """
        now = self.domain.now()
        zone = zone_named((await rooms.registry.service_point(point)).zone)
        yesterday = local_date(now, zone) - timedelta(days=1)
        last = max(day, yesterday) if day is not None else yesterday
        first = min(day, last - timedelta(days=DAYS - 1)) if day is not None else last - timedelta(days=DAYS - 1)
        first = max(first, last - timedelta(days=400))
        table = await rooms.store.days(_SCOPE, [point], channel, first, last)
        counts = {c.local_day: c for c in map(_count, table.rows())}
        findings = [f for f in await rooms.book.findings({point}, first, last, limit=2_000) if f.channel is channel]
        chosen = day or _telling(counts, findings, yesterday)
        facts = await self._facts(rooms, point, chosen, zone, now, counts, findings, heads)
        answer = why(facts)
        return WhyView(
            service_point_id=point,
            zone=zone.key,
            channel=channel.name.lower(),
            headline=answer.headline,
            since=epoch_s(answer.since) if answer.since is not None else None,
            action=_action(answer, point),
            chain=[
                ChainLinkView(title=_TITLES[c.link.value], words=c.words, state=LinkState(c.stands.value))
                for c in answer.chain
            ],
            days=[_day_view(c) for c in sorted(counts.values(), key=lambda c: c.local_day, reverse=True)[:DAYS]],
            findings=[_finding_view(f) for f in findings if f.local_day == chosen],
            decisions=list(decisions),
            local_day=chosen,
            intervals=await self._intervals(rooms, point, channel, chosen, table, now),
        )

    async def _facts(
        self,
        rooms: Rooms,
        point: UUID,
        day: date,
        zone: ZoneInfo,
        now: datetime,
        counts: dict[date, DayCount],
        findings: Sequence[DayFinding],
        heads: Sequence[DecisionHead],
    ) -> WhyFacts:
        span = local_day(day, zone)
        installed = await rooms.registry.installed({point}, span)
        meter = installed[-1].meter.id if installed else None
        requests = [r for r in await rooms.book.requests(limit=20_000) if r.service_point_id in {None, point}]
        return WhyFacts(
            now=now,
            day=day,
            meter_id=meter,
            last_reading=await self._last_reading(rooms, point, now),
            day_count=counts.get(day),
            findings=[f for f in findings if f.local_day == day],
            cases=await rooms.cases.cases_of(point),
            decisions=[h for h in heads if any(_touches(t, span) for t in h.decision.targets)],
            queued=any(r.first <= day <= r.last for r in requests),
            has_ended=now - DUE_AFTER >= span.end,
        )

    async def _last_reading(self, rooms: Rooms, point: UUID, now: datetime) -> datetime | None:
        lately = Period(now - timedelta(days=HEARD_DAYS), now + timedelta(days=1))
        spans = await rooms.registry.spans({point}, lately)
        if not spans:
            return None
        found = await rooms.store.last_readings(_SCOPE, spans, lately)
        return max((seen.start for seen in found.values()), default=None)

    async def _intervals(
        self, rooms: Rooms, point: UUID, channel: Channel, day: date, table: DayTable, now: datetime
    ) -> list[WhyIntervalView]:
        """Return the day's values with the readings beside them; nothing where it has no version."""
        version = next((row for row in table.rows() if row.local_day == day), None)
        if version is None:
            return []
        start, length = version.start_utc, timedelta(seconds=version.interval_s * len(version.values))
        target = Target(point, channel, Period(start, start + length), version.interval_s)
        installed: list[InstalledMeter] = await rooms.registry.installed({point}, target.period)
        read: tuple[int, ...] = (UNSEEN,) * len(version.values)
        if any(channel in i.meter.channels for i in installed):
            validation = Validation(
                registry=rooms.registry, store=rooms.store, book=rooms.book, decisions=rooms.decisions, process="web"
            )
            (read,) = await validation.seen([target], known_at=now)
        return _interval_views(version, read)


def _interval_views(version: DayVersion, read: Sequence[int]) -> list[WhyIntervalView]:
    start = epoch_s(version.start_utc)
    views = []
    for at, value in enumerate(version.values.tolist()):
        state = QualityState(int(version.quality[at]))
        gone = state is QualityState.MISSING
        views.append(
            WhyIntervalView(
                start_at=start + at * version.interval_s,
                value=None if gone else value,
                read=None if read[at] == UNSEEN else read[at],
                state=QUALITY_WORDS[state],
                quality=state_words(state),
                method=method_words(int(version.method[at])),
                low=None if gone else int(version.band_low[at]),
                high=None if gone else int(version.band_high[at]),
            )
        )
    return views


def _count(version: DayVersion) -> DayCount:
    number = np.bincount(version.quality, minlength=len(QualityState))
    return DayCount(
        local_day=version.local_day,
        version=version.version,
        total=int(version.values.sum()),
        intervals=len(version.values),
        actual=int(number[QualityState.ACTUAL] + number[QualityState.VERIFIED] + number[QualityState.OUTAGE_ZERO]),
        estimated=int(number[QualityState.ESTIMATED]),
        missing=int(number[QualityState.MISSING]),
        held=int(number[QualityState.QUESTIONABLE]),
        edited=int(number[QualityState.EDITED]),
    )


def _telling(counts: dict[date, DayCount], findings: Sequence[DayFinding], yesterday: date) -> date:
    """Return the newest day with a finding or with values that were not measured, else yesterday."""
    telling = {f.local_day for f in findings} | {d for d, c in counts.items() if c.actual + c.edited < c.intervals}
    return max(telling, default=yesterday)


def _touches(target: Target, span: Period) -> bool:
    return target.period.intersection(span) is not None


def _day_view(count: DayCount) -> WhyDayView:
    return WhyDayView(
        local_day=count.local_day,
        version=count.version,
        total_wh=count.total,
        intervals=count.intervals,
        actual=count.actual,
        estimated=count.estimated,
        missing=count.missing,
        held=count.held,
        edited=count.edited,
    )


def _finding_view(finding: DayFinding) -> WhyFindingView:
    return WhyFindingView(
        rule=finding.rule,
        severity=SeverityName(finding.severity.value),
        local_day=finding.local_day,
        start_at=finding.period.start_s,
        end_at=finding.period.end_s,
        words=evidence_words(finding.evidence),
    )


def _action(answer: WhyAnswer, point: UUID) -> WhyActionView | None:
    """Return the one action as a link of the console."""
    subject = answer.subject
    known = {
        Act.INSTALL: ("Enter the installation", "/unassigned"),
        Act.READ_METER: ("Read the meter now", f"/meters/{subject}"),
        Act.OPEN_CASE: ("Open the case", f"/cases/{subject}"),
        Act.DECIDE: ("Decide", f"/why/{point}#decide"),
        Act.APPROVE: ("See the decision", f"/decisions?state=waiting&place={point}"),
    }
    if answer.act not in known:
        return None
    label, href = known[answer.act]
    return WhyActionView(label=label, href=href)


