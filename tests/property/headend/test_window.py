"""Counter windows judge as a plain set of numbers would, at any order, duplication and batch boundary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.headend.listening.window import MAX_JUMP, WIDTH, CounterWindows, Verdict


class NaiveWindow:
    """The law in sets: what the columns must equal."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def accept(self, counter: int) -> Verdict:
        if self.seen:
            highest = max(self.seen)
            if counter - highest > MAX_JUMP:
                return Verdict.JUMP
            if counter in self.seen or counter <= highest - WIDTH:
                return Verdict.REPLAY
        self.seen.add(counter)
        return Verdict.ACCEPTED


near = st.integers(0, 3 * WIDTH)
edges = st.sampled_from([0, 1, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2**31, 2**32 - 1, MAX_JUMP, MAX_JUMP + 1])
counters = st.one_of(near, edges, st.integers(0, 2**32 - 1))
steps = st.lists(st.tuples(st.integers(0, 3), counters), max_size=80)


@pytest.mark.attack("A1", "A2")
@settings(max_examples=400)
@given(steps=steps, cut=st.integers(1, 30))
def test_windows_judge_as_a_set_would(steps: list[tuple[int, int]], cut: int) -> None:
    windows, naive = CounterWindows(4), [NaiveWindow() for _ in range(4)]
    for start in range(0, len(steps), cut):
        part = steps[start : start + cut]
        rows, values = np.array([r for r, _ in part], np.int64), np.array([c for _, c in part], np.int64)
        assert windows.accept(rows, values).tolist() == [naive[r].accept(c) for r, c in part]


@pytest.mark.attack("A2")
@given(order=st.permutations(range(5000, 5000 + 40)), repeat=st.integers(0, 39))
def test_a_shuffled_run_is_accepted_once_each(order: list[int], repeat: int) -> None:
    windows = CounterWindows(1)
    sent = [*order, order[repeat]]
    verdicts = windows.accept(np.zeros(len(sent), np.int64), np.array(sent, np.int64)).tolist()
    assert verdicts == [Verdict.ACCEPTED] * 40 + [Verdict.REPLAY]


@pytest.mark.parametrize("counter", [0, 1, 2**32 - 1])
def test_a_window_that_has_seen_nothing_takes_any_counter_once(counter: int) -> None:
    windows = CounterWindows(1)
    twice = windows.accept(np.zeros(2, np.int64), np.array([counter, counter], np.int64))
    assert twice.tolist() == [Verdict.ACCEPTED, Verdict.REPLAY]


@pytest.mark.attack("A7", "A9")
def test_a_held_jump_changes_nothing() -> None:
    windows = CounterWindows(1)
    row = np.zeros(1, np.int64)
    assert windows.accept(row, np.array([7])).tolist() == [Verdict.ACCEPTED]
    assert windows.accept(row, np.array([8 + MAX_JUMP])).tolist() == [Verdict.JUMP]
    assert windows.accept(row, np.array([8])).tolist() == [Verdict.ACCEPTED]
    assert windows.accept(row, np.array([8 + MAX_JUMP])).tolist() == [Verdict.ACCEPTED]


def test_growing_keeps_what_was_seen() -> None:
    windows = CounterWindows(1)
    windows.accept(np.zeros(1, np.int64), np.array([5]))
    windows.grow(100)
    assert windows.accept(np.array([0, 99]), np.array([5, 5])).tolist() == [Verdict.REPLAY, Verdict.ACCEPTED]
