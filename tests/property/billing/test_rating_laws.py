"""Laws of rating: two engines agree, energy is kept, lines add up."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.billing.rating import BillSpan, LineKind, Usage, determinants, rate
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.share import shared_out
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.charge import FixedCharge
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.price import Block, BlockScope, PricePeriod, Window
from openami.billing.tariff.season import Season, SeasonRule
from openami.kernel.holiday import KNOWN, HolidayList, Observance
from openami.kernel.money import rounded_to_cent

ZONES = ("America/Chicago", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin")
HOLIDAYS = HolidayList(tuple(KNOWN.values()), observance=Observance.SUNDAY_TO_MONDAY)
CENTS = st.integers(0, 60_000).map(lambda n: Decimal(n) / 100_000)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """A rate of two seasons, each with two or three periods on minute windows, blocks, and perhaps demand."""
    scope = draw(st.sampled_from(list(BlockScope)))
    ladders = [draw(st.lists(st.integers(1, 900), max_size=2, unique=True).map(sorted)) for _ in range(2)]
    periods = tuple(
        PricePeriod(
            f"p{i}", tuple(Block(draw(CENTS), None if e is None else Decimal(e)) for e in (*ladders[i // 2], None))
        )
        for i in range(4)
    )
    edges = sorted(draw(st.lists(st.integers(1, 95).map(lambda n: n * 15), min_size=1, max_size=4, unique=True)))

    def plan(base: int, *, flip: bool) -> tuple[Window, ...]:
        bounds = [0, *edges, 1440]
        return tuple(Window(a, b, base + (i + flip) % 2) for i, (a, b) in enumerate(itertools.pairwise(bounds)))

    def week(base: int) -> tuple[tuple[Window, ...], ...]:
        return (plan(base, flip=False),) * 5 + (plan(base, flip=True),) * 3

    demand = draw(st.booleans())
    charge = DemandCharge("d", draw(st.sampled_from([15, 30, 60])), (PricePeriod("a", (Block(Decimal(9)),)),) * 2)
    hours = ((Window(0, 360, 0), Window(360, 1440, 1)),) * 8
    seasons = (
        Season("summer", frozenset({3, 7, 11}), week(0), (hours,) if demand else ()),
        Season("rest", frozenset(range(1, 13)) - {3, 7, 11}, week(2), (hours,) if demand else ()),
    )
    return Tariff(
        periods, seasons, scope=scope, fixed=(FixedCharge("f", draw(CENTS) * 100),),
        demand=(charge,) if demand else (), holidays=HOLIDAYS, season_rule=draw(st.sampled_from(list(SeasonRule))),
    )  # fmt: skip


@st.composite
def schedules(draw: st.DrawFn) -> RateSchedule:
    """A rate with a price change inside the range that is billed."""
    from dataclasses import replace

    change = date(2026, 10, 30) + timedelta(days=draw(st.integers(0, 6)))
    first, second = draw(tariffs()), draw(tariffs())
    return RateSchedule(
        "x", "X", "", "USD", (replace(first, effective_to=change), replace(second, effective_from=change))
    )


def _usage(seed: int, *, days: int, gaps: int, estimated: bool) -> Usage:
    dice = np.random.default_rng(seed)
    start = int(datetime(2026, 10, 30, 4, tzinfo=UTC).timestamp())
    starts = start + np.arange(days * 96, dtype=np.int64) * 900
    keep = np.ones(len(starts), bool)
    keep[dice.integers(0, len(starts), gaps)] = False
    wh = dice.integers(0, 2500, len(starts)) * (dice.random(len(starts)) < 0.8)
    flags = (dice.random(len(starts)) < 0.05) if estimated else None
    return Usage(
        starts[keep], wh[keep].astype(np.int64), 900, None if flags is None else flags[keep], wh[keep].astype(np.int64)
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schedules(), st.sampled_from(ZONES), st.integers(0, 2**32), st.integers(0, 30), st.booleans())
def test_the_columns_engine_equals_the_engine_that_reads_like_the_sheet(
    schedule: RateSchedule, zone_name: str, seed: int, gaps: int, estimated: bool
) -> None:
    zone = ZoneInfo(zone_name)
    usage = _usage(seed, days=7, gaps=gaps, estimated=estimated)
    spans = [BillSpan(date(2026, 10, 30), date(2026, 11, 2)), BillSpan(date(2026, 11, 2), date(2026, 11, 5))]
    for span, columns in zip(spans, determinants(schedule, usage, spans, zone), strict=True):
        by_hand = determinants_by_hand(schedule, usage, span, zone)
        assert {k: v for k, v in columns.blocks_wh.items() if v} == {k: v for k, v in by_hand.blocks_wh.items() if v}
        for name in ("usage_wh", "energy_wh", "peaks", "received_wh", "intervals", "expected", "estimated_wh"):
            assert getattr(columns, name) == getattr(by_hand, name), name
        assert columns.left_out_windows == by_hand.left_out_windows


@settings(max_examples=40, deadline=None)
@given(schedules(), st.integers(0, 2**32))
def test_energy_lines_add_up_to_the_usage_and_the_total_to_the_printed_lines(schedule: RateSchedule, seed: int) -> None:
    zone = ZoneInfo("America/Chicago")
    usage = _usage(seed, days=7, gaps=0, estimated=False)
    found = determinants(schedule, usage, [BillSpan(date(2026, 10, 30), date(2026, 11, 6))], zone)[0]
    bill = rate(schedule, found)
    energy = [line for line in bill.lines if line.kind is LineKind.ENERGY]
    assert sum(line.quantity for line in energy) * 1000 == found.usage_wh
    assert all(line.quantity >= 0 for line in energy)
    assert all(line.exact_amount == line.quantity * line.price for line in energy)
    assert bill.total == sum(rounded_to_cent(line.exact_amount) for line in bill.lines)
    assert abs(bill.total - bill.exact_total) <= Decimal("0.005") * len(bill.lines)


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=8), st.data())
def test_sharing_out_keeps_the_whole_and_exceeds_no_share(shares: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(shares)))
    parts = shared_out(amount, shares)
    assert sum(parts) == (amount if sum(shares) else 0)
    assert all(0 <= p <= s for p, s in zip(parts, shares, strict=True))
