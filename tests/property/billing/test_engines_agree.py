"""The law of two engines: on whole rates drawn at random the fleet's bills are the single bills, line by line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.property.billing.whole_rates import ZONES, Fleet, carried, fleets, prices, schedules, terms

from openami.billing.rating import Determinants, Usage, determinants, rate
from openami.billing.rating.carried import Carried
from openami.billing.rating.fleet import fleet_bills, fleet_determinants, is_columnar, price_index, rated_fleet
from openami.billing.rating.fleet.block import shared_out
from openami.billing.rating.fleet.number import multiplied, rounded
from openami.billing.rating.line import BillLine, RatedBill
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.share import shared_out as shared_out_one
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff import RateSchedule
from openami.kernel.money import rounded_to_cent

EXAMPLES = int(os.environ.get("OPENAMI_ENGINE_EXAMPLES", "10"))
LONG = int(os.environ.get("OPENAMI_ENGINE_SOAK", "5000"))
slow = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=EXAMPLES,
    # A whole rate takes minutes to shrink; what failed is told line by line as it is.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@dataclass(frozen=True, slots=True)
class Case:
    """One draw: a rate, use, a zone, and the other inputs of its bills."""

    schedule: RateSchedule
    fleet: Fleet
    zone: ZoneInfo
    terms: BillTerms
    carried: Carried


cases = st.builds(Case, schedules(), fleets(), st.sampled_from(ZONES).map(ZoneInfo), terms(), carried())


def hold_equal(case: Case) -> None:
    """Bill every point both ways, each bill from what the one before hands on, and compare all that is found."""
    schedule, fleet = case.schedule, case.fleet
    grid = fleet.start_s, fleet.interval_s
    rows = range(len(fleet.usage.wh))
    before = [case.carried] * len(rows)
    for number, span in enumerate(fleet.spans):
        bills = rated_fleet(schedule, *grid, fleet.usage, span, case.zone, [case.terms] * len(rows), before)
        index = price_index(schedule, *grid, [span], case.zone, case.terms)
        columns = fleet_determinants(schedule, index, fleet.usage)
        totals = fleet_bills(schedule, columns, 0, carried=before).cents
        for row in rows:
            usage = fleet.usage.one(*grid, row)
            one = determinants(schedule, usage, fleet.spans, case.zone, case.terms)[number]
            single = rate(schedule, one, case.terms, before[row])
            hold_one_bill(single, bills[row])
            sends_out = usage.received_wh is not None and bool(usage.received_wh.any())
            if is_columnar(schedule, index.parts[0].rates, before[row], sends_out=sends_out):
                hold_determinants(case, usage, one, columns.of_row(row, 0))
                assert int(totals[row]) == int(single.total * 100)
            before[row] = single.carried


def hold_one_bill(single: RatedBill, of_fleet: RatedBill) -> None:
    """Compare one bill of both engines."""
    assert _near(of_fleet.lines) == _near(single.lines)
    for name in ("total", "stamps", "carried", "findings"):
        assert getattr(of_fleet, name) == getattr(single, name), name


def hold_determinants(case: Case, usage: Usage, one: Determinants, in_columns: Determinants) -> None:
    """Compare three ways to the determinants: by hand, in columns for one point, and for the fleet."""
    by_hand = determinants_by_hand(case.schedule, usage, one.span, case.zone, case.terms)
    for name in one.__slots__:
        expected = _told(getattr(by_hand, name))
        assert _told(getattr(one, name)) == expected, name
        assert _told(getattr(in_columns, name)) == expected, name


def _near(lines: Iterable[BillLine]) -> list[BillLine]:
    """Exact amounts that never end are kept to 28 digits, of which the last may differ by the order of adding."""
    return [replace(b, quantity=round(b.quantity, 15), exact_amount=round(b.exact_amount, 15)) for b in lines]


def _told(value: object) -> object:
    """Energy of nothing is as good as none."""
    return {k: v for k, v in value.items() if v} if isinstance(value, dict) else value


@slow
@given(cases)
def test_the_fleet_bills_every_whole_rate_as_the_single_engine_does(case: Case) -> None:
    hold_equal(case)


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@settings(slow, max_examples=LONG)
@given(cases)
def test_the_fleet_bills_a_great_many_whole_rates_as_the_single_engine_does(case: Case) -> None:
    hold_equal(case)


@given(prices(), st.lists(st.integers(0, 2**50), min_size=1, max_size=5))
def test_amounts_in_columns_round_as_single_amounts_do(price: Decimal, wh: list[int]) -> None:
    numerator, divisor = multiplied(np.array(wh, np.int64), 1000, price)
    assert rounded(numerator, divisor).tolist() == [int(rounded_to_cent(price * w / 1000) * 100) for w in wh]


@given(st.lists(st.lists(st.integers(0, 2**50), min_size=3, max_size=3), min_size=1, max_size=6), st.data())
def test_sharing_out_in_columns_is_sharing_out_one_by_one(shares: list[list[int]], data: st.DataObject) -> None:
    amounts = [data.draw(st.integers(0, sum(row))) for row in shares]
    expected = [shared_out_one(amount, row) for amount, row in zip(amounts, shares, strict=True)]
    assert shared_out(np.array(amounts, np.int64), np.array(shares, np.int64)).tolist() == expected
