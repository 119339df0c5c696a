"""What is kept with each version of a day."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import Grid, grid_of
from openami.mdm.vee.history import remembered
from openami.mdm.vee.profile import profiles

CHICAGO = ZoneInfo("America/Chicago")
DICE = np.random.default_rng(5)


def grid(first: date, days: int = 1, interval_s: int = 900) -> Grid:
    return grid_of(CHICAGO, first, first + timedelta(days=days - 1), interval_s)


def after(g: Grid, earlier: int, values: np.ndarray, quality: np.ndarray | None = None) -> list[list[int]]:
    """The profile of one series after each day, as the first hour and the last."""
    states = np.zeros(values.shape, np.uint8) if quality is None else quality
    memory = remembered(g, values, states)
    found = profiles(g, np.full((1, 24), earlier), values, memory)
    return [sorted(set(day.tolist())) for day in found[0]]


def test_a_small_change_gives_another_hash() -> None:
    g = grid(date(2026, 6, 1))
    day = DICE.integers(0, 900, (1, 96))
    others = [np.roll(day, 4, axis=1), day[:, ::-1], day + (np.arange(96) == 40)]
    marks = [remembered(g, np.ascontiguousarray(d), np.zeros(d.shape, np.uint8)).digest[0, 0] for d in (day, *others)]
    assert len(set(marks)) == 4
    assert max(marks) < 2**32


def test_many_days_have_as_many_hashes() -> None:
    days = DICE.integers(0, 900, (3_000, 96))
    marks = remembered(grid(date(2026, 6, 1)), days, np.zeros(days.shape, np.uint8)).digest
    assert len(np.unique(marks)) == len(days)


def test_a_profile_begins_with_the_first_measured_day_and_follows_later_ones_slowly() -> None:
    values = np.repeat([[25, 45]], 96, axis=1)
    assert after(grid(date(2026, 6, 1), 2), 0, values) == [[100], [110]]


@pytest.mark.parametrize("first", [date(2026, 3, 8), date(2026, 11, 1)], ids=["23 hours", "25 hours"])
def test_a_day_of_another_length_teaches_nothing(first: date) -> None:
    g = grid(first)
    assert after(g, 60, np.full((1, g.columns), 500)) == [[60]]


@pytest.mark.parametrize("state", [QualityState.ESTIMATED, QualityState.MISSING, QualityState.QUESTIONABLE])
def test_a_day_not_wholly_measured_teaches_nothing(state: QualityState) -> None:
    quality = np.where(np.arange(96) == 7, state, 0).astype(np.uint8)[None]
    assert after(grid(date(2026, 6, 1)), 60, np.full((1, 96), 500), quality) == [[60]]


def test_intervals_longer_than_an_hour_have_no_profile() -> None:
    g = grid(date(2026, 6, 1), interval_s=86_400)
    assert after(g, 0, np.full((1, 1), 9_000)) == [[0]]
