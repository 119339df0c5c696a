"""A bucket is called by a state only if enough of it is in that state; the whole chart's shares hide nothing."""

from __future__ import annotations

import numpy as np
import pytest

from openami.contracts.quality import QualityState
from openami.portal.chart import gathered
from openami.portal.ports import Series


def day_of(states: list[QualityState]) -> Series:
    count = len(states)
    value = np.full(count, 100, np.int64)
    return Series(
        start_s=np.arange(count, dtype=np.int64) * 900,
        value=value,
        quality=np.array(states, np.uint8),
        low=value,
        high=value,
        preliminary=np.zeros(count, np.bool_),
        interval_s=900,
    )


@pytest.mark.parametrize(
    ("state", "count", "shown"),
    [
        (QualityState.ESTIMATED, 4, QualityState.ACTUAL),
        (QualityState.ESTIMATED, 5, QualityState.ESTIMATED),
        (QualityState.MISSING, 4, QualityState.ACTUAL),
        (QualityState.MISSING, 5, QualityState.MISSING),
    ],
)
def test_a_bucket_takes_a_state_from_a_twentieth_on(state: QualityState, count: int, shown: QualityState) -> None:
    series = day_of([state] * count + [QualityState.ACTUAL] * (100 - count))
    found = gathered(series, np.array([0, 100 * 900], np.int64), is_energy=True)
    assert found.quality.tolist() == [shown]
    share = found.missing_share if state == QualityState.MISSING else found.estimated_share
    assert share == pytest.approx(count / 100)


def test_a_single_interval_always_keeps_its_own_state() -> None:
    states = [QualityState.ACTUAL, QualityState.ESTIMATED, QualityState.MISSING, QualityState.OUTAGE_ZERO]
    assert gathered(day_of(states), None, is_energy=True).quality.tolist() == states
