"""What the weather says of a bill: as much as temperatures and the place's own year bear, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from tests.unit.billing.statement.made import RATES, made_bill

from openami.billing.bill.record import Bill, ReadingState
from openami.billing.call.record import CallWeather
from openami.billing.call.response import WANTED_DAYS, NoResponse, Response, response_of
from openami.billing.call.weather import WeatherFacts, call_weather
from openami.billing.call.weather_words import compared
from openami.billing.rating.usage import BillSpan
from openami.mdm.api import DayTemperature, Station, StationDays

RATE = RATES["ameren-mo-anytime"]
JULY, AUGUST = BillSpan(date(2026, 7, 1), date(2026, 8, 1)), BillSpan(date(2026, 8, 1), date(2026, 8, 31))
THEN, NOW = (replace(made_bill(s, RATE)[0], reading_state=ReadingState.ACTUAL) for s in (JULY, AUGUST))
STATION = Station("USW00013994", "America/Chicago", "NOAA GHCN-Daily", "ST LOUIS")
START = date(2025, 7, 1)
WH_BASE, WH_COOLING, WH_HEATING = 15_000, 1_200, 400


def _air(day: date) -> DayTemperature:
    """July at a mean of 24 °C (75.2 °F), August at 28 °C (82.4 °F), the year before 26 °C, else a season."""
    season = -np.cos(2 * np.pi * ((day - date(2025, 1, 17)).days) / 365)
    mean = round(130 + 136 * float(season) + 40 * float(np.sin((day - START).days * 1.7)))
    if day >= date(2026, 7, 1):
        mean = 240 if day < AUGUST.first else 280
    elif date(2025, 8, 2) <= day < date(2025, 9, 1):
        mean = 260
    return DayTemperature(day, mean - 50, mean + 50)


AIR = tuple(_air(START + timedelta(days=n)) for n in range((AUGUST.end - START).days))


def _wh(air: DayTemperature, noise: float = 0.0) -> int:
    mean_f = (air.min_dc + air.max_dc) * 0.09 + 32
    return round(WH_BASE + WH_COOLING * max(mean_f - 68, 0) + WH_HEATING * max(56 - mean_f, 0) + noise)


def _facts(noise_wh: float = 2_000.0, *, days: int = 365, air: tuple[DayTemperature, ...] = AIR) -> WeatherFacts:
    dice = np.random.default_rng(4)
    year = [a for a in AIR if AUGUST.first - timedelta(days=days) <= a.day < AUGUST.first]
    baseline = tuple(
        (a.day, max(_wh(a, noise), 0)) for a, noise in zip(year, dice.normal(0, noise_wh, len(year)), strict=True)
    )
    return WeatherFacts(StationDays(STATION, air), baseline, JULY)


def _used(bill: Bill, wh: int) -> Bill:
    return replace(bill, usage_wh=wh)


def _said(facts: WeatherFacts | None, now: Bill = NOW, then: Bill | None = THEN, *, year: bool = False) -> CallWeather:
    return call_weather(facts, now, then, np.full(30, 20_000), is_year_before=year)


def test_the_difference_is_told_a_day_in_the_customers_degrees_with_degree_days_for_as_many_days() -> None:
    warmer = _said(_facts()).said[0]
    # 24 and 28 °C are 75.2 and 82.4 °F: 7.2 more on each of 30 days, all of it above 65 °F.
    assert warmer == (
        "It was 7 °F warmer a day than in the bill before (82 against 75 °F on average): 216 more cooling degree days."
    )
    in_celsius = [replace(b, currency="EUR") for b in (NOW, THEN)]
    assert _said(_facts(), *in_celsius).said[0] == (
        "It was 4 °C warmer a day than in the bill before (28 against 24 °C on average): 120 more cooling degree days."
    )


def test_the_same_days_a_year_before_are_compared_as_well_and_with_a_bill_of_then_the_bill_before() -> None:
    assert "than in the same days a year before (82 against 79 °F" in _said(_facts()).said[2]
    both = _said(_facts(), year=True).said
    assert "than at the same time last year" in both[0]
    assert "than in the bill before" in both[2]


def test_what_the_weather_makes_is_a_range_from_the_places_own_year_and_says_what_it_stands_on() -> None:
    # 1,200 Wh for each of 216 more cooling degree days are 259 kWh.
    then = _used(THEN, 31 * 30_000)
    found = _said(_facts(), _used(NOW, 30 * 30_000 + 260_000), then)
    assert found.said[1].startswith("By the weather alone ")
    assert found.said[1].endswith("and it was 260 kWh more in as many days: the weather can be all of it.")
    low, high = (int(n) for n in found.said[1].removeprefix("By the weather alone ").split(" kWh")[0].split(" to "))
    assert 225 < low < 259 < high < 300
    assert "R² 0.8" in found.note
    assert found.note.startswith("Temperatures of USW00013994, ST LOUIS (NOAA GHCN-Daily).")
    other = _said(_facts(), _used(NOW, 30 * 30_000 - 40_000), then)
    assert other.said[1].endswith("40 kWh less in as many days: the cause is another.")
    part = _said(_facts(), _used(NOW, 30 * 30_000 + 600_000), then)
    assert part.said[1].endswith("600 kWh more in as many days: a part has another cause.")


@pytest.mark.parametrize(
    ("facts", "now", "words"),
    [
        pytest.param(_facts(days=300), NOW, "300 measured days with a temperature come before it", id="thin"),
        pytest.param(_facts(40_000.0), NOW, "follows the temperature too loosely", id="loose"),
        pytest.param(
            _facts(), replace(NOW, reading_state=ReadingState.ESTIMATED), "rests on an estimated read", id="estimated"
        ),
        pytest.param(_facts(), replace(NOW, usage_wh=None), "has no figures", id="held"),
    ],
)
def test_where_the_year_or_the_bills_do_not_bear_it_nothing_is_claimed(
    facts: WeatherFacts, now: Bill, words: str
) -> None:
    said = _said(facts, now).said
    assert "warmer a day" in said[0], "the temperatures are still told"
    assert said[1].startswith("How much electricity that makes we cannot say: ")
    assert words in said[1]


def test_days_without_temperatures_are_counted_and_too_few_compare_nothing() -> None:
    half = tuple(a for a in AIR if a.day < date(2026, 8, 16))
    assert _said(_facts(air=half)).said == (
        "Temperatures are kept for 15 of the 30 days of this bill: too few to say whether it was hotter or colder.",
    )
    no_july = tuple(a for a in AIR if a.day >= AUGUST.first)
    assert _said(_facts(air=no_july)).said[0] == (
        "Of the days in the bill before 0 have a temperature: too few to compare with."
    )
    assert _said(None).said == (
        "No temperatures are kept for this place, so whether it was hotter or colder cannot be said.",
    )
    alone = call_weather(replace(_facts(air=AIR[-40:]), previous=None), NOW, None, None, is_year_before=False)
    assert alone.said == ("It was 82 °F on average; there is nothing to compare it with.",)


def test_each_day_of_the_bill_has_its_energy_and_temperatures_or_a_gap() -> None:
    found = _said(_facts(air=tuple(a for a in AIR if a.day != date(2026, 8, 3))))
    assert [d.day for d in found.days] == [AUGUST.first + timedelta(days=n) for n in range(30)]
    assert (found.days[0].wh, found.days[0].low, found.days[0].high) == (20_000, 73.4, 91.4)
    assert (found.days[2].low, found.days[2].high) == (None, None)
    assert found.unit == "°F"


def test_simulated_temperatures_say_so() -> None:
    made_up = replace(_facts(), station=StationDays(replace(STATION, is_simulated=True), AIR))
    assert "(NOAA GHCN-Daily), simulated." in _said(made_up).note


@pytest.mark.parametrize(
    ("low", "high", "change", "words"),
    [
        (-20.0, 30.0, 10.0, "20 kWh less to 30 kWh more would be usual here, and it was 10 kWh more in as many days"),
        (-20.0, 30.0, 50.0, "50 kWh more in as many days: the cause is another."),
        (-90.0, -40.0, -200.0, "40 to 90 kWh less would be usual here, and it was 200 kWh less in as many"),
        (-90.0, -40.0, -10.0, "40 to 90 kWh less would be usual here, and it was 10 kWh less in as many days."),
        (40.0, 90.0, -10.0, "10 kWh less in as many days: the cause is another."),
    ],
)  # fmt: skip
def test_the_range_and_the_change_are_put_side_by_side(low: float, high: float, change: float, words: str) -> None:
    assert words in compared(low, high, change)


def _year(dice: np.random.Generator, days: int) -> tuple[list[float], list[int]]:
    """Return mean temperatures and energies of days whose noise remembers the day before by half."""
    air = [52 - 27 * float(np.cos(2 * np.pi * n / 365)) + float(dice.normal(0, 6)) for n in range(days)]
    noise, energy = 0.0, []
    for mean in air:
        noise = 0.5 * noise + float(dice.normal(0, 2_500))
        energy.append(round(20_000 + 900 * max(mean - 66, 0) + 350 * max(57 - mean, 0) + noise))
    return air, energy


def test_the_range_of_ninety_percent_holds_about_as_often_as_it_says() -> None:
    held, tries = 0, 40
    for seed in range(tries):
        air, energy = _year(np.random.default_rng(seed), 365 + 60)
        found = response_of(energy[:365], air[:365])
        assert isinstance(found, Response)
        low, high = found.difference_wh(np.array(air[395:]), np.array(air[365:395]), 30)
        held += low <= sum(energy[395:]) - sum(energy[365:395]) <= high
    assert 0.8 * tries <= held <= tries


def test_a_home_that_uses_less_the_hotter_it_is_has_no_cooling_and_a_steady_one_no_line_at_all() -> None:
    air = [50 + 30 * float(np.sin(n / 58)) for n in range(WANTED_DAYS)]
    less = response_of([round(40_000 - 500 * max(a - 60, 0)) for a in air], air)
    assert isinstance(less, NoResponse) or less.cooling_base_f is None
    assert response_of([10_000] * WANTED_DAYS, air) == NoResponse("every day had the same energy")
    assert isinstance(response_of([10_000, 12_000] * (WANTED_DAYS // 2), [65.0] * WANTED_DAYS), NoResponse)
