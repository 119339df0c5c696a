"""Chart buckets equal what a person would add up interval by interval, gaps left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.quality import QualityState
from openami.kernel.time import Period, instant_from_epoch_s
from openami.portal.chart import Buckets, gathered, on_grid
from openami.portal.ports import Series

STEP_S = 900
_STATES = st.sampled_from([QualityState.ACTUAL, QualityState.ESTIMATED, QualityState.MISSING, QualityState.EDITED])


@st.composite
def series(draw: st.DrawFn) -> Series:
    """Intervals on a grid of which any may be missing, wide bands around some."""
    states = draw(st.lists(_STATES, min_size=1, max_size=40))
    count = len(states)
    counts = st.lists(st.integers(0, 2**50), min_size=count, max_size=count)
    value, below, above = (np.array(draw(counts), np.int64) for _ in range(3))
    has_band = draw(st.booleans())
    return Series(
        start_s=STEP_S * np.arange(draw(st.integers(0, 30)), 10**6, dtype=np.int64)[:count],
        value=value,
        quality=np.array(states, np.uint8),
        low=value - below if has_band else value,
        high=value + above if has_band else value.copy(),
        preliminary=np.zeros(count, np.bool_),
        interval_s=STEP_S,
    )


def _naive(found: Series, buckets: Buckets, column: str, *, is_energy: bool) -> Iterator[int]:
    ends = [*buckets.start_s.tolist()[1:], buckets.end_s]
    for first, end in zip(buckets.start_s.tolist(), ends, strict=True):
        held = [
            int(getattr(found, column)[i])
            for i, at in enumerate(found.start_s.tolist())
            if first <= at < end and found.quality[i] != QualityState.MISSING
        ]
        yield sum(held) if is_energy or not held else round(np.float64(sum(held)) / len(held))


@settings(max_examples=60)
@given(series(), st.lists(st.integers(1, 9), max_size=6), st.booleans())
def test_a_bucket_is_the_sum_or_the_mean_of_its_known_intervals(
    found: Series, widths: list[int], is_energy: bool
) -> None:
    edges = STEP_S * np.array([0, *np.cumsum(widths), 10**6], dtype=np.int64)
    buckets = gathered(found, edges, is_energy=is_energy)
    for column in ("value", "low", "high"):
        assert getattr(buckets, column).tolist() == list(_naive(found, buckets, column, is_energy=is_energy))
    alone = gathered(found, None, is_energy=is_energy)
    known = found.quality != QualityState.MISSING
    assert alone.value.tolist() == np.where(known, found.value, 0).tolist()
    assert alone.is_known.tolist() == known.tolist()


@settings(max_examples=60)
@given(series(), st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_series_is_put_on_its_grid_once_and_then_stays_as_it_is(found: Series, keep: list[bool]) -> None:
    begin, end = int(found.start_s[0]), int(found.start_s[-1]) + STEP_S
    period, mask = Period(instant_from_epoch_s(begin), instant_from_epoch_s(end)), np.array(keep[: len(found.start_s)])
    names = ("start_s", "value", "quality", "low", "high", "preliminary")
    holed = Series(**{n: getattr(found, n)[mask] for n in names}, interval_s=STEP_S)
    whole = on_grid(holed, period, now_s=end + 10 * STEP_S)
    assert whole.start_s.tolist() == found.start_s.tolist()
    there = dict(zip(holed.start_s.tolist(), holed.value.tolist(), strict=True))
    assert whole.value.tolist() == [there.get(s, 0) for s in whole.start_s.tolist()]
    absent = ~np.isin(whole.start_s, holed.start_s)
    assert (whole.quality[absent] == QualityState.MISSING).all()
    again = on_grid(whole, period, now_s=end + 10 * STEP_S)
    assert all(getattr(again, n).tolist() == getattr(whole, n).tolist() for n in names)
