"""Gather what is known of the places where something may be due, and plan their bills.

A run costs what is due and not what exists: places that rest (:mod:`openami.billing.cycle.rest`) are not asked about,
and the others a page at a time, so that no run holds a whole fleet in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.record import Assignment
from openami.billing.calendar.cycle import CycleCalendar
from openami.billing.cycle.place import Holding, Place, Planned, Unplanned
from openami.billing.cycle.plan import is_within_a_period, lacks_its_start, look
from openami.billing.cycle.rest import Rest, rest_of, stir_of
from openami.billing.jurisdiction.model import Jurisdiction
from openami.billing.ports import BillBook
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import FactKind, MeterData
from openami.security.access.scope import Purpose, system_scope

PAGE = 10_000
"""Places that are looked at in one go: some ten megabytes of what is known of them."""
SCOPE = system_scope(process="billing", purpose=Purpose.BILLING)


@dataclass(frozen=True, slots=True)
class Due:
    """What is due.

    Args:
        planned: bills, with those that wait already.
        unplanned: places whose group is read on no day.
        firsts: first days that are planned of places where a bill waits.
        held: first days of bills that wait, by service point.
        rests: places that need no further look until something changes there, or they stir.
    """

    planned: tuple[Planned, ...]
    unplanned: tuple[Unplanned, ...]
    firsts: Mapping[UUID, Sequence[date]]
    held: Mapping[UUID, frozenset[date]]
    rests: tuple[Rest, ...] = ()


async def due_bills(
    meters: MeterData, book: BillBook, calendar: CycleCalendar, rules: Jurisdiction, now: datetime
) -> Due:
    """Return every bill whose last day is over and that did not go out, of all places in one: for people's questions.

    Args:
        meters: registry.
        book: assignments and what was billed.
        calendar: read days.
        rules: of the jurisdiction.
        now: domain time.
    """
    planned: list[Planned] = []
    unplanned: list[Unplanned] = []
    firsts: dict[UUID, Sequence[date]] = {}
    held: dict[UUID, frozenset[date]] = {}
    async for page in due_pages(meters, book, calendar, rules, now):
        planned += page.planned
        unplanned += page.unplanned
        firsts |= page.firsts
        held |= page.held
    return Due(tuple(planned), tuple(unplanned), firsts, held)


async def take_note(meters: MeterData, book: BillBook) -> None:
    """Wake the places at which something changed since the last run; only the run that closes bills does so.

    Args:
        meters: the registry, whose news are forgotten once they are kept.
        book: which places rest.
    """
    while news := await meters.registry.facts.news(limit=PAGE):
        await book.rests.wake({n.service_point_id for n in news})
        await meters.registry.facts.end_news([n.number for n in news])
    await book.rests.take_note()


async def due_pages(
    meters: MeterData,
    book: BillBook,
    calendar: CycleCalendar,
    rules: Jurisdiction,
    now: datetime,
    *,
    with_waiting: bool = True,
    everywhere: bool = False,
) -> AsyncIterator[Due]:
    """Yield what is due at the places that may have something due, some thousand places at a time, by place.

    What is due at one place is on one page. Places that rest are not looked at.

    Args:
        meters: registry.
        book: assignments and what was billed.
        calendar: read days.
        rules: of the jurisdiction.
        now: domain time.
        with_waiting: whether to look at places of which bills wait though nothing changed and nothing else is due.
        everywhere: whether to look at resting places too.
    """
    today = _Today(now)
    stirs = [stir_of(calendar, r.zone, r.bill_group, today.of(r.zone)) for r in await book.rests.resting()]
    also = {n.service_point_id for n in await meters.registry.facts.news(limit=None)}
    after: UUID | None = None
    while True:
        if everywhere:
            page = await book.rests.every(after=after, limit=PAGE)
        else:
            page = await book.rests.stirring(stirs, also, after=after, limit=PAGE, with_waiting=with_waiting)
        if page:
            yield await _due_of(meters, book, calendar, rules, today, page)
            after = page[-1]
        if len(page) < PAGE:
            return


async def _due_of(
    meters: MeterData, book: BillBook, calendar: CycleCalendar, rules: Jurisdiction, today: _Today, page: Sequence[UUID]
) -> Due:
    known = await places(meters, book, page)
    # Only a bill that waits, days before the first one, an account before, or a part of a period that is not over make
    # it matter which days went out.
    asked = [
        p.service_point_id
        for p in known
        if len(p.billed) > 1 or any(b.held for b in p.billed) or lacks_its_start(p) or is_within_a_period(p)
    ]
    issued = await book.cycle.issued_spans(asked) if asked else {}
    planned: list[Planned] = []
    unplanned: list[Unplanned] = []
    firsts: dict[UUID, list[date]] = {}
    rests: list[Rest] = []
    held = {p.service_point_id: frozenset(d for b in p.billed for d in b.held) for p in known}
    for place in known:
        whole = replace(place, issued=issued.get(place.service_point_id, {}))
        seen = look(whole, calendar, rules, today.of(place.zone))
        own = [f for f in seen.found if isinstance(f, Planned)]
        planned += own
        unplanned += [f for f in seen.found if isinstance(f, Unplanned)]
        if held[place.service_point_id]:
            firsts[place.service_point_id] = [f.span.first for f in own]
        if (rest := rest_of(whole, seen)) is not None:
            rests.append(rest)
    return Due(tuple(planned), tuple(unplanned), firsts, held, tuple(rests))


async def places(meters: MeterData, book: BillBook, service_points: Sequence[UUID] | None = None) -> list[Place]:
    """Return every place that is on a rate, with its accounts and what was billed."""
    rates: dict[UUID, list[Assignment]] = defaultdict(list)
    for row in await book.assignments(service_points):
        rates[row.service_point_id].append(row)
    points = await meters.registry.service_points(set(rates) if service_points is not None else None)
    zones = {p.id: p.zone for p in points}
    holdings = await holdings_of(meters, zones, None if service_points is None else set(rates))
    billed = await book.cycle.billed(None if service_points is None else list(rates))
    return [
        Place(p.id, p.zone, p.bill_group, holdings.get(p.id, ()), rates[p.id], billed.get(p.id, ()))
        for p in points
        if p.id in rates
    ]


async def holdings_of(
    meters: MeterData, zones: Mapping[UUID, str], service_points: set[UUID] | None
) -> dict[UUID, list[Holding]]:
    """Return the accounts of each place by first day. A move on a day begins with that day."""
    found: dict[UUID, list[Holding]] = defaultdict(list)
    for fact in await meters.registry.facts.of(service_points, kinds=[FactKind.ACCOUNT]):
        if fact.service_point_id not in zones:
            continue
        zone = zone_named(zones[fact.service_point_id])
        first = local_date(fact.start, zone)
        end = None if fact.end is None else local_date(fact.end, zone)
        own = found[fact.service_point_id]
        if own and own[-1].account_id == UUID(fact.value) and own[-1].end == first:
            own[-1] = replace(own[-1], end=end)
        elif end is None or first < end:
            own.append(Holding(UUID(fact.value), first, end))
    return found


class _Today:
    """The local day of each zone."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._day: dict[str, date] = {}

    def of(self, zone: str) -> date:
        if zone not in self._day:
            self._day[zone] = local_date(self._now, zone_named(zone))
        return self._day[zone]
