"""Hand-worked bills at the edges where engines differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.compare import compare_rates
from openami.billing.rating import BillSpan, LineKind, RatedBill, Usage, UsageError, determinants, rate
from openami.billing.tariff import RateSchedule, TariffError, shipped_rates
from openami.billing.tariff.price import BlockScope
from openami.billing.tariff.season import SeasonRule
from openami.kernel.holiday import KNOWN, HolidayList, Observance

CHICAGO = ZoneInfo("America/Chicago")
ANYTIME, SMART, ULTIMATE = (shipped_rates()[f"ameren-mo-{n}"] for n in ("anytime", "smart", "ultimate"))


def _flat(span: BillSpan, wh: int, *, interval_s: int = 900, zone: ZoneInfo = CHICAGO) -> Usage:
    period = span.period(zone)
    starts = np.arange(period.start_s, period.end_s, interval_s, dtype=np.int64)
    return Usage(starts, np.full(len(starts), wh, np.int64), interval_s)


def _bill(schedule: RateSchedule, usage: Usage, span: BillSpan) -> RatedBill:
    return rate(schedule, determinants(schedule, usage, [span], CHICAGO)[0])


def _by_period(bill: RatedBill) -> dict[str | None, Decimal]:
    return {line.period: line.quantity for line in bill.lines if line.kind is LineKind.ENERGY}


@pytest.mark.parametrize(
    ("day", "intervals", "on_peak", "mid", "off"),
    [
        (date(2026, 3, 8), 92, "0", "6.4", "2.8"),
        (date(2026, 11, 1), 100, "0", "6.4", "3.6"),
        (date(2026, 3, 9), 96, "1.6", "4.8", "3.2"),
    ],
    ids=["spring Sunday of 23 hours", "autumn Sunday of 25 hours", "ordinary Monday"],
)
def test_daylight_saving_days_have_their_own_number_of_hours(
    day: date, intervals: int, on_peak: str, mid: str, off: str
) -> None:
    span = BillSpan(day, date.fromordinal(day.toordinal() + 1))
    usage = _flat(span, 100)
    assert len(usage.start_s) == intervals
    found = _by_period(_bill(SMART, usage, span))
    expected = {"Winter on-peak": on_peak, "Winter intermediate": mid, "Winter off-peak": off}
    assert found == {k: Decimal(v) for k, v in expected.items()}


def test_a_leap_day_is_billed_once() -> None:
    bill = _bill(ANYTIME_ALWAYS, _flat(BillSpan(date(2028, 2, 1), date(2028, 3, 1)), 250), LEAP)
    assert bill.determinants.usage_wh == 29 * 96 * 250
    assert bill.lines[0].exact_amount == Decimal("0.1062") * 29 * 24


LEAP = BillSpan(date(2028, 2, 1), date(2028, 3, 1))
ANYTIME_ALWAYS = replace(ANYTIME, versions=(replace(ANYTIME.versions[0], effective_from=None),))


def test_a_block_edge_inside_an_interval_splits_it() -> None:
    running = replace(ANYTIME, versions=(replace(ANYTIME.versions[0], scope=BlockScope.RUNNING, export=None),))
    span = BillSpan(date(2026, 1, 1), date(2026, 2, 1))
    hours = _flat(span, 1013, interval_s=3600)
    bill = _bill(running, hours, span)
    # The 741st hour starts at 749.62 kWh and ends at 750.63: both blocks hold part of it.
    assert [(line.tier, line.quantity) for line in bill.lines[:2]] == [(1, Decimal(750)), (2, Decimal("3.672"))]


def test_a_bill_across_a_season_edge_has_a_share_of_the_winter_block() -> None:
    span = BillSpan(date(2026, 5, 22), date(2026, 6, 21))
    bill = _bill(ANYTIME, _flat(span, 500), span)
    energy = [(line.period, line.tier, line.quantity) for line in bill.lines if line.kind is LineKind.ENERGY]
    # 10 of 30 days are winter: a third of 750 kWh; 2 kW all day long.
    assert energy == [
        ("Summer", None, Decimal(960)),
        ("Winter", 1, Decimal(250)),
        ("Winter", 2, Decimal(230)),
    ]


def test_the_season_may_go_by_the_billing_month() -> None:
    by_month = replace(ANYTIME, versions=(replace(ANYTIME.versions[0], season_rule=SeasonRule.BILLING_MONTH),))
    span = BillSpan(date(2026, 5, 22), date(2026, 6, 21))
    assert set(_by_period(_bill(by_month, _flat(span, 500), span))) == {"Summer"}


def test_a_price_change_inside_a_bill_splits_energy_and_shares_the_fixed_charge_by_days() -> None:
    old = ANYTIME.versions[0]
    new = replace(old, effective_from=date(2026, 7, 11))
    both = replace(ANYTIME, versions=(replace(old, effective_to=date(2026, 7, 11)), new))
    span = BillSpan(date(2026, 7, 1), date(2026, 8, 1))
    bill = _bill(both, _flat(span, 250), span)
    assert [line.quantity for line in bill.lines if line.kind is LineKind.ENERGY] == [Decimal(240), Decimal(504)]
    fixed = [line.exact_amount for line in bill.lines if line.kind is LineKind.FIXED]
    assert sum(fixed) == pytest.approx(Decimal("9.19"))
    assert fixed[0] == pytest.approx(Decimal(9) * 10 / 31)


def test_a_month_without_use_still_prints_its_prices_and_costs_the_fixed_charges() -> None:
    span = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
    bill = _bill(SMART, _flat(span, 0), span)
    assert bill.total == Decimal("9.19")
    assert len([line for line in bill.lines if line.kind is LineKind.ENERGY]) == 3


def test_received_energy_is_listed_and_never_reduces_a_bill() -> None:
    span = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
    base = _flat(span, 100)
    sent = Usage(base.start_s, base.wh, 900, None, base.wh * 5)
    bill = _bill(SMART, sent, span)
    credit = [line for line in bill.lines if line.kind is LineKind.CREDIT]
    assert [line.quantity for line in credit] == [Decimal(1440)]
    assert bill.total == _bill(SMART, base, span).total


def test_a_missing_interval_is_counted() -> None:
    span = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
    whole = _flat(span, 100)
    cut = Usage(np.delete(whole.start_s, 500), np.delete(whole.wh, 500), 900)
    assert _bill(SMART, cut, span).determinants.missing == 1


def test_a_holiday_on_a_sunday_is_kept_on_monday() -> None:
    list_ = HolidayList((KNOWN["independence_day"],), observance=Observance.SUNDAY_TO_MONDAY)
    kept = replace(SMART, versions=(replace(SMART.versions[0], holidays=list_),))
    span = BillSpan(date(2027, 7, 5), date(2027, 7, 6))
    none = replace(SMART, versions=(replace(SMART.versions[0], holidays=HolidayList()),))
    assert "Summer on-peak" in {p for p, q in _by_period(_bill(none, _flat(span, 100), span)).items() if q}
    assert "Summer on-peak" not in {p for p, q in _by_period(_bill(kept, _flat(span, 100), span)).items() if q}


@pytest.mark.parametrize(("hour", "counts"), [(5, False), (6, True), (21, True), (22, False)])
def test_demand_counts_from_six_to_twenty_two(hour: int, counts: bool) -> None:
    span = BillSpan(date(2026, 7, 1), date(2026, 8, 1))
    base = _flat(span, 100)
    wh = base.wh.copy()
    at = int(datetime(2026, 7, 15, hour, tzinfo=CHICAGO).astimezone(UTC).timestamp())
    wh[np.flatnonzero(base.start_s == at)[0] :][:4] = 2000
    demand = [b for b in _bill(ULTIMATE, Usage(base.start_s, wh, 900), span).lines if b.kind is LineKind.DEMAND]
    assert [line.quantity for line in demand] == [Decimal(8) if counts else Decimal("0.4")]


def test_an_estimated_hour_sets_no_demand() -> None:
    span = BillSpan(date(2026, 7, 1), date(2026, 8, 1))
    base = _flat(span, 100)
    wh, flags = base.wh.copy(), np.zeros(len(base.wh), bool)
    wh[1200:1204] = 3000
    flags[1200] = True
    found = determinants(ULTIMATE, Usage(base.start_s, wh, 900, flags), [span], CHICAGO)[0]
    assert max(p.watts for p in found.peaks.values()) == 400
    assert found.left_out_windows == 1


def test_an_interval_across_a_price_edge_is_refused_not_guessed() -> None:
    span = BillSpan(date(2026, 7, 1), date(2026, 8, 1))
    with pytest.raises(TariffError, match="crosses a price period"):
        _bill(SMART, _flat(span, 100, interval_s=86_400), span)
    assert _bill(ANYTIME, _flat(span, 24_000, interval_s=86_400), span).determinants.usage_wh == 31 * 24_000


def test_a_day_without_a_version_is_refused() -> None:
    span = BillSpan(date(2025, 5, 1), date(2025, 6, 1))
    with pytest.raises(TariffError, match="no version is in force on 2025-05-01"):
        _bill(SMART, _flat(span, 100), span)


def test_negative_energy_is_refused() -> None:
    with pytest.raises(UsageError, match="interval 1"):
        Usage(np.array([0, 900]), np.array([5, -1]), 900)


def test_comparing_says_stay_when_the_saving_is_noise() -> None:
    span = BillSpan(date(2026, 7, 1), date(2026, 8, 1))
    usage = _flat(span, 100)
    found = compare_rates([ANYTIME, SMART, ULTIMATE], usage, [span], CHICAGO, present=ANYTIME.code)
    assert found.coverage == 1
    near = replace(ANYTIME, code="near", versions=ANYTIME.versions)
    stay = compare_rates([near, ANYTIME], usage, [span], CHICAGO, present=ANYTIME.code)
    assert stay.advice.schedule is not None
    assert stay.advice.schedule.code == ANYTIME.code
    assert stay.advice.reason.startswith("stay")


def test_comparing_gives_no_advice_on_half_the_data() -> None:
    span = BillSpan(date(2026, 7, 1), date(2026, 8, 1))
    whole = _flat(span, 100)
    half = Usage(whole.start_s[::2], whole.wh[::2], 900)
    found = compare_rates([ANYTIME, SMART], half, [span], CHICAGO)
    assert found.advice.schedule is None
    assert "50" in found.advice.reason
