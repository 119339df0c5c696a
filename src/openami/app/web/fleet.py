"""How well the fleet is read, and reads by hand: from the head-end's books to the words of the staff pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from uuid import UUID, uuid4

from openami.app.web.operations import answering
from openami.contracts.deadletter import RefusalReason
from openami.headend.api import AskedRequest, FleetBooks, HeadendStatus, MeterMemory
from openami.headend.keeping.answer import Figure
from openami.headend.keeping.coverage import SLOT_S
from openami.headend.keeping.missing import (
    SILENT_AFTER,
    Circumstances,
    Explanation,
    IntervalState,
    Link,
    Refused,
    why_missing,
)
from openami.headend.keeping.request import Lane, Request, RequestKind, RequestState
from openami.headend.state_ports import LevelRow
from openami.headend.profiles import UnknownProfileError, profile_of
from openami.headend.session.pulled import answers_pulls
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s, local_date, local_day, zone_named
from openami.mdm.api import InstalledMeter, MeterData
from openami.mdm.ports import MeterSpan
from openami.portal.ports import MeterFacts, OperationsView, RefusedError, SourceUnavailableError
from openami.portal.views.fleet import (
    CellLevelView,
    MeterReadView,
    MissingReadsView,
    MissingSpanView,
    ReadKind,
    ReadState,
    ReadValueView,
    ServiceLevelsView,
    UnreadView,
)
from openami.security.access.scope import Purpose, system_scope

AGES_H = (1, 6, 24, 72)
TARGET = 0.995
ANSWER_WITHIN_S = 30.0
"""An on-demand read for somebody on the phone: after this the plain word is better than more waiting."""
NOTICE_S = 10.0
"""How long after its time a request may still be open: a last try under way ends, and is written."""
LEVEL_DAYS = 3
"""Completeness at an age is taken over this many of the newest days that are old enough."""
HEARD_LIMIT = 10_000
READ_BACK = timedelta(days=45)
"""A meter without a reading for longer counts from its installation."""
_SCOPE = system_scope(process="web", purpose=Purpose.OPERATIONS)
FIRST_DAY = date(2000, 1, 1)
"""Before that no meter was read remotely by intervals, and the calendar's ends have no neighbor."""
ASKED_LOOKED_AT = 20
"""Newest requests of a meter among which one that is still open is found."""
_KINDS: Mapping[ReadKind, RequestKind] = {
    ReadKind.REGISTERS: RequestKind.READ_NOW,
    ReadKind.VOLTAGE: RequestKind.PING,
    ReadKind.CLOCK: RequestKind.CLOCK,
    ReadKind.EVENTS: RequestKind.EVENTS,
}
_KIND_OF = {kind: asked for asked, kind in _KINDS.items()}
_STATES: Mapping[RequestState, ReadState] = {
    RequestState.QUEUED: ReadState.QUEUED,
    RequestState.RUNNING: ReadState.READING,
    RequestState.WAITING: ReadState.READING,
    RequestState.DONE: ReadState.ANSWERED,
    RequestState.GIVEN_UP: ReadState.NO_ANSWER,
}
_EVENTS_BACK_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class FleetDesk:
    """Implements :class:`~openami.portal.ports.FleetView`.

    Args:
        books: what head-ends have written of reads.
        headend: last frames.
        operations: what is known of one meter.
        data: the registry.
        real, domain: the two clocks.
    """

    books: FleetBooks
    headend: HeadendStatus
    operations: OperationsView
    data: MeterData
    real: Clock
    domain: Clock
    default_zone: str

    @answering
    async def service_levels(self) -> ServiceLevelsView:
        """Return completeness by cell and age, and who is unread."""
        now = self.domain.now()
        today = now.date()
        levels = await self.books.levels(today - timedelta(days=max(AGES_H) // 24 + LEVEL_DAYS + 1))
        registers = {
            r.cell: (r.due, r.in_time) for r in await self.books.register_levels(today) if r.read_day == today
        }
        installed = await self.data.registry.installed(None, Period(now, now + timedelta(seconds=1)))
        cell_of = await self._cells(installed)
        busy = Counter(cell_of.get(m, "") for m in await self.books.open_requests(RequestKind.INTERVALS))
        cells: dict[str, list[LevelRow]] = defaultdict(list)
        for row in levels:
            cells[row.cell].append(row)
        return ServiceLevelsView(
            as_of=epoch_s(now),
            age_h=list(AGES_H),
            target=TARGET,
            cells=[
                _cell_view(cell, rows, now, registers.get(cell, (0, 0)), busy[cell])
                for cell, rows in sorted(cells.items())
            ],
            unread=await self._unread(installed, cell_of, now),
        )

    @answering
    async def missing(self, meter_id: UUID, day: date | None) -> MissingReadsView | None:
        """Return why reads of a local day are missing."""
        facts = await self.operations.meter(meter_id)
        if facts is None:
            return None
        now = self.domain.now()
        installed = await self._installed(meter_id, now)
        zone = zone_named(await self._zone(installed))
        asked = day or local_date(now, zone)
        if not FIRST_DAY <= asked <= local_date(now, zone) + timedelta(days=1):
            raise RefusedError("no meter was read on that day")
        whole = local_day(asked, zone)
        first, count = whole.start_s // SLOT_S, whole.duration_s // SLOT_S
        memory = await self._memory_of(facts, first, count)
        if memory is None:
            raise SourceUnavailableError("the head-end has no book of this meter yet")
        requests = await self.books.requests_over(meter_id, whole.start_s, whole.end_s)
        around = await self._around(facts, installed, memory.no_supply_since)
        told: list[tuple[int, Explanation, Request | None]] = []
        due = present = unknown = 0
        for slot, state in enumerate(memory.states, first):
            end = instant_from_epoch_s((slot + 1) * SLOT_S)
            if end > now or state is IntervalState.UNKNOWN:
                unknown += end <= now
                continue
            due += state is not IntervalState.DARK
            present += state is IntervalState.RECEIVED
            if state is not IntervalState.RECEIVED:
                request = next((r for r in requests if r.from_s <= slot * SLOT_S < r.to_s), None)
                known = Circumstances(**{**around, "state": state, "request": request})  # type: ignore[arg-type]
                told.append((slot, why_missing(known, end=end, now=now), request))
        return MissingReadsView(
            meter_id=meter_id,
            day=asked.isoformat(),
            expected=due,
            present=present,
            unknown=unknown,
            spans=_spans(told),
        )

    @answering
    async def ask(self, meter_id: UUID, kind: ReadKind) -> MeterReadView:
        """Put a read before all others of the meter."""
        facts = await self.operations.meter(meter_id)
        if facts is None or not facts.system_title:
            raise RefusedError("this meter has no keys, so it cannot be asked")
        try:
            can = answers_pulls(profile_of(facts.profile))
        except UnknownProfileError:
            can = False
        if not can:
            raise RefusedError(f"meters of the kind {facts.profile} push what they have and cannot be asked")
        now_s, real = epoch_s(self.domain.now()), self.real.now()
        asked = _KINDS[kind]
        for one in await self.books.asked(meter_id, limit=ASKED_LOOKED_AT):
            # Pressing the button again asks nothing more of the meter, whoever presses it.
            if one.request.kind is asked and one.request.is_open and (one.request.expires_s or 0) > real.timestamp():
                return _read_view(one, real_s=real.timestamp())
        from_s = now_s - _EVENTS_BACK_S if asked is RequestKind.EVENTS else now_s
        request = Request(
            uuid4(), meter_id, SystemTitle.from_hex(facts.system_title), asked, Lane.PERSON, from_s, now_s,
            epoch_s(real), expires_s=real.timestamp() + ANSWER_WITHIN_S,
        )  # fmt: skip
        await self.books.ask(request, asked_by="staff")
        return _read_view(AskedRequest(request, ()), real_s=real.timestamp())

    @answering
    async def reads(self, meter_id: UUID, *, limit: int) -> Sequence[MeterReadView]:
        """Return the newest reads that were asked for by hand."""
        real_s = self.real.now().timestamp()
        asked = await self.books.asked(meter_id, limit=limit)
        return [_read_view(a, real_s=real_s) for a in asked if a.request.kind in _KIND_OF]

    async def _memory_of(self, facts: MeterFacts, first: int, count: int) -> MeterMemory | None:
        if not facts.system_title:
            # Without keys nothing of it could be opened, and the head-end has no book of it.
            return MeterMemory((IntervalState.MISSING,) * count, None)
        return await self.books.memory_of(SystemTitle.from_hex(facts.system_title), first, count)

    async def _installed(self, meter_id: UUID, now: datetime) -> InstalledMeter | None:
        whole = Period(now - timedelta(days=36_500), now + timedelta(seconds=1))
        found = await self.data.registry.installed(None, whole, meters=[meter_id])
        return found[-1] if found else None

    async def _zone(self, installed: InstalledMeter | None) -> str:
        if installed is None:
            return self.default_zone
        return (await self.data.registry.service_point(installed.installation.service_point_id)).zone

    async def _cells(self, installed: Sequence[InstalledMeter]) -> dict[UUID, str]:
        points = {p.id: p.cell for p in await self.data.registry.service_points(None)}
        return {i.meter.id: points.get(i.installation.service_point_id, "") for i in installed}

    async def _around(
        self, facts: MeterFacts, installed: InstalledMeter | None, no_supply_since: datetime | None
    ) -> dict[str, object]:
        """Return what is known around every interval of a meter."""
        now = self.domain.now()
        hanging = await self.data.registry.installed(None, Period(now, now + timedelta(seconds=1)))
        cells = await self._cells(hanging)
        cell = cells.get(facts.meter_id, "")
        frames = {f.meter_id: f.collected_at for f in await self.headend.last_frames(HEARD_LIMIT)}
        heard = [at for meter, at in frames.items() if cell and cells.get(meter) == cell]
        own = await self.headend.last_frame_of(facts.meter_id)
        letters = (await self.operations.dead_letters(limit=1, system_title=facts.system_title)).letters
        refused = None
        if letters:
            at = instant_from_epoch_s(letters[0].refused_at)
            refused = Refused(RefusalReason(letters[0].reason), at)
        return {
            "installed_at": installed.installation.start if installed else None,
            "removed_at": installed.installation.end if installed else None,
            "has_keys": bool(facts.system_title),
            "no_supply_since": no_supply_since,
            "last_frame_at": own.collected_at if own else None,
            "cell": cell,
            "cell_last_frame_at": max(heard, default=None),
            "refused": refused,
        }

    async def _unread(
        self, installed: Sequence[InstalledMeter], cell_of: Mapping[UUID, str], now: datetime
    ) -> list[UnreadView]:
        """Return meters that hang and were not heard for a day or more, by days and cause."""
        frames = {f.meter_id: f.collected_at for f in await self.headend.last_frames(HEARD_LIMIT)}
        newest: dict[str, datetime] = {}
        for meter, at in frames.items():
            cell = cell_of.get(meter, "")
            newest[cell] = max(at, newest.get(cell, at))
        quiet = [i for i in installed if not i.meter.is_virtual and _days_unheard(i, frames, now) >= 1]
        read = await self._last_reads([i.meter.id for i in quiet], now)
        counts: Counter[tuple[int, str]] = Counter()
        for one in quiet:
            heard = frames.get(one.meter.id)
            last = max((at for at in (heard, read.get(one.meter.id)) if at), default=one.installation.start)
            if (now - last).days < 1:
                continue
            cell_heard = newest.get(cell_of.get(one.meter.id, ""))
            if cell_heard is None or now - cell_heard >= SILENT_AFTER:
                cause = "its whole cell is silent"
            else:
                cause = "never heard" if heard is None else "silent while its cell is heard"
            counts[(now - last).days, cause] += 1
        return [UnreadView(days=d, cause=c, meters=n) for (d, c), n in sorted(counts.items(), reverse=True)]

    async def _last_reads(self, meters: Sequence[UUID], now: datetime) -> dict[UUID, datetime]:
        """Return the newest reading of meters that were not heard: files and history have brought some."""
        if not meters:
            return {}
        whole = Period(now - READ_BACK, now)
        found = await self.data.store.last_readings(_SCOPE, [MeterSpan(m, m, whole) for m in meters], whole)
        return {meter: last.start for meter, last in found.items()}


def _days_unheard(one: InstalledMeter, frames: Mapping[UUID, datetime], now: datetime) -> int:
    return (now - frames.get(one.meter.id, one.installation.start)).days


def _cell_view(
    cell: str, rows: Sequence[LevelRow], now: datetime, registers: tuple[int, int], recovering: int
) -> CellLevelView:
    shares: list[float | None] = []
    dues: list[int] = []
    for place, hours in enumerate(AGES_H):
        old = [r for r in rows if _is_old_enough(r.day, hours, now)][-LEVEL_DAYS:]
        due, came = sum(r.counts[-1] for r in old), sum(r.counts[place] for r in old)
        shares.append(min(1.0, came / due) if due else None)
        dues.append(due)
    last = [r for r in rows if _is_old_enough(r.day, AGES_H[-1], now)]
    gone = sum(max(0, r.counts[-1] - r.counts[3] - r.counts[4]) for r in last)
    return CellLevelView(
        cell=cell or "no cell",
        completeness=shares,
        due=dues,
        registers_due=registers[0],
        registers_read=registers[1],
        recovering=recovering,
        given_up=gone,
    )


def _is_old_enough(day: date, hours: int, now: datetime) -> bool:
    """Tell whether a UTC day tells something about an age: it is over for that long, or it is today and the age 1 h."""
    if hours == 1 and day == now.date():
        return True
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, hours=hours) <= now


def _spans(told: Sequence[tuple[int, Explanation, Request | None]]) -> list[MissingSpanView]:
    """Join neighboring intervals that are missing for one cause."""
    spans = []
    keyed = enumerate(told)
    for _, some in groupby(keyed, key=lambda item: (item[1][0] - item[0], item[1][1].link, item[1][1].words)):
        run = [entry for _, entry in some]
        first, answer, request = run[0]
        waiting = request is not None and request.state is RequestState.WAITING and answer.link is Link.ASKED
        spans.append(
            MissingSpanView(
                start=first * SLOT_S,
                end=(run[-1][0] + 1) * SLOT_S,
                intervals=len(run),
                code=answer.link.value,
                words=answer.words,
                since=epoch_s(answer.since) if answer.since else None,
                action=answer.action or "Nothing need be done.",
                next_try_at=int(request.not_before_s) if request is not None and waiting else None,
            )
        )
    return spans


def _read_view(asked: AskedRequest, *, real_s: float) -> MeterReadView:
    one = asked.request
    words, ended = one.words, one.ended_at_s
    if one.is_open and one.expires_s is not None and real_s > one.expires_s + NOTICE_S:
        # Nobody works on the meter's group: its head-end is away, and a person must not wait for it.
        one = replace(one, state=RequestState.GIVEN_UP)
        words, ended = "the head-end did not take it up in time", one.expires_s
    if not words:
        words = "waiting for its turn" if one.state is RequestState.QUEUED else "the meter is being asked"
    return MeterReadView(
        request_id=one.request_id,
        kind=_KIND_OF[one.kind],
        state=_STATES[one.state],
        words=words[:1].upper() + words[1:] + ".",
        asked_at=one.asked_at_s,
        ended_at=int(ended) if ended is not None else None,
        took_s=round(ended - one.asked_at_s, 1) if ended is not None else None,
        values=[_value_view(f) for f in asked.figures],
    )


def _value_view(figure: Figure) -> ReadValueView:
    if figure.unit == "Wh":
        return ReadValueView(
            name=f"{figure.name.capitalize()} register", value=f"{figure.value / 1000:,.3f}", unit="kWh", at=None
        )
    return ReadValueView(name=figure.name.capitalize(), value=f"{figure.value:,.1f}", unit=figure.unit, at=None)
