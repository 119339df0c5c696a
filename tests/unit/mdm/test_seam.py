"""The stamps of a wrong clock show when it went wrong and right again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.editing.seam import Seams, runs_of_length, seams_of, stretches
from openami.mdm.vee.grid import grid_of
from openami.sim.faults.metering import clean_scene
from openami.sim.faults.metering.clocks import WrongClock, stamped_readings, stamped_reads

GRID = grid_of(ZoneInfo("America/Chicago"), date(2026, 3, 2), date(2026, 3, 6), 900)
DAY = 96
AT = datetime(2026, 3, 2, tzinfo=UTC)


def rows_of(clock: WrongClock) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is absent, what came twice, and which stamps hold a reading that was wrong when it was made."""
    truth = np.arange(1, GRID.columns + 1)[None]
    none = np.zeros((1, GRID.columns), np.int64)
    scene = clean_scene(
        GRID, truth, received_wh=none, voltage_dv=none + 2_400, dice=np.random.default_rng(1)
    )  # fmt: skip
    sent = stamped_readings(scene, Channel.DELIVERED, {0: clock})
    stamp = (sent.at_s - int(GRID.start_s[0])) // 900
    inside = (stamp >= 0) & (stamp < GRID.columns)
    count = np.bincount(stamp[inside], minlength=GRID.columns)
    kept = np.full(GRID.columns, -1)
    # In the order of true time: the later made stays, as in the store.
    kept[stamp[inside]] = sent.value[inside] - 1
    wrong = (kept >= 0) & (kept != np.arange(GRID.columns))
    return count == 0, count > 1, wrong


@given(
    begins=st.integers(DAY + 8, 2 * DAY - 1),
    length=st.integers(DAY, 2 * DAY),
    ahead=st.sampled_from([-8, -4, -1, 1, 4]),
)
def test_the_seams_hold_just_the_wrong_stamps(begins: int, length: int, ahead: int) -> None:
    gone, twice, wrong = rows_of(WrongClock(begins, begins + length, ahead))
    bad = np.flatnonzero(wrong)
    days = [int(bad[0]) // DAY * DAY, -(-(int(bad[-1]) + 1) // DAY) * DAY]
    found = seams_of(gone, twice, *days, ahead=ahead, day=DAY)
    assert bad.tolist() == list(range(found.lo, found.hi))
    assert found.begins_seen
    assert found.ends_seen


def test_a_seam_on_the_day_that_the_rule_was_silent_about_is_found() -> None:
    gone, twice, wrong = rows_of(WrongClock(DAY + 80, 3 * DAY + 16, 4))
    found = seams_of(gone, twice, 2 * DAY, 3 * DAY, ahead=4, day=DAY)
    assert np.flatnonzero(wrong).tolist() == list(range(found.lo, found.hi))


def test_a_seam_behind_a_whole_day_that_the_rule_missed_is_found() -> None:
    gone, twice, wrong = rows_of(WrongClock(DAY + 40, 4 * DAY + 60, 4))
    found = seams_of(gone, twice, 2 * DAY, 3 * DAY, ahead=4, day=DAY)
    assert np.flatnonzero(wrong).tolist() == list(range(found.lo, found.hi))


@pytest.mark.parametrize("equal", [0, 1, 2, 3])
def test_two_readings_of_a_doubled_stamp_that_are_equal_by_chance_hide_no_seam(equal: int) -> None:
    gone, twice, _ = rows_of(WrongClock(DAY + 40, 3 * DAY + 60, 4))
    twice[3 * DAY + 60 + equal] = False
    found = seams_of(gone, twice, 2 * DAY, 3 * DAY, ahead=4, day=DAY)
    assert (found.lo, found.hi, found.ends_seen) == (DAY + 44, 3 * DAY + 60 + (equal == 0), True)


def test_where_no_seam_is_seen_the_days_stay() -> None:
    none = np.zeros(GRID.columns, bool)
    assert seams_of(none, none, DAY, 2 * DAY, ahead=4, day=DAY) == Seams(DAY, 2 * DAY)


def test_a_gap_of_another_length_is_no_seam() -> None:
    gone = np.zeros(GRID.columns, bool)
    gone[DAY + 10 : DAY + 15] = True
    assert seams_of(gone, ~gone, DAY, 2 * DAY, ahead=4, day=DAY) == Seams(DAY, 2 * DAY)
    assert runs_of_length(gone, 5).tolist() == [DAY + 10]
    assert runs_of_length(~gone, DAY + 10).tolist() == []


def day(first: int, last: int) -> Period:
    return Period(AT + timedelta(days=first), AT + timedelta(days=last))


@pytest.mark.parametrize(
    ("periods", "joined"),
    [([day(0, 1), day(1, 2)], [day(0, 2)]), ([day(4, 5), day(0, 1), day(2, 3)], [day(0, 5)]),
     ([day(0, 1), day(9, 10)], [day(0, 1), day(9, 10)]), ([], [])],
    ids=["next to each other", "a silent day", "two faults", "none"],
)  # fmt: skip
def test_a_clock_that_was_right_for_days_in_between_is_two_faults(periods: list[Period], joined: list[Period]) -> None:
    assert stretches(periods) == joined


@pytest.mark.parametrize("ahead", [-4, 4])
def test_a_meter_reads_its_register_at_its_own_midnights_each_once(ahead: int) -> None:
    ones = np.ones((2, GRID.columns), np.int64)
    scene = clean_scene(GRID, ones, received_wh=ones * 0, voltage_dv=ones * 2_400, dice=np.random.default_rng(1))
    scene.registers[Channel.DELIVERED].resolution_wh[:] = 1
    reads = stamped_reads(scene, Channel.DELIVERED, {1: WrongClock(DAY + 40, 3 * DAY + 40, ahead)})
    base = scene.registers[Channel.DELIVERED].exact_wh[:, 0]
    for row, late in ((0, 0), (1, ahead)):
        mine = reads.row == row
        assert reads.at_s[mine].tolist() == GRID.edge_s[GRID.day_at].tolist()
        shown = (reads.value[mine] - base[row]).tolist()
        assert shown == [0, DAY, 2 * DAY - late, 3 * DAY - late, 4 * DAY, 5 * DAY]
