"""How far back a correction reaches, whatever changed: nobody loses a credit, nobody is charged beyond the limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.billing.correction.test_deciding import DISCOVERED, PERIODS, change

from openami.billing.correction.reach import reach_of
from openami.billing.correction.rules import LookBack

CHANGES = st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(0, 79)), max_size=12, unique_by=lambda c: c[1])
LIMITS = st.integers(0, 80)


@given(CHANGES, LIMITS, LIMITS)
def test_every_change_is_corrected_or_beyond_and_money_back_is_never_less_than_the_longer_limit_gives(
    drawn: list[tuple[int, int]], first: int, second: int
) -> None:
    under, over = sorted((first, second))
    changes = [change(str(Decimal(cents) / 100), back=back) for cents, back in drawn]
    found = reach_of(changes, PERIODS, LookBack(over, under), discovered=DISCOVERED)
    assert {c.bill_id for c in (*found.rebilled, *found.beyond)} == {c.bill_id for c in changes}
    whole = sum((c.by for c, (_, back) in zip(changes, drawn, strict=True) if back < over), Decimal(0))
    if whole <= 0:
        assert found.by == whole
    else:
        assert all(back < under for c, (_, back) in zip(changes, drawn, strict=True) if c in found.rebilled)
    tampered = reach_of(changes, PERIODS, LookBack(over, under), discovered=DISCOVERED, tampering=True)
    assert tampered.beyond == ()
    assert tampered.by == sum((c.by for c in changes), Decimal(0))


@given(CHANGES, LIMITS)
def test_a_customer_of_half_as_long_bills_is_reached_back_as_many_periods(
    drawn: list[tuple[int, int]], limit: int
) -> None:
    changes = [change(str(Decimal(cents) / 100), back=back) for cents, back in drawn]
    halved = [replace(p, end=p.first + (p.end - p.first) / 2) for p in PERIODS]
    limits = LookBack(limit, limit)
    whole = reach_of(changes, PERIODS, limits, discovered=DISCOVERED)
    assert reach_of(changes, halved, limits, discovered=DISCOVERED).rebilled == whole.rebilled
