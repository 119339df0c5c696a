"""Laws of rest: whatever is due at a place, a run looks at it, though nothing was asked of it since its last look."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from openami.billing.bill.record import Assignment
from openami.billing.calendar import BusinessDayCalendar, CycleCalendar, DatedCalendar, ReadDay
from openami.billing.cycle.place import Billed, Holding, Look, Place, Planned
from openami.billing.cycle.plan import look
from openami.billing.cycle.rest import Rest, rest_of, stir_of, stirs
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.rating.usage import BillSpan

POINT = UUID(int=1)
ZONE = "America/Chicago"
RULES = shipped_jurisdiction()
BEGIN = date(2026, 1, 1)
DAYS = st.integers(0, 500).map(lambda n: BEGIN + timedelta(days=n))
GROUP = 3


@st.composite
def _dated(draw: st.DrawFn) -> DatedCalendar:
    """Return read days with gaps as a file may have them, that begin and end somewhere."""
    gaps = draw(st.lists(st.integers(20, 75), max_size=25))
    days = [draw(DAYS)]
    for gap in gaps:
        days.append(days[-1] + timedelta(days=gap))
    return DatedCalendar({GROUP: [ReadDay(d, GROUP, d.replace(day=1)) for d in days]} if gaps else {})


CALENDARS: st.SearchStrategy[CycleCalendar] = st.one_of(st.just(BusinessDayCalendar()), _dated())


@st.composite
def _holdings(draw: st.DrawFn) -> list[Holding]:
    edges = sorted(draw(st.sets(DAYS, max_size=5)))
    if not edges:
        return []
    spans = [Holding(UUID(int=n + 10), a, b) for n, (a, b) in enumerate(pairwise(edges)) if draw(st.booleans())]
    last = Holding(UUID(int=99), edges[-1], draw(st.one_of(st.none(), DAYS.filter(lambda d: d > edges[-1]))))
    return [*spans, last] if draw(st.booleans()) or not spans else spans


@st.composite
def _rates(draw: st.DrawFn) -> list[Assignment]:
    edges = sorted(draw(st.sets(DAYS, min_size=1, max_size=4)))
    rates = [Assignment(POINT, f"r{n}", a, b) for n, (a, b) in enumerate(pairwise(edges))]
    is_ended = bool(rates) and draw(st.booleans())
    return rates if is_ended else [*rates, Assignment(POINT, "last", edges[-1])]


def seen(place: Place, calendar: CycleCalendar, today: date) -> Look:
    return look(place, calendar, RULES, today)


@st.composite
def _billed(draw: st.DrawFn, calendar: CycleCalendar, place: Place, until: date) -> Place:
    """Return a place of which each bill that was due on a day went out, waits, or was reversed, as if by chance."""
    due = [f for f in seen(place, calendar, until).found if isinstance(f, Planned)]
    fate = {p.span.first: draw(st.sampled_from(("out", "out", "out", "held", "gone"))) for p in due}
    kept = [p for p in due if fate[p.span.first] != "gone"]
    if draw(st.booleans()) and kept:
        # One that ended on its nearest read, a day before.
        last = kept[-1]
        if last.span.days > 1:
            kept[-1] = replace(last, span=BillSpan(last.span.first, last.span.end - timedelta(days=1)))
    accounts = {a: [p for p in kept if p.account_id == a] for a in {p.account_id for p in kept}}
    billed = tuple(
        Billed(
            a, max(p.span.end for p in own), tuple(p.span.first for p in own if fate[p.span.first] == "held"),
            min(p.span.first for p in own),
        )
        for a, own in accounts.items()
    )  # fmt: skip
    issued = {a: [p.span for p in own if fate[p.span.first] == "out"] for a, own in accounts.items()}
    return replace(place, billed=billed, issued=issued)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Place, CycleCalendar, date, date]:
    calendar = draw(CALENDARS)
    place = Place(POINT, ZONE, GROUP, draw(_holdings()), draw(_rates()))
    if draw(st.booleans()):
        place = draw(_billed(calendar, place, draw(DAYS)))
        # What is known of the accounts may have changed since.
        place = replace(place, holdings=draw(_holdings())) if draw(st.booleans()) else place
    first = draw(DAYS)
    return place, calendar, first, first + timedelta(days=draw(st.integers(0, 200)))


@given(_worlds())
def test_a_place_of_which_more_than_waiting_bills_is_due_never_rests(
    told: tuple[Place, CycleCalendar, date, date],
) -> None:
    place, calendar, first, later = told
    rest = rest_of(place, seen(place, calendar, first))
    held = {day for b in place.billed for day in b.held}
    if rest is None:
        return
    for day in (later, *_turning_points(rest, calendar, first)):
        due = seen(place, calendar, day).found
        fresh = [f for f in due if not (isinstance(f, Planned) and f.span.first in held)]
        assert not fresh or stirs(rest, stir_of(calendar, ZONE, GROUP, day)), (rest, fresh)


def _turning_points(rest: Rest, calendar: CycleCalendar, first: date) -> list[date]:
    """Return the days on which something is due for the first time, if the rest is right, and those before and after.

    Law or not, what is wrong by one day shows on these.
    """
    reads = [d.read_on for d in calendar.read_days(GROUP, first, first + timedelta(days=100))[:2]]
    ends = [rest.wakes_on] if rest.wakes_on < BEGIN + timedelta(days=1000) else []
    near = {day + timedelta(days=n) for day in (*reads, *ends) for n in (-1, 0, 1)}
    return sorted(day for day in near if day >= first)


@given(_worlds(), CALENDARS)
def test_a_calendar_that_changed_since_the_last_look_hides_nothing(
    told: tuple[Place, CycleCalendar, date, date], calendar: CycleCalendar
) -> None:
    place, before, first, later = told
    rest = rest_of(place, seen(place, before, first))
    if rest is not None and not rest.waits and seen(place, calendar, later).found:
        assert stirs(rest, stir_of(calendar, ZONE, GROUP, later))


@given(_worlds())
def test_a_place_with_a_waiting_bill_says_so_while_it_rests(told: tuple[Place, CycleCalendar, date, date]) -> None:
    place, calendar, first, _ = told
    rest = rest_of(place, seen(place, calendar, first))
    assert rest is None or rest.waits == any(b.held for b in place.billed)
