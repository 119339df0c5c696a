"""The answer to a call: its parts add up to the difference, and its sentences say what the bills show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.billing.statement.made import RATES, made_bill

from openami.billing.bill.hold import Hold, HoldCode
from openami.billing.bill.record import BillState, ReadingState
from openami.billing.call.answer import answer_of
from openami.billing.call.difference import split
from openami.billing.call.facts import CallFacts, Hourly
from openami.billing.call.record import CallAnswer
from openami.billing.call.rises import day_rises, hour_rises, hours_words
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

JULY, AUGUST = BillSpan(date(2026, 7, 1), date(2026, 8, 1)), BillSpan(date(2026, 8, 1), date(2026, 8, 30))
RATE = RATES["ameren-mo-smart"]
THEN = made_bill(JULY, RATE)[0]
NOW = made_bill(AUGUST, RATE, scale=1.6)[0]


def _hours(days: int, wh: int, *, more: tuple[range, int] = (range(0), 0)) -> Hourly:
    table = np.full((days, 24), wh, np.int64)
    table[:, list(more[0])] += more[1]
    return Hourly(table, np.zeros_like(table))


FACTS = CallFacts(
    NOW, THEN, is_year_before=False, now=_hours(29, 900, more=(range(16, 20), 1_500)), then=_hours(31, 800),
    meter_since=datetime(2025, 3, 4, 15, tzinfo=UTC), serial="OAM1004711",
)  # fmt: skip


def _said(answer: CallAnswer, title: str) -> str:
    return next(s.words for s in answer.said if s.title == title)


@settings(max_examples=20, deadline=None)
@given(
    days=st.integers(10, 35), then_days=st.integers(10, 35), scale=st.floats(0, 3), then_scale=st.floats(0, 3),
    code=st.sampled_from(["ameren-mo-smart", "ameren-mo-ultimate", "ameren-mo-anytime"]),
)  # fmt: skip
def test_the_parts_add_up_to_the_difference_to_the_cent(
    days: int, then_days: int, scale: float, then_scale: float, code: str
) -> None:
    first = date(2026, 6, 5)
    before, _ = made_bill(BillSpan(first, first + timedelta(days=then_days)), RATES[code], scale=then_scale)
    bill, _ = made_bill(BillSpan(first, first + timedelta(days=days)), RATES[code], scale=scale)
    answer = answer_of(CallFacts(bill, before, is_year_before=False, now=None, then=None))
    money = [
        p.amount.replace("$", "").replace("+", "").replace(",", "").replace("\N{MINUS SIGN}", "-") for p in answer.parts
    ]
    assert sum(map(Decimal, money)) == (bill.total or 0) - (before.total or 0)


def test_more_days_alone_are_more_days_and_more_use_alone_is_use() -> None:
    longer, _ = made_bill(BillSpan(date(2026, 7, 1), date(2026, 8, 30)), RATE)
    days, energy = split(longer, THEN)
    assert days > 40
    assert abs(energy) < 1
    days, energy = split(replace(THEN, usage_wh=(THEN.usage_wh or 0) * 2), THEN)
    assert days == 0
    assert energy == sum(x.amount for x in THEN.lines if x.kind == "energy")


def test_the_headline_says_how_much_more_than_what_and_mostly_why() -> None:
    headline = answer_of(FACTS).headline
    assert headline.startswith(f"This bill is ${NOW.total}, ")
    assert "more than the bill before. Mostly it is the electricity used a day" in headline
    year = answer_of(replace(FACTS, is_year_before=True))
    assert "than the same time last year" in year.headline
    assert "the same days a year before: Wed 1 Jul to Fri 31 Jul 2026 (31 days" in year.against


def test_without_an_earlier_bill_nothing_is_compared_and_that_is_said() -> None:
    answer = answer_of(replace(FACTS, before=None, then=None))
    assert "there is none to compare it with" in answer.headline
    assert (answer.parts, answer.days, answer.hours) == ((), (), ())
    assert "cannot be compared" in answer.hours_words


def test_a_held_bill_says_why_it_has_not_gone_out() -> None:
    held = replace(
        NOW, state=BillState.HELD, total=None, usage_wh=None, lines=(),
        hold=Hold(HoldCode.NO_READ, "no read in the window", NOW.made_at),
    )  # fmt: skip
    assert answer_of(replace(FACTS, bill=held)).headline == "This bill has not gone out: no read in the window."


def test_hours_that_rose_are_named_together_and_what_always_runs_is_pointed_out() -> None:
    answer = answer_of(FACTS)
    assert answer.hours_words.startswith("Higher at every hour of the day. Even the lowest hour rose, from 0.8 to 0.9")
    evening = hour_rises(_hours(9, 800, more=(range(16, 20), 700)), _hours(9, 800))
    assert hours_words(evening) == "Higher from 16:00 to 20:00."
    assert "No hour" in hours_words(hour_rises(_hours(9, 800), _hours(9, 790)))


def test_days_are_compared_with_days_of_their_own_kind_the_most_first() -> None:
    now, then = _hours(29, 800), _hours(31, 800)
    then.wh[[n for n in range(31) if (JULY.first + timedelta(days=n)).weekday() >= 5]] += 300
    now.wh[3] += 500
    now.wh[10] += 900
    rises = day_rises(now, then, AUGUST, JULY)
    assert [r.day.day for r in rises] == [11, 4]
    assert rises[0].usual_wh == 24 * 800
    now.wh[0] += 200
    assert date(2026, 8, 1) not in {r.day for r in day_rises(now, then, AUGUST, JULY)}, "a Saturday below its kind"


def test_what_nobody_can_say_is_said_as_that() -> None:
    answer = answer_of(FACTS)
    assert "cannot be said" in _said(answer, "Weather")
    assert answer.weather.days == ()
    assert _said(answer, "Meter") == "Meter OAM1004711 has hung here since Tue 4 Mar 2025; no exchange in this bill."
    assert _said(answer, "Checks") == "No check of these days is open."
    assert _said(answer, "Rate") == "Smart Savers, as before."


def test_an_exchange_a_changed_rate_an_estimate_before_and_open_findings_are_pointed_out() -> None:
    begin, end = (EndOfRead(at, 1, ReadKind.SCHEDULED) for at in (FACTS.bill.period.start, FACTS.bill.period.end))
    piece = ReadPiece(FACTS.bill.service_point_id, "OAM1004711", Channel.DELIVERED, begin, end, 1, None)
    exchanged = replace(FACTS.bill, reads=(replace(piece, meter="OLD-1"), piece))
    facts = replace(
        FACTS, bill=exchanged, meter_since=datetime(2026, 8, 9, 15, tzinfo=UTC), findings=("spike", "register_stuck"),
        before=replace(THEN, rate_code="x", rate_name="Anytime", reading_state=ReadingState.ESTIMATED),
    )  # fmt: skip
    answer = answer_of(facts)
    assert "within this bill: see both meters' reads" in _said(answer, "Meter")
    assert _said(answer, "Rate") == "Smart Savers now; Anytime then."
    assert "may be settled now" in _said(answer, "Earlier readings")
    assert "spike and register stuck" in _said(answer, "Checks")
    assert "another rate" in answer.parts[2].words


def test_a_meter_that_came_with_the_first_day_of_a_bill_is_no_exchange() -> None:
    facts = replace(FACTS, meter_since=FACTS.bill.period.start)
    assert "no exchange in this bill" in _said(answer_of(facts), "Meter")


@pytest.mark.parametrize("code", ["ameren-mo-ultimate"])
def test_a_demand_rate_says_that_one_hour_sets_it(code: str) -> None:
    bill, _ = made_bill(AUGUST, RATES[code])
    assert "One hour sets it" in _said(answer_of(replace(FACTS, bill=bill)), "Demand")
