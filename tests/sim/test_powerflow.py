"""Voltages are those of a healthy feeder, and a quarter-hour alone gives what it gives within its day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from openami.sim.world.feeder import make_feeder
from openami.sim.world.powerflow import PowerFlow
from openami.sim.world.world import World

pytest.importorskip("power_grid_model", reason="power-grid-model is in the extra `demo`")


@pytest.mark.parametrize("day", [date(2026, 1, 20), date(2026, 7, 20)], ids=["winter", "summer"])
def test_voltages_lie_in_the_range_of_a_healthy_feeder(day: date) -> None:
    world = World(seed=7, home_count=1000)
    load = world.load(day)
    volts = PowerFlow(make_feeder(7, 1000), 7).voltages_dv(load.slots, load.power_mw) / 10
    assert volts.min() > 228.0
    assert volts.max() < 252.0
    assert volts.std() > 0.5


def test_a_home_that_draws_more_has_less_voltage_and_its_neighbors_feel_it() -> None:
    flow = PowerFlow(make_feeder(7, 14), 7)
    calm = np.full((14, 1), 500_000, dtype=np.int64)
    busy = calm.copy()
    busy[3] = 15_000_000
    source = np.ones(1)
    before, after = flow.solve(calm, source_pu=source), flow.solve(busy, source_pu=source)
    assert after[3, 0] < before[3, 0] - 20
    assert before[4, 0] - 1 >= after[4, 0] > after[3, 0]
    assert abs(int(before[10, 0]) - int(after[10, 0])) <= 1


def test_a_quarter_hour_alone_has_the_voltages_it_has_within_its_day() -> None:
    world = World(seed=7, home_count=50)
    load = world.load(date(2026, 7, 20))
    flow = PowerFlow(make_feeder(7, 50), 7)
    day = flow.voltages_dv(load.slots, load.power_mw)
    alone = flow.solve(load.power_mw[:, [40]], source_pu=flow.source_pu(load.slots)[[40]])
    assert np.array_equal(day[:, [40]], alone)
