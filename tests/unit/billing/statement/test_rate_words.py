"""Rates in a customer's words: what a person reads must be what the engine charges."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.billing.statement.made import RATES

from openami.billing.statement.dated import export_words
from openami.billing.statement.hours import hours_in_words, joined, minutes_of, spans_of
from openami.billing.statement.words import rate_words
from openami.billing.tariff.charge import (
    ChargeUnit,
    Credit,
    DatedValue,
    FixedCharge,
    MinimumCharge,
    Rider,
    RiderUnit,
    Tax,
)
from openami.billing.tariff.export import ExportKind, ExportPrice, ExportTerms, Netting
from openami.billing.tariff.price import (
    HOLIDAY,
    MINUTES_PER_DAY,
    Block,
    DayPlan,
    EventPrice,
    PricePeriod,
    WeekPlan,
    Window,
)
from openami.billing.tariff.proration import Proration, ProrationRule
from openami.billing.tariff.season import DayRange, Season, YearDay
from openami.kernel.holiday import KNOWN, HolidayList, Observance

PEAK: DayPlan = (Window(0, 900, 1), Window(900, 1140, 0), Window(1140, 1440, 1))
FLAT: DayPlan = (Window(0, 1440, 1),)
NIGHT: DayPlan = (Window(0, 360, 0), Window(360, 1320, 1), Window(1320, 1440, 0))


@pytest.mark.parametrize(
    ("code", "sentences"),
    [
        ("ameren-mo-anytime", [
            "Summer: all day, every day, 15.6 ¢ per kWh",
            "Winter: all day, every day, 10.62 ¢ per kWh up to 750 kWh a bill, then 7.14 ¢",
        ]),
        ("ameren-mo-smart", [
            "Summer on-peak: weekdays except holidays 15:00 to 19:00, 40.51 ¢ per kWh",
            "Summer intermediate: all other times, 12.16 ¢ per kWh",
            "Summer off-peak: every day 22:00 to 06:00, 7.67 ¢ per kWh",
            "Winter on-peak: weekdays except holidays 06:00 to 08:00 and 18:00 to 20:00, 21.69 ¢ per kWh",
        ]),
        ("ameren-mo-overnight", ["Winter off-peak: every day 22:00 to 06:00, 6.3 ¢ per kWh"]),
    ],
)  # fmt: skip
def test_the_shipped_rates_read_as_a_person_would_say_them(code: str, sentences: list[str]) -> None:
    words = rate_words(RATES[code].versions[0], "USD")
    assert set(sentences) <= {w.sentence for w in words.energy}


def test_seasons_name_their_months_and_a_whole_year_names_none() -> None:
    tariff = RATES["ameren-mo-smart"].versions[0]
    assert {w.season for w in rate_words(tariff, "USD").energy} == {
        "Summer (June to September)", "Winter (October to May)",
    }  # fmt: skip
    whole = replace(tariff.seasons[0], months=frozenset(range(1, 13)))
    assert {w.season for w in rate_words(replace(tariff, seasons=(whole,)), "USD").energy} == {""}


def test_demand_says_price_hours_and_what_it_is() -> None:
    words = rate_words(RATES["ameren-mo-ultimate"].versions[0], "USD")
    assert [w.sentence for w in words.demand] == [
        "Summer 6 to 22: every day 06:00 to 22:00, $9.28 per kW",
        "Winter 6 to 22: every day 06:00 to 22:00, $3.83 per kW",
    ]
    assert "highest average power in any one hour" in words.notes[0]


def test_a_charge_stated_for_a_bill_says_what_a_short_bill_takes_of_it() -> None:
    tariff = RATES["ameren-mo-ultimate"].versions[0]
    told = "What is stated for a bill is for a bill of 26 to 35 days; of any other it is a thirtieth for each day."
    assert told in rate_words(tariff, "USD").notes
    whole = replace(tariff, proration=Proration(ProrationRule.WHOLE_BILL))
    assert not [n for n in rate_words(whole, "USD").notes if n.startswith("What is stated for a bill")]


@pytest.mark.parametrize(
    ("week", "period", "has_holidays", "expected"),
    [
        ((PEAK,) * 5 + (FLAT,) * 3, 0, True, "weekdays except holidays 15:00 to 19:00"),
        ((PEAK,) * 5 + (FLAT,) * 3, 0, False, "weekdays 15:00 to 19:00"),
        ((PEAK,) * 5 + (FLAT,) * 3, 1, True,
         "weekdays except holidays 00:00 to 15:00 and 19:00 to 24:00; weekends and holidays all day"),
        ((NIGHT,) * 8, 0, True, "every day 22:00 to 06:00"),
        ((NIGHT,) * 7 + (FLAT,), 0, True, "every day except holidays 22:00 to 06:00"),
        ((NIGHT,) * 6 + (FLAT, FLAT), 0, False,
         "Mondays, Tuesdays, Wednesdays, Thursdays, Fridays and Saturdays 00:00 to 06:00 and 22:00 to 24:00"),
        ((FLAT,) * 7 + (PEAK,), 0, True, "holidays 15:00 to 19:00"),
        ((FLAT,) * 7 + (PEAK,), 0, False, ""),
        ((FLAT,) * 8, 1, False, "all day, every day"),
    ],
)  # fmt: skip
def test_hours_name_days_that_are_alike_together(
    week: WeekPlan, period: int, has_holidays: bool, expected: str
) -> None:
    assert hours_in_words(week, period, has_holidays=has_holidays) == expected


@given(st.lists(st.lists(st.integers(0, 2), min_size=24, max_size=24), min_size=8, max_size=8))
def test_the_hours_of_all_periods_fill_the_week_once(hours: list[list[int]]) -> None:
    week = tuple(tuple(Window(h * 60, h * 60 + 60, p) for h, p in enumerate(day)) for day in hours)
    assert sum(minutes_of(week, p) for p in range(3)) == HOLIDAY * MINUTES_PER_DAY
    for period in range(3):
        spans = spans_of(week, period)
        for day, found in enumerate(spans):
            covered = {m // 60 for a, b in found for m in range(a, b, 60)}
            assert covered == {h for h, p in enumerate(hours[day]) if p == period}
            assert all(b < c for (_, b), (c, _) in itertools.pairwise(found)), "neighbors are one span"


def test_holidays_are_named_with_their_observance() -> None:
    tariff = RATES["ameren-mo-smart"].versions[0]
    rules = HolidayList((KNOWN["labor_day"], KNOWN["christmas"]), frozenset({date(2026, 11, 27)}))
    for observance, tail in ((Observance.ACTUAL_DAY, ""), (Observance.SUNDAY_TO_MONDAY, "; one on a Sunday")):
        notes = rate_words(replace(tariff, holidays=replace(rules, observance=observance)), "USD").notes
        assert any(n.startswith(f"Holidays are Labor Day, Christmas and 2026-11-27{tail}") for n in notes)


def test_fixed_charges_say_their_base_and_the_minimum_is_named() -> None:
    tariff = replace(
        RATES["ameren-mo-anytime"].versions[0],
        fixed=(FixedCharge("Meter", Decimal("0.25"), ChargeUnit.DAY),), minimum=MinimumCharge("Minimum", Decimal(12)),
    )  # fmt: skip
    assert rate_words(tariff, "USD").fixed == ("Meter: $0.25 a day", "Minimum: at least $12.00 a bill")


def test_a_list_in_a_sentence_has_one_and() -> None:
    assert joined([]) == ""
    assert joined(["x", "y", "z"], last="or") == "x, y or z"


def test_riders_credits_and_taxes_say_the_value_of_the_day_and_an_unknown_one_says_so() -> None:
    fuel = Rider("FAC", "Fuel adjustment", RiderUnit.KWH, (
        DatedValue(Decimal("0.00279")), DatedValue(Decimal("-0.00207"), date(2026, 2, 1)),
        DatedValue(None, date(2026, 6, 1)),
    ))  # fmt: skip
    tax = Tax(
        "CITY", "City tax", RiderUnit.PERCENT, (DatedValue(Decimal(5)),), of=("energy", "FAC"), municipality="St. Louis"
    )
    low = Credit("LOW", "Low-income credit", RiderUnit.MONTH, (DatedValue(Decimal(8)),))
    tariff = replace(RATES["ameren-mo-anytime"].versions[0], riders=(fuel,), taxes=(tax,), credits=(low,))
    assert rate_words(tariff, "USD", on=date(2026, 1, 31)).dated == (
        "Fuel adjustment: 0.279 ¢ per kWh",
        "Low-income credit: a credit of $8.00 a bill",
    )
    (second, _, taxed) = rate_words(tariff, "USD", on=date(2026, 2, 1), municipality="St. Louis").dated
    assert second == "Fuel adjustment: \N{MINUS SIGN}0.207 ¢ per kWh since 1 Feb 2026"
    assert taxed == "City tax: 5 % of electricity and FAC"
    assert "not known to us" in rate_words(tariff, "USD").dated[0]


def test_a_season_of_dates_names_its_days() -> None:
    tariff = RATES["ameren-mo-smart"].versions[0]
    summer, winter = tariff.seasons
    early = Season("summer", frozenset(), summer.energy, ranges=(DayRange(YearDay(6, 15), YearDay(9, 15)),))
    late = Season("winter", frozenset(), winter.energy, ranges=(DayRange(YearDay(9, 16), YearDay(6, 14)),))
    words = rate_words(replace(tariff, seasons=(early, late)), "USD")
    assert {w.season for w in words.energy} == {"Summer (15 June to 15 September)", "Winter (16 September to 14 June)"}


def test_prices_of_an_event_are_said_beside_those_they_replace() -> None:
    tariff = RATES["ameren-mo-anytime"].versions[0]
    critical = PricePeriod("Critical peak", (Block(Decimal("0.75")),))
    event = EventPrice("a critical peak", "cpp", {0: len(tariff.periods)})
    words = rate_words(replace(tariff, periods=(*tariff.periods, critical), events=(event,)), "USD")
    assert "Critical peak: while a critical peak is called, 75 ¢ per kWh" in [w.sentence for w in words.energy]
    assert sum(w.name == "Critical peak" for w in words.energy) == 1


@pytest.mark.parametrize(
    ("on", "worth"),
    [(date(2026, 6, 1), "worth 3"), (date(2027, 6, 1), "worth 4"), (None, "worth 4"), (date(2025, 1, 1), "")],
)
def test_energy_sent_out_is_worth_what_is_in_force_on_the_day(on: date | None, worth: str) -> None:
    prices = (ExportPrice(Decimal("0.04"), date(2027, 1, 1)), ExportPrice(Decimal("0.03"), date(2026, 1, 1)))
    export = ExportTerms(ExportKind.NET_BILLING, Netting.REGISTER, prices)
    words = export_words(replace(RATES["ameren-mo-anytime"].versions[0], export=export), "USD", on)
    told = [w for w in words if "worth" in w]
    assert len(told) == bool(worth)
    assert all(worth in w for w in told)
