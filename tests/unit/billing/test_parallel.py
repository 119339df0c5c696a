"""Faults planted in another system's bills land in their causes, and the parts add up to the cent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import ROUND_DOWN, Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.parallel.cause import WORDS, Cause
from openami.billing.parallel.difference import BillDifference, compare_bill
from openami.billing.parallel.ours import OurRead, OurSide
from openami.billing.parallel.report import compare_cycle
from openami.billing.parallel.theirs import RegisterRead, TheirBill, TheirLine, TheirRead
from openami.billing.rating.line import RatedBill
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.charge import DatedValue, Rider, RiderUnit
from openami.billing.tariff.load import shipped_rates
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import Block
from openami.billing.tariff.season import SeasonRule
from openami.kernel.holiday import KNOWN, HolidayList
from openami.kernel.time import local_midnight

ZONE = ZoneInfo("America/Chicago")
SPAN = BillSpan(date(2026, 6, 15), date(2026, 7, 15))
FOURTH = HolidayList((KNOWN["independence_day"],), frozenset({date(2026, 7, 3)}))


def plain(code: str) -> RateSchedule:
    """Return a shipped rate without riders and taxes, whose values are none of this test's."""
    schedule = shipped_rates()[code]
    versions = tuple(replace(v, riders=(), taxes=(), credits=(), holidays=FOURTH) for v in schedule.versions)
    return replace(schedule, versions=versions)


SMART, ANYTIME, ULTIMATE = (plain(f"ameren-mo-{n}") for n in ("smart", "anytime", "ultimate"))
RATES = {r.code: r for r in (SMART, ANYTIME, ULTIMATE)}


def usage(first: date = date(2026, 5, 1), end: date = date(2026, 8, 1), *, seed: int = 1) -> Usage:
    at = [int(local_midnight(d, ZONE).timestamp()) for d in (first, end)]
    start = np.arange(at[0], at[1], 900, dtype=np.int64)
    dice = np.random.default_rng(seed)
    evening = 1 + np.exp(-(((start / 3600 - 5) % 24 - 18) ** 2) / 8)
    return Usage(start, np.rint(dice.integers(20, 300, len(start)) * evening).astype(np.int64), 900)


def side(schedule: RateSchedule = SMART, span: BillSpan = SPAN, **more: object) -> OurSide:
    return OurSide(schedule, span, usage(), ZONE, begin=OurRead(5_000_000), end=OurRead(6_000_000), **more)  # type: ignore[arg-type]


def printed(bill: RatedBill, code: str, *, places: int = 3, multiplier: Decimal | None = None) -> TheirBill:
    """Return a bill as another system would print it, its quantities cut to so many places."""
    step = Decimal(1).scaleb(-places)
    lines = tuple(
        TheirLine(
            line.kind, line.name, line.period or "", line.tier, line.quantity.quantize(step, ROUND_DOWN), line.unit,
            line.price, line.amount,
        )
        for line in bill.lines
    )  # fmt: skip
    wh = Decimal(bill.determinants.usage_wh)
    total = sum((x.amount for x in lines), Decimal(0))
    return TheirBill("B1", "SP-1", code, bill.span, lines, total, multiplier=multiplier, usage_wh=wh)


def versions_of(schedule: RateSchedule, **change: object) -> RateSchedule:
    return replace(schedule, versions=tuple(replace(v, **change) for v in schedule.versions))  # type: ignore[arg-type]


def dearer(schedule: RateSchedule, by: str) -> RateSchedule:
    def priced(block: Block) -> Block:
        return Block(block.price + Decimal(by), block.up_to)

    periods = tuple(replace(p, blocks=tuple(map(priced, p.blocks))) for p in schedule.versions[-1].periods)
    return versions_of(schedule, periods=periods)


def wrong_multiplier() -> TheirBill:
    twice = replace(usage(), wh=usage().wh * 2)
    return printed(side().with_usage(twice).made(), SMART.code, multiplier=Decimal(2))


