"""The benchmark of validation: on a small fleet it validates everything once, and nothing the second time."""

from __future__ import annotations

import os

import numpy as np
import pytest

from openami.app.bench.vee import measure
from openami.app.bench.vee_fleet import ENERGY, BenchFleet
from openami.contracts.channel import Channel


def test_the_fleet_of_the_benchmark_has_the_gaps_that_it_promises() -> None:
    fleet = BenchFleet(20_000)
    assert 0.018 < fleet.lost[Channel.DELIVERED].any(axis=1).mean() < 0.022
    assert 0.02 < fleet.is_long.sum() / fleet.lost[Channel.DELIVERED].any(axis=1).sum() < 0.09
    assert not fleet.lost[Channel.RECEIVED][~fleet.feeds].any()
    assert [int(fleet.values[c].min()) >= 0 for c in ENERGY] == [True, True]
    whole = fleet.readings(slice(0, 500), slice(0, 96))
    lost = sum(int(fleet.lost[c][:500].sum()) for c in ENERGY)
    assert len(whole) == 500 * 3 * 96 - lost
    assert (np.diff(whole.start.reshape(-1)[: 96 - int(fleet.lost[Channel.DELIVERED][0].sum())]) > 0).all()


@pytest.mark.soak
@pytest.mark.engines
async def test_a_small_fleet_is_validated_once_and_nothing_changes_the_second_time() -> None:
    homes = int(os.environ.get("OPENAMI_BENCH_METERS", "2000"))
    figures, _ = await measure(homes)
    value = {name.strip(): float(str(figure["value"])) for name, figure in figures.items()}
    fleet = BenchFleet(homes)
    longer = int(fleet.is_long.sum())
    first = 2 * homes + int(fleet.feeds.sum())
    # A gap that began the day before is estimated whole, and that day has a version that changes.
    assert first <= value["versions"] <= first + longer
    assert value["versions of the second time"] == 0
    assert longer <= value["series of the careful road"] < 0.05 * homes
