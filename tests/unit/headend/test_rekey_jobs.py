"""A job of changing keys: what moves it, how long it waits, and how many begin at once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from openami.headend.keeping.rekey import (
    Cause,
    Pace,
    Rekey,
    RekeyPolicy,
    RekeyProgress,
    RekeyReport,
    RekeyStep,
    Tried,
    heard,
    progress_of,
    renewed,
    sent,
    stepped,
)
from openami.kernel.ids import SystemTitle

POLICY = RekeyPolicy(first_pause_s=60.0, most_pause_s=3_600.0, patient_tries=3)
JOB = Rekey(UUID(int=1), SystemTitle(b"OAM\0\0\0\0\1"), Cause.FACTORY, RekeyStep.DUE, 100.0)


def after(report: RekeyReport, job: Rekey = JOB, *, generation: int = 0, dice: float = 0.5) -> Rekey:
    return stepped(POLICY, job, Tried(report, "so it went", generation), now_s=1_000.0, dice=lambda: dice)


@pytest.mark.parametrize(
    ("report", "step"),
    [
        (RekeyReport.CHANGED, RekeyStep.DONE),
        (RekeyReport.UNCERTAIN, RekeyStep.UNCERTAIN),
        (RekeyReport.NO_ANSWER, RekeyStep.DUE),
        (RekeyReport.REFUSED, RekeyStep.FAILED),
    ],
)
def test_a_try_moves_a_job(report: RekeyReport, step: RekeyStep) -> None:
    found = after(report, generation=2)
    assert (found.step, found.tries, found.generation, found.words) == (step, 1, 2, "so it went")
    assert found.is_open is (step in {RekeyStep.DUE, RekeyStep.UNCERTAIN})


def test_a_try_that_knows_no_generation_keeps_the_one_that_is_known() -> None:
    assert after(RekeyReport.NO_ANSWER, sent(JOB, 3, now_s=900.0)).generation == 3
    assert sent(JOB, 3, now_s=900.0).step is RekeyStep.UNCERTAIN
    # What may have gone stays so until the meter has said which keys it has.
    assert after(RekeyReport.NO_ANSWER, sent(JOB, 3, now_s=900.0)).step is RekeyStep.UNCERTAIN


def test_pauses_double_are_spread_and_end_at_the_longest() -> None:
    pauses = [after(RekeyReport.NO_ANSWER, replace(JOB, tries=n)).not_before_s - 1_000.0 for n in range(9)]
    assert pauses == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]
    assert [after(RekeyReport.NO_ANSWER, dice=d).not_before_s - 1_000.0 for d in (0.0, 0.999)] == pytest.approx(
        [45.0, 74.97]
    )
    assert after(RekeyReport.NO_ANSWER, replace(JOB, tries=10**9)).not_before_s == 4_600.0


def test_a_meters_next_word_ends_the_pause_of_an_open_job() -> None:
    waiting = after(RekeyReport.UNCERTAIN)
    assert heard(waiting, now_s=1_001.0).not_before_s == 1_001.0
    assert heard(after(RekeyReport.REFUSED), now_s=1_001.0) == after(RekeyReport.REFUSED)
    assert heard(JOB, now_s=1_001.0) == JOB


def test_people_see_what_failed_and_what_was_tried_often() -> None:
    stuck = replace(JOB, tries=3)
    jobs = [JOB, stuck, after(RekeyReport.REFUSED), after(RekeyReport.CHANGED), after(RekeyReport.UNCERTAIN)]
    assert [job.is_left_over(POLICY) for job in jobs] == [False, True, True, False, False]
    assert progress_of(jobs, POLICY) == RekeyProgress(due=2, uncertain=1, done=1, failed=1, left_over=2)


def test_an_order_that_was_carried_out_is_not_taken_up_again() -> None:
    ordered = replace(JOB, cause=Cause.ORDERED, order_id=UUID(int=9))
    assert renewed(None, ordered) == ordered
    for step in RekeyStep:
        assert renewed(replace(ordered, step=step), ordered) is None
    named = renewed(JOB, ordered)
    assert named == replace(JOB, order_id=UUID(int=9))


def test_the_pace_is_a_bucket_that_refills_by_the_hour() -> None:
    pace = Pace(RekeyPolicy(per_hour=3_600.0, burst=5.0))
    assert [pace.take(3, now_s=0.0), pace.take(3, now_s=0.0), pace.take(3, now_s=0.0)] == [3, 2, 0]
    assert [pace.take(9, now_s=2.5), pace.take(9, now_s=3.0)] == [2, 1]
    assert pace.take(99, now_s=10_000.0) == 5
    # A clock that goes back gives nothing.
    assert pace.take(9, now_s=0.0) == 0


def test_lease_groups_share_a_pace() -> None:
    share = RekeyPolicy(per_hour=4_000.0, burst=40.0, at_once=10).shared(4)
    assert (share.per_hour, share.burst, share.at_once) == (1_000.0, 10.0, 2)
    assert RekeyPolicy(burst=2.0, at_once=1).shared(64).at_once == 1