def wrong_read_date() -> TheirBill:
    return printed(side().of_days(BillSpan(date(2026, 6, 12), SPAN.end)).made(), SMART.code)


def wrong_season() -> TheirBill:
    """The whole bill has the winter's prices: its season is taken from a month that it does not count to."""
    winter = versions_of(SMART, season_rule=SeasonRule.BILLING_MONTH)
    return printed(side(winter).in_month(date(2026, 10, 1)).made(), SMART.code)


def wrong_rounding() -> TheirBill:
    return printed(side().made(), SMART.code, places=0)


def recomputed(bill: TheirBill) -> TheirBill:
    """Price the cut quantities, as a system that bills whole kWh does."""
    lines = tuple(
        replace(x, amount=(x.quantity * x.price).quantize(Decimal("0.01"))) if x.price is not None else x
        for x in bill.lines
    )
    return replace(bill, lines=lines, total=sum((x.amount for x in lines), Decimal(0)))


def estimated() -> TheirBill:
    guess = replace(usage(), wh=np.full(len(usage().wh), 150, np.int64))
    bill = printed(side().with_usage(guess).made(), SMART.code)
    return replace(bill, end=RegisterRead(Decimal(5_900_000), TheirRead.ESTIMATED))


def without_rider() -> TheirBill:
    return printed(side().made(), SMART.code)


def holiday_forgotten() -> TheirBill:
    return printed(side(versions_of(SMART, holidays=HolidayList())).made(), SMART.code)


def clock_an_hour_off() -> TheirBill:
    late = replace(usage(), start_s=usage().start_s + 3600)
    return printed(side().with_usage(late).made(), SMART.code)


def old_price() -> TheirBill:
    return printed(side(dearer(SMART, "-0.01")).made(), SMART.code)


def other_rate() -> TheirBill:
    return printed(side(ANYTIME).made(), ANYTIME.code)


