"""A day of the fleet as a matrix: whatever the order in which the store gives readings, the same cells are filled."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.mdm.validation.fleet.layout import laid_out
from openami.mdm.validation.fleet.ports import Block, offsets_of
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.vee.grid import Grid, grid_of

ZONE = ZoneInfo("America/Chicago")


def _block(grid: Grid, starts: list[np.ndarray], values: list[np.ndarray]) -> Block:
    """Return groups as the store does: one a UTC day and meter."""
    none = np.zeros(0, np.uint32)
    count = len(starts)
    return Block(
        np.zeros(count, "V16"), np.full(count, Channel.DELIVERED, np.uint8),
        offsets_of(np.array([len(s) for s in starts])), np.concatenate(values),
        np.concatenate(starts).astype(np.uint32), np.zeros(count + 1, np.int64), none, none.astype(np.uint16),
    )  # fmt: skip


def _roster(count: int) -> Roster:
    ones = np.ones(count, np.int64)
    ids = np.zeros(count, "V16")
    return Roster(ids, ids, ones.astype(np.uint32), ones, ones, ones, ones, ones.astype(bool))


def _by_day(grid: Grid, starts: np.ndarray, values: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    days = [starts // 86_400 == d for d in np.unique(starts // 86_400)]
    return [starts[d] for d in days], [values[d] for d in days]


@pytest.mark.parametrize("day", [date(2026, 6, 17), date(2026, 3, 8), date(2026, 11, 1)])
def test_a_day_that_comes_in_pieces_is_laid_out_as_one_in_order(day: date) -> None:
    grid, dice = grid_of(ZONE, day, day, 900), np.random.default_rng(1)
    starts, values, rows, wanted = [], [], [], []
    for row in range(40):
        counts = dice.integers(-5, 900, grid.columns)
        wanted.append(counts)
        order = np.arange(grid.columns) if row % 3 == 0 else np.roll(np.arange(grid.columns), row)
        order = dice.permutation(order) if row % 3 == 1 else order
        mine = _by_day(grid, grid.start_s[order], counts[order])
        starts += mine[0]
        values += mine[1]
        rows += [row] * len(mine[0])
    matrix, unclear = laid_out(grid, _block(grid, starts, values), np.array(rows), _roster(40), Channel.DELIVERED)
    assert np.array_equal(matrix.values, np.array(wanted))
    assert matrix.present.all()
    assert not unclear.any()


@pytest.mark.parametrize("shift_s", [60, -900])
def test_a_reading_that_is_no_interval_of_the_day_is_for_the_careful_road(shift_s: int) -> None:
    day = date(2026, 6, 17)
    grid = grid_of(ZONE, day, day, 900)
    starts = grid.start_s.copy()
    # The first interval of the day: shifted, it is between two intervals, or before the day.
    starts[0] += shift_s
    groups = _by_day(grid, starts[::-1], np.arange(grid.columns))
    matrix, unclear = laid_out(grid, _block(grid, *groups), np.zeros(2, np.int64), _roster(1), Channel.DELIVERED)
    assert unclear.all()
    assert matrix.present.sum() == grid.columns - 1


@pytest.mark.parametrize(("value", "is_unclear"), [(7, False), (8, True)])
def test_an_interval_that_came_twice_in_place_of_another_leaves_that_one_open(value: int, is_unclear: bool) -> None:
    day = date(2026, 6, 17)
    grid = grid_of(ZONE, day, day, 900)
    starts, counts = grid.start_s.copy(), np.full(grid.columns, 7)
    starts[5], counts[5] = starts[4], value
    groups = _by_day(grid, starts, counts)
    matrix, unclear = laid_out(grid, _block(grid, *groups), np.zeros(2, np.int64), _roster(1), Channel.DELIVERED)
    assert unclear.tolist() == [is_unclear]
    assert np.flatnonzero(~matrix.present[0]).tolist() == [5]
