"""The comparison's gate, its range and its advice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from tests.unit.billing.compare.made import ANYTIME, CHICAGO, OVERNIGHT, RATES, SMART, ULTIMATE, YEAR, flat, home

from openami.billing.compare import AdviceKind, compare_rates
from openami.billing.compare.coverage import coverage_of
from openami.billing.compare.setting import SettingError, parse_settings, setting_on
from openami.billing.rating import BillSpan, Usage, determinants, rate
from openami.billing.tariff import RateSchedule

EVERY = list(RATES.values())


def cheaper(schedule: RateSchedule, code: str, per_month: str) -> RateSchedule:
    """Return the rate with another customer charge."""
    version = schedule.versions[0]
    fixed = (replace(version.fixed[0], amount=version.fixed[0].amount - Decimal(per_month)), *version.fixed[1:])
    return replace(schedule, code=code, versions=(replace(version, fixed=fixed),))


def test_a_whole_year_is_priced_by_the_engine_that_bills_and_has_no_range() -> None:
    usage = home(YEAR)
    found = compare_rates(EVERY, usage, YEAR, CHICAGO, present=ANYTIME.code)
    assert found.unseen == ()
    for outcome in found.outcomes:
        billed = sum(
            (rate(outcome.schedule, d).total for d in determinants(outcome.schedule, usage, YEAR, CHICAGO)), Decimal(0)
        )
        assert outcome.total == billed
        assert outcome.year is not None
        assert (outcome.year.low, outcome.year.high) == (billed, billed)
    assert [o.total for o in found.outcomes] == sorted(o.total for o in found.outcomes)


@pytest.mark.parametrize(
    ("per_month", "kind"),
    [("1.00", AdviceKind.STAY), ("9.00", AdviceKind.CHANGE), ("-3.00", AdviceKind.STAY)],
    ids=["12 a year is noise", "108 a year is advice", "dearer"],
)
def test_a_saving_is_advice_only_above_the_noise(per_month: str, kind: AdviceKind) -> None:
    other = cheaper(ANYTIME, "other", per_month)
    found = compare_rates([ANYTIME, other], home(YEAR), YEAR, CHICAGO, present=ANYTIME.code)
    assert found.advice.kind is kind
    assert found.advice.schedule is (other if kind is AdviceKind.CHANGE else ANYTIME)


def test_a_month_with_too_little_in_it_is_left_out_and_listed_and_the_year_is_a_range() -> None:
    usage = home(YEAR)
    july = YEAR[8].period(CHICAGO)
    keep = (usage.start_s < july.start_s) | (usage.start_s >= july.end_s) | (usage.start_s % 1800 == 0)
    cut = Usage(usage.start_s[keep], usage.wh[keep], 900)
    found = compare_rates(EVERY, cut, YEAR, CHICAGO, present=ANYTIME.code)
    assert [(s.span, s.share) for s in found.left_out] == [(YEAR[8], Decimal("0.5000"))]
    assert found.unseen == (YEAR[8],)
    assert all(len(o.bills) == 11 for o in found.outcomes)
    for outcome in found.outcomes:
        assert outcome.year is not None
        assert outcome.total < outcome.year.low < outcome.year.high


def test_the_range_of_short_data_holds_the_year_that_repeats_its_months() -> None:
    # Every month alike: what the unseen months would cost is then known but for their length and season.
    usage = flat(YEAR, 150)
    whole = compare_rates(EVERY, usage, YEAR, CHICAGO)
    months = YEAR[3:9]
    part = compare_rates(EVERY, flat(months, 150), months, CHICAGO)
    assert len(part.unseen) == 6
    for outcome in part.outcomes:
        assert outcome.year is not None
        known = sum((b.total for b in outcome.bills), Decimal(0))
        # The year before July 2026 and the year before October 2026 differ by which February has 28 days: not at all.
        assert outcome.year.low == outcome.year.high
        assert known < outcome.year.low
    assert {o.schedule.code for o in whole.outcomes} == {o.schedule.code for o in part.outcomes}


@pytest.mark.parametrize(
    ("months", "kind", "words"),
    [
        (YEAR[0:4], AdviceKind.STAY, "no day of Ultimate Savers's summer"),
        (YEAR[6:9], AdviceKind.CHANGE, "saves"),
    ],
    ids=["winter alone", "both seasons"],
)
def test_a_season_that_nobody_has_seen_makes_no_advice(months: list[BillSpan], kind: AdviceKind, words: str) -> None:
    found = compare_rates([ANYTIME, ULTIMATE], home(months), months, CHICAGO, present=ANYTIME.code)
    assert found.advice.kind is kind
    assert words in found.advice.reason
    assert found.advice.year is not None
    assert found.advice.year.low < found.advice.year.high
    assert len(found.unseen) == 12 - len(months)


def test_a_year_that_may_take_the_saving_back_makes_no_advice() -> None:
    months = YEAR[6:9]
    usage = home(months, evening_wh=0)
    # A summer of heavy afternoons is dear on Smart; its May is cheap. Which of them the rest is like, nobody knows.
    hot = np.where((usage.start_s // 3600 % 24 >= 20) & (usage.start_s > YEAR[7].period(CHICAGO).start_s), 700, 0)
    found = compare_rates([ANYTIME, SMART], replace(usage, wh=usage.wh + hot), months, CHICAGO, present=ANYTIME.code)
    assert found.advice.kind is AdviceKind.STAY
    assert found.advice.year is not None
    assert found.advice.year.low < 0


def test_what_a_customer_cannot_be_on_is_listed_and_never_advised() -> None:
    other = cheaper(ANYTIME, "other", "9.00")
    words = {"other": "needs a meter that is read over the air"}
    found = compare_rates([ANYTIME, other], home(YEAR), YEAR, CHICAGO, present=ANYTIME.code, ineligible=words)
    assert found.advice.kind is AdviceKind.STAY
    listed = found.of("other")
    assert listed is not None
    assert listed.ineligible == words["other"]
    assert listed.total > 0


def test_a_rate_that_cannot_price_the_days_stays_in_the_list_with_its_clause() -> None:
    early = [BillSpan(date(2025, 5, 1), date(2025, 6, 1))]
    found = compare_rates([ANYTIME], flat(early, 100), early, CHICAGO)
    assert "versions" in found.outcomes[0].refused
    assert found.advice.kind is AdviceKind.NONE


def test_estimated_energy_is_told_apart() -> None:
    spans = YEAR[:1]
    usage = flat(spans, 100)
    marked = np.zeros(len(usage.start_s), np.bool_)
    marked[: len(marked) // 4] = True
    found = compare_rates([SMART, OVERNIGHT], replace(usage, estimated=marked), spans, CHICAGO)
    assert found.estimated_share == Decimal("0.2500")


def test_coverage_is_never_rounded_up_to_whole() -> None:
    usage = flat(YEAR, 10)
    one_less = Usage(usage.start_s[1:], usage.wh[1:], 900)
    assert coverage_of(one_less, YEAR, CHICAGO, least=Decimal("0.95")).share < 1


def test_the_setting_in_force_is_the_newest_that_has_begun() -> None:
    row = '[[setting]]\neffective_from = {}\nmin_coverage = "0.95"\nnoise_share = "{}"\nnoise_per_year = "20"\n'
    row += 'protection_months = 12\nsource = "a test"\n'
    found = parse_settings(row.format("2020-01-01", "0.02") + row.format("2026-01-01", "0.03"))
    assert [s.noise_share for s in found] == [Decimal("0.02"), Decimal("0.03")]
    assert setting_on(date(2026, 11, 1)).noise_share == Decimal("0.02")
    with pytest.raises(SettingError):
        setting_on(date(1999, 1, 1))
    with pytest.raises(SettingError, match="beyond"):
        parse_settings(row.format("2020-01-01", "1.5"))
    with pytest.raises(SettingError):
        parse_settings("[[setting]]\n")
