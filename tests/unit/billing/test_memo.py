"""What is kept between bills is kept for the very rate it was made from, is closed for writing, and is bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from tests.base_rates import base_rates

from openami.billing.compare.outcome import priced
from openami.billing.rating import BillSpan, Usage
from openami.billing.rating.calendar import day_rates, price_keys
from openami.billing.rating.memo import Memo
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import BillTerms, EventPeriod
from openami.billing.tariff.season import SeasonRule
from openami.kernel.time import zone_named

ZONE = zone_named("America/Chicago")
SPAN = BillSpan(date(2026, 6, 15), date(2026, 7, 15))
SMART = base_rates()["ameren-mo-smart"]
START = np.arange(SPAN.period(ZONE).start_s, SPAN.period(ZONE).end_s, 900, dtype=np.int64)


def test_an_equal_rate_is_another_rate() -> None:
    memo: Memo[object] = Memo(4)
    first = memo.of(SMART, "k", object)
    assert memo.of(SMART, "k", object) is first
    assert memo.of(replace(SMART), "k", object) is not first


def test_the_oldest_goes_first() -> None:
    memo: Memo[object] = Memo(2)
    first, second = memo.of(SMART, 1, object), memo.of(SMART, 2, object)
    assert memo.of(SMART, 1, object) is first
    memo.of(SMART, 3, object)
    assert memo.of(SMART, 1, object) is first
    assert memo.of(SMART, 2, object) is not second


def test_nothing_is_kept_of_what_failed() -> None:
    memo: Memo[int] = Memo(2)
    with pytest.raises(ZeroDivisionError):
        memo.of(SMART, 1, lambda: 1 // 0)
    assert memo.of(SMART, 1, lambda: 5) == 5


def test_what_is_handed_out_cannot_be_altered() -> None:
    _, key = price_keys(SMART, START, 900, [SPAN], ZONE)
    with pytest.raises(ValueError, match="read-only"):
        key[0] = 7
    day_rates(SMART, SPAN).clear()
    assert len(day_rates(SMART, SPAN)) == SPAN.days


def test_a_gap_a_changed_price_and_another_revenue_month_are_never_served_from_what_was_kept() -> None:
    usage = Usage(START, np.full(len(START), 100), 900)
    whole = priced(SMART, usage, [SPAN], ZONE)[0]
    gone = np.arange(len(START)) != 24 * 4 + 16 * 4
    gap = priced(SMART, Usage(START[gone], usage.wh[gone], 900), [SPAN], ZONE)[0]
    assert gap.determinants.usage_wh == whole.determinants.usage_wh - 100
    # As many intervals, the same ends, another one missing: here a night's, before an afternoon's.
    other = Usage(np.delete(START, 5), usage.wh[1:], 900)
    assert (
        priced(SMART, other, [SPAN], ZONE)[0].determinants.energy_wh
        == determinants_by_hand(SMART, other, SPAN, ZONE).energy_wh
    )
    assert priced(SMART, other, [SPAN], ZONE)[0].determinants.energy_wh != gap.determinants.energy_wh
    period = replace(
        SMART.versions[0].periods[0], blocks=(replace(SMART.versions[0].periods[0].blocks[0], price=Decimal(9)),)
    )
    version = replace(SMART.versions[0], periods=(period, *SMART.versions[0].periods[1:]))
    dearer = replace(SMART, versions=(version, *SMART.versions[1:]))
    assert priced(dearer, usage, [SPAN], ZONE)[0].total != whole.total

    by_bill = replace(SMART, versions=tuple(replace(v, season_rule=SeasonRule.BILLING_MONTH) for v in SMART.versions))
    summer = priced(by_bill, usage, [SPAN], ZONE, BillTerms(revenue_month=date(2026, 7, 1)))[0]
    winter = priced(by_bill, usage, [SPAN], ZONE, BillTerms(revenue_month=date(2026, 10, 1)))[0]
    assert summer.total != winter.total


def test_an_event_is_part_of_what_is_asked_for() -> None:
    start = datetime(2026, 7, 1, 15, tzinfo=ZONE)
    _, plain = price_keys(SMART, START, 900, [SPAN], ZONE)
    event = EventPeriod("a signal that no rate names", start, start + timedelta(hours=4))
    _, asked = price_keys(SMART, START, 900, [SPAN], ZONE, BillTerms(events=(event,)))
    assert asked is not plain
    assert (asked == plain).all()
