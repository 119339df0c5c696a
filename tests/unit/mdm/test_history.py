"""Digests tell what rules need of earlier days, the same whether a day is looked at alone or in a month."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import Grid, grid_of
from openami.mdm.vee.history import History, joined, remembered

CHICAGO = ZoneInfo("America/Chicago")


def three_days() -> tuple[Grid, np.ndarray]:
    grid = grid_of(CHICAGO, date(2026, 6, 1), date(2026, 6, 3), 900)
    values = np.random.default_rng(5).integers(0, 900, (4, grid.columns))
    return grid, values


def test_a_day_alone_and_in_a_row_of_days_has_one_digest() -> None:
    grid, values = three_days()
    actual = np.zeros(values.shape, np.uint8)
    together = remembered(grid, values, actual)
    for d in range(3):
        lo, hi = int(grid.day_at[d]), int(grid.day_at[d + 1])
        alone = remembered(grid_of(CHICAGO, grid.day(d), grid.day(d), 900), values[:, lo:hi], actual[:, lo:hi])
        for name in ("total", "maximum", "base", "digest", "state"):
            assert (getattr(alone, name)[:, 0] == getattr(together, name)[:, d]).all(), name


def test_a_repeated_day_has_the_hash_of_the_first_and_one_other_count_does_not() -> None:
    grid, values = three_days()
    values[:, 96:192] = values[:, :96]
    values[:, 192:] = values[:, :96]
    values[:, 200] += 1
    found = remembered(grid, values, np.zeros(values.shape, np.uint8)).digest
    assert (found[:, 0] == found[:, 1]).all()
    assert (found[:, 0] != found[:, 2]).all()


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ((QualityState.ACTUAL,), QualityState.ACTUAL),
        ((QualityState.VERIFIED, QualityState.ACTUAL), QualityState.VERIFIED),
        ((QualityState.ESTIMATED, QualityState.QUESTIONABLE), QualityState.QUESTIONABLE),
        ((QualityState.MISSING, QualityState.QUESTIONABLE), QualityState.MISSING),
        ((QualityState.OUTAGE_ZERO, QualityState.ESTIMATED), QualityState.ESTIMATED),
    ],
    ids=lambda s: s.name.lower() if isinstance(s, QualityState) else "",
)
def test_the_worst_state_of_a_day_is_kept(states: tuple[QualityState, ...], worst: QualityState) -> None:
    grid, values = three_days()
    quality = np.zeros(values.shape, np.uint8)
    quality[2, 100 : 100 + len(states)] = states
    found = remembered(grid, values, quality).state
    assert found[2, 1] == worst
    assert (np.delete(found, 2, axis=0) == QualityState.ACTUAL).all()


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)], ids=["short", "long"])
def test_the_hours_of_a_daylight_saving_day_are_wall_clock_hours(day: date) -> None:
    grid = grid_of(CHICAGO, day, day, 900)
    values = (grid.slot[None, :] // 4 + 1) * 10
    found = remembered(grid, values, np.zeros(values.shape, np.uint8))
    assert found.base[0, 0] == 40
    profile = found.profile[0].tolist()
    assert profile[:1] + profile[3:] == [40 * (h + 1) for h in range(24) if h not in {1, 2}]


def test_a_day_on_which_a_meter_did_not_hang_throughout_is_no_day() -> None:
    grid, values = three_days()
    hung = np.ones(values.shape, bool)
    hung[:, 96:100] = False
    found = remembered(grid, values, np.zeros(values.shape, np.uint8), hung=hung)
    assert found.is_known.tolist() == [[True, False, True]] * 4
    assert (found.digest[:, 1] == 0).all()


def test_days_join_in_order() -> None:
    grid, values = three_days()
    later = remembered(grid, values, np.zeros(values.shape, np.uint8))
    both = joined(History.none(4, 2), later)
    assert both.days == 5
    assert both.is_known[0].tolist() == [False, False, True, True, True]
