"""Whole rates drawn at random, and use to bill on them: for the law that both engines agree on everything."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from openami.billing.rating import BillSpan
from openami.billing.rating.carried import Carried, YearToDate
from openami.billing.rating.fleet import UsageMatrix
from openami.billing.rating.terms import Annexed, Approval, BillTerms, EventPeriod, PartOf, PriceSeries
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.agreement import LINE_KINDS
from openami.billing.tariff.charge import (
    BASE_KINDS,
    ChargeUnit,
    Credit,
    DatedValue,
    FixedCharge,
    MinimumCharge,
    Rider,
    RiderUnit,
    Tax,
    ValueChange,
)
from openami.billing.tariff.demand import CoincidentRule, DemandCharge, WindowAlignment
from openami.billing.tariff.export import ExportKind, ExportPrice, ExportTerms, Netting
from openami.billing.tariff.price import Block, BlockScope, BlockUnit, EventPrice, PricePeriod, WeekPlan, Window
from openami.billing.tariff.proration import PriceChange, Proration, ProrationRule
from openami.billing.tariff.ratchet import even_ratchet
from openami.billing.tariff.rounding import EnergyRounding, PercentOf, Rounding, TotalRule
from openami.billing.tariff.season import DayRange, Season, SeasonRule, YearDay
from openami.kernel.holiday import KNOWN, HolidayList, Observance

FIRST = date(2026, 10, 28)
"""The bills cover the end of daylight saving in America, Europe and Lord Howe's half hour, and a month's edge."""
ZONES = ("America/Chicago", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin")
HOLIDAYS = HolidayList(tuple(KNOWN.values()), frozenset({date(2026, 10, 30)}), Observance.SUNDAY_TO_MONDAY)


def prices(largest: int = 60_000) -> st.SearchStrategy[Decimal]:
    """Prices of five places, a few of them negative or of twelve places."""
    usual = st.integers(0, largest).map(lambda n: Decimal(n) / 100_000)
    odd = st.integers(-(10**12), 10**12).map(lambda n: Decimal(n).scaleb(-12))
    return st.one_of(usual, usual, usual, odd)


@st.composite
def weeks(draw: st.DrawFn, first: int, count: int, step: int = 15) -> WeekPlan:
    """A week's eight plans over ``count`` periods from ``first`` on, on windows of so many minutes."""

    def plan() -> tuple[Window, ...]:
        marks = draw(st.lists(st.integers(1, 1440 // step - 1), max_size=4, unique=True).map(sorted))
        bounds = [0, *(m * step for m in marks), 1440]
        return tuple(Window(a, b, first + draw(st.integers(0, count - 1))) for a, b in itertools.pairwise(bounds))

    working, weekend, holiday = plan(), plan(), plan()
    return (*(working,) * 5, *(weekend,) * 2, holiday)


@st.composite
def blocks(draw: st.DrawFn, edges: list[int]) -> tuple[Block, ...]:
    """A ladder of prices."""
    ends: tuple[int | None, ...] = (*edges, None)
    return tuple(Block(draw(prices()), None if e is None else Decimal(e) / 4) for e in ends)


@st.composite
def demand_charges(draw: st.DrawFn, number: int) -> DemandCharge:
    """A demand charge of two periods, some with blocks, a ratchet, a least demand, or peaks of the system alone."""
    edges = draw(st.lists(st.integers(1, 40), max_size=1))
    rows = tuple(PricePeriod(f"d{number}{i}", draw(blocks(edges))) for i in range(2))
    ratchets = st.none() | st.just(even_ratchet(Decimal("62.5"), 3))
    return DemandCharge(
        f"demand {number}", draw(st.sampled_from([None, 15, 30, 60])), rows,
        draw(st.sampled_from(list(WindowAlignment))), draw(ratchets),
        draw(st.sampled_from([None, None, *CoincidentRule])), draw(st.sampled_from([0, 0, 7_501])),
    )  # fmt: skip


@st.composite
def dated(draw: st.DrawFn, code: str, known: list[str]) -> dict[str, Any]:
    """What a rider, credit or tax says; its value may change on one of the days billed, or not be known then."""
    unit = draw(st.sampled_from(list(RiderUnit)))
    values = [DatedValue(draw(prices()), draw(st.sampled_from([None, FIRST - timedelta(days=40)])))]
    if draw(st.booleans()):
        value = draw(st.one_of(prices(), prices(), st.none()))
        values.append(DatedValue(value, FIRST + timedelta(days=draw(st.integers(0, 8)))))
    metered = [ValueChange.METERED] if unit is RiderUnit.KWH else []
    of = draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if unit is RiderUnit.PERCENT else []
    return {
        "code": code,
        "name": f"{code}!",
        "unit": unit,
        "values": tuple(values),
        "of": tuple(of),
        "change": draw(st.sampled_from([ValueChange.DAYS, ValueChange.BILL, *metered])),
        "when": draw(st.sampled_from([{}, {"class": "home"}, {"class": "-home"}])),
    }


def exports() -> st.SearchStrategy[ExportTerms | None]:
    """No export terms, or one of three families."""
    price = (ExportPrice(Decimal("0.0345")),)
    return st.sampled_from(
        [
            None,
            ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, price, expires_after_months=12),
            ExportTerms(ExportKind.NET_BILLING, Netting.REGISTER, price),
            ExportTerms(ExportKind.BUY_ALL, Netting.REGISTER, price, needs_interconnection=False),
        ]
    )


def roundings() -> st.SearchStrategy[Rounding]:
    """Every choice of rounding."""
    return st.builds(
        Rounding,
        energy=st.sampled_from(list(EnergyRounding)),
        percent_of=st.sampled_from(list(PercentOf)),
        total=st.sampled_from(list(TotalRule)),
        demand_step_w=st.sampled_from([1, 100]),
    )


def prorations() -> st.SearchStrategy[Proration]:
    """Every rule of proration."""
    return st.builds(
        Proration,
        rule=st.sampled_from(list(ProrationRule)),
        least_days=st.integers(1, 5),
        most_days=st.integers(5, 30),
        blocks=st.booleans(),
        demand=st.booleans(),
    )


@st.composite
def seasons(draw: st.DrawFn, counts: list[int], demand: int, *, by_date: bool) -> tuple[Season, ...]:
    """Two seasons, of whole months or of days of the year."""
    months = frozenset(draw(st.sets(st.integers(1, 12), min_size=1, max_size=11)))
    parts: list[tuple[frozenset[int], tuple[DayRange, ...]]] = [
        (months, ()),
        (frozenset(range(1, 13)) - months, ()),
    ]
    if by_date:
        turn = FIRST + timedelta(days=draw(st.integers(0, 6)))
        after, before = YearDay(turn.month, turn.day), YearDay((day := turn - timedelta(days=1)).month, day.day)
        none: frozenset[int] = frozenset()
        parts = [(none, (DayRange(after, YearDay(2, 3)),)), (none, (DayRange(YearDay(2, 4), before),))]
    return tuple(
        Season(
            name, part, draw(weeks(at, count)), tuple(draw(weeks(0, 2, 60)) for _ in range(demand)), ranges
        )
        for name, (part, ranges), at, count in zip(
            ("one", "two"), parts, (0, counts[0]), counts, strict=True
        )
    )  # fmt: skip


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """One version with everything that a version can say, each part perhaps absent."""
    scope = draw(st.sampled_from(list(BlockScope)))
    units = [u for u in BlockUnit if scope is BlockScope.MONTH_POOLED or u is not BlockUnit.KWH_ANNUAL]
    counts = [draw(st.integers(1, 3)) for _ in range(2)]
    ladders = [draw(st.lists(st.integers(1, 600), max_size=2, unique=True).map(sorted)) for _ in range(2)]
    signals = st.sampled_from(["", "", "", "market"])
    periods = [
        PricePeriod(f"p{i}", draw(blocks(ladders[0 if i < counts[0] else 1])), draw(signals), draw(prices()) * 3)
        for i in range(sum(counts))
    ]
    events = []
    if draw(st.booleans()):
        periods.append(PricePeriod("critical", draw(blocks(ladders[0]))))
        events = [EventPrice("critical peak", "peak", dict.fromkeys(range(counts[0]), len(periods) - 1))]
    demand = tuple(draw(demand_charges(i)) for i in range(draw(st.integers(0, 2))))
    rule = draw(st.sampled_from(list(SeasonRule)))
    by_date = rule is SeasonRule.CALENDAR_DAY and draw(st.booleans())
    fixed = tuple(
        FixedCharge(f"f{i}", draw(prices()) * 50, draw(st.sampled_from(list(ChargeUnit))))
        for i in range(draw(st.integers(0, 2)))
    )
    known = [*LINE_KINDS, *(p.name for p in periods), *(f.name for f in fixed), *(d.name for d in demand)]
    minimum = st.builds(
        MinimumCharge, st.just("least"), prices().map(lambda p: abs(p) * 90), st.sampled_from(list(ChargeUnit)),
        st.sampled_from([BASE_KINDS, (*BASE_KINDS, "rider"), tuple(known[-1:])]),
    )  # fmt: skip
    return Tariff(
        tuple(periods),
        draw(seasons(counts, len(demand), by_date=by_date)),
        scope=scope,
        block_unit=draw(st.sampled_from(units)),
        season_rule=rule,
        fixed=fixed,
        minimum=draw(st.none() | minimum),
        demand=demand,
        holidays=HOLIDAYS,
        riders=tuple(Rider(**draw(dated(f"r{i}", known))) for i in range(draw(st.integers(0, 2)))),
        credits=tuple(
            Credit(**draw(dated(f"c{i}", known)), stops_at_zero=draw(st.booleans()))
            for i in range(draw(st.integers(0, 1)))
        ),
        taxes=tuple(
            Tax(**draw(dated(f"t{i}", known)), municipality=draw(st.sampled_from(["", "Here", "There"])))
            for i in range(draw(st.integers(0, 2)))
        ),
        events=tuple(events),
        proration=draw(prorations()),
        price_change=draw(st.sampled_from(list(PriceChange))),
        rounding=draw(roundings()),
        year_ends_month=draw(st.sampled_from([10, 11, 12])),
    )


@st.composite
def schedules(draw: st.DrawFn) -> RateSchedule:
    """A rate that changes on one of the days billed, or does not."""
    change = FIRST + timedelta(days=draw(st.integers(0, 9)))
    first, second, export = draw(tariffs()), draw(tariffs()), draw(exports())
    if BlockScope.RUNNING in {first.scope, second.scope} and export and export.kind is ExportKind.NET_METERING:
        export = None
    first, second = replace(first, export=export), replace(second, export=export)
    both = (replace(first, effective_to=change), replace(second, effective_from=change))
    try:
        return RateSchedule("x", "X", "", "USD", both)
    except TariffError:
        # A rider of one code is of one kind in all versions; where it is not, the rate has one version.
        return RateSchedule("x", "X", "", "USD", (first,))


@st.composite
def terms(draw: st.DrawFn) -> BillTerms:
    """A bill's other inputs: place, class, revenue month, events and prices."""
    start = datetime(2026, 10, 27, tzinfo=UTC)
    series = tuple(Decimal(draw(st.integers(-5_000, 90_000))).scaleb(-5) for _ in range(7))
    events = [
        EventPeriod("peak", start + timedelta(hours=n), start + timedelta(hours=n + 3))
        for n in draw(st.lists(st.integers(0, 200), max_size=2))
    ]
    return BillTerms(
        revenue_month=draw(st.sampled_from([None, date(2026, 10, 1), date(2026, 12, 1)])),
        municipality=draw(st.sampled_from(["", "Here", "There", "Nowhere"])),
        annexed=draw(st.sampled_from([(), (Annexed(FIRST + timedelta(days=4), "There"),)])),
        is_final=draw(st.booleans()),
        attributes=draw(st.sampled_from([{}, {"class": "home"}])),
        events=tuple(events),
        prices=(PriceSeries("market", start - timedelta(days=1), 3600, series * 50),),
        approved_w=draw(st.sampled_from([(), (Approval(FIRST + timedelta(days=2), None, 9_000),)])),
        # One in every twelve hours: each local day has one at least.
        coincident=tuple(start + timedelta(hours=12 * n, minutes=draw(st.integers(0, 719))) for n in range(22)),
        part_of=draw(
            st.sampled_from([None, None, PartOf(BillSpan(FIRST - timedelta(days=9), FIRST + timedelta(days=22)))])
        ),
    )


@st.composite
def carried(draw: st.DrawFn) -> Carried:
    """What the bill before hands on."""
    cents = st.integers(0, 90_000).map(lambda n: Decimal(n) / 100)
    year = YearToDate(
        FIRST - timedelta(days=31), draw(st.integers(1, 340)), draw(st.integers(0, 400_000)), draw(cents), draw(cents)
    )  # fmt: skip
    return Carried(remainder_wh=draw(st.integers(0, 999)), year_to_date=draw(st.sampled_from([YearToDate(), year])))


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Use of a few points on one grid: start, matrix, and the spans billed."""

    start_s: npt.NDArray[np.int64]
    interval_s: int
    usage: UsageMatrix
    spans: list[BillSpan]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Three points: an idle one, a home and a shop; gaps, estimates and energy sent out, each perhaps absent."""
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    interval_s = 900
    start = int(datetime(2026, 10, 27, 4, tzinfo=UTC).timestamp())
    starts = start + np.arange(12 * 86_400 // interval_s, dtype=np.int64) * interval_s
    shape = (3, len(starts))
    wh = dice.integers(0, [[1], [2_500], [60_000]], shape) * (dice.random(shape) < 0.8)
    absent = (dice.random(shape) < 0.02) if draw(st.booleans()) else None
    if absent is not None:
        wh = np.where(absent, 0, wh)
    estimated = (dice.random(shape) < 0.05) if draw(st.booleans()) else None
    if estimated is not None and absent is not None:
        estimated &= ~absent
    received = wh // 3 * (dice.random(shape) < 0.4) if draw(st.booleans()) else None
    days = draw(st.integers(1, 7))
    middle, end = FIRST + timedelta(days=days), FIRST + timedelta(days=days + draw(st.integers(1, 3)))
    return Fleet(
        starts, interval_s, UsageMatrix(wh, absent, estimated, received),
        [BillSpan(FIRST, middle), BillSpan(middle, end)],
    )  # fmt: skip
