"""What makes the world usable as history and as live territory at once."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from openami.sim.world.world import World

MIDSUMMER = date(2026, 6, 20)


def test_a_day_is_the_same_whichever_day_was_made_before() -> None:
    one, other = World(seed=5, home_count=60), World(seed=5, home_count=60)
    other.load(date(2027, 2, 1))
    other.load(date(2025, 9, 9))
    assert np.array_equal(one.load(MIDSUMMER).power_mw, other.load(MIDSUMMER).power_mw)


def test_another_seed_is_another_world() -> None:
    assert not np.array_equal(
        World(seed=5, home_count=60).load(MIDSUMMER).power_mw, World(seed=6, home_count=60).load(MIDSUMMER).power_mw
    )


@pytest.mark.parametrize(
    ("day", "count"),
    [(date(2026, 3, 8), 92), (date(2026, 11, 1), 100), (MIDSUMMER, 96)],
    ids=["spring forward", "fall back", "an ordinary day"],
)
def test_a_day_has_as_many_quarter_hours_as_it_has(day: date, count: int) -> None:
    assert World(seed=5, home_count=10).load(day).power_mw.shape == (10, count)


def test_a_home_with_a_roof_gives_energy_back_at_noon_and_nobody_else_ever_does() -> None:
    world = World(seed=5, home_count=400)
    power = world.load(MIDSUMMER).power_mw
    gives = np.any(power < 0, axis=1)
    assert gives[world.homes.has_solar].any()
    assert not gives[~world.homes.has_solar].any()


def test_a_charge_that_begins_before_midnight_runs_on_after_it() -> None:
    world = World(seed=5, home_count=1000)
    assert (world.load(MIDSUMMER).power_mw[world.homes.has_vehicle, :2].max(axis=1) > 3_500_000).any()
