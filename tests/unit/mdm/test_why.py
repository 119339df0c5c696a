"""Why a read is missing, estimated or held: the first broken link, in words, with the one action that frees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from openami.contracts.channel import Channel
from openami.kernel.finding import Severity
from openami.kernel.time import Period
from openami.mdm.editing.case import CaseEvidence, Cause
from openami.mdm.editing.casebook import Case
from openami.mdm.editing.decision import Decision, DecisionKind, Target
from openami.mdm.editing.fix import fix_of
from openami.mdm.editing.ports import DecisionHead, DecisionState, Effect
from openami.mdm.editing.why import Act, DayCount, LinkStands, WhyFacts, why
from openami.mdm.validation.ports import DayFinding

NOW = datetime(2026, 3, 12, 18, tzinfo=UTC)
DAY = date(2026, 3, 11)
PLACE, METER, CASE = (UUID(int=n) for n in (1, 2, 3))
WHOLE = DayCount(DAY, 2, 20_000, 96, 96, 0, 0, 0, 0)
GOOD = WhyFacts(NOW, DAY, METER, NOW - timedelta(minutes=20), WHOLE)
SPAN = Period(NOW - timedelta(days=1), NOW - timedelta(hours=20))


def finding(rule: str, severity: Severity = Severity.FAIL) -> DayFinding:
    return DayFinding(
        PLACE, Channel.DELIVERED, DAY, 2, UUID(int=9), rule, severity, SPAN, NOW - timedelta(hours=3),
        {"residual_wh": 1_500},
    )  # fmt: skip


def case(rule: str) -> Case:
    evidence = CaseEvidence(40, 40, 1, 900, 40, 0, DAY, DAY, 80.0)
    return Case(CASE, Cause.CELL, "C-7", "", rule, evidence, fix_of(rule, ""), NOW - timedelta(days=1), 40)


def waiting() -> DecisionHead:
    target = Target(PLACE, Channel.DELIVERED, SPAN, values=(1,) * 16)
    made = Decision(UUID(int=8), DecisionKind.REPLACE, (target,), "the display said so", UUID(int=7), NOW)
    return DecisionHead(made, DecisionState.WAITING, 1, Effect(), UUID(int=6))


@pytest.mark.parametrize(
    ("change", "headline", "act", "subject"),
    [
        ({"meter_id": None, "last_reading": None, "day_count": None}, "No meter hung here", Act.INSTALL, None),
        ({"last_reading": None}, "never been heard", Act.READ_METER, METER),
        ({"last_reading": NOW - timedelta(hours=55)}, "silent for 2 days and 7 hours", Act.READ_METER, METER),
        ({"day_count": replace(WHOLE, missing=4, actual=92)}, "4 of 96 intervals are missing", Act.READ_METER, METER),
        ({"day_count": replace(WHOLE, estimated=8, actual=88)}, "8 of 96 intervals are est", Act.READ_METER, METER),
        (
            {"day_count": replace(WHOLE, estimated=8, actual=88), "cases": [case("missing")]},
            "as at 39 other places (missing: cell C-7)", Act.OPEN_CASE, CASE,
        ),
        (
            {"day_count": replace(WHOLE, held=96, actual=0), "findings": [finding("sum_check")]},
            "96 intervals are held by sum check: residual 1.500 kWh", Act.DECIDE, None,
        ),
        (
            {"findings": [finding("stuck")], "cases": [case("stuck")]},
            "The rule stuck failed, with 40 places: stuck: cell C-7.", Act.OPEN_CASE, CASE,
        ),
        ({"decisions": [waiting()]}, "waits for a second person: replace 16 intervals", Act.APPROVE, UUID(int=8)),
        ({"day_count": None}, "has not been validated", Act.READ_METER, METER),
        ({"day_count": None, "has_ended": False}, "not over yet", Act.NONE, None),
        ({}, "Everything was read and believed.", Act.NONE, None),
        ({"findings": [finding("high_low", Severity.WARN)]}, "Everything was read and believed.", Act.NONE, None),
    ],
)  # fmt: skip
def test_the_first_broken_link_is_the_answer(change: dict[str, Any], headline: str, act: Act, subject: Any) -> None:
    answer = why(replace(GOOD, **change))
    assert headline in answer.headline
    assert (answer.act, answer.subject) == (act, subject)


def test_what_is_broken_behind_the_first_link_is_told_as_well() -> None:
    silent = replace(GOOD, last_reading=NOW - timedelta(days=3), findings=[finding("stuck")], decisions=[waiting()])
    stands = [link.stands for link in why(silent).chain]
    assert stands == [
        LinkStands.GOOD, LinkStands.BLOCKED, LinkStands.GOOD, LinkStands.BLOCKED, LinkStands.BLOCKED, LinkStands.GOOD,
    ]  # fmt: skip


def test_a_day_that_is_on_the_queue_runs_again() -> None:
    assert "runs again" in why(replace(GOOD, queued=True)).chain[-1].words
