"""Months by rule, whole kilowatt-hours with what is left over, a year's minimum and blocks, on hand-worked bills."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import BillSpan, BillTerms, Carried, LineKind, RatedBill, Usage, determinants, rate
from openami.billing.rating.carried import YearToDate
from openami.billing.rating.months import months_of
from openami.billing.rating.terms import PartOf
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.price import Block, BlockUnit, PricePeriod, Window
from openami.billing.tariff.proration import PriceChange, Proration, ProrationRule
from openami.billing.tariff.rounding import EnergyRounding, Rounding
from openami.billing.tariff.season import DayRange, Season, SeasonRule, YearDay

UTC = ZoneInfo("UTC")
D = Decimal
ALL_DAY = ((Window(0, 1440, 0),),) * 8
NIGHT_AND_DAY = ((Window(0, 480, 0), Window(480, 1440, 1)),) * 8
YEAR = frozenset(range(1, 13))
PLAIN = Tariff(
    (PricePeriod("All", (Block(D("0.10")),)),),
    (Season("year", YEAR, ALL_DAY),),
    fixed=(FixedCharge("Customer charge", D(9)),),
)
TWO = Tariff(
    (PricePeriod("Night", (Block(D("0.05")),)), PricePeriod("Day", (Block(D("0.15")),))),
    (Season("year", YEAR, NIGHT_AND_DAY),),
)
TWO_MONTHS = BillSpan(date(2026, 4, 21), date(2026, 5, 21))
APRIL = BillSpan(date(2026, 4, 1), date(2026, 5, 1))


def _rate(*versions: Tariff) -> RateSchedule:
    return RateSchedule("x", "X", "", "USD", versions)


def _bill(
    tariff: Tariff | RateSchedule,
    span: BillSpan,
    wh: int,
    terms: BillTerms | None = None,
    carried: Carried | None = None,
) -> RatedBill:
    schedule = tariff if isinstance(tariff, RateSchedule) else _rate(tariff)
    period = span.period(UTC)
    starts = np.arange(period.start_s, period.end_s, 3600, dtype=np.int64)
    given = terms or BillTerms()
    usage = Usage(starts, np.full(len(starts), wh, np.int64), 3600)
    found = determinants(schedule, usage, [span], UTC, given)[0]
    return rate(schedule, found, given, carried or Carried())


def _amounts(bill: RatedBill, kind: LineKind) -> list[Decimal]:
    return [line.exact_amount for line in bill.lines if line.kind is kind]


@pytest.mark.parametrize(
    ("rule", "span", "months"),
    [
        (Proration(), BillSpan(date(2026, 4, 1), date(2026, 4, 11)), Fraction(1)),
        (Proration(ProrationRule.THIRTIETHS), APRIL, Fraction(1)),
        (Proration(ProrationRule.THIRTIETHS), BillSpan(date(2026, 4, 1), date(2026, 5, 2)), Fraction(31, 30)),
        (Proration(ProrationRule.OUTSIDE_RANGE), BillSpan(date(2026, 4, 1), date(2026, 5, 2)), Fraction(1)),
        (Proration(ProrationRule.OUTSIDE_RANGE), BillSpan(date(2026, 4, 1), date(2026, 4, 27)), Fraction(1)),
        (Proration(ProrationRule.OUTSIDE_RANGE), BillSpan(date(2026, 4, 1), date(2026, 5, 6)), Fraction(1)),
        (Proration(ProrationRule.OUTSIDE_RANGE), BillSpan(date(2026, 4, 1), date(2026, 4, 26)), Fraction(25, 30)),
        (Proration(ProrationRule.OUTSIDE_RANGE), BillSpan(date(2026, 4, 1), date(2026, 5, 7)), Fraction(36, 30)),
        (Proration(ProrationRule.CALENDAR), TWO_MONTHS, Fraction(10, 30) + Fraction(20, 31)),
        (Proration(ProrationRule.CALENDAR), BillSpan(date(2028, 2, 1), date(2028, 3, 1)), Fraction(1)),
        (Proration(ProrationRule.YEARLY), APRIL, Fraction(360, 365)),
    ],
    ids=[
        "ten days once a bill", "thirty thirtieths", "31 thirtieths", "a usual bill", "26 days are usual",
        "35 days are usual", "25 days are short",
        "36 days are long", "days of two months", "a leap February", "twelve 365ths a day",
    ],
)  # fmt: skip
def test_a_bill_is_as_many_months_as_the_rule_says(rule: Proration, span: BillSpan, months: Fraction) -> None:
    days = [date.fromordinal(n) for n in range(span.first.toordinal(), span.end.toordinal())]
    assert months_of(rule, span, days) == months
    bill = _bill(replace(PLAIN, proration=rule), span, 0)
    assert _amounts(bill, LineKind.FIXED) == [pytest.approx(D(9) * months.numerator / months.denominator)]


def test_a_yearly_charge_is_charged_by_twelfths_and_a_daily_one_by_days() -> None:
    charges = (FixedCharge("Y", D(120), ChargeUnit.YEAR), FixedCharge("D", D("0.30"), ChargeUnit.DAY))
    bill = _bill(replace(PLAIN, fixed=charges), APRIL, 0)
    assert _amounts(bill, LineKind.FIXED) == [D(10), D(9)]


def test_half_a_cent_of_a_share_of_days_rounds_up_though_the_share_has_no_end() -> None:
    # A third of 0.015 is half a cent; a third as a decimal times 0.015 would be less.
    old = replace(PLAIN, fixed=(FixedCharge("C", D("0.015")),), effective_to=date(2026, 4, 11))
    new = replace(PLAIN, fixed=(), effective_from=date(2026, 4, 11))
    lines = [line for line in _bill(_rate(old, new), APRIL, 0).lines if line.kind is LineKind.FIXED]
    assert [(line.exact_amount, line.amount, line.days) for line in lines] == [(D("0.005"), D("0.01"), 10)]


def test_the_ends_of_blocks_follow_the_rule_of_months_unless_the_rate_says_not() -> None:
    ladder = (PricePeriod("All", (Block(D("0.10"), D(300)), Block(D("0.20")))),)
    thirtieths = replace(PLAIN, periods=ladder, proration=Proration(ProrationRule.THIRTIETHS))
    span = BillSpan(date(2026, 4, 1), date(2026, 4, 16))
    kwh = [line.quantity for line in _bill(thirtieths, span, 1000).lines if line.kind is LineKind.ENERGY]
    assert kwh == [D(150), D(210)]
    whole = replace(thirtieths, proration=Proration(ProrationRule.THIRTIETHS, blocks=False))
    kwh = [line.quantity for line in _bill(whole, span, 1000).lines if line.kind is LineKind.ENERGY]
    assert kwh == [D(300), D(60)]


def test_new_prices_may_begin_with_the_bill_whose_last_day_has_them() -> None:
    old = replace(PLAIN, effective_to=date(2026, 4, 20))
    new = replace(
        PLAIN, periods=(PricePeriod("All", (Block(D("0.20")),)),), effective_from=date(2026, 4, 20),
        price_change=PriceChange.BY_BILL,
    )  # fmt: skip
    bill = _bill(_rate(old, new), APRIL, 1000)
    assert _amounts(bill, LineKind.ENERGY) == [D(144)]
    assert _amounts(_bill(_rate(old, new), BillSpan(date(2026, 4, 1), date(2026, 4, 20)), 1000), LineKind.ENERGY) == [
        D("45.6")
    ]


def test_a_season_by_revenue_month_is_the_cycles_word_and_by_dates_the_days() -> None:
    prices = (PricePeriod("Summer", (Block(D(1)),)), PricePeriod("Winter", (Block(D(2)),)))
    winter = ((Window(0, 1440, 1),),) * 8
    months = replace(
        PLAIN, periods=prices, season_rule=SeasonRule.BILLING_MONTH,
        seasons=(Season("s", frozenset({6, 7, 8, 9}), ALL_DAY), Season("w", YEAR - {6, 7, 8, 9}, winter)),
    )  # fmt: skip
    span = BillSpan(date(2026, 5, 20), date(2026, 6, 18))
    in_may = _bill(months, span, 1, BillTerms(revenue_month=date(2026, 5, 1)))
    assert {line.period for line in in_may.lines if line.kind is LineKind.ENERGY} == {"Winter"}
    assert {line.period for line in _bill(months, span, 1).lines if line.kind is LineKind.ENERGY} == {"Summer"}
    summer, rest = DayRange(YearDay(6, 15), YearDay(9, 14)), DayRange(YearDay(9, 15), YearDay(6, 14))
    dates = replace(
        months, season_rule=SeasonRule.CALENDAR_DAY,
        seasons=(Season("s", frozenset(), ALL_DAY, ranges=(summer,)), Season("w", frozenset(), winter, ranges=(rest,))),
    )  # fmt: skip
    kwh = {line.period: line.quantity * 1000 for line in _bill(dates, span, 1).lines if line.kind is LineKind.ENERGY}
    assert kwh == {"Summer": 3 * 24, "Winter": 26 * 24}


def test_whole_kilowatt_hours_sum_to_the_total_and_hand_the_rest_on() -> None:
    rounded = replace(TWO, rounding=Rounding(energy=EnergyRounding.WHOLE_KWH))
    day = BillSpan(date(2026, 4, 1), date(2026, 4, 2))
    # 8 h and 16 h of 230 Wh: 1.84 and 3.68 kWh, 5.52 in all; with 0.6 from before 6.12.
    bill = _bill(rounded, day, 230, carried=Carried(remainder_wh=600))
    kwh = [(line.period, line.quantity) for line in bill.lines if line.kind is LineKind.ENERGY]
    assert kwh == [("Night", D(2)), ("Day", D(4))]
    assert bill.carried.remainder_wh == 120
    assert bill.determinants.usage_wh == 5520


def test_a_years_minimum_is_settled_on_the_bill_that_closes_the_year() -> None:
    least = replace(PLAIN, minimum=MinimumCharge("Least", D(240), ChargeUnit.YEAR), year_ends_month=4)
    before = Carried(year_to_date=YearToDate(date(2025, 5, 1), 335, 900_000, D("189.00"), D(0)))
    bill = _bill(least, APRIL, 100, carried=before)
    # 189.00 before, 9.00 + 7.20 now: 34.80 short of 240.
    assert _amounts(bill, LineKind.MINIMUM) == [D("34.80")]
    assert bill.carried.year_to_date == YearToDate()
    march = BillSpan(date(2026, 3, 1), date(2026, 4, 1))
    kept = _bill(
        least, march, 100, carried=replace(before, year_to_date=YearToDate(date(2025, 5, 1), 304, 1, D(180), D(0)))
    )
    assert _amounts(kept, LineKind.MINIMUM) == []
    assert (kept.carried.year_to_date.days, kept.carried.year_to_date.charged) == (335, D("196.44"))


def test_a_year_that_closes_on_a_period_in_parts_is_settled_once_on_the_last_of_them() -> None:
    least = replace(PLAIN, minimum=MinimumCharge("Least", D(240), ChargeUnit.YEAR), year_ends_month=4)
    before = Carried(year_to_date=YearToDate(date(2025, 5, 1), 335, 900_000, D("189.00"), D(0)))
    terms = BillTerms(part_of=PartOf(APRIL))
    early = _bill(least, BillSpan(date(2026, 4, 1), date(2026, 4, 11)), 100, terms, before)
    # Ten days: 3.00 of the charge and 2.40 for 24 kWh.
    assert _amounts(early, LineKind.MINIMUM) == []
    assert early.carried.year_to_date == YearToDate(date(2025, 5, 1), 345, 924_000, D("194.40"), D(0))
    late = _bill(least, BillSpan(date(2026, 4, 11), date(2026, 5, 1)), 100, terms, early.carried)
    # 194.40 before, 6.00 + 4.80 now: 34.80 short of 240, as it is for one bill of all thirty days.
    assert _amounts(late, LineKind.MINIMUM) == [D("34.80")]
    assert late.carried.year_to_date == YearToDate()


def test_a_bill_that_closed_the_year_and_is_made_again_tops_up_to_the_same_year_and_no_further() -> None:
    least = replace(PLAIN, minimum=MinimumCharge("Least", D(240), ChargeUnit.YEAR), year_ends_month=4)
    before = Carried(year_to_date=YearToDate(date(2025, 5, 1), 335, 900_000, D("189.00"), D(0)))
    first, again = (_bill(least, APRIL, wh, carried=before) for wh in (100, 150))
    assert [b.total for b in (first, again)] == [D("51.00"), D("51.00")], "what the year lacks, whatever was used"
    assert again.carried.year_to_date == first.carried.year_to_date == YearToDate()


def test_who_stops_within_the_year_owes_the_share_of_the_years_minimum() -> None:
    least = replace(PLAIN, minimum=MinimumCharge("Least", D(365), ChargeUnit.YEAR))
    before = Carried(year_to_date=YearToDate(date(2026, 1, 1), 90, 0, D(27), D(0)))
    bill = _bill(least, APRIL, 0, BillTerms(is_final=True), before)
    # 120 days of a dollar a day, less 27 before and 9 now.
    assert _amounts(bill, LineKind.MINIMUM) == [D("84.00")]


def test_blocks_of_a_year_go_on_where_the_bill_before_ended() -> None:
    ladder = (PricePeriod("All", (Block(D("0.10"), D(1000)), Block(D("0.20")))),)
    annual = replace(PLAIN, periods=ladder, block_unit=BlockUnit.KWH_ANNUAL)
    before = Carried(year_to_date=YearToDate(date(2026, 1, 1), 90, 700_000))
    bill = _bill(annual, APRIL, 1000, carried=before)
    assert [line.quantity for line in bill.lines if line.kind is LineKind.ENERGY] == [D(300), D(420)]
    assert bill.carried.year_to_date.delivered_wh == 1_420_000
    after = _bill(annual, APRIL, 1000, carried=bill.carried)
    assert [(line.tier, line.quantity) for line in after.lines if line.kind is LineKind.ENERGY] == [(2, D(720))]
