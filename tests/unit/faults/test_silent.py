"""Meters that measure wrong for a while: near the history's end, and what they count is a share of what flows."""

from __future__ import annotations

import numpy as np

from openami.sim.faults.silent import DAY_S, HALF_DAYS, STOPPED_DAYS, SilentFault, measured_mj, plan_silent

END_S = 400 * DAY_S


def test_a_stopped_meter_and_a_half_registering_one_lie_whole_within_the_last_weeks() -> None:
    found = plan_silent(3, np.arange(10, 90), 2, genesis_s=0, history_end_s=END_S)
    assert [(f.divisor, (f.end_s - f.start_s) // DAY_S) for f in found] == [(0, STOPPED_DAYS), (2, HALF_DAYS)]
    assert all(f.start_s > END_S - 40 * DAY_S and f.end_s < END_S and 10 <= f.meter < 90 for f in found)
    assert len({f.meter for f in found}) == 2
    assert found == plan_silent(3, np.arange(10, 90), 2, genesis_s=0, history_end_s=END_S)


def test_a_short_history_has_none() -> None:
    assert plan_silent(3, np.arange(90), 2, genesis_s=0, history_end_s=40 * DAY_S) == []
    assert plan_silent(3, np.arange(90), 0, genesis_s=0, history_end_s=END_S) == []


def test_only_the_meter_and_the_days_of_the_fault_count_less() -> None:
    start_s = np.arange(4, dtype=np.int64) * 900
    through = np.arange(12, dtype=np.int64).reshape(3, 4) + 1
    counted = measured_mj([SilentFault(1, 900, 2700, 2), SilentFault(2, 1800, 9000, 0)], start_s, through)
    assert counted.tolist() == [[1, 2, 3, 4], [5, 3, 3, 8], [9, 10, 0, 0]]
    assert measured_mj([SilentFault(1, 9000, 9900, 0)], start_s, through) is through
