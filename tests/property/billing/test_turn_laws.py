"""Laws of cutting bills into parts: nothing is lost, a part holds a place once, its bills come in order, days near."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from openami.billing.bill.turns import MOST_DAYS, turns
from openami.billing.rating.usage import BillSpan

FIRST = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Row:
    service_point_id: UUID
    span: BillSpan


def row(point: int, first: int, days: int) -> Row:
    begin = FIRST + timedelta(days=first)
    return Row(UUID(int=point), BillSpan(begin, begin + timedelta(days=days)))


ROWS = st.lists(
    st.builds(row, st.integers(1, 8), st.integers(0, 400), st.integers(1, 60)),
    max_size=40,
    unique_by=lambda r: (r.service_point_id, r.span),
)


@given(rows=ROWS, most=st.integers(1, 5))
def test_parts_hold_every_bill_once_and_each_place_in_its_order(rows: list[Row], most: int) -> None:
    found = turns(rows, most)
    parts = [part for turn in found for part in turn]
    flat = [r for part in parts for r in part]
    assert sorted(flat, key=repr) == sorted(rows, key=repr)
    assert all(1 <= len(part) <= most for part in parts)
    for turn in found:
        places = [r.service_point_id for part in turn for r in part]
        assert len(places) == len(set(places)), "what one bill of a place hands over, the next has to find kept"
    for point in {r.service_point_id for r in rows}:
        own = [r.span for r in flat if r.service_point_id == point]
        assert own == sorted(own)


@given(rows=ROWS)
def test_the_days_of_a_part_lie_near_each_other(rows: list[Row]) -> None:
    for part in (p for turn in turns(rows) for p in turn):
        days = max(r.span.end for r in part) - min(r.span.first for r in part)
        assert days <= MOST_DAYS or len(part) == 1
