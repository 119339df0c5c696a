"""A clock is judged by the voltage that a meter shares with its mates."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import placed
from openami.mdm.vee.outcome import Coverage, Statement
from openami.mdm.vee.rules.seen import Places, Surroundings

MATES, DAYS = 7, 2
GRID = grid_of(ZoneInfo("America/Chicago"), date(2026, 6, 1), date(2026, 6, 2), 900)


def feeder(transformers: int = 3, *, seed: int = 1, noise_dv: float = 1.5) -> np.ndarray:
    """Voltages of transformers with seven meters each: the substation moves all, a transformer its own."""
    dice = np.random.default_rng(seed)
    source = 2_400 + np.cumsum(dice.normal(0, 1.0, GRID.columns)) + dice.normal(0, 3.0, GRID.columns)
    shared = np.repeat(dice.normal(0, 3.0, (transformers, GRID.columns)), MATES, axis=0)
    own = dice.normal(0, 1.0, shared.shape) + dice.normal(0, noise_dv, shared.shape)
    return np.asarray(np.rint(source + shared + own), dtype=np.int64)


def clock_statements(
    values: np.ndarray, neighborhood: np.ndarray | None, gone: np.ndarray | None = None
) -> list[Statement]:
    came = np.ones(values.shape, bool) if gone is None else ~gone
    row, column = np.nonzero(came)
    matrix = placed(
        GRID,
        len(values),
        row=row,
        start_s=GRID.start_s[column],
        value=values[row, column],
        quality=np.zeros(len(row), np.uint16),
    )
    none = np.zeros(0, np.int64)
    here = np.ones(values.shape, bool)
    outcome = validated(
        GRID,
        matrix,
        coverage=Coverage(here, here),
        brackets=Brackets(none, none, none, none, none),
        limit=np.full(len(values), 10_000_000),
        is_energy=False,
        around=Surroundings(channel=Channel.VOLTAGE, places=Places(neighborhood=neighborhood)),
    )
    return [s for s in outcome.statements if s.rule == "clock_shift"]


def transformers_of(count: int) -> np.ndarray:
    return np.arange(count * MATES) // MATES


@pytest.mark.parametrize("late", [-4, -1, 1, 2, 4, 8])
def test_a_clock_that_is_wrong_is_found_on_each_day_with_its_shift(late: int) -> None:
    values = feeder()
    values[9] = np.roll(values[9], late)
    found = clock_statements(values, transformers_of(3))
    assert [(s.row, s.lo, s.hi) for s in found] == [(9, 0, 96), (9, 96, 192)]
    assert {s.evidence["shift_s"] for s in found} == {late * 900}
    assert all(s.is_failure for s in found)


@pytest.mark.parametrize("seed", range(20))
def test_clocks_that_are_right_are_left_alone(seed: int) -> None:
    assert clock_statements(feeder(6, seed=seed), transformers_of(6)) == []


def test_a_meter_without_mates_or_on_an_unknown_transformer_is_not_judged() -> None:
    values = feeder()
    values[9] = np.roll(values[9], 4)
    assert clock_statements(values, None) == []
    assert clock_statements(values, np.full(len(values), -1)) == []
    assert clock_statements(values, np.arange(len(values))) == []


def test_a_meter_recorded_on_the_wrong_transformer_is_no_clock_fault() -> None:
    recorded = transformers_of(3)
    recorded[9] = 0
    assert clock_statements(feeder(), recorded) == []


def test_the_order_of_service_points_does_not_matter() -> None:
    values = feeder()
    values[9] = np.roll(values[9], 4)
    order = np.random.default_rng(2).permutation(len(values))
    found = clock_statements(values[order], transformers_of(3)[order])
    assert {int(order[s.row]) for s in found} == {9}


def test_an_outage_and_missing_readings_are_no_clock_fault() -> None:
    values = feeder()
    values[:MATES, 40:60] = 0
    gone = np.zeros(values.shape, bool)
    gone[10, 100:170] = True
    assert clock_statements(values, transformers_of(3), gone) == []


def test_a_flat_voltage_says_nothing() -> None:
    assert clock_statements(np.full((MATES, GRID.columns), 2_400), np.zeros(MATES, np.int64)) == []
