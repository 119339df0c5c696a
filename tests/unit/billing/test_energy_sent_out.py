"""Energy sent out, worked by hand: Missouri's credit in money, net billing by register and hour, buy-all, pay-outs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import BillSpan, LineKind, RatedBill, Usage, determinants, rate
from openami.billing.rating.calendar import local_times
from openami.billing.rating.carried import BankedCredit, Carried
from openami.billing.rating.finding import RatingCode
from openami.billing.rating.line import StampCode
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.charge import DatedValue, FixedCharge, Rider, RiderUnit, Tax
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
from openami.billing.tariff.price import Block, BlockScope, PricePeriod, Window
from openami.billing.tariff.season import Season

CHICAGO = ZoneInfo("America/Chicago")
APRIL = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
APPROVED = BillTerms(approved_w=(Approval(date(2026, 1, 1), None, 7_600),))
MISSOURI = ExportTerms(
    ExportKind.NET_METERING, Netting.BILLING_PERIOD, (ExportPrice(Decimal("0.03")),), expires_after_months=12
)
REGISTER = ExportTerms(ExportKind.NET_BILLING, Netting.REGISTER, (ExportPrice(Decimal("0.04")),))


def _rate(export: ExportTerms | None, *, price: str = "0.10", fixed: str = "9") -> RateSchedule:
    season = Season("all year", frozenset(range(1, 13)), ((Window(0, 1440, 0),),) * 8)
    energy = (PricePeriod("All hours", (Block(Decimal(price)),)),)
    charges = (FixedCharge("Customer charge", Decimal(fixed)),)
    return RateSchedule("x", "X", "", "USD", (Tariff(energy, (season,), fixed=charges, export=export),))


def _usage(use_kwh_day: int, sent_kwh_day: int, *, same_hour: bool = False, span: BillSpan = APRIL) -> Usage:
    """Use at 21:00 and send out at noon every day, or both in two quarters of the noon hour."""
    period = span.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    minute = local_times(starts, CHICAGO).minute
    wh, sent = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    wh[minute == (12 * 60 + 15 if same_hour else 21 * 60)] = use_kwh_day * 1000
    sent[minute == 12 * 60] = sent_kwh_day * 1000
    return Usage(starts, wh, 900, None, sent)


def _bill(
    schedule: RateSchedule, usage: Usage, terms: BillTerms = APPROVED, *, bank: tuple[BankedCredit, ...] = ()
) -> RatedBill:
    found = determinants(schedule, usage, [APRIL], CHICAGO, terms)[0]
    return rate(schedule, found, terms, Carried(bank=bank))


def _credits(bill: RatedBill) -> list[tuple[str, Decimal]]:
    return [(x.name, x.amount) for x in bill.lines if x.kind is LineKind.CREDIT and x.amount]


def _money(month: int, text: str, *, year: int = 2026) -> BankedCredit:
    return BankedCredit(date(year, month, 1), date(year, month, 28), amount=Decimal(text))


def test_missouris_excess_is_credited_on_later_bills_at_its_price() -> None:
    # 30 x (20 - 12) = 240 kWh beyond use, at 0.03: 7.20 for later; this bill costs the customer charge.
    bill = _bill(_rate(MISSOURI), _usage(12, 20))
    assert bill.total == Decimal("9.00")
    assert [(c.month, c.amount, c.wh) for c in bill.carried.bank] == [(date(2026, 4, 1), Decimal("7.20"), 0)]


def test_a_credit_in_money_pays_charges_and_never_more() -> None:
    # 30 x (20 - 12) = 240 kWh at 0.10 and 9.00 are 33.00; 30.00 and 5.00 of credit leave 2.00 of the younger.
    bank = (_money(3, "5.00"), _money(2, "30.00"))
    bill = _bill(_rate(MISSOURI), _usage(20, 12), bank=bank)
    assert _credits(bill) == [("Credit of 2026-02", Decimal("-30.00")), ("Credit of 2026-03", Decimal("-3.00"))]
    assert bill.total == Decimal("0.00")
    assert [c.amount for c in bill.carried.bank] == [Decimal("2.00")]


@pytest.mark.parametrize(
    ("terms", "used"),
    [
        (replace(MISSOURI, reach=CreditReach.ENERGY), "24.00"),
        (replace(MISSOURI, reach=CreditReach.CHARGES), "33.00"),
        (replace(MISSOURI, reach=CreditReach.BILL), "34.65"),
    ],
    ids=["energy alone", "every charge before tax", "tax as well"],
)
def test_the_reach_of_a_credit_is_the_rates(terms: ExportTerms, used: str) -> None:
    schedule = _rate(terms)
    tax = Tax("GRT", "Tax", RiderUnit.PERCENT, (DatedValue(Decimal(5)),), of=("energy", "fixed"))
    taxed = replace(schedule, versions=(replace(schedule.versions[0], taxes=(tax,)),))
    bill = _bill(taxed, _usage(20, 12), bank=(_money(3, "50.00"),))
    assert sum(a for _, a in _credits(bill)) == -Decimal(used)
    assert bill.total == Decimal("34.65") - Decimal(used)


def test_the_newest_credit_may_go_first() -> None:
    bill = _bill(
        _rate(replace(MISSOURI, order=UseOrder.NEWEST_FIRST)),
        _usage(0, 0),
        bank=(_money(2, "30.00"), _money(3, "5.00")),
    )
    assert _credits(bill) == [("Credit of 2026-03", Decimal("-5.00")), ("Credit of 2026-02", Decimal("-4.00"))]


def test_a_credit_of_thirteen_months_ago_ends_and_one_of_twelve_is_used() -> None:
    bill = _bill(_rate(MISSOURI), _usage(0, 0), bank=(_money(3, "4.00", year=2025), _money(4, "3.00", year=2025)))
    assert _credits(bill) == [("Credit of 2025-04", Decimal("-3.00"))]
    (ended,) = [x for x in bill.lines if "ended by its age" in x.name]
    assert (ended.name, ended.quantity, ended.unit) == ("Credit of 2025-03 ended by its age", Decimal("4.00"), "USD")
    assert [f.code for f in bill.findings] == [RatingCode.CREDIT_ENDED]
    assert bill.carried.bank == ()


def test_the_revenue_month_counts_and_not_the_days() -> None:
    terms = replace(APPROVED, revenue_month=date(2026, 3, 1))
    bill = _bill(_rate(MISSOURI), _usage(12, 20), terms, bank=(_money(3, "4.00", year=2025),))
    assert [(c.month, c.amount) for c in bill.carried.bank] == [(date(2026, 3, 1), Decimal("7.20"))]
    assert _credits(bill) == [("Credit of 2025-03", Decimal("-4.00"))]


def test_who_stops_loses_the_bank_or_is_paid_as_the_rate_says() -> None:
    final = replace(APPROVED, is_final=True)
    lost = _bill(_rate(MISSOURI), _usage(12, 20), final)
    assert (lost.total, lost.carried.bank) == (Decimal("9.00"), ())
    paid = _bill(_rate(replace(MISSOURI, at_stop=Unused.PAY)), _usage(12, 20), final)
    assert (paid.total, paid.carried.bank) == (Decimal("1.80"), ())


def test_energy_credits_are_paid_out_at_the_last_days_price_when_the_year_ends() -> None:
    terms = ExportTerms(
        ExportKind.NET_METERING, Netting.BILLING_PERIOD,
        (ExportPrice(Decimal("0.02")), ExportPrice(Decimal("0.025"), date(2026, 4, 30))),
        CreditUnit.KWH, expires_on=(4, 1), at_expiry=Unused.PAY,
    )  # fmt: skip
    bank = (BankedCredit(date(2026, 3, 1), date(2026, 3, 31), wh=100_000),)
    bill = _bill(_rate(terms), _usage(12, 12), bank=bank)
    assert _credits(bill) == [("Energy credit of 2026-03 paid out", Decimal("-2.50"))]
    assert bill.total == Decimal("6.50")


def test_net_billing_charges_what_is_delivered_and_pays_what_is_received() -> None:
    # 360 x 0.10 + 9 = 45.00; 600 x 0.04 = 24.00.
    bill = _bill(_rate(REGISTER), _usage(12, 20))
    assert _credits(bill) == [("Energy you sent out, All hours", Decimal("-24.00"))]
    assert bill.total == Decimal("21.00")


def test_the_price_of_energy_sent_out_is_that_of_its_day() -> None:
    # 10 days x 20 at 0.04 and 20 days x 20 at 0.05.
    terms = replace(REGISTER, prices=(*REGISTER.prices, ExportPrice(Decimal("0.05"), date(2026, 4, 11))))
    bill = _bill(_rate(terms), _usage(12, 20))
    assert [a for _, a in _credits(bill)] == [Decimal("-8.00"), Decimal("-20.00")]
    clauses = [x.clause for x in bill.lines if x.kind is LineKind.CREDIT]
    assert clauses == ["versions[0].export.prices[0]", "versions[0].export.prices[1]"]


@pytest.mark.parametrize(
    ("surplus", "total", "kept"),
    [(Unused.CARRY, "0.00", "51.00"), (Unused.FORFEIT, "0.00", "0"), (Unused.PAY, "-51.00", "0")],
)
def test_what_is_above_the_charges_is_kept_lost_or_paid(surplus: Unused, total: str, kept: str) -> None:
    # 30 x 50 x 0.04 = 60.00 against the customer charge of 9.00.
    bill = _bill(_rate(replace(REGISTER, surplus=surplus)), _usage(0, 50))
    assert bill.total == Decimal(total)
    assert sum((c.amount for c in bill.carried.bank), Decimal(0)) == Decimal(kept)


def test_a_rate_that_pays_beyond_the_bill_keeps_what_it_need_not_use_of_earlier_credits() -> None:
    # 30 x 5 x 0.04 = 6.00 of 9.00 are paid by this bill's own energy, so 3.00 of the 4.00 are used.
    bill = _bill(_rate(replace(REGISTER, surplus=Unused.PAY)), _usage(0, 5), bank=(_money(3, "4.00"),))
    assert bill.total == Decimal("0.00")
    assert [c.amount for c in bill.carried.bank] == [Decimal("1.00")]


def test_earlier_credits_go_before_this_bills_own() -> None:
    bill = _bill(_rate(REGISTER), _usage(0, 20), bank=(_money(3, "4.00"),))
    assert _credits(bill) == [
        ("Energy you sent out, All hours", Decimal("-24.00")),
        ("Credit of 2026-03", Decimal("-4.00")),
        ("Credit kept for later bills", Decimal("19.00")),
    ]
    assert [(c.month.month, c.amount) for c in bill.carried.bank] == [(4, Decimal("19.00"))]


def test_an_hour_nets_what_the_registers_do_not() -> None:
    # In one hour 12 kWh are used and 20 sent: the registers see both, the hour sees 8 sent.
    usage = _usage(12, 20, same_hour=True)
    hourly = replace(REGISTER, netting=Netting.HOUR)
    by_register, by_hour = _bill(_rate(REGISTER), usage), _bill(_rate(hourly), usage)
    assert by_register.total == Decimal("21.00")
    # 240 x 0.04 = 9.60 against the customer charge of 9.00.
    assert _credits(by_hour) == [
        ("Energy you sent out, All hours", Decimal("-9.60")), ("Credit kept for later bills", Decimal("0.60"))
    ]  # fmt: skip
    assert (by_hour.determinants.usage_wh, sum(by_hour.determinants.energy_wh.values())) == (360_000, 0)


def test_buy_all_sell_all_pays_beyond_the_bill() -> None:
    terms = ExportTerms(ExportKind.BUY_ALL, Netting.REGISTER, (ExportPrice(Decimal("0.20")),), surplus=Unused.PAY)
    # 360 x 0.10 + 9 = 45.00 against 600 x 0.20 = 120.00.
    assert _bill(_rate(terms), _usage(12, 20)).total == Decimal("-75.00")


def test_without_an_approved_interconnection_nothing_is_lowered_and_it_is_said() -> None:
    from_16 = BillTerms(approved_w=(Approval(date(2026, 4, 16), None, 7_600),))
    for export in (MISSOURI, REGISTER):
        bill = _bill(_rate(export), _usage(12, 20), BillTerms())
        assert bill.total == Decimal("45.00")
        (finding,) = bill.findings
        assert finding.code is RatingCode.RECEIVED_WITHOUT_APPROVAL
        assert "600 kWh were received on 30 days from 2026-04-01 to 2026-04-30" in finding.words
    until_16 = BillTerms(approved_w=(Approval(date(2026, 1, 1), date(2026, 4, 16), 7_600),))
    assert _bill(_rate(MISSOURI), _usage(12, 20), until_16).determinants.uncredited_days[0] == date(2026, 4, 16)
    # Half the month counts: 360 delivered, 15 x 20 = 300 received.
    assert _bill(_rate(MISSOURI), _usage(12, 20), from_16).total == Decimal("15.00")


@pytest.mark.parametrize(
    ("approval", "counts"),
    [
        (Approval(date(2026, 1, 1), None, 100_000), True),
        (Approval(date(2026, 1, 1), None, 100_001), False),
        (Approval(date(2026, 1, 1), date(2026, 4, 1), 7_600), False),
        (Approval(date(2026, 5, 1), None, 7_600), False),
    ],
    ids=["up to the largest", "too large", "ended before", "not yet"],
)
def test_an_approval_counts_within_its_days_and_up_to_the_largest(approval: Approval, counts: bool) -> None:
    bill = _bill(_rate(replace(MISSOURI, largest_w=100_000)), _usage(12, 20), BillTerms(approved_w=(approval,)))
    assert (bill.total == Decimal("9.00")) is counts


def test_riders_per_kwh_are_of_the_energy_that_is_billed() -> None:
    schedule = _rate(MISSOURI)
    rider = Rider("FAC", "Fuel", RiderUnit.KWH, (DatedValue(Decimal("0.01")),))
    bill = _bill(replace(schedule, versions=(replace(schedule.versions[0], riders=(rider,)),)), _usage(20, 12))
    assert [x.quantity for x in bill.lines if x.kind is LineKind.RIDER] == [Decimal(240)]


def test_a_price_that_is_not_known_stamps_a_bill_that_needs_it_and_no_other() -> None:
    unknown = replace(MISSOURI, prices=(ExportPrice(None),))
    assert [s.code for s in _bill(_rate(unknown), _usage(12, 20)).stamps] == [StampCode.EXPORT_PRICE_NOT_KNOWN]
    assert _bill(_rate(unknown), _usage(20, 12)).stamps == ()


def test_a_price_that_begins_later_is_refused_with_its_clause() -> None:
    later = replace(REGISTER, prices=(ExportPrice(Decimal("0.04"), date(2026, 4, 2)),))
    with pytest.raises(TariffError, match=r"x\.versions\[0\]\.export\.prices: no price"):
        _bill(_rate(later), _usage(12, 20))


def test_the_family_of_terms_may_not_change_inside_a_bill() -> None:
    first, second = _rate(MISSOURI).versions[0], _rate(REGISTER).versions[0]
    change = date(2026, 4, 15)
    both = replace(_rate(None), versions=(replace(first, effective_to=change), replace(second, effective_from=change)))
    with pytest.raises(TariffError, match=r"versions\[0\]\.export: the kind of export terms changes inside this bill"):
        _bill(both, _usage(12, 20))


def test_a_rate_without_export_terms_ends_what_an_earlier_one_banked() -> None:
    bill = _bill(_rate(None), _usage(12, 20), bank=(_money(3, "4.00"),))
    assert (bill.total, bill.carried.bank) == (Decimal("45.00"), ())
    assert any(x.name == "Credit of 2026-03 ended with your service on this rate" for x in bill.lines)
    assert any("listed, not credited on this rate" in x.name for x in bill.lines)


def test_running_blocks_cannot_be_net_metered() -> None:
    with pytest.raises(TariffError, match=r"blocks\.scope"):
        replace(_rate(MISSOURI).versions[0], scope=BlockScope.RUNNING)


def test_intervals_that_do_not_fill_an_hour_cannot_be_netted_by_the_hour() -> None:
    period = APRIL.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 2400, dtype=np.int64)
    usage = Usage(starts, np.full(len(starts), 10, np.int64), 2400, None, np.full(len(starts), 10, np.int64))
    with pytest.raises(TariffError, match=r"x\.export\.netting: intervals of 2400 s"):
        _bill(_rate(replace(REGISTER, netting=Netting.HOUR)), usage)
