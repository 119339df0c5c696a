"""What an estimated bill says of itself: why, how, how many in a row, what the customer can do, what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from tests.unit.billing.statement.made import made_facts

from openami.billing.bill.record import Bill, BillState, ReadingState
from openami.billing.jurisdiction import EstimateCause, shipped_jurisdiction
from openami.billing.statement.estimate import NoticeState, estimate_words, notices_of
from openami.billing.statement.make import statement_of
from openami.billing.statement.setting import pdf_of

RULES = shipped_jurisdiction()
RULE = RULES.on(date(2026, 10, 19)).estimate


def estimated(in_a_row: int = 1, cause: EstimateCause = EstimateCause.WEATHER) -> Bill:
    return replace(
        made_facts(estimated=range(0)).bill, reading_state=ReadingState.ESTIMATED, estimates_in_a_row=in_a_row,
        stamps=(f"estimated: {cause.value}",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("in_a_row", "words"),
    [
        (1, "It is the first one in a row; no more than 3 may be."),
        (2, "It is the 2nd in a row; no more than 3 may be, so we need a read soon."),
        (3, "It is the 3rd in a row; no more than 3 may be. The next bill needs an actual read."),
    ],
)
def test_it_says_how_many_follow_each_other_before_the_limit_is_reached(in_a_row: int, words: str) -> None:
    told = estimate_words(estimated(in_a_row), RULE)
    assert told[0] == "This bill is estimated because the weather kept us from reading your meter."
    assert told[2] == words
    assert "by Tue 3 Nov 2026" in told[3]
    assert "every period since the last one" in told[4]


@pytest.mark.parametrize("cause", EstimateCause)
def test_every_cause_of_the_policy_has_words_of_its_own(cause: EstimateCause) -> None:
    others = {estimate_words(estimated(cause=c), RULE)[0] for c in EstimateCause if c is not cause}
    assert estimate_words(estimated(cause=cause), RULE)[0] not in others


def test_page_and_pdf_say_it_of_an_estimated_bill_and_of_no_other() -> None:
    facts = replace(made_facts(), estimates=RULE)
    assert statement_of(facts).estimate == ()
    statement = statement_of(replace(facts, bill=estimated(2)))
    assert len(statement.estimate) == 5
    assert pdf_of(statement).startswith(b"%PDF-")
    assert pdf_of(statement) != pdf_of(replace(statement, estimate=()))


def test_a_notice_asks_then_has_passed_and_is_settled_by_a_bill_on_actual_reads() -> None:
    bill = estimated(2)
    until = date(2026, 11, 3)
    asks, passed = [notices_of([bill], RULES, d)[0] for d in (until, until + timedelta(days=1))]
    assert (asks.state, asks.read_until, asks.is_limit_near) == (NoticeState.ASKS, until, True)
    assert passed.state is NoticeState.PASSED
    gone = replace(bill, state=BillState.SUPERSEDED)
    actual = replace(
        bill, bill_id=made_facts("ameren-mo-anytime").bill.service_point_id, supersedes=bill.bill_id, version=2,
        reading_state=ReadingState.ESTIMATED_INTERVALS, estimates_in_a_row=0,
    )  # fmt: skip
    (told,) = notices_of([gone, actual], RULES, until)
    assert (told.bill_id, told.state) == (bill.bill_id, NoticeState.SETTLED)
    still = replace(actual, reading_state=ReadingState.ESTIMATED, estimates_in_a_row=2)
    assert [n.state for n in notices_of([gone, still], RULES, until)] == [NoticeState.ASKS] * 2
