"""Laws of demand: two engines find the same windows, and a ratchet only ever holds demand up."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.billing.rating import BillSpan, Usage, determinants
from openami.billing.rating.billed_demand import billed_demand
from openami.billing.rating.carried import MonthPeak
from openami.billing.rating.demand import Peak
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.demand import CoincidentRule, DemandCharge, WindowAlignment
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.ratchet import Ratchet, even_ratchet
from openami.billing.tariff.season import Season

ZONES = ("America/Chicago", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin")
ONE = (PricePeriod("all", (Block(Decimal("0.1")),)),)
HOURS = {"a": PricePeriod("a", (Block(Decimal(9)),)), "b": PricePeriod("b", (Block(Decimal(4)),))}
SPAN = BillSpan(date(2026, 10, 30), date(2026, 11, 3))


@st.composite
def charges(draw: st.DrawFn) -> DemandCharge:
    alignment = draw(st.sampled_from(list(WindowAlignment)))
    minutes = (
        st.sampled_from([None, 15, 30, 60]) if alignment is WindowAlignment.CLOCK else st.sampled_from([15, 45, 90])
    )
    return DemandCharge(
        "d", draw(minutes), tuple(HOURS.values()), alignment,
        coincident=draw(st.none() | st.sampled_from(list(CoincidentRule))),
    )  # fmt: skip


@st.composite
def demand_rates(draw: st.DrawFn) -> RateSchedule:
    edges = (0, *sorted(draw(st.sets(st.integers(1, 47).map(lambda n: n * 30), min_size=1, max_size=3))), 1440)
    hours = tuple(Window(a, b, i % 2) for i, (a, b) in enumerate(itertools.pairwise(edges)))
    found = draw(st.lists(charges(), min_size=1, max_size=2))
    day = ((Window(0, 1440, 0),),) * 8
    season = Season("all year", frozenset(range(1, 13)), day, ((hours,) * 8,) * len(found))
    return RateSchedule("x", "X", "", "USD", (Tariff(ONE, (season,), demand=tuple(found)),))


def _usage(seed: int, gaps: int, *, from_s: int, phase_s: int) -> Usage:
    dice = np.random.default_rng(seed)
    starts = from_s + phase_s + np.arange(5 * 96, dtype=np.int64) * 900
    keep = np.ones(len(starts), bool)
    keep[dice.integers(0, len(starts), gaps)] = False
    wh = dice.integers(0, 2500, len(starts))
    return Usage(starts[keep], wh[keep], 900, (dice.random(len(starts)) < 0.05)[keep])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    demand_rates(),
    st.sampled_from(ZONES),
    st.integers(0, 2**32),
    st.integers(0, 60),
    st.sampled_from([0, 0, 300]),
    st.lists(st.integers(0, 4 * 96), min_size=1, max_size=3),
)
def test_both_engines_find_the_same_windows_peaks_and_ones_left_out(
    schedule: RateSchedule, zone_name: str, seed: int, gaps: int, phase_s: int, peaked: list[int]
) -> None:
    zone = ZoneInfo(zone_name)
    begins = datetime(2026, 10, 29, 12, tzinfo=UTC)
    usage = _usage(seed, gaps, from_s=int(begins.timestamp()), phase_s=phase_s)
    terms = BillTerms(coincident=tuple(begins + timedelta(minutes=15 * n + 720) for n in peaked))
    try:
        by_hand = determinants_by_hand(schedule, usage, SPAN, zone, terms)
    except TariffError as refusal:
        with pytest.raises(TariffError, match=re.escape(refusal.clause)):
            determinants(schedule, usage, [SPAN], zone, terms)
        return
    columns = determinants(schedule, usage, [SPAN], zone, terms)[0]
    assert columns.peaks == by_hand.peaks
    assert columns.windows == by_hand.windows
    assert columns.left_out == by_hand.left_out
    assert columns.left_out_windows <= sum(columns.windows.values())


MONTHS = st.integers(0, 40).map(lambda n: date(2023 + (n + 7) // 12, (n + 7) % 12 + 1, 1))
PEAKS = st.lists(
    st.builds(MonthPeak, MONTHS, st.sampled_from(["d", "other"]), st.sampled_from(["a", "b"]), st.integers(0, 90_000)),
    max_size=12,
)


@given(PEAKS, st.integers(0, 90_000), st.integers(0, 100), st.integers(1, 36), st.booleans(), st.integers(1, 500))
def test_a_ratchet_holds_demand_up_and_never_above_the_highest_peak(
    peaks: list[MonthPeak], watts: int, percent: int, months: int, by_period: bool, step_w: int
) -> None:
    ratchet = Ratchet((Decimal(percent),) * 12, months, by_period=by_period)
    charge = DemandCharge("d", 60, tuple(HOURS.values()), ratchet=ratchet)
    month = date(2026, 12, 1)
    billed = billed_demand(charge, "a", Peak(watts, 0), month, peaks)
    assert watts <= billed.watts <= max([watts, *(p.watts for p in peaks if p.charge == "d")])
    assert billed.metered_w == watts
    assert (billed.held_up_by is None) == (billed.watts == watts)
    rounded = billed_demand(charge, "a", Peak(watts, 0), month, peaks, step_w=step_w)
    assert rounded.watts % step_w == 0
    assert 2 * abs(rounded.watts - billed.watts) <= step_w


@given(PEAKS)
def test_other_charges_and_older_months_hold_nothing_up(peaks: list[MonthPeak]) -> None:
    charge = DemandCharge("d", 60, tuple(HOURS.values()), ratchet=even_ratchet(Decimal(100), 11, set_in=(6, 7, 8)))
    billed = billed_demand(charge, "a", None, date(2026, 10, 1), peaks)
    counted = [
        p.watts
        for p in peaks
        if p.charge == "d" and p.month.month in (6, 7, 8) and date(2025, 11, 1) <= p.month < date(2026, 10, 1)
    ]
    assert billed.watts == max(counted, default=0)
