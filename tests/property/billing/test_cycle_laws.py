"""Laws of the billing cycle: bills tile an account's days, lengths are regular, and a close may be repeated."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import printed_reads, reading_state
from openami.billing.bill.record import Assignment, BillKind, ReadingState
from openami.billing.calendar import BusinessDayCalendar
from openami.billing.calendar.cycle import lengths
from openami.billing.cycle.place import Billed, Holding, Place, Planned
from openami.billing.cycle.plan import plan
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.kernel.holiday import KNOWN, HolidayList, Observance
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

POINT = UUID(int=1)
ZONE = ZoneInfo("America/Chicago")
RULES = shipped_jurisdiction()
PERIOD = RULES.versions[0].period
BEGIN = date(2026, 1, 1)
DAYS = st.integers(0, 500).map(lambda n: BEGIN + timedelta(days=n))
CALENDARS = st.builds(
    lambda names, observance: BusinessDayCalendar(
        holidays=HolidayList(tuple(KNOWN[n] for n in names), observance=observance)
    ),
    st.sets(st.sampled_from(sorted(KNOWN))),
    st.sampled_from(list(Observance)),
)


_TWO_SHORT_MONTHS = BusinessDayCalendar(
    holidays=HolidayList((KNOWN["new_years_day"], KNOWN["mlk_day"]), observance=Observance.ACTUAL_DAY)
)
"""Group 20 is read on 1 February 2049 for January, so late that February moves, and March after it."""
_A_LONG_NOVEMBER = BusinessDayCalendar(
    holidays=HolidayList(
        tuple(
            KNOWN[name]
            for name in ("veterans_day", "thanksgiving", "day_after_thanksgiving", "christmas_eve", "christmas")
        ),
        observance=Observance.ACTUAL_DAY,
    )
)
"""Group 19 would be read on 2 December 2047 for November, 38 days after the read before."""


@given(CALENDARS, st.integers(1, 21), st.integers(2000, 2090))
@example(_TWO_SHORT_MONTHS, 20, 2048)
@example(_A_LONG_NOVEMBER, 19, 2046)
def test_every_group_is_read_once_a_month_in_order_and_after_a_regular_number_of_days(
    calendar: BusinessDayCalendar, group: int, year: int
) -> None:
    found = calendar.read_days(group, date(year, 1, 1), date(year + 2, 3, 1))
    months = [d.revenue_month for d in found]
    assert all((b - a).days <= 31 and a < b for a, b in pairwise(months))
    assert all(PERIOD.least_days <= n <= PERIOD.most_days for n in lengths(found))
    assert all(d.read_on.weekday() < 5 for d in found)


@st.composite
def _places(draw: st.DrawFn) -> tuple[Place, date]:
    edges = sorted(draw(st.sets(DAYS, min_size=1, max_size=4)))
    holdings = [Holding(UUID(int=n + 10), a, b) for n, (a, b) in enumerate(pairwise(edges))]
    holdings.append(Holding(UUID(int=99), edges[-1], None))
    switch = sorted(draw(st.sets(DAYS.filter(lambda d: d > BEGIN), max_size=2)))
    starts = [BEGIN, *switch]
    rates = [Assignment(POINT, f"r{n}", a, b) for n, (a, b) in enumerate(zip(starts, [*starts[1:], None], strict=True))]
    group = draw(st.integers(1, 21))
    return Place(POINT, "America/Chicago", group, holdings, rates), draw(DAYS)


@given(_places())
def test_bills_tile_each_accounts_days_without_gap_or_overlap(told: tuple[Place, date]) -> None:
    place, today = told
    found = [f for f in plan(place, BusinessDayCalendar(), RULES, today) if isinstance(f, Planned)]
    for holding in place.holdings:
        own = [p for p in found if p.account_id == holding.account_id]
        assert [p.span.end for p in own[:-1]] == [p.span.first for p in own[1:]]
        if own:
            assert own[0].span.first == holding.first
            assert own[-1].span.end <= today
        if holding.end is not None and holding.end <= today:
            assert own
            assert (own[-1].span.end, own[-1].kind) == (holding.end, BillKind.FINAL)
        elif own:
            assert today - own[-1].span.end <= timedelta(days=PERIOD.most_days + 5)
    assert all(p.rate_code == _rate(place, p.span.first) == _rate(place, p.span.last) for p in found)
    regular = [p for p in found if p.kind is BillKind.REGULAR and p.period_days == p.span.days]
    assert all(PERIOD.allows(p.period_days) for p in regular)


@given(_places(), st.integers(0, 40))
def test_what_was_billed_is_never_planned_again_and_the_rest_is_the_same_however_often_one_looks(
    told: tuple[Place, date], cut: int
) -> None:
    place, today = told
    whole = [f for f in plan(place, BusinessDayCalendar(), RULES, today) if isinstance(f, Planned)]
    done = whole[:cut]
    billed = tuple(Billed(a, max(p.span.end for p in done if p.account_id == a)) for a in {p.account_id for p in done})
    again = Place(POINT, place.zone, place.bill_group, place.holdings, place.rates, billed)
    left = [f for f in plan(again, BusinessDayCalendar(), RULES, today) if isinstance(f, Planned)]
    assert left == whole[cut:]


@given(_places(), st.sets(st.integers(0, 40)))
def test_whichever_bills_wait_they_are_planned_as_before_and_no_others(
    told: tuple[Place, date], waits: set[int]
) -> None:
    place, today = told
    whole = [f for f in plan(place, BusinessDayCalendar(), RULES, today) if isinstance(f, Planned)]
    held = [p for n, p in enumerate(whole) if n in waits]
    accounts = {a: [p for p in whole if p.account_id == a] for a in {p.account_id for p in whole}}
    billed = tuple(
        Billed(a, own[-1].span.end, tuple(p.span.first for p in own if p in held)) for a, own in accounts.items()
    )
    issued = {a: tuple(p.span for p in own if p not in held) for a, own in accounts.items()}
    again = replace(place, billed=billed, issued=issued)
    left = [f for f in plan(again, BusinessDayCalendar(), RULES, today) if isinstance(f, Planned)]
    assert left == held


def _rate(place: Place, day: date) -> str:
    return next(r.rate_code for r in place.rates if r.first_day <= day and (r.end_day is None or day < r.end_day))


PLACE_SPAN = BillSpan(date(2026, 10, 7), date(2026, 11, 6))
PLACE_PERIOD = PLACE_SPAN.period(ZONE)
WH_PER_HOUR = 400
KINDS = (ReadKind.SCHEDULED, ReadKind.NEAREST, ReadKind.ON_DEMAND, ReadKind.MANUAL, ReadKind.MISSING)


def _true_read(at: datetime, kind: ReadKind) -> EndOfRead:
    """Return what the register of a place with an even load showed at an instant."""
    hours = (at - PLACE_PERIOD.start) // timedelta(hours=1)
    return EndOfRead(at, None if kind is ReadKind.MISSING else 10_000 + hours * WH_PER_HOUR, kind)


@st.composite
def _ends(draw: st.DrawFn) -> ReadPiece:
    multiplier = draw(st.sampled_from((1, 10, 40)))
    ends = []
    for edge in (PLACE_PERIOD.start, PLACE_PERIOD.end):
        kind = draw(st.sampled_from(KINDS))
        away = 0 if kind in {ReadKind.SCHEDULED, ReadKind.MISSING} else draw(st.integers(-48, 24))
        ends.append(_true_read(edge + timedelta(hours=away), kind))
    return ReadPiece(POINT, "S-1", Channel.DELIVERED, ends[0], ends[1], multiplier, None)


@given(_ends())
def test_a_bill_that_calls_its_reads_actual_bills_what_its_register_advanced(told: ReadPiece) -> None:
    energy = {Channel.DELIVERED: PLACE_PERIOD.duration_s // 3600 * WH_PER_HOUR * told.multiplier}
    (piece,) = printed_reads([told], BillOrder(POINT, PLACE_SPAN), energy, PLACE_PERIOD)
    if reading_state([piece], 0) is ReadingState.ACTUAL:
        assert (piece.begin.at, piece.end.at) == (PLACE_PERIOD.start, PLACE_PERIOD.end)
    if piece.usage_wh is not None:
        assert piece.usage_wh == energy[Channel.DELIVERED], "an estimated end agrees with the intervals too"
