"""Whatever rates are entered over billed days, what takes the place of bills holds each of their days once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.billing.ledger.bills import POINT, bill, line

from openami.billing.bill.record import Assignment, Bill
from openami.billing.calendar.cycle import Cycle
from openami.billing.correction.periods import periods_of
from openami.billing.correction.pieces import code_on, pieces_of, units_of
from openami.billing.rating.usage import BillSpan

BEGIN = date(2026, 9, 1)
LENGTH = 90


def day(number: int) -> date:
    return BEGIN + timedelta(days=number)


@st.composite
def entered(draw: st.DrawFn) -> list[Assignment]:
    """Rates over 90 days, some of which may be on none."""
    edges = sorted(draw(st.sets(st.integers(1, LENGTH - 1), max_size=6)) | {0, LENGTH})
    rows = [
        Assignment(POINT, draw(st.sampled_from(["flat", "tou", "ev"])), day(a), day(b))
        for a, b in pairwise(edges)
        if draw(st.integers(0, 9))
    ]
    return [replace(rows[-1], end_day=None) if r is rows[-1] and draw(st.booleans()) else r for r in rows]


@st.composite
def billed(draw: st.DrawFn) -> list[Bill]:
    """Three periods of 30 days, each billed by one bill or parted in two of different rates."""
    found = []
    for month in range(3):
        cycle = Cycle(1, day(30 * month), day(30 * month + 30))
        cut = draw(st.none() | st.integers(1, 29))
        edges = [0, 30] if cut is None else [0, cut, 30]
        for number, (a, b) in enumerate(pairwise(edges)):
            one = bill(
                [line("fixed", "9.00")], first=day(30 * month + a), days=b - a, rate_code=("flat", "tou")[number]
            )
            found.append(replace(one, cycle=cycle))
    return found


@given(billed(), entered(), st.data())
def test_pieces_hold_each_day_of_their_unit_once_and_are_on_the_rate_of_each_of_their_days(
    bills: list[Bill], rows: list[Assignment], data: st.DataObject
) -> None:
    chosen = [bills[n] for n in data.draw(st.sets(st.integers(0, len(bills) - 1), min_size=1))]
    units = units_of(chosen, bills, {POINT: rows})[POINT]
    ids = [b.bill_id for unit in units for b in unit]
    assert len(set(ids)) == len(ids)
    assert {b.bill_id for b in chosen} <= set(ids)
    days: dict[date, str] = {}
    for piece in pieces_of(units, rows):
        for number in range(piece.span.days):
            one = piece.span.first + timedelta(days=number)
            assert one not in days
            days[one] = piece.code
        assert piece.old.span.first <= piece.span.first < piece.old.span.end
        assert piece.part_of is None or (
            piece.part_of.period.first <= piece.span.first and piece.span.end <= piece.part_of.period.end
        )
    assert set(days) == {b.span.first + timedelta(days=n) for unit in units for b in unit for n in range(b.span.days)}
    for unit in units:
        over = [d for b in unit for d in (b.span.first + timedelta(days=n) for n in range(b.span.days))]
        told = {d: code_on(d, rows) for d in over}
        # Of a bill none of whose days is on any rate nothing was entered: it stays on its own.
        assert {d: days[d] for d in over} == (told if any(told.values()) else dict.fromkeys(over, unit[0].rate_code))


@given(billed())
def test_a_period_counts_once_however_many_bills_it_was_parted_into(bills: list[Bill]) -> None:
    assert periods_of(bills) == {BillSpan(day(30 * month), day(30 * month + 30)) for month in range(3)}


@given(billed(), entered())
def test_two_parts_become_one_bill_only_where_no_change_of_rate_parts_them_any_more(
    bills: list[Bill], rows: list[Assignment]
) -> None:
    for unit in units_of(bills, bills, {POINT: rows})[POINT]:
        for before, after in pairwise(unit):
            assert code_on(before.span.last, rows) == code_on(after.span.first, rows) != ""
            assert before.cycle == after.cycle


def test_a_unit_is_one_place_s() -> None:
    other = UUID(int=9)
    bills = [bill([line("fixed", "9.00")]), bill([line("fixed", "9.00")], point=other)]
    found = units_of(bills, bills, {})
    assert {place: len(units) for place, units in found.items()} == {POINT: 1, other: 1}
