"""The worst 30 minutes: exact from sendings, never less than the truth from counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.network.exposure import ExposureError, Sending, worst_window_s, worst_window_share


@st.composite
def sendings(draw: st.DrawFn) -> list[Sending]:
    """Sendings in whole seconds, one after the other."""
    gaps = draw(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 90)), max_size=25))
    at, made = 0, []
    for gap, seconds in gaps:
        made.append(Sending(float(at + gap), float(seconds)))
        at += gap + seconds
    return made


def by_hand(made: list[Sending], window_s: int) -> int:
    """Slide the window second by second."""
    end = int(max((s.start_s + s.seconds for s in made), default=0))
    on_air = np.zeros(end + 2 * window_s, dtype=np.int64)
    for s in made:
        on_air[window_s + int(s.start_s) : window_s + int(s.start_s + s.seconds)] = 1
    return int(np.convolve(on_air, np.ones(window_s, dtype=np.int64), mode="valid").max())


@given(made=sendings(), window_s=st.sampled_from([60, 300, 1800]))
def test_the_worst_window_is_the_one_that_sliding_finds(made: list[Sending], window_s: int) -> None:
    assert worst_window_s(made, window_s) == by_hand(made, window_s)


@given(made=sendings(), offset_s=st.integers(0, 59))
def test_counts_by_the_minute_never_tell_less_than_the_truth(made: list[Sending], offset_s: int) -> None:
    end = int(max((s.start_s + s.seconds for s in made), default=0)) + 120
    seconds = np.zeros((end // 60 + 2) * 60)
    for s in made:
        seconds[offset_s + int(s.start_s) : offset_s + int(s.start_s + s.seconds)] = 1
    share = worst_window_share(seconds.reshape(-1, 60).sum(axis=1), slot_s=60)
    exact = worst_window_s(made) / 1800
    # One minute more than the window is counted, so that is the most by which it can tell too much.
    assert exact <= share + 1e-12 <= exact + 60 / 1800 + 1e-9


def test_a_burst_across_the_edges_of_slots_is_counted_whole() -> None:
    slots = [0.0] * 5 + [60.0] * 30 + [0.0] * 5
    assert worst_window_share(slots, slot_s=60) == 1.0


def test_a_radio_that_never_sent_has_no_worst_window() -> None:
    assert worst_window_s([]) == 0.0
    assert worst_window_share([], slot_s=60) == 0.0


def test_one_radio_sends_one_thing_at_a_time() -> None:
    with pytest.raises(ExposureError, match="before"):
        worst_window_s([Sending(0, 10), Sending(5, 10)])


@pytest.mark.parametrize("slots", [[-1.0], [61.0], [float("nan")]])
def test_a_minute_with_more_than_a_minute_of_sending_is_refused(slots: list[float]) -> None:
    with pytest.raises(ExposureError, match="slot"):
        worst_window_share(slots, slot_s=60)


def test_slots_that_do_not_fill_the_window_are_refused() -> None:
    with pytest.raises(ExposureError, match="fill"):
        worst_window_share([0.0], slot_s=7.0)
