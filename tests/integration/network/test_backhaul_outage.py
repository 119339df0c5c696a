"""A line was away for hours: everything arrives once, last gasps first, and the gateway stays as small as it was."""

from __future__ import annotations

import os

import pytest

from openami.app.bench.outage import Outage, Outcome, play
from openami.network.gateway import GatewayLimits
from openami.network.reconnection import LONGEST_WAIT_S, URGENT_WAIT_S, rest_s


@pytest.mark.engines
async def test_after_an_outage_nothing_is_lost_and_last_gasps_are_first() -> None:
    outcome = await play(Outage(meters=100, hours=3, line_away_s=0.5, spread_s=1.0))
    assert (outcome.lost, outcome.doubled) == (0, 0)
    assert sum(outcome.offered.values()) >= 100 * 12 - 120 + 60
    assert len(outcome.gasp_places) == 30
    assert max(outcome.gasp_places) == 0
    assert outcome.gateway_peak - outcome.gateway_before < 8 * GatewayLimits().max_gathered_octets


@pytest.mark.soak
@pytest.mark.engines
async def test_a_gateway_that_is_killed_again_and_again_in_the_storm_loses_and_doubles_nothing() -> None:
    meters = int(os.environ.get("OPENAMI_OUTAGE_METERS", "1000"))
    kills = int(os.environ.get("OPENAMI_OUTAGE_KILLS", "20"))
    outcome = await play(Outage(meters=meters, line_away_s=1.0, spread_s=5.0, kills=kills))
    assert (outcome.lost, outcome.doubled) == (0, 0)
    assert max(outcome.gasp_places) == 0


def test_a_frame_that_is_missing_or_there_twice_is_seen() -> None:
    outcome = Outcome()
    outcome.offered.update({(1, b"a"): 1, (1, b"b"): 2, (2, b"a"): 1})
    outcome.came.update({(1, b"a"): 2, (1, b"b"): 1, (2, b"a"): 1})
    assert (outcome.lost, outcome.doubled) == (1, 1)


@pytest.mark.parametrize("tries", [0, 1, 4, 7, 40])
def test_collectors_that_lost_their_line_together_come_back_evenly_spread(tries: int) -> None:
    waits = [rest_s(n / 1_000, tries, is_urgent=False) for n in range(1_000)]
    span_s = min(LONGEST_WAIT_S, 2.0**tries)
    for part in range(10):
        inside = sum(span_s * part / 10 <= w < span_s * (part + 1) / 10 for w in waits)
        # The least wait takes its tenth of a second from the shortest span.
        assert inside <= 115


def test_a_collector_with_a_last_gasp_is_back_within_seconds_however_long_it_tried() -> None:
    assert max(rest_s(n / 100, 1_000, is_urgent=True) for n in range(100)) <= URGENT_WAIT_S
    assert rest_s(0.0, 0, is_urgent=True) > 0
