"""The bills of one place that are due on a day: from read day to read day, from move to move, from rate to rate. Pure.

A bill begins where the one before it of the same account ended, and ends on the group's first read day after that. A
group that changes between two reads gives the first read day of the new group that leaves a regular number of days.
Within a period a change of rate parts the bill; the length from read to read is what the jurisdiction limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from openami.billing.bill.record import Assignment, BillKind
from openami.billing.calendar.cycle import CycleCalendar, ReadDay, cycle_of
from openami.billing.cycle.place import Billed, Holding, Look, Place, Planned, Unplanned
from openami.billing.jurisdiction.model import Jurisdiction
from openami.billing.rating.terms import PartOf
from openami.billing.rating.usage import BillSpan

_SEARCH = timedelta(days=100)
"""Three months ahead hold a read day of every group that is read at all."""


def plan(place: Place, calendar: CycleCalendar, rules: Jurisdiction, today: date) -> list[Planned | Unplanned]:
    """Return the bills whose last day is over and that did not go out yet, by account and first day.

    Args:
        place: what is known.
        calendar: read days.
        rules: how long a regular bill may be.
        today: local day of the place; a bill that ends with yesterday is due.
    """
    return [*look(place, calendar, rules, today).found]


def look(place: Place, calendar: CycleCalendar, rules: Jurisdiction, today: date) -> Look:
    """Return what :func:`plan` does, and when more can become due while nothing changes at the place.

    Args:
        place: what is known.
        calendar: read days.
        rules: how long a regular bill may be.
        today: local day of the place.
    """
    each = [_of_account(place, holding, calendar, rules, today) for holding in _held(place)]
    return Look(
        tuple(f for one in each for f in one.found),
        min((one.since for one in each), default=date.max),
        min((one.wakes_on for one in each), default=date.max),
    )


def lacks_its_start(place: Place) -> bool:
    """Tell whether days of an account lie before its first bill: it came earlier than was known when that went out."""
    return any(_lacks_start(h, _own(place, h)) for h in _held(place))


def is_within_a_period(place: Place) -> bool:
    """Tell whether a bill went out up to a change of rate: what follows is a part of the same period."""
    return any(b.end in _changes(place) for b in place.billed)


def _held(place: Place) -> list[Holding]:
    """Return the accounts within the time in which any rate was assigned; one without a name where none is told."""
    if not place.rates:
        return []
    first, last = place.rates[0].first_day, place.rates[-1].end_day
    found = []
    for told in place.holdings or (Holding(None, first, None),):
        begin = max(told.first, first)
        # An account outlives a rate that ended: its days are then held, for want of a rate.
        end = told.end if place.holdings else last
        if end is None or begin < end:
            found.append(Holding(told.account_id, begin, end))
    return found


def _of_account(place: Place, holding: Holding, calendar: CycleCalendar, rules: Jurisdiction, today: date) -> Look:
    billed = _own(place, holding)
    ends_of_held = {day: end for b in billed for day, end in zip(b.held, b.held_ends, strict=False)}
    own = [*place.issued.get(holding.account_id, ()), *(place.issued.get(None, ()) if holding.account_id else ())]
    start = _start(holding, billed, own)
    begins_on: date | None = None
    taken = _taken(place, holding)
    found: list[Planned | Unplanned] = []
    while start < today:
        if holding.end is not None and start >= holding.end:
            return Look(tuple(found))
        issued = next((s for s in own if s.first <= start < s.end), None)
        if issued is not None:
            start, begins_on = issued.end, None
            continue
        begun = _begun(place, holding, start, calendar, rules, own)
        read_day = _next_read(place.bill_group, begun, holding, calendar, rules)
        if read_day is None and holding.end is None:
            found.append(Unplanned(place.service_point_id, place.bill_group, start))
            return Look(tuple(found), start)
        end = _end(start, holding, read_day, own)
        if end > today:
            break
        period = BillSpan(begun, _end(start, holding, read_day, ()) if end in _changes(place) else end)
        parts = (p for p in _parts(place, holding, period, read_day) if start <= p.span.first < end)
        found += [replace(p, is_billed_already=p.span.first < taken, begins_on=begins_on) for p in parts]
        ended = ends_of_held.get(start, end)
        begins_on = ended if start < ended < end and ended not in _changes(place) else None
        start = end
    # What ends the next bill beside a read day.
    ends = [s.first for s in own if s.first > start] + ([holding.end] if holding.end is not None else [])
    return Look(tuple(found), start, min(ends, default=date.max))


def _taken(place: Place, holding: Holding) -> date:
    """Return the day up to which bills of accounts before this one went out.

    One that waits keeps nobody from a bill: it will be made anew, and end where its account does.
    """
    before = {h.account_id for h in place.holdings if h.first < holding.first}
    others = [b for b in place.billed if b.account_id not in {holding.account_id, None} and b.account_id in before]
    ends = [s.end for b in others if b.held for s in place.issued.get(b.account_id, ())]
    return max([*ends, *(b.end for b in others if not b.held)], default=date.min)


def _own(place: Place, holding: Holding) -> list[Billed]:
    return [b for b in place.billed if b.account_id in {holding.account_id, None}]


def _lacks_start(holding: Holding, billed: Sequence[Billed]) -> bool:
    firsts = [b.first for b in billed if b.first is not None and b.end > holding.first]
    return bool(firsts) and min(firsts) > holding.first


def _start(holding: Holding, billed: Sequence[Billed], issued: Sequence[BillSpan]) -> date:
    """Return the first day that was not billed: before the first bill, where the oldest waits, where the last ended."""
    waits = [day for b in billed for day in b.held]
    if _lacks_start(holding, billed):
        return holding.first
    if waits:
        # Where a bill ended before its read day and went out, days lie between it and what waited behind it.
        oldest = min(waits)
        went_out = [s.end for s in issued if s.end <= oldest]
        return max(holding.first, min(oldest, max(went_out, default=oldest)))
    return max([holding.first, *(b.end for b in billed)])


def _begun(
    place: Place,
    holding: Holding,
    start: date,
    calendar: CycleCalendar,
    rules: Jurisdiction,
    issued: Sequence[BillSpan],
) -> date:
    """Return where the period of a bill began: before it where a change of rate parted the two.

    The part before may have gone out already, while this one waits: it ends on the same read day all the same.
    """
    group = place.bill_group
    if start == holding.first or start not in _changes(place):
        return start
    part = next((s for s in issued if s.end == start), None)
    if part is not None:
        # The first of its parts may have begun on the read on which a bill ended early, a few days before a read day.
        begun = _begun(place, holding, part.first, calendar, rules, issued)
        ends_on = _next_read(group, begun, holding, calendar, rules)
        return start if ends_on is not None and ends_on.read_on <= start else begun
    if calendar.read_days(group, start, start + timedelta(days=1)):
        return start
    before = calendar.read_days(group, start - _SEARCH, start)
    return max([holding.first, *(d.read_on for d in before[-1:])])


def _changes(place: Place) -> set[date]:
    """Return the days on which the rate of a place changes."""
    return {d for r in place.rates for d in (r.first_day, r.end_day) if d is not None}


def _next_read(
    group: int, start: date, holding: Holding, calendar: CycleCalendar, rules: Jurisdiction
) -> ReadDay | None:
    """Return the read day that ends a bill; an initial one ends with the first, a regular one is not too short."""
    days = calendar.read_days(group, start + timedelta(days=1), start + _SEARCH)
    if not days or start == holding.first:
        return days[0] if days else None
    least = rules.on(start).period.least_days
    return next((d for d in days if (d.read_on - start).days >= least), days[0])


def _end(start: date, holding: Holding, read_day: ReadDay | None, issued: Sequence[BillSpan]) -> date:
    ends = [s.first for s in issued if s.first > start]
    ends += [d for d in (holding.end, read_day.read_on if read_day else None) if d is not None]
    return min(ends)


def _parts(place: Place, holding: Holding, whole: BillSpan, read_day: ReadDay | None) -> Iterator[Planned]:
    """Part a period where its rate changes; all parts of the first period are initial, the last one of all is final."""
    changes = {d for d in _changes(place) if whole.first < d < whole.end}
    edges = [whole.first, *sorted(changes), whole.end]
    cycle = None if read_day is None else cycle_of(read_day)
    for first, end in pairwise(edges):
        kind = BillKind.REGULAR
        if end == holding.end:
            kind = BillKind.FINAL
        elif whole.first == holding.first:
            kind = BillKind.INITIAL
        code = _code(place.rates, first)
        span = BillSpan(first, end)
        part_of = None if span == whole else PartOf(whole, ends_service=whole.end == holding.end)
        yield Planned(
            place.service_point_id, place.zone, span, code, kind, holding.account_id, cycle, whole.days, part_of=part_of
        )  # fmt: skip


def _code(rates: Sequence[Assignment], day: date) -> str:
    return next((r.rate_code for r in rates if r.first_day <= day and (r.end_day is None or day < r.end_day)), "")
