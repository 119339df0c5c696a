"""Laws of the credit bank and of netting: no watt-hour and no cent vanishes, and no credit is used after its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.billing.rating.bank import ended, has_ended, in_order, month_number, use_energy, use_money
from openami.billing.rating.carried import BankedCredit
from openami.billing.rating.netting import net_energy
from openami.billing.tariff.export import (
    CreditUnit,
    ExportKind,
    ExportPrice,
    ExportTerms,
    Netting,
    UseOrder,
)

KWH = ExportTerms(ExportKind.NET_METERING, Netting.PRICE_PERIOD, credit=CreditUnit.KWH)
ORDERS = st.sampled_from(list(UseOrder))


@st.composite
def bank_credits(draw: st.DrawFn) -> BankedCredit:
    day = draw(st.dates(date(2024, 1, 1), date(2026, 12, 28)))
    wh, cents = draw(st.integers(0, 2_000_000)), draw(st.integers(0, 20_000))
    return BankedCredit(day.replace(day=1), day, draw(st.sampled_from(["", "on", "off"])), wh, Decimal(cents) / 100)


BANKS = st.lists(bank_credits(), max_size=8).map(tuple)
ENERGY = st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 2)), st.integers(0, 3_000_000), max_size=6)


@given(BANKS, st.sampled_from(["on", "off"]), st.integers(0, 4_000_000), ORDERS)
def test_what_was_banked_is_what_is_left_plus_what_was_used(
    bank: tuple[BankedCredit, ...], bucket: str, need_wh: int, order: UseOrder
) -> None:
    left, moves = use_energy(bank, bucket, need_wh, order)
    used = sum(m.credit.wh for m in moves)
    assert sum(c.wh for c in left) + used == sum(c.wh for c in bank)
    assert sum(c.amount for c in left) == sum(c.amount for c in bank)
    assert used == min(need_wh, sum(c.wh for c in bank if c.bucket in ("", bucket)))
    assert all(m.credit.bucket in ("", bucket) for m in moves)
    assert left == in_order(left)


@given(BANKS, st.integers(0, 50_000).map(lambda c: Decimal(c) / 100), ORDERS)
def test_money_leaves_the_bank_only_up_to_the_limit(
    bank: tuple[BankedCredit, ...], limit: Decimal, order: UseOrder
) -> None:
    left, moves = use_money(bank, limit, order)
    used = sum((m.credit.amount for m in moves), Decimal(0))
    assert sum((c.amount for c in left), used) == sum(c.amount for c in bank)
    assert used == min(limit, sum((c.amount for c in bank), Decimal(0)))


@given(BANKS, st.integers(1, 4_000_000))
def test_the_order_of_use_is_by_age(bank: tuple[BankedCredit, ...], need_wh: int) -> None:
    oldest = [m.credit.earned_on for m in use_energy(bank, "on", need_wh, UseOrder.OLDEST_FIRST)[1]]
    newest = [m.credit.earned_on for m in use_energy(bank, "on", need_wh, UseOrder.NEWEST_FIRST)[1]]
    assert oldest == sorted(oldest)
    assert newest == sorted(newest, reverse=True)


@given(BANKS, st.integers(1, 24), st.dates(date(2026, 1, 1), date(2027, 12, 28)))
def test_no_credit_outlives_its_months(bank: tuple[BankedCredit, ...], months: int, first: date) -> None:
    terms = replace(KWH, expires_after_months=months)
    month = first.replace(day=1)
    left, moves = ended(bank, terms, month, first)
    assert all(month_number(month) - month_number(c.month) <= months for c in left)
    assert all(month_number(month) - month_number(m.credit.month) > months for m in moves)
    assert in_order((*left, *(m.credit for m in moves))) == in_order(bank)


@pytest.mark.parametrize(
    ("earned_on", "first", "is_over"),
    [
        (date(2026, 3, 30), date(2026, 3, 31), False),
        (date(2026, 3, 30), date(2026, 4, 1), True),
        (date(2026, 4, 1), date(2026, 4, 2), False),
        (date(2026, 4, 1), date(2027, 3, 31), False),
        (date(2026, 4, 1), date(2027, 4, 1), True),
    ],
)
def test_a_yearly_day_ends_what_was_earned_before_it(earned_on: date, first: date, is_over: bool) -> None:
    terms = replace(KWH, expires_on=(4, 1))
    assert has_ended(BankedCredit(earned_on.replace(day=1), earned_on, wh=1), terms, first, first) is is_over


@given(ENERGY, ENERGY, BANKS, st.sampled_from([Netting.BILLING_PERIOD, Netting.PRICE_PERIOD]), ORDERS)
def test_netting_keeps_every_watt_hour(
    delivered: dict[tuple[int, int], int],
    received: dict[tuple[int, int], int],
    bank: tuple[BankedCredit, ...],
    netting: Netting,
    order: UseOrder,
) -> None:
    names = ("on", "off", "night")
    terms = ExportTerms(
        ExportKind.NET_METERING, netting, credit=CreditUnit.KWH, order=order, prices=(ExportPrice(Decimal(0)),)
    )
    found = net_energy(delivered, received, bank, terms, lambda k: terms.bucket_of(names[k[1]]))
    used = sum(m.credit.wh for m in found.used)
    assert sum(delivered.values()) == sum(found.billed_wh.values()) + sum(found.netted_wh.values()) + used
    assert sum(received.values()) == sum(found.netted_wh.values()) + sum(found.excess_wh.values())
    assert sum(c.wh for c in found.bank) + used == sum(c.wh for c in bank)
    assert all(0 <= wh <= delivered.get(k, 0) for k, wh in found.billed_wh.items())
    for bucket, excess in found.excess_wh.items():
        keys = [k for k in delivered if terms.bucket_of(names[k[1]]) == bucket]
        assert excess > 0
        assert all(found.billed_wh[k] == 0 for k in keys)


def test_over_the_billing_period_the_rest_is_shared_as_the_energy_was() -> None:
    terms = ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, credit=CreditUnit.KWH)
    found = net_energy({(0, 0): 300_000, (0, 1): 100_000}, {(0, 1): 200_000}, (), terms, lambda _: "")
    assert found.billed_wh == {(0, 0): 150_000, (0, 1): 50_000}


def test_within_price_periods_one_periods_excess_lowers_no_other() -> None:
    found = net_energy({(0, 0): 300_000, (0, 1): 100_000}, {(0, 1): 200_000}, (), KWH, lambda k: ("on", "off")[k[1]])
    assert found.billed_wh == {(0, 0): 300_000, (0, 1): 0}
    assert found.excess_wh == {"off": 100_000}
