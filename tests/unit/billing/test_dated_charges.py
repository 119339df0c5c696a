"""Riders, credits and taxes on hand-worked bills: what they are of, what a change inside does, what is stamped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import BillSpan, BillTerms, LineKind, RatedBill, StampCode, Usage, determinants, rate
from openami.billing.rating.line import BillLine
from openami.billing.rating.terms import Annexed
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.charge import (
    Credit,
    DatedValue,
    FixedCharge,
    MinimumCharge,
    Rider,
    RiderUnit,
    Tax,
    ValueChange,
)
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.rounding import PercentOf, Rounding, TotalRule
from openami.billing.tariff.season import Season

CHICAGO = ZoneInfo("America/Chicago")
ALL_DAY = ((Window(0, 1440, 0),),) * 8
PLAIN = Tariff(
    (PricePeriod("All hours", (Block(Decimal("0.10")),)),),
    (Season("all year", frozenset(range(1, 13)), ALL_DAY),),
    fixed=(FixedCharge("Customer charge", Decimal("9.00")),),
)
JUNE = BillSpan(date(2026, 6, 1), date(2026, 7, 1))
D = Decimal


def _rate(*versions: Tariff) -> RateSchedule:
    return RateSchedule("x", "X", "", "USD", versions)


def _bill(schedule: RateSchedule, wh: int = 250, span: BillSpan = JUNE, **terms: Any) -> RatedBill:
    period = span.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    usage = Usage(starts, np.full(len(starts), wh, np.int64), 900)
    given = BillTerms(**terms)
    return rate(schedule, determinants(schedule, usage, [span], CHICAGO, given)[0], given)


def _of(bill: RatedBill, kind: LineKind) -> list[BillLine]:
    return [line for line in bill.lines if line.kind is kind]


def _amounts(bill: RatedBill, kind: LineKind) -> list[Decimal]:
    return [line.exact_amount for line in _of(bill, kind)]


def _rider(value: str | None, unit: RiderUnit = RiderUnit.KWH, code: str = "FAC", **more: Any) -> Rider:
    values = (DatedValue(None if value is None else D(value)),)
    return Rider(code, f"Rider {code}", unit, values, **more)


@pytest.mark.parametrize(
    ("rider", "quantity", "unit", "amount"),
    [
        (_rider("0.002"), "720", "kWh", "1.44"),
        (_rider("-0.002"), "720", "kWh", "-1.44"),
        (_rider("1.25", RiderUnit.MONTH), "1", "month", "1.25"),
        (_rider("0.05", RiderUnit.DAY), "30", "day", "1.50"),
        (_rider("10", RiderUnit.PERCENT), "81.00", "percent", "8.10"),
        (_rider("10", RiderUnit.PERCENT, of=("fixed",)), "9.00", "percent", "0.90"),
        (_rider("10", RiderUnit.PERCENT, of=("All hours",)), "72.00", "percent", "7.20"),
    ],
    ids=["per kWh", "a refund per kWh", "per month", "per day", "percent of base", "of fixed", "of a named price"],
)
def test_a_rider_is_of_what_its_unit_says(rider: Rider, quantity: str, unit: str, amount: str) -> None:
    line = _of(_bill(_rate(replace(PLAIN, riders=(rider,)))), LineKind.RIDER)[0]
    assert (line.quantity, line.unit, line.exact_amount) == (D(quantity), unit, D(amount))
    assert line.clause == "versions[0].riders[FAC].values[0]"


def test_a_percentage_may_be_of_a_rider_before_it_by_its_code() -> None:
    riders = (_rider("0.01"), _rider("50", RiderUnit.PERCENT, "HALF", of=("FAC",)))
    assert _amounts(_bill(_rate(replace(PLAIN, riders=riders))), LineKind.RIDER) == [D("7.2"), D("3.6")]


CHANGED = (DatedValue(D("0.01")), DatedValue(D("0.02"), date(2026, 6, 11)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # 0.5 kWh an hour on ten days, then 1 kWh an hour on twenty: 120 + 480 kWh.
        (ValueChange.METERED, [("120", "1.20", 10), ("480", "9.60", 20)]),
        # A third and two thirds of 600 kWh.
        (ValueChange.DAYS, [("200", "2.00", 10), ("400", "8.00", 20)]),
        (ValueChange.BILL, [("600", "12.00", None)]),
    ],
    ids=["energy as metered on its own days", "energy by share of days", "the last day's value for all"],
)
def test_a_rider_that_changes_inside_a_bill_does_as_it_says(
    change: ValueChange, expected: list[tuple[str, str, int | None]]
) -> None:
    schedule = _rate(replace(PLAIN, riders=(Rider("FAC", "Fuel", RiderUnit.KWH, CHANGED, change=change),)))
    period = JUNE.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 3600, dtype=np.int64)
    wh = np.where(np.arange(len(starts)) < 240, 500, 1000).astype(np.int64)
    bill = rate(schedule, determinants(schedule, Usage(starts, wh, 3600), [JUNE], CHICAGO)[0])
    found = [(line.quantity, line.exact_amount, line.days) for line in _of(bill, LineKind.RIDER)]
    assert found == [(D(q), D(a), d) for q, a, d in expected]


def test_a_rider_that_keeps_its_value_over_a_price_change_is_one_line() -> None:
    old = replace(PLAIN, riders=(_rider("0.01"),), effective_to=date(2026, 6, 11))
    new = replace(old, effective_from=date(2026, 6, 11), effective_to=None)
    lines = _of(_bill(_rate(old, new)), LineKind.RIDER)
    assert [(line.quantity, line.days) for line in lines] == [(D(720), None)]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        # A third and two thirds of the days: of 81.00, of a month, and ten and twenty days.
        (RiderUnit.PERCENT, [("81.00", "0.27"), ("81.00", "1.08")]),
        (RiderUnit.DAY, [("10", "0.10"), ("20", "0.40")]),
    ],
    ids=["a percentage", "a charge per day"],
)
def test_what_is_not_per_kilowatt_hour_changes_by_days(unit: RiderUnit, expected: list[tuple[str, str]]) -> None:
    schedule = _rate(replace(PLAIN, riders=(Rider("R", "R", unit, _by_unit(unit)),)))
    lines = _of(_bill(schedule), LineKind.RIDER)
    assert [(line.quantity, line.exact_amount, line.days) for line in lines] == [
        (D(q), D(a), days) for (q, a), days in zip(expected, (10, 20), strict=True)
    ]


def _by_unit(unit: RiderUnit) -> tuple[DatedValue, ...]:
    first, second = ("1", "2") if unit is RiderUnit.PERCENT else ("0.01", "0.02")
    return (DatedValue(D(first)), DatedValue(D(second), date(2026, 6, 11)))


@pytest.mark.parametrize("ends", [False, True], ids=["another value", "no such rider any more"])
def test_a_rider_of_one_version_takes_the_energy_of_that_versions_days(ends: bool) -> None:
    metered = _rider("0.01", change=ValueChange.METERED)
    old = replace(PLAIN, riders=(metered,), effective_to=date(2026, 6, 11))
    later = () if ends else (_rider("0.02", change=ValueChange.METERED),)
    new = replace(PLAIN, riders=later, effective_from=date(2026, 6, 11))
    schedule, period = _rate(old, new), JUNE.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 3600, dtype=np.int64)
    wh = np.where(np.arange(len(starts)) < 240, 500, 1000).astype(np.int64)
    bill = rate(schedule, determinants(schedule, Usage(starts, wh, 3600), [JUNE], CHICAGO)[0])
    expected = [(D(120), D("1.20")), (D(480), D("9.60"))][: 1 if ends else 2]
    assert [(line.quantity, line.exact_amount) for line in _of(bill, LineKind.RIDER)] == expected


def test_before_its_first_value_a_rider_charges_nothing_and_nothing_is_missing() -> None:
    begins = Rider("FAC", "Fuel", RiderUnit.KWH, (DatedValue(D("0.01"), date(2026, 6, 21)),))
    bill = _bill(_rate(replace(PLAIN, riders=(begins,))))
    assert [(line.quantity, line.days) for line in _of(bill, LineKind.RIDER)] == [(D(240), 10)]
    assert bill.stamps == ()


def test_a_rider_without_a_known_value_stamps_the_bill_and_adds_no_line() -> None:
    bill = _bill(_rate(replace(PLAIN, riders=(_rider(None), _rider("0.01", code="EEC")))))
    assert [(s.code, s.clause) for s in bill.stamps] == [
        (StampCode.BASE_CHARGES_ONLY, "versions[0].riders[FAC].values[0]")
    ]
    assert _amounts(bill, LineKind.RIDER) == [D("7.2")]


@pytest.mark.parametrize(("attributes", "applies"), [({}, True), ({"exempt": "yes"}, False)], ids=["others", "exempt"])
def test_a_rider_may_ask_for_an_attribute_of_the_agreement(attributes: Mapping[str, str], applies: bool) -> None:
    rider = _rider("0.01", when={"exempt": "-yes"})
    bill = _bill(_rate(replace(PLAIN, riders=(rider,))), attributes=attributes)
    assert bool(_of(bill, LineKind.RIDER)) is applies


def _tax(value: str | None, municipality: str, **more: Any) -> Tax:
    values = (DatedValue(None if value is None else D(value)),)
    return Tax("GRT", "Municipal tax", RiderUnit.PERCENT, values, municipality=municipality, **more)


TAXED = replace(PLAIN, riders=(_rider("0.01"),), taxes=(_tax("5", "Alton"), _tax("0", "unincorporated")))


def test_a_tax_is_that_of_the_municipality_and_of_every_line_before_it() -> None:
    bill = _bill(_rate(TAXED), municipality="Alton")
    line = _of(bill, LineKind.TAX)[0]
    assert (line.quantity, line.exact_amount, bill.stamps) == (D("88.20"), D("4.41"), ())
    nowhere = _bill(_rate(TAXED), municipality="unincorporated")
    assert (_amounts(nowhere, LineKind.TAX), nowhere.stamps) == ([], ())


@pytest.mark.parametrize("municipality", ["", "Elsewhere"], ids=["not stated", "not listed"])
def test_a_municipality_that_the_rate_does_not_list_stamps_the_bill(municipality: str) -> None:
    bill = _bill(_rate(TAXED), municipality=municipality)
    assert [s.code for s in bill.stamps] == [StampCode.TAX_NOT_KNOWN]
    assert _of(bill, LineKind.TAX) == []


MOVED = (Annexed(date(2026, 6, 11), "Brent"),)
"""June has ten days in Alton and twenty in Brent."""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # 720 kWh at 0.10, 9.00 a month and 7.20 of a rider come to 88.20.
        (ValueChange.DAYS, [("Alton", D("1.47")), ("Brent", D("5.88"))]),
        (ValueChange.BILL, [("Brent", D("8.82"))]),
    ],
    ids=["5 % of 10/30 and 10 % of 20/30", "10 %, for the last day lies in Brent"],
)
def test_a_place_that_is_annexed_within_a_bill_is_taxed_as_the_tax_says(
    change: ValueChange, expected: list[tuple[str, Decimal]]
) -> None:
    taxes = tuple(replace(_tax(p, m, change=change), name=m) for p, m in (("5", "Alton"), ("10", "Brent")))
    bill = _bill(_rate(replace(TAXED, taxes=taxes)), municipality="Alton", annexed=MOVED)
    assert [(line.name, line.exact_amount) for line in _of(bill, LineKind.TAX)] == expected
    assert bill.stamps == ()


def test_a_tax_on_energy_takes_the_energy_of_the_days_in_its_municipality() -> None:
    taxes = tuple(
        Tax("GRT", m, RiderUnit.KWH, (DatedValue(D(p)),), municipality=m, change=ValueChange.METERED)
        for p, m in (("0.01", "Alton"), ("0.02", "Brent"))
    )
    bill = _bill(_rate(replace(PLAIN, taxes=taxes)), municipality="Alton", annexed=MOVED)
    # 24 kWh a day: 240 kWh at 1 cent, 480 kWh at 2 cents.
    found = [(line.name, line.quantity, line.days, line.exact_amount) for line in _of(bill, LineKind.TAX)]
    assert found == [("Alton", D(240), 10, D("2.40")), ("Brent", D(480), 20, D("9.60"))]


@pytest.mark.parametrize(
    ("annexed", "stamps"),
    [
        (Annexed(date(2026, 6, 11), "Elsewhere"), 1),
        (Annexed(date(2026, 6, 11), ""), 1),
        (Annexed(date(2026, 7, 1), "Elsewhere"), 0),
    ],
    ids=["into one that is not listed", "into nobody knows which", "only after the bill"],
)
def test_each_municipality_of_a_bill_must_be_known(annexed: Annexed, stamps: int) -> None:
    bill = _bill(_rate(TAXED), municipality="Alton", annexed=(annexed,))
    assert [s.code for s in bill.stamps] == [StampCode.TAX_NOT_KNOWN] * stamps


def test_a_percentage_is_of_printed_amounts_or_of_exact_ones() -> None:
    thirds = replace(PLAIN, periods=(PricePeriod("All hours", (Block(D("0.100007")),)),), taxes=(_tax("10", ""),))
    exact = replace(thirds, rounding=Rounding(percent_of=PercentOf.EXACT))
    assert _amounts(_bill(_rate(thirds)), LineKind.TAX) == [D("8.101")]
    assert _amounts(_bill(_rate(exact)), LineKind.TAX) == [D("8.100504")]


def test_the_total_is_the_sum_of_printed_lines_or_the_exact_sum_rounded() -> None:
    two = replace(PLAIN, fixed=(FixedCharge("A", D("1.004")), FixedCharge("B", D("1.004"))), periods=PLAIN.periods)
    once = replace(two, rounding=Rounding(total=TotalRule.ROUNDED_SUM))
    assert (_bill(_rate(two)).total, _bill(_rate(once)).total) == (D("74.00"), D("74.01"))


def test_a_credit_lowers_the_bill_and_may_stop_at_zero() -> None:
    values = (DatedValue(D("20")),)
    whole = Credit("LOW", "Low-income credit", RiderUnit.MONTH, values)
    stops = replace(whole, stops_at_zero=True)
    assert _bill(_rate(replace(PLAIN, credits=(whole,))), wh=0).total == D("-11.00")
    assert _bill(_rate(replace(PLAIN, credits=(stops,))), wh=0).total == D("0.00")
    assert _bill(_rate(replace(PLAIN, credits=(stops,)))).total == D("61.00")


def test_a_minimum_counts_the_lines_that_it_names() -> None:
    base = replace(PLAIN, riders=(_rider("0.01"),), minimum=MinimumCharge("Minimum", D("25")))
    with_rider = replace(base, minimum=MinimumCharge("Minimum", D("25"), of=("energy", "fixed", "rider")))
    # 28.8 kWh: 2.88 + 9.00 of base, 0.29 of rider.
    assert _amounts(_bill(_rate(base), wh=10), LineKind.MINIMUM) == [D("13.12")]
    assert _amounts(_bill(_rate(with_rider), wh=10), LineKind.MINIMUM) == [D("12.83")]


@pytest.mark.parametrize(
    ("version", "clause"),
    [
        ({"riders": (_rider("1"), _rider("2"))}, "riders"),
        ({"riders": (_rider("5", RiderUnit.PERCENT, of=("nothing",)),)}, "[FAC].of"),
        ({"taxes": (_tax("5", "A"), _tax("6", "A"))}, "riders"),
        ({"minimum": MinimumCharge("M", D(1), of=("sky",))}, "minimum.of"),
    ],
    ids=["one code twice", "a percentage of nothing", "one tax twice in a place", "a minimum of nothing"],
)
def test_clauses_that_point_at_nothing_are_refused_by_name(version: Mapping[str, Any], clause: str) -> None:
    with pytest.raises(TariffError) as refused:
        replace(PLAIN, **version)
    assert refused.value.clause == clause


def test_values_that_do_not_rise_by_date_are_refused() -> None:
    with pytest.raises(TariffError, match="later day"):
        Rider("FAC", "Fuel", RiderUnit.KWH, (DatedValue(D(1), date(2026, 2, 1)), DatedValue(D(2), date(2026, 1, 1))))
    with pytest.raises(TariffError, match="another unit"):
        _rate(
            replace(PLAIN, riders=(_rider("1"),), effective_to=date(2026, 1, 1)),
            replace(PLAIN, riders=(_rider("1", RiderUnit.DAY),), effective_from=date(2026, 1, 1)),
        )
