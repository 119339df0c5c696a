"""Rates at the gateway: per meter, per cell, per source. What is over one is held back or kept aside, never lost."""

from __future__ import annotations

import random

from openami.network.gateway.flow import CellRates, MeterRates, SourceRates


def title(number: int) -> bytes:
    return b"OAM" + number.to_bytes(5)


def test_a_meter_may_have_so_many_frames_in_a_window_and_again_in_the_next() -> None:
    rates = MeterRates(most=50, window_s=3600)
    flood = title(7)
    assert [rates.takes(flood, now_s=1000.0 + i) for i in range(60)] == [True] * 50 + [False] * 10
    assert all(rates.takes(title(n), now_s=1100.0) for n in range(1_000) if n != 7)
    assert not rates.takes(flood, now_s=4599.0)
    assert rates.takes(flood, now_s=4600.0)
    # A clock that was set back begins a window of its own.
    assert rates.takes(flood, now_s=10.0)


def test_no_meter_is_held_for_the_flood_of_another() -> None:
    """Counters are shared by chance; a meter suffers only where both of its two are."""
    rates, dice = MeterRates(most=200), random.Random(7)
    for _ in range(300_000):
        rates.takes(title(dice.randrange(100)), now_s=5.0)
    held = sum(not rates.takes(title(1_000 + n), now_s=6.0) for n in range(20_000))
    assert held == 0
    assert not any(rates.takes(title(n), now_s=6.0) for n in range(100))


def test_a_million_meters_cost_the_memory_of_one() -> None:
    rates = MeterRates()
    for number in range(0, 1_000_000, 97):
        assert rates.takes(title(number), now_s=1.0)
    assert (len(rates._one) * 2, len(rates._other) * 2) == (2**21, 2**21)


def test_a_cell_keeps_its_level_from_one_connection_to_the_next() -> None:
    rates = CellRates(octets_per_s=100.0, burst_octets=1_000.0)
    first = rates.bucket_of(7, 0.0)
    assert first.delay_s(octets=1_500, now_s=0.0) == 5.0
    assert rates.bucket_of(7, 1.0).delay_s(octets=0, now_s=1.0) == 4.0, "coming again empties nothing"
    assert rates.bucket_of(8, 1.0).delay_s(octets=1_000, now_s=1.0) == 0.0


def test_a_source_that_comes_too_often_is_let_in_later_and_others_at_once() -> None:
    rates = SourceRates(per_s=10.0, burst=20)
    taken = [rates.takes("198.51.100.7", now_s=0.0) for _ in range(50)]
    assert sum(taken) == 21
    assert taken == sorted(taken, reverse=True)
    assert rates.takes("198.51.100.8", now_s=0.0)
    assert not rates.takes("198.51.100.7", now_s=0.05)
    assert rates.takes("198.51.100.7", now_s=0.2)
