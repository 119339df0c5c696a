"""The arithmetic of exposure against the field's printed figures, and the rules that it must keep everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.network.exposure import (
    Emitter,
    ExposureError,
    Reflection,
    density_uw_cm2,
    expose,
    limit_uw_cm2,
    sum_of_shares,
)

FOOT_M = 0.3048
DIPOLE_DBI = 2.15
QUARTER_WATT = Emitter(0.25, DIPOLE_DBI, 915)
ONE_WATT = Emitter(1.0, DIPOLE_DBI, 915)
RULE_MAXIMUM = Emitter(1.0, 6.0, 915)
HOME_AREA = Emitter(0.1, DIPOLE_DBI, 2400)

# Printed figures: while sending [µW/cm²], [% of the limit], and the averages at 1 % and 0.052 % duty [µW/cm²]. A figure
# is text because its digits are part of it.
PRINTED = (
    pytest.param(QUARTER_WATT, FOOT_M, "35.1", "5.8", "0.35", "0.018", id="quarter watt at a foot"),
    pytest.param(QUARTER_WATT, 1.0, "3.26", "0.54", "0.033", "0.0017", id="quarter watt at 1 m"),
    pytest.param(QUARTER_WATT, 3.0, "0.36", "0.06", "0.0036", "0.0002", id="quarter watt at 3 m"),
    pytest.param(ONE_WATT, FOOT_M, "140.5", "23.0", "1.41", "0.073", id="one watt at a foot"),
    pytest.param(ONE_WATT, 1.0, "13.1", "2.1", "0.13", "0.0068", id="one watt at 1 m"),
    pytest.param(ONE_WATT, 3.0, "1.45", "0.24", "0.015", "0.0008", id="one watt at 3 m"),
    pytest.param(RULE_MAXIMUM, 0.2, "792", "130", "7.9", "0.41", id="most that 15.247 allows at 0.2 m"),
    pytest.param(RULE_MAXIMUM, FOOT_M, "341", "56", "3.4", "0.18", id="most that 15.247 allows at a foot"),
    pytest.param(HOME_AREA, 1.0, "1.3", "0.13", "0.013", None, id="a tenth of a watt at 2.4 GHz and 1 m"),
)

emitters = st.builds(
    Emitter, power_w=st.floats(0.001, 100), gain_dbi=st.floats(-20, 30), frequency_mhz=st.floats(300, 6000)
)
distances = st.floats(0.2, 1000)


def as_printed(value: float, figure: str) -> str:
    """Write a value with as many decimals as the printed figure has."""
    return f"{value:.{len(figure.partition('.')[2])}f}"


@pytest.mark.parametrize(("emitter", "distance_m", "sending", "percent", "at_1_percent", "at_0052_percent"), PRINTED)
def test_printed_figures_come_out_to_their_last_digit(
    emitter: Emitter, distance_m: float, sending: str, percent: str, at_1_percent: str, at_0052_percent: str | None
) -> None:
    seen = expose(emitter, distance_m, duty=0.01)
    assert as_printed(seen.while_sending_uw_cm2, sending) == sending
    assert as_printed(seen.share_while_sending * 100, percent) == percent
    assert as_printed(seen.average_uw_cm2, at_1_percent) == at_1_percent
    if at_0052_percent is not None:
        rare = expose(emitter, distance_m, duty=0.00052)
        assert as_printed(rare.average_uw_cm2, at_0052_percent) == at_0052_percent


@pytest.mark.parametrize(
    ("frequency_mhz", "limit"),
    [
        (0.3, 100_000),
        (10, 1800),
        (100, 200),
        (902, 601),
        (915, 610),
        (928, 619),
        (1200, 800),
        (2400, 1000),
        (100_000, 1000),
    ],
)
def test_the_limit_is_the_rules(frequency_mhz: float, limit: int) -> None:
    assert round(limit_uw_cm2(frequency_mhz)) == limit


@pytest.mark.parametrize("edge_mhz", [30.0, 300.0, 1500.0])
def test_the_limit_does_not_jump_where_its_formula_changes(edge_mhz: float) -> None:
    assert limit_uw_cm2(math.nextafter(edge_mhz, 0)) == pytest.approx(limit_uw_cm2(edge_mhz), rel=1e-9)


@given(emitter=emitters, distance_m=distances)
def test_density_is_the_formula(emitter: Emitter, distance_m: float) -> None:
    gain = 10 ** (emitter.gain_dbi / 10)
    expected = emitter.power_w * gain / (4 * math.pi * distance_m * distance_m) * 100
    assert density_uw_cm2(emitter, distance_m) == pytest.approx(expected, rel=1e-12)


@given(emitter=emitters, distance_m=distances, further=st.floats(1.001, 100))
def test_further_away_is_always_less(emitter: Emitter, distance_m: float, further: float) -> None:
    assert density_uw_cm2(emitter, distance_m * further) < density_uw_cm2(emitter, distance_m)


@given(emitter=emitters, distance_m=distances, duty=st.floats(0, 1))
def test_reflection_only_adds_and_duty_only_takes_away(emitter: Emitter, distance_m: float, duty: float) -> None:
    plain, ground, full = (expose(emitter, distance_m, duty=duty, reflection=r) for r in Reflection)
    assert ground.while_sending_uw_cm2 == pytest.approx(2.56 * plain.while_sending_uw_cm2)
    assert full.while_sending_uw_cm2 == pytest.approx(4 * plain.while_sending_uw_cm2)
    assert ground.average_uw_cm2 == pytest.approx(duty * ground.while_sending_uw_cm2)


@given(st.lists(st.tuples(emitters, distances, st.floats(0, 1)), max_size=6))
def test_several_radios_add_up_as_shares_of_their_own_limits(radios: list[tuple[Emitter, float, float]]) -> None:
    seen = [expose(e, r, duty=d) for e, r, d in radios]
    together = sum_of_shares(seen)
    assert together == pytest.approx(sum(s.average_uw_cm2 / s.limit_uw_cm2 for s in seen))
    assert all(together >= s.share for s in seen)


def test_two_radios_may_be_too_much_together_although_neither_is_alone() -> None:
    one = expose(RULE_MAXIMUM, 0.25, duty=0.7)
    assert one.share < 1 < sum_of_shares([one, one])


@pytest.mark.parametrize("distance_m", [0.05, 0.0, -1.0, math.nan, math.inf])
def test_nothing_is_said_where_there_is_no_wave_yet(distance_m: float) -> None:
    with pytest.raises(ExposureError, match="distance"):
        density_uw_cm2(ONE_WATT, distance_m)


def test_nearer_than_the_far_field_is_told_apart() -> None:
    assert not expose(ONE_WATT, 0.19).far_field
    assert expose(ONE_WATT, 0.2).far_field


@pytest.mark.parametrize("bad", [(0.0, 2.15, 915), (math.nan, 2.15, 915), (1.0, 99.0, 915), (1.0, 2.15, 0.0)])
def test_a_radio_that_cannot_be_is_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ExposureError):
        Emitter(*bad)


@pytest.mark.parametrize("duty", [-0.01, 1.01, math.nan])
def test_a_share_of_time_outside_0_to_1_is_refused(duty: float) -> None:
    with pytest.raises(ExposureError, match="duty"):
        expose(ONE_WATT, 1.0, duty=duty)


@pytest.mark.parametrize("frequency_mhz", [0.1, 200_000.0])
def test_a_frequency_without_a_limit_is_refused(frequency_mhz: float) -> None:
    with pytest.raises(ExposureError, match=r"1\.1310"):
        limit_uw_cm2(frequency_mhz)
