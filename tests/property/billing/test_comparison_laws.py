"""Laws of the comparison: habits conserve energy, and a break-even holds where it stands and not a step before."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.billing.compare.made import ANYTIME, CHICAGO, OVERNIGHT, RATES, SMART, ULTIMATE, home

from openami.billing.compare.assumption import HeatPump, Shift, Vehicle, assumed
from openami.billing.compare.breakeven import STEP_WATTS, Lever, break_evens
from openami.billing.compare.habit import capped, day_prices, shifted
from openami.billing.compare.outcome import priced
from openami.billing.compare.setting import setting_on
from openami.billing.rating import Usage, calendar_months, determinants
from openami.billing.rating.calendar import local_times
from openami.billing.tariff import RateSchedule

SPANS = calendar_months(date(2026, 5, 1), date(2026, 8, 1))
AUTUMN = calendar_months(date(2026, 10, 15), date(2026, 11, 15))
PRICED = [any(b.price for b in p.blocks) for p in ULTIMATE.versions[0].demand[0].periods]
SETTING = setting_on(date(2026, 1, 1))
RATE = st.sampled_from(sorted(RATES.values(), key=lambda r: r.code))
SHARE = st.integers(1, 100).map(lambda n: Decimal(n) / 100)


def daily(usage: Usage) -> dict[int, int]:
    """Energy by local day."""
    day = local_times(usage.start_s, CHICAGO).day
    return {int(d): int(usage.wh[day == d].sum()) for d in np.unique(day)}


def total(schedule: RateSchedule, usage: Usage) -> Decimal:
    return sum((b.total for b in priced(schedule, usage, SPANS, CHICAGO)), Decimal(0))


@settings(max_examples=25, deadline=None)
@given(schedule=RATE, share=SHARE, seed=st.integers(0, 50), evening=st.integers(0, 2000))
def test_a_shift_conserves_each_day_and_leaves_the_dear_hours_with_the_rest(
    schedule: RateSchedule, share: Decimal, seed: int, evening: int
) -> None:
    usage = home(AUTUMN, seed=seed, evening_wh=evening)
    prices = day_prices(schedule, usage, AUTUMN, CHICAGO)
    moved = shifted(usage, prices, share)
    assert daily(moved) == daily(usage)
    assert (moved.wh[prices.dear] == usage.wh[prices.dear] - usage.wh[prices.dear] * int(share * 1000) // 1000).all()
    assert (moved.wh[~prices.dear & ~prices.cheap] == usage.wh[~prices.dear & ~prices.cheap]).all()


@settings(max_examples=25, deadline=None)
@given(watts=st.integers(400, 6000), seed=st.integers(0, 50), evening=st.integers(0, 1500))
def test_a_cap_holds_in_every_hour_that_counts_and_conserves_each_day(watts: int, seed: int, evening: int) -> None:
    usage = home(AUTUMN, seed=seed, evening_wh=evening)
    prices = day_prices(ULTIMATE, usage, AUTUMN, CHICAGO)
    low = capped(usage, prices, watts)
    if low is None:
        return
    assert daily(low) == daily(usage)
    for found in determinants(ULTIMATE, low, AUTUMN, CHICAGO):
        demand = [p.watts for (_, _, period), p in found.peaks.items() if PRICED[period]]
        assert max(demand) <= watts


@settings(max_examples=6, deadline=None)
@given(other=st.sampled_from([SMART, ULTIMATE, OVERNIGHT]), seed=st.integers(0, 20), evening=st.integers(0, 900))
def test_a_break_even_saves_more_than_noise_and_a_step_less_does_not(
    other: RateSchedule, seed: int, evening: int
) -> None:
    usage = home(SPANS, seed=seed, evening_wh=evening)
    prices = day_prices(other, usage, SPANS, CHICAGO)
    days = sum(s.days for s in SPANS)

    def saves(changed: Usage | None) -> bool:
        if changed is None:
            return False
        here = total(ANYTIME, changed)
        return here - total(other, changed) >= SETTING.noise(here, days)

    for found in break_evens(ANYTIME, other, usage, SPANS, CHICAGO, setting=SETTING):
        if found.lever is Lever.NONE:
            assert saves(usage)
        elif found.lever is Lever.SHIFT and found.reachable:
            assert saves(shifted(usage, prices, found.share))
            assert not saves(shifted(usage, prices, found.share - Decimal("0.01")))
        elif found.lever is Lever.CAP and found.reachable:
            assert saves(capped(usage, prices, found.watts))
            assert not saves(capped(usage, prices, found.watts + STEP_WATTS))


def test_assumed_loads_add_what_they_say_and_habits_add_nothing() -> None:
    usage = home(SPANS)
    days = sum(s.days for s in SPANS)
    car = assumed(SMART, usage, SPANS, CHICAGO, [Vehicle(Decimal(10), 22 * 60, 6 * 60)])
    assert abs(int((car.wh - usage.wh).sum()) - days * 10_000) < days * 40
    night = local_times(usage.start_s, CHICAGO).minute
    assert ((car.wh > usage.wh) == ((night >= 22 * 60) | (night < 6 * 60))).all()
    year = calendar_months(date(2025, 11, 1), date(2026, 11, 1))
    warm = assumed(SMART, home(year), year, CHICAGO, [HeatPump(Decimal(6000))])
    assert abs(int(warm.wh.sum() - home(year).wh.sum()) - 6_000_000) < 120_000
    habit = assumed(SMART, usage, SPANS, CHICAGO, [Shift(Decimal("0.5"))])
    assert daily(habit) == daily(usage)
