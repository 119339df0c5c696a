"""A storm is many meters of one group that fall silent at once; it holds estimation back, and not for ever."""

from __future__ import annotations

import numpy as np
import pytest

from openami.mdm.vee.grid import I64
from openami.mdm.vee.storm import HOUR_S, StormRule, held_hours, storm_hours

METERS, PER_HOUR = 500, 4
WEEK = 168


def shares(*later: float, usual: float = 0.98) -> tuple[I64, I64]:
    """Return expected and received intervals of a week as usual and the hours after it."""
    expected = np.full(WEEK + len(later), METERS * PER_HOUR)
    share = np.concatenate([np.full(WEEK, usual), np.array(later)])
    return expected, np.rint(expected * share).astype(np.int64)


def stormy(*later: float, usual: float = 0.98) -> list[bool]:
    expected, received = shares(*later, usual=usual)
    return [bool(s) for s in storm_hours(expected, received, devices=METERS)[WEEK:]]


@pytest.mark.parametrize(
    ("later", "found"),
    [
        ((0.98, 0.50, 0.98), [False, True, False]),
        ((0.72, 0.98), [False, False]),
        ((0.60, 0.90, 0.92, 0.97), [True, True, True, False]),
        ((0.90, 0.92), [False, False]),
        ((0.0, 0.0), [True, True]),
    ],
    ids=["a dark hour", "not a third", "slowly back", "a slow day", "all silent"],
)
def test_a_storm_begins_deep_and_ends_near_the_norm(later: tuple[float, ...], found: list[bool]) -> None:
    assert stormy(*later) == found


def test_a_group_that_never_reads_well_is_in_no_storm() -> None:
    assert stormy(0.45, 0.40, usual=0.5) == [False, False]


def test_a_few_silent_meters_are_no_storm() -> None:
    expected, received = shares(0.0)
    assert not storm_hours(expected // 10, received // 10, devices=METERS // 10).any()


def test_without_a_norm_there_is_no_storm() -> None:
    expected, received = shares(0.0)
    assert not storm_hours(expected[-20:], received[-20:], devices=METERS).any()


def test_a_long_storm_does_not_become_the_norm() -> None:
    assert all(stormy(*[0.1] * 400))


def test_a_storm_holds_for_three_days_from_its_beginning() -> None:
    hour_s = np.arange(0, 120 * HOUR_S, HOUR_S)
    is_stormy = np.zeros(120, bool)
    is_stormy[10:20] = is_stormy[90:] = True
    rule = StormRule()
    at = 10 * HOUR_S + rule.longest_s
    assert held_hours(hour_s, is_stormy, known_s=at - 1).tolist() == is_stormy.tolist()
    later = is_stormy.copy()
    later[10:20] = False
    assert held_hours(hour_s, is_stormy, known_s=at).tolist() == later.tolist()
