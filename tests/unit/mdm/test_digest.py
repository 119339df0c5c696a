"""Digests of a day."""

from __future__ import annotations

import numpy as np
import pytest

from openami.contracts.quality import QualityState
from openami.mdm.vee.digest import fingerprints, next_profiles, worst_states

DICE = np.random.default_rng(5)


def test_equal_days_have_one_fingerprint_and_others_another() -> None:
    days = DICE.integers(0, 900, (3_000, 96))
    marks = fingerprints(days)
    assert (marks == fingerprints(days.copy())).all()
    assert len(np.unique(marks)) == len(days)


@pytest.mark.parametrize("change", ["one count more", "two intervals swapped", "an hour later"])
def test_a_small_change_gives_another_fingerprint(change: str) -> None:
    day = DICE.integers(0, 900, (1, 96))
    other = day.copy()
    if change == "one count more":
        other[0, 40] += 1
    elif change == "two intervals swapped":
        other[0, [3, 4]] = other[0, [3, 4]] + np.array([1, -1])
    else:
        other = np.roll(day, 4, axis=1)
    assert fingerprints(day) != fingerprints(other)


@pytest.mark.parametrize("distinct", [1, 2, 5, 7])
def test_a_day_of_few_values_cannot_be_told_from_another(distinct: int) -> None:
    assert fingerprints(np.arange(96)[None] % distinct * 11).tolist() == [0]


def test_a_day_of_no_intervals_has_no_digest() -> None:
    none = np.zeros((2, 0), np.int64)
    assert fingerprints(none).tolist() == [0, 0]
    assert worst_states(none.astype(np.uint8)).tolist() == [0, 0]


def test_the_worst_state_of_a_day_is_the_one_that_rests_on_least() -> None:
    states = np.zeros((4, 96), np.uint8)
    states[1, 5] = QualityState.OUTAGE_ZERO
    states[2, [5, 6]] = QualityState.ESTIMATED, QualityState.EDITED
    states[3, [5, 6, 7]] = QualityState.MISSING, QualityState.FORECAST, QualityState.QUESTIONABLE
    expected = [QualityState.ACTUAL, QualityState.OUTAGE_ZERO, QualityState.ESTIMATED, QualityState.MISSING]
    assert worst_states(states).tolist() == expected


def test_every_state_has_a_place_in_the_order() -> None:
    alone = np.array([[s] for s in QualityState], np.uint8)
    assert worst_states(alone).tolist() == [int(s) for s in QualityState]


def test_a_profile_begins_with_the_first_measured_day_and_follows_later_ones_slowly() -> None:
    quality = np.zeros((1, 96), np.uint8)
    first = next_profiles(np.zeros((1, 24), np.int64), np.full((1, 96), 25), quality, interval_s=900)
    assert first.tolist() == [[100] * 24]
    second = next_profiles(first.astype(np.int64), np.full((1, 96), 45), quality, interval_s=900)
    assert second.tolist() == [[110] * 24]


def test_an_estimated_day_and_a_day_of_another_length_teach_nothing() -> None:
    before = np.full((1, 24), 60)
    estimated = np.zeros((1, 96), np.uint8)
    estimated[0, 0] = QualityState.ESTIMATED
    for values, quality in (
        (np.full((1, 96), 500), estimated),
        (np.full((1, 92), 500), np.zeros((1, 92), np.uint8)),
        (np.full((1, 100), 500), np.zeros((1, 100), np.uint8)),
    ):
        assert next_profiles(before, values, quality, interval_s=900).tolist() == before.tolist()


def test_intervals_longer_than_an_hour_have_no_profile() -> None:
    assert not next_profiles(np.zeros((1, 24), np.int64), np.ones((1, 1), np.int64), np.zeros((1, 1), np.uint8),
                             interval_s=86_400).any()  # fmt: skip
