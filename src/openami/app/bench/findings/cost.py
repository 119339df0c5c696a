"""What a fault costs on the bill if nobody finds it: energy and money between what was reported and what was true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.app.bench.findings.stacking import HISTORY_DAYS
from openami.contracts.channel import Channel
from openami.mdm.vee.grid import Grid
from openami.sim.faults.metering import Scene
from openami.sim.faults.metering.scene import ENERGY

F64 = npt.NDArray[np.float64]
OFF_PEAK, PEAK, CREDIT = 0.10, 0.30, 0.04
"""Dollars for a kWh: a plain rate of two price periods, so that a clock that is wrong costs something."""
_PEAK_HOURS = (16, 21)


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """For each of S service points, over the bill.

    Args:
        kwh: energy billed wrongly, the larger of what intervals and registers say, both ways added.
        dollars: money billed wrongly.
    """

    kwh: F64
    dollars: F64


def cost_of(clean: Scene, spoiled: Scene) -> Cost:
    """Return what is billed wrongly if the spoiled scene is believed; what did not come is billed as nothing."""
    grid = clean.grid
    bill = slice(int(grid.day_at[HISTORY_DAYS]), grid.columns)
    price = _prices(grid)[bill]
    kwh, dollars = np.zeros(clean.count), np.zeros(clean.count)
    for channel in ENERGY:
        true = _believed(clean, channel)[:, bill]
        # What is used where service is said to have ended is billed to nobody.
        billed = _believed(spoiled, channel) * spoiled.facts.is_active[:, grid.day_of]
        error = billed[:, bill] - true
        by_register = _register_usage(spoiled, channel) - _register_usage(clean, channel)
        by_interval = error.sum(axis=1)
        kwh += np.maximum(np.abs(by_interval), np.abs(by_register)) / 1000
        worth = price if channel is Channel.DELIVERED else np.full(len(price), -CREDIT)
        # A register that is wrong is billed at the mean price of the home's energy.
        mean = (true @ worth) / np.maximum(true.sum(axis=1), 1)
        by_money = error @ worth
        dollars += np.where(np.abs(by_register) > np.abs(by_interval), by_register * mean, by_money) / 1000
    return Cost(kwh, np.abs(dollars))


def _believed(scene: Scene, channel: Channel) -> F64:
    readings = scene.readings[channel]
    return np.where(readings.came, readings.values, 0).astype(np.float64)


def _register_usage(scene: Scene, channel: Channel) -> F64:
    registers = scene.registers[channel]
    moved = registers.value[:, -1] - registers.value[:, HISTORY_DAYS]
    return np.where(moved < 0, moved + registers.capacity_wh, moved).astype(np.float64)


def _prices(grid: Grid) -> F64:
    hour = grid.slot * grid.interval_s // 3600
    is_peak = (hour >= _PEAK_HOURS[0]) & (hour < _PEAK_HOURS[1]) & ~grid.is_weekend[grid.day_of]
    return np.where(is_peak, PEAK, OFF_PEAK)