def rolled_over() -> TheirBill:
    """A register went over its end, and the difference was taken as if it had gone back: nearly nothing is billed."""
    little = replace(usage(), wh=usage().wh // 10)
    bill = printed(side().with_usage(little).made(), SMART.code)
    begin, end = (RegisterRead(Decimal(w), TheirRead.ACTUAL) for w in (99_500_000, 500_000))
    return replace(bill, begin=begin, end=end)


def mis_keyed() -> TheirBill:
    more = replace(usage(), wh=usage().wh + 7)
    bill = printed(side().with_usage(more).made(), SMART.code)
    begin, end = (RegisterRead(Decimal(w), TheirRead.ACTUAL) for w in (5_000_000, 6_030_000))
    return replace(bill, begin=begin, end=end, usage_wh=Decimal(1_030_000))


def quarter_hour_demand() -> TheirBill:
    charges = tuple(replace(d, window_minutes=15) for d in ULTIMATE.versions[-1].demand)
    return printed(side(versions_of(ULTIMATE, demand=charges)).made(), ULTIMATE.code)


def fixed_twice() -> TheirBill:
    bill = printed(side().made(), SMART.code)
    lines = tuple(
        replace(x, price=x.price * 2, amount=x.amount * 2) if x.unit == "month" and x.price else x for x in bill.lines
    )
    return replace(bill, lines=lines, total=sum((x.amount for x in lines), Decimal(0)))


def added_wrong() -> TheirBill:
    bill = printed(side().made(), SMART.code)
    return replace(bill, total=bill.total + Decimal("3.10"))


PLANTED = [
    (Cause.MULTIPLIER, wrong_multiplier, SMART),
    (Cause.READ_DATE, wrong_read_date, SMART),
    (Cause.SEASON, wrong_season, SMART),
    (Cause.ROUNDING, lambda: recomputed(wrong_rounding()), SMART),
    (Cause.ESTIMATE, estimated, SMART),
    (Cause.HOLIDAY, holiday_forgotten, SMART),
    (Cause.CLOCK, clock_an_hour_off, SMART),
    (Cause.PRICE, old_price, SMART),
    (Cause.RATE, other_rate, SMART),
    (Cause.ROLLOVER, rolled_over, SMART),
    (Cause.READ, mis_keyed, SMART),
    (Cause.DEMAND, quarter_hour_demand, ULTIMATE),
    (Cause.FIXED, fixed_twice, SMART),
    (Cause.ARITHMETIC, added_wrong, SMART),
]  # fmt: skip


def adds_up(found: BillDifference) -> bool:
    return sum((e.amount for e in found.effects), Decimal(0)) == found.amount


@pytest.mark.parametrize(("cause", "fault", "schedule"), PLANTED, ids=[c.value for c, *_ in PLANTED])
def test_a_planted_fault_lands_in_its_cause(
    cause: Cause, fault: Callable[[], TheirBill], schedule: RateSchedule
) -> None:
    found = compare_bill(fault(), side(schedule, capacity_wh=100_000_000), RATES)
    assert found.cause is cause, found.effects
    assert found.amount != 0
    assert adds_up(found)


def test_a_rider_that_is_not_billed_is_named() -> None:
    rider = Rider("FAC", "Fuel adjustment", RiderUnit.KWH, (DatedValue(Decimal("0.00627")),))
    with_rider = versions_of(SMART, riders=(rider,))
    found = compare_bill(without_rider(), side(with_rider), {SMART.code: with_rider})
    assert found.cause is Cause.RIDER
    assert "Fuel adjustment" in found.effects[0].words
    assert adds_up(found)


def test_a_price_of_another_version_of_the_rate_is_told_from_any_other_price() -> None:
    now, then = SMART.versions[-1], dearer(SMART, "-0.01").versions[-1]
    dated = replace(
        SMART, versions=(replace(then, effective_to=date(2026, 1, 1)), replace(now, effective_from=date(2026, 1, 1)))
    )
    found = compare_bill(old_price(), side(dated), {SMART.code: dated})
    assert found.cause is Cause.PRICE_VERSION
    assert adds_up(found)


def test_equal_bills_have_no_difference_and_two_causes_are_both_named() -> None:
    assert compare_bill(printed(side().made(), SMART.code), side(), RATES).effects == ()
    both = printed(side(ANYTIME).of_days(BillSpan(date(2026, 6, 12), SPAN.end)).made(), ANYTIME.code)
    found = compare_bill(both, side(), RATES)
    assert {Cause.RATE, Cause.READ_DATE} <= {e.cause for e in found.effects}
    assert adds_up(found)


def test_energy_that_nothing_explains_is_said_to_be_unexplained() -> None:
    strange = printed(side().with_usage(usage(seed=9)).made(), SMART.code)
    found = compare_bill(strange, side(), RATES)
    assert found.cause is Cause.USAGE
    assert adds_up(found)


def test_a_cycle_counts_what_one_side_alone_bills_and_sorts_causes_by_dollars() -> None:
    same = printed(side().made(), SMART.code)
    theirs = [
        same,
        replace(same, bill="B2"),
        replace(same, bill="B3", service_point="SP-9"),
        replace(wrong_multiplier(), bill="B4", service_point="SP-2"),
    ]
    found = compare_cycle(theirs, {"SP-1": side(), "SP-2": side(), "SP-3": side()}, RATES)
    causes = {c.cause: c for c in found.causes()}
    assert set(causes) == {Cause.BILLED_TWICE, Cause.UNKNOWN_PLACE, Cause.MULTIPLIER, Cause.NOT_BILLED}
    assert causes[Cause.NOT_BILLED].net == -side().made().total
    assert [c.gross for c in found.causes()] == sorted((c.gross for c in found.causes()), reverse=True)
    assert found.equal == 1
    assert found.theirs - found.ours == sum((c.net for c in found.causes()), Decimal(0))


def test_a_bill_that_we_hold_is_no_difference_of_theirs() -> None:
    found = compare_bill(printed(side().made(), SMART.code), side(held="2 of 30 days have no readings"), RATES)
    assert (found.cause, found.ours) == (Cause.OURS_HELD, None)


def test_every_cause_has_words() -> None:
    assert set(WORDS) == set(Cause)
