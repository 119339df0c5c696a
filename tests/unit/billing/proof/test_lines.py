"""Every line of a bill is proved down to its intervals, and the proof's own arithmetic is checked here."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.billing.statement.made import RATES, ZONE, made_usage

from openami.billing.proof.clause import clause_of
from openami.billing.proof.lines import formula, priced, prove_lines
from openami.billing.proof.record import LineProof
from openami.billing.rating.determinant import determinants
from openami.billing.rating.line import BillLine, LineKind, RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.charge import DatedValue, Rider, RiderUnit
from openami.billing.tariff.model import RateSchedule

SPAN = BillSpan(date(2026, 9, 20), date(2026, 10, 20))


def _proved(schedule: RateSchedule, usage: Usage, span: BillSpan = SPAN) -> tuple[RatedBill, tuple[LineProof, ...]]:
    found = determinants(schedule, usage, [span], ZONE)[0]
    rated = rate(schedule, found)
    return rated, prove_lines(schedule, rated.lines, found, priced(schedule, usage, span, ZONE))


def _worked_out(text: str) -> tuple[Fraction, Fraction]:
    """Return what a formula says its product is, and what it is by hand."""
    left, _, right = text.partition(" = ")
    left = re.sub(r"(\d+) of (\d+) days", r"\1/\2", re.sub(r" (kWh|kW|month|day)\b", "", left)).replace("/", " / ")
    product = Fraction(1)
    for factor in left.split(" x "):
        top, _, bottom = factor.partition(" / ")
        product *= Fraction(top) / Fraction(bottom or 1)
    return Fraction(right.split(",")[0]), product


@settings(max_examples=25, deadline=None)
@given(
    code=st.sampled_from(sorted(RATES)),
    first=st.dates(date(2026, 1, 1), date(2026, 12, 1)),
    days=st.integers(1, 35),
    scale=st.floats(0, 4),
)
def test_days_add_up_to_the_line_and_the_formula_to_its_amount(code: str, first: date, days: int, scale: float) -> None:
    span = BillSpan(first, date.fromordinal(first.toordinal() + days))
    rated, proofs = _proved(RATES[code], made_usage(span, scale=scale), span)
    for line, proof in zip(rated.lines, proofs, strict=True):
        said, worked = _worked_out(proof.formula)
        assert abs(said - worked) < Fraction(1, 10**12), proof.formula
        if proof.metered_wh is not None:
            assert sum(d.wh for d in proof.days) == proof.metered_wh
            same = [x for x in rated.lines if x.kind is LineKind.ENERGY and x.period == line.period]
            assert sum(x.quantity for x in same) * 1000 == proof.metered_wh
    energy = {x.period: p.metered_wh for x, p in zip(rated.lines, proofs, strict=True) if x.kind is LineKind.ENERGY}
    assert sum(v or 0 for v in energy.values()) == rated.determinants.usage_wh


def test_a_demand_line_shows_the_intervals_of_its_window_and_their_mean() -> None:
    _, proofs = _proved(RATES["ameren-mo-ultimate"], made_usage(SPAN))
    demands = [p for p in proofs if p.window is not None]
    assert len(demands) == 2
    for proof in demands:
        assert proof.window is not None
        assert len(proof.window.intervals_wh) == 4
        assert sum(proof.window.intervals_wh) == proof.window.watts
        assert "days = " in proof.formula, "a price of one season stands for its days"


def test_estimated_intervals_are_counted_on_their_day() -> None:
    _, proofs = _proved(RATES["ameren-mo-anytime"], made_usage(SPAN, estimated=range(96, 100)))
    days = {d.day: d.estimated for p in proofs for d in p.days}
    assert days[date(2026, 9, 21)] == 4
    assert sum(days.values()) == 4


def test_a_price_in_blocks_says_how_much_each_block_takes() -> None:
    span = BillSpan(date(2026, 1, 1), date(2026, 2, 1))
    _, proofs = _proved(RATES["ameren-mo-anytime"], made_usage(span, scale=2.0), span)
    assert [p.note.startswith(f"block {n} takes ") for n, p in enumerate(proofs[:2], start=1)] == [True, True]


def test_a_bill_that_nets_energy_says_that_less_is_billed_than_was_metered() -> None:
    usage = made_usage(SPAN)
    schedule = RATES["ameren-mo-smart"]
    found = determinants(schedule, usage, [SPAN], ZONE)[0]
    lines = [
        replace(x, quantity=x.quantity - 1) if x.kind is LineKind.ENERGY else x for x in rate(schedule, found).lines
    ]
    proofs = prove_lines(schedule, lines, found, priced(schedule, usage, SPAN, ZONE))
    assert "nets energy sent out, or rounds energy" in proofs[0].note


def test_intervals_outside_of_the_bill_prove_nothing_in_it() -> None:
    wider = made_usage(BillSpan(date(2026, 9, 1), date(2026, 11, 1)))
    inside = priced(RATES["ameren-mo-smart"], wider, SPAN, ZONE)
    assert len(inside.keys) == 30 * 96
    assert int(np.unique(inside.day)[0]) == SPAN.first.toordinal()


def test_a_clause_brings_the_rates_own_words_on_where_it_comes_from() -> None:
    schedule = RATES["ameren-mo-ultimate"]
    found = clause_of(schedule, "versions[0].periods[Summer on-peak].blocks[0]", 0)
    assert found.effective_from == date(2025, 6, 1)
    assert "sheet" in found.provenance
    assert list(found.confidence) == ["prices"]
    value = DatedValue(Decimal("0.003"), date(2026, 2, 1), "filing of 2026-01", "high")
    rider = Rider("FAC", "Fuel", RiderUnit.KWH, (value,))
    dated = replace(schedule, versions=(replace(schedule.versions[0], riders=(rider,)),))
    found = clause_of(dated, "versions[0].riders[FAC].values[0]", 0)
    assert (found.effective_from, found.provenance, found.confidence) == (
        date(2026, 2, 1), {"value": "filing of 2026-01"}, {"value": "high"},
    )  # fmt: skip
    assert clause_of(schedule, "versions[7].fixed[x]", 7).provenance == {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (BillLine(LineKind.FIXED, "", None, None, Decimal(1), "month", Decimal(9), Decimal(9)),
         "1.00 month x 9.00 = 9.00, rounded once to 9.00"),
        (BillLine(LineKind.FIXED, "", None, None, Decimal("0.5"), "month", Decimal(9), Decimal("4.5"), days=15),
         "9.00 x 15 of 30 days = 4.50, rounded once to 4.50"),
        (BillLine(LineKind.TAX, "", None, None, Decimal("65.20"), "percent", Decimal(5), Decimal("3.26")),
         "5.00 % of 65.20 = 3.26, rounded once to 3.26"),
    ],
)  # fmt: skip
def test_the_formula_of_each_unit_reads_as_arithmetic(line: BillLine, expected: str) -> None:
    assert formula(line, 30) == expected
