"""The generated homes against statistics of metered homes that others published (vee-grid 7.2)."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from openami.sim.world.world import World

YEAR = [date(2025, 1, 1) + timedelta(days=k) for k in range(365)]


@pytest.fixture(scope="module")
def plain_kw() -> npt.NDArray[np.float64]:
    """(homes, quarter-hours of a year) kW of homes without electric heat, cooling, vehicle or solar."""
    world = World(seed=11, home_count=148, plain=True)
    return np.concatenate([world.load(day).power_mw for day in YEAR], axis=1) / 1e6


@pytest.fixture(scope="module")
def daily_kw() -> list[npt.NDArray[np.float64]]:
    world = World(seed=11, home_count=148, plain=True)
    return [world.load(day).power_mw / 1e6 for day in YEAR]


def test_annual_energy_of_plain_homes_spreads_as_metered_homes_do(plain_kw: npt.NDArray[np.float64]) -> None:
    quartiles = np.percentile(plain_kw.sum(axis=1) / 4 / 1000, [25, 75])
    assert quartiles[0] == pytest.approx(4.9, abs=0.5)
    assert quartiles[1] == pytest.approx(7.0, abs=0.6)


def test_the_highest_quarter_hour_lies_where_metered_homes_have_it(plain_kw: npt.NDArray[np.float64]) -> None:
    peak = plain_kw.max(axis=1)
    assert np.percentile(peak, 25) == pytest.approx(8.0, abs=0.6)
    assert np.percentile(peak, 75) == pytest.approx(9.9, abs=1.0)
    assert peak.max() <= 25.0


def test_quarter_hours_remember_their_neighbor_as_metered_homes_do(plain_kw: npt.NDArray[np.float64]) -> None:
    centered = plain_kw - plain_kw.mean(axis=1, keepdims=True)
    lag_1 = (centered[:, 1:] * centered[:, :-1]).mean(axis=1) / centered.var(axis=1)
    assert np.median(lag_1) == pytest.approx(0.70, abs=0.07)


def test_daily_spikes_are_as_steep_as_in_metered_homes(daily_kw: list[npt.NDArray[np.float64]]) -> None:
    ordered = [np.sort(day, axis=1) for day in daily_kw]
    ratio = np.concatenate([(day[:, -1] - day[:, -3]) / day[:, -3] for day in ordered])
    assert np.percentile(ratio, 50) == pytest.approx(0.33, abs=0.06)
    assert np.percentile(ratio, 95) == pytest.approx(1.39, abs=0.30)


@pytest.mark.parametrize("seed", [1, 20], ids=["seed 1", "seed 20"])
def test_the_fleet_uses_ten_to_fifteen_megawatt_hours_a_home_with_a_summer_peak(seed: int) -> None:
    world = World(seed=seed, home_count=1000)
    energy_mwh = np.zeros(13)
    peak_kw = np.zeros(13)
    for day in YEAR:
        power_kw = np.maximum(world.load(day).power_mw, 0).sum(axis=0) / 1e6
        energy_mwh[day.month] += power_kw.sum() / 4 / 1000
        peak_kw[day.month] = max(peak_kw[day.month], power_kw.max())
    assert 10.0 <= energy_mwh.sum() / 1000 <= 15.0
    assert int(energy_mwh.argmax()) in {7, 8}
    assert int(peak_kw.argmax()) in {7, 8}
