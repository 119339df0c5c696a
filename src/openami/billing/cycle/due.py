"""Gather what is known of every place and plan its bills: what is due now, in one look at registry and book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.record import Assignment
from openami.billing.calendar.cycle import CycleCalendar, last_read_day
from openami.billing.cycle.place import Holding, Place, Planned, Unplanned
from openami.billing.cycle.plan import is_quiet, lacks_its_start, plan
from openami.billing.jurisdiction.model import Jurisdiction
from openami.billing.ports import BillBook
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import FactKind, MeterData
from openami.security.access.scope import Purpose, system_scope

SCOPE = system_scope(process="billing", purpose=Purpose.BILLING)


@dataclass(frozen=True, slots=True)
class Due:
    """What is due.

    Args:
        planned: bills, with those that wait already.
        unplanned: places whose group is read on no day.
        firsts: first days that are planned of places where a bill waits.
        held: first days of bills that wait, by service point.
    """

    planned: tuple[Planned, ...]
    unplanned: tuple[Unplanned, ...]
    firsts: Mapping[UUID, Sequence[date]]
    held: Mapping[UUID, frozenset[date]]


async def due_bills(
    meters: MeterData, book: BillBook, calendar: CycleCalendar, rules: Jurisdiction, now: datetime
) -> Due:
    """Return every bill whose last day is over and that did not go out.

    Args:
        meters: registry.
        book: assignments and what was billed.
        calendar: read days.
        rules: of the jurisdiction.
        now: domain time.
    """
    today = _Today(now, calendar)
    restless = [p for p in await places(meters, book) if not is_quiet(p, today.last_read(p))]
    # Only a bill that waits, days before the first one, or an account before make it matter which days went out.
    asked = [
        p.service_point_id for p in restless if len(p.billed) > 1 or any(b.held for b in p.billed) or lacks_its_start(p)
    ]
    issued = await book.cycle.issued_spans(asked) if asked else {}
    planned: list[Planned] = []
    unplanned: list[Unplanned] = []
    firsts: dict[UUID, list[date]] = {}
    held = {p.service_point_id: frozenset(d for b in p.billed for d in b.held) for p in restless}
    for place in restless:
        whole = replace(place, issued=issued.get(place.service_point_id, {}))
        found = plan(whole, calendar, rules, today.of(place))
        own = [f for f in found if isinstance(f, Planned)]
        planned += own
        unplanned += [f for f in found if isinstance(f, Unplanned)]
        if any(b.held for b in place.billed):
            firsts[place.service_point_id] = [f.span.first for f in own]
    return Due(tuple(planned), tuple(unplanned), firsts, held)


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
    """The local day of each zone, and the last read day of each group in it."""

    def __init__(self, now: datetime, calendar: CycleCalendar) -> None:
        self._now = now
        self._calendar = calendar
        self._day: dict[str, date] = {}
        self._last: dict[tuple[str, int], date | None] = {}

    def of(self, place: Place) -> date:
        if place.zone not in self._day:
            self._day[place.zone] = local_date(self._now, zone_named(place.zone))
        return self._day[place.zone]

    def last_read(self, place: Place) -> date | None:
        key = place.zone, place.bill_group
        if key not in self._last:
            found = last_read_day(self._calendar, place.bill_group, self.of(place))
            self._last[key] = None if found is None else found.read_on
        return self._last[key]
