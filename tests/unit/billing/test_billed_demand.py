"""Demand worked by hand: windows at the edges, ratchets by the month, the system's peak, and what holds a bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.bill.make import kept_lines
from openami.billing.proof.lines import priced, prove_lines
from openami.billing.rating import BillSpan, LineKind, RatedBill, Usage, determinants, rate
from openami.billing.rating.billed_demand import billed_demand
from openami.billing.rating.carried import Carried, MonthPeak
from openami.billing.rating.demand import Peak
from openami.billing.rating.finding import RatingCode
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.demand import CoincidentRule, DemandCharge, WindowAlignment
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.ratchet import Ratchet, even_ratchet
from openami.billing.tariff.season import Season

CHICAGO = ZoneInfo("America/Chicago")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
MAY = BillSpan(date(2026, 5, 1), date(2026, 6, 1))
DAY = (PricePeriod("day", (Block(Decimal(10)),)), PricePeriod("night", (Block(Decimal(0)),)))


def _rate(charge: DemandCharge) -> RateSchedule:
    hours = ((Window(0, 360, 1), Window(360, 1320, 0), Window(1320, 1440, 1)),) * 8
    season = Season("all year", frozenset(range(1, 13)), ((Window(0, 1440, 0),),) * 8, (hours,))
    energy = (PricePeriod("all", (Block(Decimal("0.1")),)),)
    return RateSchedule("x", "X", "", "USD", (Tariff(energy, (season,), demand=(charge,)),))


def _usage(spikes: dict[str, int], *, estimated: tuple[str, ...] = (), span: BillSpan = MAY) -> Usage:
    """Return 250 Wh every quarter-hour but where a spike in UTC says otherwise."""
    period = span.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    wh, flags = np.full(len(starts), 250, np.int64), np.zeros(len(starts), np.bool_)
    for text, value in spikes.items():
        wh[starts == int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())] = value
    for text in estimated:
        flags |= starts == int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    return Usage(starts, wh, 900, flags)


def _bill(
    charge: DemandCharge, usage: Usage, terms: BillTerms | None = None, carried: Carried | None = None
) -> RatedBill:
    schedule, own = _rate(charge), terms or BillTerms()
    return rate(schedule, determinants(schedule, usage, [MAY], CHICAGO, own)[0], own, carried or Carried())


def _kw(bill: RatedBill) -> list[Decimal]:
    return [line.quantity for line in bill.lines if line.kind is LineKind.DEMAND]


# Two quarter-hours of 2,000 Wh across 14:00 in Chicago (19:00Z): 8 kW for half an hour, in two clock hours.
ACROSS = {"2026-05-12T18:45": 2000, "2026-05-12T19:00": 2000}


@pytest.mark.parametrize(
    ("charge", "kw"),
    [
        (DemandCharge("D", 15, DAY), "8"),
        (DemandCharge("D", 60, DAY), "2.75"),
        (DemandCharge("D", 60, DAY, WindowAlignment.ROLLING), "4.5"),
        (DemandCharge("D", 30, DAY, WindowAlignment.ROLLING), "8"),
        # 45 minutes: 4,250 Wh in three quarters of an hour, 5,666.67 W, half up to a watt.
        (DemandCharge("D", 45, DAY, WindowAlignment.ROLLING), "5.667"),
    ],
    ids=["quarter-hours", "clock hours", "rolling hours", "rolling half-hours", "rolling 45 minutes"],
)
def test_a_peak_across_the_hour_is_what_the_window_says(charge: DemandCharge, kw: str) -> None:
    assert _kw(_bill(charge, _usage(ACROSS))) == [Decimal(kw)]


@pytest.mark.parametrize(
    ("spikes", "kw"),
    [
        ({"2026-05-12T10:45": 9000}, "1"),
        ({"2026-05-12T11:00": 2250}, "3"),
        ({"2026-05-13T02:45": 2250}, "3"),
        ({"2026-05-13T03:00": 9000}, "1"),
    ],
    ids=["05:45 is night", "06:00 is day", "21:45 is day", "22:00 is night"],
)
def test_the_edges_of_the_demand_hours_hold(spikes: dict[str, int], kw: str) -> None:
    assert _kw(_bill(DemandCharge("D", 60, DAY), _usage(spikes))) == [Decimal(kw)]


def test_a_rolling_window_across_the_edge_of_the_demand_hours_is_none() -> None:
    # 05:45 and 06:00: only 06:00 to 07:00 counts, 2,000 + 3 x 250 Wh.
    spikes = {"2026-05-12T10:45": 2000, "2026-05-12T11:00": 2000}
    assert _kw(_bill(DemandCharge("D", 60, DAY, WindowAlignment.ROLLING), _usage(spikes))) == [Decimal("2.75")]


def test_a_clock_window_across_the_edge_of_a_demand_period_is_refused_by_its_name() -> None:
    schedule = _rate(DemandCharge("D", 60, DAY))
    tariff = schedule.versions[0]
    odd = ((Window(0, 390, 1), Window(390, 1440, 0)),) * 8
    broken = replace(tariff, seasons=(replace(tariff.seasons[0], demand=(odd,)),))
    with pytest.raises(TariffError, match=r"x\.D\.window: the window at 06:00 crosses"):
        determinants(replace(schedule, versions=(broken,)), _usage({}), [MAY], CHICAGO)


@pytest.mark.parametrize(("minutes", "alignment"), [(45, "clock"), (20, "clock"), (20, "rolling"), (1455, "rolling")])
def test_a_window_that_does_not_fit_is_refused(minutes: int, alignment: str) -> None:
    schedule = _rate(DemandCharge("D", minutes, DAY, WindowAlignment(alignment)))
    with pytest.raises(TariffError, match=r"x\.D\.window"):
        determinants(schedule, _usage({}), [MAY], CHICAGO)


def test_a_half_hour_that_the_clock_repeats_makes_no_window_and_none_is_left_out() -> None:
    # On 5 April 2026 Lord Howe goes back from 02:00 to 01:30: 24.5 hours, 24 whole clock windows before and after.
    span = BillSpan(date(2026, 4, 5), date(2026, 4, 6))
    period = span.period(LORD_HOWE)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    schedule = _rate(DemandCharge("D", 60, DAY))
    found = determinants(schedule, Usage(starts, np.full(98, 250, np.int64), 900), [span], LORD_HOWE)[0]
    assert (sum(found.windows.values()), found.left_out) == (24, ())


def test_an_estimate_sets_no_peak_and_is_listed_with_its_time() -> None:
    bill = _bill(DemandCharge("D", 60, DAY), _usage(ACROSS, estimated=("2026-05-12T19:15",)))
    assert _kw(bill) == [Decimal("2.75")]
    (row,) = [r for r in bill.determinants.left_out if r.period == 0]
    assert datetime.fromtimestamp(row.start_s, UTC) == datetime(2026, 5, 12, 19, tzinfo=UTC)
    assert (row.end_s - row.start_s, row.windows, row.is_estimated) == (3600, 1, True)
    (finding,) = bill.findings
    assert (finding.code, finding.holds) == (RatingCode.DEMAND_LEFT_OUT, False)
    assert "1 of 496 windows" in finding.words
    assert "2026-05-12 19:00Z to 2026-05-12 20:00Z (estimated)" in finding.words


@pytest.mark.parametrize(("lost_days", "holds"), [(1, False), (2, True)], ids=["16 of 496 hours", "32 of 496 hours"])
def test_above_the_threshold_the_bill_is_held(lost_days: int, holds: bool) -> None:
    usage = _usage({})
    lost = (usage.start_s >= 1_778_562_000) & (usage.start_s < 1_778_562_000 + lost_days * 86_400)
    bill = _bill(DemandCharge("D", 60, DAY), Usage(usage.start_s[~lost], usage.wh[~lost], 900))
    assert [f.holds for f in bill.findings] == [holds]
    assert sum(r.windows for r in bill.determinants.left_out if r.period == 0) == 16 * lost_days


def test_a_line_is_kept_and_proved_with_the_windows_that_set_no_peak() -> None:
    schedule, usage = _rate(DemandCharge("D", 60, DAY)), _usage(ACROSS, estimated=("2026-05-12T19:15",))
    bill = _bill(DemandCharge("D", 60, DAY), usage)
    (kept,) = [x for x in kept_lines(schedule, bill, [1]) if x.kind == "demand"]
    assert (kept.evidence["windows"], kept.evidence["left_out_windows"]) == (496, 1)
    intervals = priced(schedule, usage, MAY, CHICAGO)
    (proof,) = [p for p in prove_lines(schedule, bill.lines, bill.determinants, intervals) if p.window]
    assert proof.note == (
        "1 of 496 windows lack actual intervals and set no peak: 2026-05-12 14:00 to 2026-05-12 15:00 (estimated)"
    )


def test_at_the_threshold_itself_the_bill_goes_out() -> None:
    # April has 30 x 16 = 480 day windows; 24 of them are 5 %.
    april = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
    schedule, usage = _rate(DemandCharge("D", 60, DAY)), _usage({}, span=april)
    midnight = int(datetime(2026, 4, 10, 5, tzinfo=UTC).timestamp())
    for hours, holds in ((24 + 14, False), (24 + 15, True)):
        lost = (usage.start_s >= midnight) & (usage.start_s < midnight + hours * 3600)
        left = Usage(usage.start_s[~lost], usage.wh[~lost], 900)
        bill = rate(schedule, determinants(schedule, left, [april], CHICAGO)[0])
        assert [f.holds for f in bill.findings] == [holds]


def test_a_price_of_few_days_may_lack_as_much_more_as_it_weighs_less() -> None:
    # From 31 May on a new version: one day of 31, 16 windows. Three estimates there are 19 %, and 3 of 24.8 allowed.
    old = _rate(DemandCharge("D", 60, DAY)).versions[0]
    both = replace(
        _rate(DemandCharge("D", 60, DAY)),
        versions=(replace(old, effective_to=date(2026, 5, 31)), replace(old, effective_from=date(2026, 5, 31))),
    )
    usage = _usage({}, estimated=("2026-05-31T15:00", "2026-05-31T17:00", "2026-05-31T19:00"))
    bill = rate(both, determinants(both, usage, [MAY], CHICAGO)[0])
    assert [(f.code, f.holds) for f in bill.findings] == [(RatingCode.DEMAND_LEFT_OUT, False)]


def test_a_ratchet_bills_also_where_no_window_is_left_and_the_bill_is_held() -> None:
    usage = _usage({})
    none = Usage(usage.start_s, usage.wh, 900, np.ones(len(usage.wh), np.bool_))
    carried = Carried(peaks=(_peak(date(2025, 7, 1), 8000),))
    bill = _bill(DemandCharge("D", 60, DAY, ratchet=SUMMER), none, carried=carried)
    assert _kw(bill) == [Decimal(6)]
    assert [f.code for f in bill.findings if f.holds] == [RatingCode.DEMAND_NOT_SURE]


def test_a_demand_period_without_one_actual_window_holds_the_bill() -> None:
    usage = _usage({})
    bill = _bill(DemandCharge("D", 60, DAY), Usage(usage.start_s, usage.wh, 900, np.ones(len(usage.wh), np.bool_)))
    assert _kw(bill) == []
    (finding,) = bill.findings
    assert (finding.code, finding.holds) == (RatingCode.DEMAND_NOT_SURE, True)


def _peak(month: date, watts: int, *, charge: str = "D", period: str = "day") -> MonthPeak:
    return MonthPeak(month, charge, period, watts)


SUMMER = even_ratchet(Decimal(75), 11, set_in=(6, 7, 8, 9))


@pytest.mark.parametrize(
    ("peaks", "billed_w"),
    [
        ([], 4000),
        ([_peak(date(2025, 7, 1), 8000)], 6000),
        ([_peak(date(2025, 7, 1), 5000)], 4000),
        ([_peak(date(2025, 12, 1), 20_000)], 4000),
        ([_peak(date(2025, 6, 1), 8000)], 6000),
        ([_peak(date(2024, 9, 1), 8000)], 4000),
        ([_peak(date(2025, 7, 1), 8000), _peak(date(2025, 8, 1), 9001)], 6751),
        ([_peak(date(2025, 7, 1), 8000, charge="Other")], 4000),
        ([_peak(date(2025, 7, 1), 8000, period="night")], 6000),
    ],
    ids=[
        "no history", "75 % of July", "75 % is less", "December does not count", "eleven months before counts",
        "twenty months before does not", "the highest, half a watt up", "another charge", "another period",
    ],
)  # fmt: skip
def test_a_ratchet_looks_at_the_named_months_before(peaks: list[MonthPeak], billed_w: int) -> None:
    charge = DemandCharge("D", 60, DAY, ratchet=SUMMER)
    assert billed_demand(charge, "day", Peak(4000, 0), date(2026, 5, 1), peaks).watts == billed_w


@pytest.mark.parametrize(
    ("month", "watts"),
    [(date(2025, 6, 1), 8000), (date(2025, 5, 1), 0), (date(2026, 5, 1), 0), (date(2026, 4, 1), 8000)],
    ids=["eleven months before", "twelve months before", "the bill's own month", "the month before"],
)
def test_the_months_looked_back_at_are_counted_from_the_month_before(month: date, watts: int) -> None:
    charge = DemandCharge("D", 60, DAY, ratchet=even_ratchet(Decimal(100), 11))
    assert billed_demand(charge, "day", None, date(2026, 5, 1), [_peak(month, 8000)]).watts == watts


def test_a_ratchet_may_ask_for_its_own_demand_period_and_hold_up_some_months_only() -> None:
    charge = DemandCharge("D", 60, DAY, ratchet=Ratchet((Decimal(50),) * 12, 11, frozenset({5}), by_period=True))
    peaks = [_peak(date(2026, 2, 1), 20_000, period="night"), _peak(date(2026, 2, 1), 10_000)]
    assert billed_demand(charge, "day", None, date(2026, 5, 1), peaks).watts == 5000
    assert billed_demand(charge, "day", None, date(2026, 6, 1), peaks).watts == 0


def test_a_ratcheted_bill_says_why_and_hands_on_the_metered_peak() -> None:
    charge = DemandCharge("D", 60, DAY, ratchet=SUMMER)
    bill = _bill(charge, _usage(ACROSS), carried=Carried(peaks=(_peak(date(2025, 7, 1), 8000),)))
    (line,) = [x for x in bill.lines if x.kind is LineKind.DEMAND]
    assert line.name == "D, day (at least 75 % of 8 kW of 2025-07)"
    assert (line.quantity, line.amount) == (Decimal(6), Decimal("60.00"))
    assert [(p.month, p.period, p.watts) for p in bill.carried.peaks] == [
        (date(2025, 7, 1), "day", 8000), (date(2026, 5, 1), "day", 2750), (date(2026, 5, 1), "night", 1000)
    ]  # fmt: skip
    assert [f.code for f in bill.findings] == [RatingCode.RATCHET_SHORT]


def test_the_least_demand_and_the_step_are_the_rates() -> None:
    charge = DemandCharge("D", 60, DAY, least_w=5000)
    assert billed_demand(charge, "day", Peak(4000, 0), date(2026, 5, 1), ()).watts == 5000
    assert billed_demand(charge, "day", Peak(5049, 0), date(2026, 5, 1), (), step_w=100).watts == 5000
    assert billed_demand(charge, "day", Peak(5050, 0), date(2026, 5, 1), (), step_w=100).watts == 5100


@pytest.mark.parametrize(("rule", "kw"), [(CoincidentRule.HIGHEST, "2.75"), (CoincidentRule.MEAN, "1.875")])
def test_a_coincident_charge_looks_at_the_systems_peaks_alone(rule: CoincidentRule, kw: str) -> None:
    peaked = (datetime(2026, 5, 12, 19, 20, tzinfo=UTC), datetime(2026, 5, 20, 21, 0, tzinfo=UTC))
    charge = DemandCharge("D", 60, DAY, coincident=rule)
    usage = _usage(ACROSS | {"2026-05-25T18:00": 30_000})
    assert _kw(_bill(charge, usage, BillTerms(coincident=peaked))) == [Decimal(kw)]


def test_a_coincident_charge_without_the_systems_peak_is_refused_with_its_clause() -> None:
    charge = DemandCharge("D", 60, DAY, coincident=CoincidentRule.HIGHEST)
    with pytest.raises(TariffError, match=r"versions\[0\]\.demand\[D\]\.coincident: the system's peak"):
        _bill(charge, _usage({}))


@pytest.mark.parametrize(
    ("make", "clause"),
    [
        (lambda: Ratchet((Decimal(101),) * 12), "ratchet.percents"),
        (lambda: Ratchet((Decimal(50),) * 11), "ratchet.percents"),
        (lambda: even_ratchet(Decimal(50), 0), "ratchet.months"),
        (lambda: Ratchet((Decimal(50),) * 12, applies_in=frozenset({13})), "ratchet.applies_in"),
        (lambda: DemandCharge("D", 60, DAY, least_w=-1), "demand[D].least_kw"),
    ],
)
def test_a_ratchet_out_of_range_is_refused_by_its_clause(make: object, clause: str) -> None:
    with pytest.raises(TariffError) as refusal:
        make()  # type: ignore[operator]
    assert refusal.value.clause == clause
