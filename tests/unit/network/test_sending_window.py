"""The window follows the line: a last gasp waits for seconds on a slow one, and a fast one stays full."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.network.sending_window import LEAST_OCTETS, MOST_OCTETS, SECONDS, SendingWindow

RUN = 64 * 1024


def backlog_s(octets_per_s: float, round_trip_s: float, *, seconds: float = 60.0) -> tuple[float, float]:
    """Send a full spool over a line; return how long a new frame would wait at the end, and how full the line was."""
    window, line, now_s, free_at_s, carried = SendingWindow(), deque[tuple[float, int]](), 0.0, 0.0, 0
    while now_s < seconds:
        while not window.is_full:
            window.sent(RUN, now_s=now_s)
            free_at_s = max(free_at_s, now_s) + RUN / octets_per_s
            line.append((free_at_s + round_trip_s, RUN))
        now_s = line[0][0]
        _, octets = line.popleft()
        carried += octets
        window.acknowledged(octets, now_s=now_s)
    return max(0.0, free_at_s - now_s), carried / (seconds * octets_per_s)


@pytest.mark.parametrize("octets_per_s", [125_000, 500_000, 1_000_000])
@pytest.mark.parametrize("round_trip_s", [0.02, 0.3])
def test_on_a_slow_line_a_last_gasp_waits_for_seconds_and_the_line_stays_full(
    octets_per_s: float, round_trip_s: float
) -> None:
    waits_s, full = backlog_s(octets_per_s, round_trip_s)
    assert waits_s <= SECONDS + RUN / octets_per_s + 0.1
    assert full > 0.95


def test_a_fast_line_gets_the_largest_window() -> None:
    _, full = backlog_s(20_000_000, 0.05)
    assert full > 0.95


@given(st.lists(st.tuples(st.integers(1, 10**7), st.floats(0, 100)), max_size=50))
def test_the_window_stays_within_its_bounds_and_counts_what_is_under_way(steps: list[tuple[int, float]]) -> None:
    window, now_s = SendingWindow(), 0.0
    for octets, passed_s in steps:
        window.sent(octets, now_s=now_s)
        now_s += passed_s
        window.acknowledged(octets, now_s=now_s)
        assert LEAST_OCTETS <= window.limit <= MOST_OCTETS
    assert window.under_way == 0
