"""The benchmark of gaps measures what it says, on homes that anyone has."""

from __future__ import annotations

import numpy as np
import pytest

from openami.app.bench.gap_reference import reference
from openami.app.bench.gap_samples import BEFORE_DAYS, samples, simulated
from openami.app.bench.gaps import measured, outcome_of
from openami.app.bench.homes import Home

FOUR_HOURS = 14_400


@pytest.fixture(scope="module")
def homes() -> list[Home]:
    return simulated(6)


def test_a_sample_is_a_gap_in_whole_days_behind_four_weeks(homes: list[Home]) -> None:
    for cut in samples(homes, length_s=FOUR_HOURS, count=3, seed=1):
        first, after = cut.days
        assert (first >= BEFORE_DAYS).all()
        assert (after <= cut.grid.days).all()
        assert (cut.gap.sum(axis=1) == 16).all()
        for estimate in (reference(cut, is_scaled=True), outcome_of(cut, is_scaled=True).values):
            assert (estimate[~cut.gap] == cut.truth[~cut.gap]).all()
            assert np.abs(np.where(cut.gap, estimate - cut.truth, 0).sum(axis=1)).max() < 1e-6


def test_an_estimate_is_no_worse_than_the_reference_and_its_band_holds_most(homes: list[Home]) -> None:
    found = measured(homes, length_s=86_400, is_scaled=True)
    assert found["ours"] < found["reference"]
    assert 80.0 < found["in_band"] < 97.0
    assert found["peak"] < found["donor_peak"]
