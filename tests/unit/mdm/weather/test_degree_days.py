"""Degree days are those of the definition, exactly, whatever the order and the cut of the days."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdm.weather.degree_days import DegreeDays, degree_days, degree_days_of
from openami.mdm.weather.record import DayTemperature, StationUse, WeatherError, use_of

JULY = date(2026, 7, 1)


@pytest.mark.parametrize(
    ("min_dc", "max_dc", "heating", "cooling"),
    [
        # (70 + 90) / 2 = 80 °F: 15 cooling degree days, the example of many explanations of the service. In tenths of
        # Celsius 21.1 and 32.2 °C are 69.98 and 89.96 °F.
        pytest.param(211, 322, 0, 1497, id="a hot day"),
        pytest.param(-50, 50, 3300, 0, id="a mean of 0 °C is 33 below 65 °F"),
        pytest.param(183, 183, 6, 0, id="18.3 °C is 64.94 °F"),
        pytest.param(183, 184, 0, 3, id="18.35 °C is 65.03 °F"),
        pytest.param(-400, -300, 9600, 0, id="the mean of 40 below and 30 below is 31 below zero °F"),
    ],
)
def test_a_day_has_the_degree_days_that_a_hand_computes(min_dc: int, max_dc: int, heating: int, cooling: int) -> None:
    assert degree_days(DayTemperature(JULY, min_dc, max_dc)) == (heating, cooling)


TENTHS = st.integers(-400, 450)
DAYS = st.lists(st.tuples(TENTHS, TENTHS), min_size=1, max_size=40).map(
    lambda pairs: [DayTemperature(JULY + timedelta(days=n), min(pair), max(pair)) for n, pair in enumerate(pairs)]
)


@given(DAYS)
def test_degree_days_are_the_definition_in_fractions_of_a_degree(days: list[DayTemperature]) -> None:
    for day in days:
        mean_f = Fraction(day.min_dc + day.max_dc, 20) * Fraction(9, 5) + 32
        heating, cooling = degree_days(day)
        assert Fraction(cooling - heating, 100) == mean_f - 65
        assert min(heating, cooling) == 0


@given(DAYS, st.randoms(use_true_random=False), st.integers(0, 40))
def test_the_order_of_days_does_not_matter_and_two_half_open_spans_add_up(
    days: list[DayTemperature], dice: Random, cut: int
) -> None:
    mixed = list(days)
    dice.shuffle(mixed)
    end, middle = JULY + timedelta(days=40), JULY + timedelta(days=cut)
    whole = degree_days_of(days, JULY, end)
    assert degree_days_of(mixed, JULY, end) == whole
    parts = [degree_days_of(days, JULY, middle), degree_days_of(days, middle, end)]
    added = [sum(getattr(p, name) for p in parts) for name in ("days", "heating", "cooling", "sum_dc")]
    assert DegreeDays(*added) == whole


def test_no_day_has_no_degree_days_and_a_mean_of_nothing() -> None:
    assert degree_days_of([], JULY, JULY + timedelta(days=3)) == DegreeDays(0, 0, 0, 0)
    assert DegreeDays().mean_c == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((200, 100), "above the highest"),
        ((-901, 0), "check the file's unit"),
        ((0, 601), "check the file's unit"),
        ((0, 100, 101), "mean temperature is not between"),
    ],
)
def test_temperatures_that_no_day_has_are_refused(values: tuple[int, ...], words: str) -> None:
    with pytest.raises(WeatherError, match=words):
        DayTemperature(JULY, *values)


def test_a_transformers_station_lies_over_its_feeders_and_that_over_the_homes_from_its_day_on() -> None:
    def use(station: str, first: date, transformer: str = "", feeder: str = "") -> StationUse:
        return StationUse(station, first, transformer, feeder, "nearest station")

    uses = (
        use("airport", date(2025, 1, 1)),
        use("valley", date(2026, 1, 1), feeder="F1"),
        use("hill", date(2026, 3, 1), transformer="T7"),
        use("city", date(2026, 6, 1)),
    )

    def at(transformer: str, feeder: str, on: date) -> str | None:
        return use_of(uses, transformer=transformer, feeder=feeder, on=on)

    assert at("T7", "F1", date(2026, 3, 1)) == "hill"
    assert at("T7", "F1", date(2026, 2, 28)) == "valley"
    assert at("T8", "F2", date(2026, 5, 31)) == "airport"
    assert at("", "", date(2026, 6, 1)) == "city"
    assert at("T7", "F1", date(2024, 12, 31)) is None
    assert use_of((), transformer="T7", feeder="F1", on=JULY) is None


def test_a_use_for_a_transformer_and_a_feeder_at_once_or_without_a_reason_is_refused() -> None:
    with pytest.raises(WeatherError, match="not for both"):
        StationUse("hill", JULY, "T7", "F1", "nearest station")
    with pytest.raises(WeatherError, match="5 to 500"):
        StationUse("hill", JULY, reason="x")
