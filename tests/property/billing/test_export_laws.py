"""Laws of energy sent out: both engines agree, no watt-hour and no cent of a credit vanishes, no bill is overpaid."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.billing.rating import BillSpan, LineKind, RatedBill, Usage, determinants, rate
from openami.billing.rating.carried import BankedCredit, Carried
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.charge import FixedCharge
from openami.billing.tariff.export import (
    CreditReach,
    CreditUnit,
    ExportKind,
    ExportPrice,
    ExportTerms,
    Netting,
    Unused,
    UseOrder,
)
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.season import Season

BEGINS = date(2026, 10, 30)
CHANGE = date(2026, 11, 1)
SPANS = [BillSpan(BEGINS + timedelta(days=3 * n), BEGINS + timedelta(days=3 * n + 3)) for n in range(2)]
NETTINGS = {
    ExportKind.NET_METERING: [Netting.BILLING_PERIOD, Netting.PRICE_PERIOD],
    ExportKind.NET_BILLING: [Netting.REGISTER, Netting.HOUR],
    ExportKind.BUY_ALL: [Netting.REGISTER],
}
CENTS = st.integers(0, 600).map(lambda n: Decimal(n) / 1000)
ENDS = st.sampled_from([Unused.FORFEIT, Unused.PAY])


@st.composite
def export_terms(draw: st.DrawFn) -> ExportTerms:
    kind = draw(st.sampled_from(list(ExportKind)))
    prices = (
        ExportPrice(draw(CENTS)), ExportPrice(draw(CENTS), CHANGE + timedelta(days=draw(st.integers(-2, 3)))),
        ExportPrice(draw(CENTS), period="on"),
    )  # fmt: skip
    metered = kind is ExportKind.NET_METERING
    return ExportTerms(
        kind, draw(st.sampled_from(NETTINGS[kind])), prices,
        credit=draw(st.sampled_from(list(CreditUnit))) if metered else CreditUnit.MONEY,
        order=draw(st.sampled_from(list(UseOrder))),
        reach=draw(st.sampled_from(list(CreditReach))),
        expires_after_months=draw(st.none() | st.integers(1, 12)),
        at_expiry=draw(ENDS), at_stop=draw(ENDS),
        surplus=Unused.CARRY if metered else draw(st.sampled_from(list(Unused))),
        needs_interconnection=draw(st.booleans()),
        largest_w=draw(st.none() | st.just(10_000)),
    )  # fmt: skip


def _schedule(terms: ExportTerms, edge: int, price: Decimal) -> RateSchedule:
    periods = (
        PricePeriod("on", (Block(price * 3),)),
        PricePeriod("off", (Block(price, Decimal(40)), Block(price * 2))),
    )
    periods = (replace(periods[0], blocks=(Block(price * 3, Decimal(40)), Block(price))), periods[1])
    day = (Window(0, edge, 1), Window(edge, 1260, 0), Window(1260, 1440, 1))
    season = Season("all year", frozenset(range(1, 13)), (day,) * 8)
    tariff = Tariff(periods, (season,), fixed=(FixedCharge("f", Decimal("3.1")),), export=terms)
    first = replace(tariff, effective_to=CHANGE)
    return RateSchedule("x", "X", "", "USD", (first, replace(tariff, effective_from=CHANGE)))


def _usage(seed: int, gaps: int) -> Usage:
    dice = np.random.default_rng(seed)
    starts = int(datetime(2026, 10, 29, 20, tzinfo=UTC).timestamp()) + np.arange(8 * 96, dtype=np.int64) * 900
    keep = np.ones(len(starts), bool)
    keep[dice.integers(0, len(starts), gaps)] = False
    wh, sent = dice.integers(0, 900, len(starts)), dice.integers(0, 1200, len(starts))
    sent[dice.random(len(starts)) < 0.5] = 0
    return Usage(starts[keep], wh[keep], 900, None, (sent * dice.integers(0, 3))[keep])


APPROVED = st.lists(
    st.builds(
        Approval,
        st.integers(-3, 4).map(lambda n: BEGINS + timedelta(days=n)),
        st.none() | st.integers(3, 8).map(lambda n: BEGINS + timedelta(days=n)),
        st.sampled_from([7_600, 25_000]),
    ),
    max_size=2,
).map(tuple)
BANK = st.lists(
    st.builds(
        BankedCredit,
        st.integers(1, 9).map(lambda m: date(2026, m, 1)),
        st.just(date(2026, 9, 30)),
        st.sampled_from(["", "on", "off"]),
        st.integers(0, 60_000),
    )
    | st.builds(
        BankedCredit,
        st.integers(1, 9).map(lambda m: date(2026, m, 1)),
        st.just(date(2026, 9, 30)),
        amount=st.integers(0, 3_000).map(lambda n: Decimal(n) / 100),
    ),
    max_size=4,
).map(tuple)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    export_terms(), st.sampled_from([480, 495]), APPROVED, st.integers(0, 2**32), st.integers(0, 30),
    st.sampled_from(["America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)  # fmt: skip
def test_both_engines_credit_the_same_energy(
    terms: ExportTerms, edge: int, approved: tuple[Approval, ...], seed: int, gaps: int, zone_name: str
) -> None:
    schedule, usage, zone = _schedule(terms, edge, Decimal("0.1")), _usage(seed, gaps), ZoneInfo(zone_name)
    bill = BillTerms(approved_w=approved)
    try:
        by_hand = [determinants_by_hand(schedule, usage, s, zone, bill) for s in SPANS]
    except TariffError as refusal:
        with pytest.raises(TariffError, match=re.escape(refusal.clause)):
            determinants(schedule, usage, SPANS, zone, bill)
        return
    for hand, columns in zip(by_hand, determinants(schedule, usage, SPANS, zone, bill), strict=True):
        for name in ("usage_wh", "energy_wh", "credited_wh", "uncredited_wh", "uncredited_days", "received_wh"):
            mine, theirs = getattr(hand, name), getattr(columns, name)
            assert mine == theirs, name
        if terms.netting is not Netting.HOUR:
            assert columns.received_wh == sum(columns.credited_wh.values()) + columns.uncredited_wh
        else:
            billed, credited = sum(columns.energy_wh.values()), sum(columns.credited_wh.values())
            assert columns.usage_wh - columns.received_wh + columns.uncredited_wh == billed - credited


def _energy(bill: RatedBill, words: str) -> int:
    return sum(int(line.quantity * 1000) for line in bill.lines if line.unit == "kWh" and words in line.name)


@settings(max_examples=40, deadline=None)
@given(export_terms(), BANK, st.integers(0, 2**32), CENTS, st.booleans())
def test_no_watt_hour_and_no_cent_of_a_credit_vanishes(
    terms: ExportTerms, bank: tuple[BankedCredit, ...], seed: int, price: Decimal, is_final: bool
) -> None:
    schedule, usage, zone = _schedule(terms, 480, price), _usage(seed, 0), ZoneInfo("America/Chicago")
    bill = BillTerms(approved_w=(Approval(date(2026, 1, 1), None, 7_600),), is_final=is_final)
    found = determinants(schedule, usage, SPANS[:1], zone, bill)[0]
    rated = rate(schedule, found, bill, Carried(bank=bank))
    left = rated.carried.bank
    if terms.kind is ExportKind.NET_METERING:
        billed = sum(int(x.quantity * 1000) for x in rated.lines if x.kind is LineKind.ENERGY)
        used, netted = _energy(rated, " used"), _energy(rated, "set against your use")
        excess = _energy(rated, "beyond your use")
        assert found.usage_wh == billed + used + netted
        assert found.received_wh == netted + excess
        ended = _energy(rated, "ended ") + _energy(rated, "paid out")
        earned = excess if terms.credit is CreditUnit.KWH else 0
        assert sum(c.wh for c in bank) + earned == used + ended + sum(c.wh for c in left)
    assert not (is_final and left)
    brought, taken = sum(c.amount for c in bank), sum(c.amount for c in left)
    moved = [x for x in rated.lines if x.kind is LineKind.CREDIT and x.unit == "USD" and x.name.startswith("Credit of")]
    kept = sum(x.quantity for x in rated.lines if x.name.startswith("Credit kept"))
    fresh = sum(c.amount for c in left if c.earned_on == found.span.last)
    if not is_final:
        assert brought - sum(x.quantity for x in moved) == taken - fresh
        assert kept in (0, fresh)


@settings(max_examples=40, deadline=None)
@given(export_terms(), BANK, st.integers(0, 2**32), CENTS)
def test_a_credit_never_turns_a_bill_that_pays_nothing_out_below_zero(
    terms: ExportTerms, bank: tuple[BankedCredit, ...], seed: int, price: Decimal
) -> None:
    kept = replace(terms, surplus=Unused.CARRY, at_expiry=Unused.FORFEIT, at_stop=Unused.FORFEIT)
    schedule, usage, zone = _schedule(kept, 480, price), _usage(seed, 0), ZoneInfo("America/Chicago")
    bill = BillTerms(approved_w=(Approval(date(2026, 1, 1), None, 7_600),))
    rated = rate(schedule, determinants(schedule, usage, SPANS[:1], zone, bill)[0], bill, Carried(bank=bank))
    assert rated.total >= 0
    if kept.reach is CreditReach.ENERGY:
        assert rated.total >= Decimal("3.10")


@settings(max_examples=30, deadline=None)
@given(export_terms(), st.integers(0, 2**32))
def test_without_an_approval_a_bill_is_what_it_is_without_sending_out(terms: ExportTerms, seed: int) -> None:
    schedule = _schedule(replace(terms, needs_interconnection=True), 480, Decimal("0.1"))
    usage, zone = _usage(seed, 0), ZoneInfo("America/Chicago")
    assert usage.received_wh is not None
    silent = replace(usage, received_wh=np.zeros_like(usage.received_wh))
    sending, quiet = (rate(schedule, determinants(schedule, u, SPANS[:1], zone)[0]) for u in (usage, silent))
    assert sending.total == quiet.total
    assert sending.carried.bank == ()
    assert bool(sending.findings) == bool(sending.determinants.received_wh)
