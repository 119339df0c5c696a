"""Whatever happens at a place in months of runs: each day is billed once, with all energy; what is handed on stays."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.property.billing.place_world import ZONE, PlaceWorld, Truth

from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill, BillKind, BillState, KeptLine
from openami.billing.calendar import BusinessDayCalendar
from openami.billing.cycle.orders import carries
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.coverage import Coverage, Fallback
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.export import CreditUnit, ExportKind, ExportTerms, Netting
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.ratchet import even_ratchet
from openami.billing.tariff.rounding import EnergyRounding, Rounding
from openami.billing.tariff.season import Season
from openami.kernel.time import local_midnight

D = Decimal
FIRST, DAYS = date(2026, 8, 20), 130
END = FIRST + timedelta(days=DAYS)
ALL_DAY = ((Window(0, 1440, 0),),) * 8
YEAR = frozenset(range(1, 13))
FIXED = (FixedCharge("Customer charge", D("9.30")),)
FALLS = Coverage(D("0.9"), Fallback.FLAT_PRICE, "flat")
NET = ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, credit=CreditUnit.KWH, expires_after_months=12)
FLAT = Tariff(
    (PricePeriod("All", (Block(D("0.10"), D(600)), Block(D("0.08")))),), (Season("y", YEAR, ALL_DAY),), fixed=FIXED
)
TIMES = Tariff(
    (PricePeriod("Night", (Block(D("0.05")),)), PricePeriod("Day", (Block(D("0.15")),))),
    (Season("y", YEAR, ((Window(0, 480, 0), Window(480, 1440, 1)),) * 8),), fixed=FIXED, export=NET, coverage=FALLS,
)  # fmt: skip
DEMAND = Tariff(
    (PricePeriod("All", (Block(D("0.06")),)),), (Season("y", YEAR, ALL_DAY, (ALL_DAY,)),), fixed=FIXED,
    demand=(DemandCharge("Demand", 60, (PricePeriod("Any", (Block(D(7)),)),), ratchet=even_ratchet(D(75))),),
    coverage=FALLS,
)  # fmt: skip
LEAST = Tariff(
    (PricePeriod("All", (Block(D("0.11")),)),), (Season("y", YEAR, ALL_DAY),), fixed=FIXED, export=NET,
    minimum=MinimumCharge("Least", D(1200), ChargeUnit.YEAR), year_ends_month=11,
    rounding=Rounding(energy=EnergyRounding.WHOLE_KWH),
)  # fmt: skip
RATES = {
    c: RateSchedule(c, c, "", "USD", (t,))
    for c, t in (("flat", FLAT), ("times", TIMES), ("demand", DEMAND), ("least", LEAST))
}
EXAMPLES = int(os.environ.get("OPENAMI_PLACE_EXAMPLES", "12"))
ANY_DAY = st.integers(1, DAYS - 1).map(lambda n: FIRST + timedelta(days=n))


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """A place over four months: switches, moves, an approval, estimates, midnights without a read, late readings."""
    switches = draw(st.dictionaries(ANY_DAY, st.sampled_from(sorted(RATES)), max_size=3))
    group = draw(st.integers(1, 21))
    read_days = [d.read_on for d in BusinessDayCalendar().read_days(group, FIRST, END)]
    near = st.sampled_from(read_days).flatmap(lambda d: st.integers(-1, 1).map(lambda n: d + timedelta(days=n)))
    runs = draw(st.lists(st.tuples(ANY_DAY, st.integers(1, 9)), max_size=3))
    sends = draw(st.booleans())
    return Truth(
        FIRST, END, group, tuple(sorted(draw(st.sets(ANY_DAY, max_size=2)))),
        {FIRST: draw(st.sampled_from(sorted(RATES))), **switches},
        draw(st.none() | st.just(FIRST)) if sends else None,
        draw(st.integers(0, 1 << 32)),
        sends,
        frozenset(d + timedelta(days=n) for d, k in runs for n in range(k)),
        frozenset(draw(st.sets(near, max_size=3))),
        frozenset(draw(st.sets(near, max_size=1))),
        draw(st.dictionaries(ANY_DAY, st.integers(1, 45), max_size=2)),
        draw(st.booleans()),
    )  # fmt: skip


def lived(truth: Truth) -> PlaceWorld:
    """Run every few days; then everything late is there and people let pass what they may."""
    world = PlaceWorld(truth, RATES)
    for n in range(10, DAYS, 4):
        world.run(_noon(FIRST + timedelta(days=n)), retry_held=n % 3 == 0)
        hold_apart(world)
    for _ in range(6):
        world.release_all()
        world.run(_noon(END) + timedelta(days=50))
        hold_apart(world)
    return world


def _noon(day: date) -> datetime:
    return local_midnight(day, ZONE) + timedelta(hours=12)


def hold_apart(world: PlaceWorld) -> None:
    """No day is on two bills of the place, held ones too."""
    spans = sorted(b.span for b in world.bills.values())
    assert all(a.end <= b.first for a, b in pairwise(spans)), spans


PART_AFTER_ONE_THAT_WAITED = Truth(
    first=date(2026, 8, 20),
    end=date(2026, 12, 28),
    bill_group=12,
    moves=(date(2026, 12, 9),),
    rates={
        date(2026, 8, 20): "flat",
        date(2026, 9, 11): "least",
        date(2026, 9, 22): "least",
        date(2026, 11, 29): "flat",
    },
    approved=date(2026, 8, 20),
    seed=0,
    sends=True,
    estimated=frozenset(),
    unread=frozenset({date(2026, 11, 17), date(2026, 12, 16)}),
    misread=frozenset({date(2026, 10, 16)}),
    late={},
    is_late_everywhere=True,
)
"""A bill waits and is then made up to an earlier read, when the last part of the next period was out already."""


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
@given(truths())
@example(PART_AFTER_ONE_THAT_WAITED)
def test_every_day_of_an_account_is_billed_once_with_all_its_energy_and_hands_on_all_it_has(truth: Truth) -> None:
    world = lived(truth)
    for account, first, end in truth.accounts:
        bills = world.of(account)
        assert world.of(account, BillState.HELD) == [], [b.hold for b in world.of(account, BillState.HELD)]
        last = bills[-1].span.end if bills else first
        assert [b.span.first for b in bills] == [first, *(b.span.end for b in bills[:-1])][: len(bills)]
        assert end is None or last == end
        assert sum(b.usage_wh or 0 for b in bills) == (truth.energy_wh(BillSpan(first, last)) if bills else 0)
        assert sum(b.received_wh or 0 for b in bills) == (
            truth.energy_wh(BillSpan(first, last), sent=True) if bills else 0
        )
        hold_handed_on(bills)
        for bill in bills:
            hold_bank(bill)
        hold_months(bills, truth)


def hold_handed_on(bills: list[Bill]) -> None:
    """A rate that takes something in takes in all that the bill before hands on; an account begins with nothing."""
    for before, bill in pairwise(bills):
        order = BillOrder(bill.service_point_id, bill.span, terms=bill.terms, carried=bill.carried_in)
        own = RATES[bill.terms.instead_of or bill.rate_code]
        if carries(own, order):
            assert bill.carried_in == before.carried_out
    assert not bills or bills[0].carried_in == type(bills[0].carried_in)()
    if bills and bills[-1].kind is BillKind.FINAL:
        assert bills[-1].carried_out.bank == ()


def hold_bank(bill: Bill) -> None:
    """What was in the bank and what was earned is what was used, what ended and what is left."""
    begun = sum(c.wh for c in bill.carried_in.bank)
    left = sum(c.wh for c in bill.carried_out.bank)
    earned, used, ended = (_wh(bill, words) for words in ("beyond your use", " used", " ended "))
    assert begun + earned == used + ended + left
    if RATES[bill.terms.instead_of or bill.rate_code].versions[0].export is not None:
        netted, unapproved = _wh(bill, "set against your use"), _wh(bill, "without an approved")
        assert bill.received_wh == netted + earned + unapproved


def _wh(bill: Bill, words: str) -> int:
    return sum(int(line.quantity * 1000) for line in bill.lines if _is_credit(line) and words in line.name)


def _is_credit(line: KeptLine) -> bool:
    return line.kind == "credit" and line.unit == "kWh"


LEAST_DAYS = 26
"""Of a regular bill, by the rules that are shipped."""


def hold_months(bills: list[Bill], truth: Truth) -> None:
    """From read to read the customer charge is taken once, whatever parts the period has."""
    calendar = BusinessDayCalendar()
    periods: list[list[Bill]] = []
    for bill in bills:
        day = bill.span.first
        is_read = bool(calendar.read_days(truth.bill_group, day, day + timedelta(days=1)))
        # A period that began on the read before a missed read day passes over that day: it would be too short.
        is_passed = bool(len(periods) > 1 and (day - periods[-1][0].span.first).days < LEAST_DAYS)
        if periods and day in truth.rates and (is_passed or not is_read) and periods[-1][-1].span.end == day:
            periods[-1].append(bill)
        else:
            periods.append([bill])
    for parts in periods:
        months = [Fraction(line.quantity) for bill in parts for line in bill.lines if line.kind == "fixed"]
        assert abs(sum(months, Fraction(-1))) < Fraction(1, 10**20), [(b.span, b.rate_code) for b in parts]
