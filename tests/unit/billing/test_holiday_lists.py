"""A list of holidays that ends: a bill of the year after it is stamped by its clause, never priced as workdays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.base_rates import base_rates

from openami.app.commands.rates_words import summary
from openami.billing.rating import BillSpan, StampCode, Usage, determinants, rate
from openami.billing.rating.line import RatedBill
from openami.billing.tariff import RateSchedule, shipped_rates
from openami.billing.tariff.load import parse_rate
from openami.billing.tariff.native_write import rate_document
from openami.kernel.holiday import KNOWN, HolidayList

CHICAGO = ZoneInfo("America/Chicago")
LISTED = HolidayList(dates=frozenset({date(2026, 7, 4), date(2027, 12, 24)}))


def _rate(code: str, holidays: HolidayList) -> RateSchedule:
    schedule = base_rates()[code]
    return replace(schedule, versions=tuple(replace(v, holidays=holidays) for v in schedule.versions))


def _bill(schedule: RateSchedule, first: date, end: date) -> RatedBill:
    span = BillSpan(first, end)
    period = span.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    usage = Usage(starts, np.full(len(starts), 250, np.int64), 900)
    return rate(schedule, determinants(schedule, usage, [span], CHICAGO)[0])


@pytest.mark.parametrize(
    ("first", "end", "stamped"),
    [
        (date(2027, 12, 1), date(2028, 1, 1), False),
        (date(2027, 12, 2), date(2028, 1, 2), True),
        (date(2028, 6, 1), date(2028, 7, 1), True),
        (date(2025, 12, 1), date(2026, 1, 1), True),
    ],
    ids=["within the last year", "one day of the next", "in the year after", "before the list begins"],
)
def test_a_bill_of_a_year_without_a_list_is_stamped(first: date, end: date, stamped: bool) -> None:
    bill = _bill(_rate("ameren-mo-smart", LISTED), first, end)
    assert [s.code for s in bill.stamps] == [StampCode.HOLIDAYS_NOT_KNOWN] * stamped
    if stamped:
        assert bill.stamps[0].clause == "versions[0].holidays.dates"
        assert str(2025 if first.year == 2025 else 2028) in bill.stamps[0].words


@pytest.mark.parametrize(
    ("code", "holidays"),
    [
        ("ameren-mo-anytime", LISTED),
        ("ameren-mo-smart", HolidayList((KNOWN["christmas"],))),
        ("ameren-mo-smart", HolidayList((KNOWN["christmas"],), LISTED.dates, dates_are_extra=True)),
    ],
    ids=["no price asks for holidays", "rules never end", "the dates only add"],
)
def test_a_bill_that_needs_no_list_of_that_year_is_not(code: str, holidays: HolidayList) -> None:
    assert _bill(_rate(code, holidays), date(2028, 6, 1), date(2028, 7, 1)).stamps == ()


def test_the_shipped_rates_name_their_holidays_by_rules_that_never_end() -> None:
    assert [r.code for r in shipped_rates().values() for v in r.versions if v.holidays.years is not None] == []


def test_a_list_that_ends_is_said_and_is_written_as_it_was_read() -> None:
    for holidays in (LISTED, replace(LISTED, dates_are_extra=True)):
        schedule = _rate("ameren-mo-smart", holidays)
        text = json.dumps(rate_document(schedule)).encode()
        assert parse_rate(text, code="x").versions[0].holidays == holidays
    assert "holidays after 2027" in summary(_rate("ameren-mo-smart", LISTED), None)["not_known"]
