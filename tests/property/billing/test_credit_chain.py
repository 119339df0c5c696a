"""Two years of net metering bills against a model of a few lines: a list of credits, used oldest first, lost by age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.billing.rating import BillSpan, LineKind, RatedBill, Usage, determinants
from openami.billing.rating.carried_document import carried_document, parse_carried
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.rating.turn import rate_in_turn
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.export import CreditUnit, ExportKind, ExportTerms, Netting
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.season import Season

UTC_ZONE = ZoneInfo("UTC")
FIRST = date(2026, 3, 1)
APPROVED = (Approval(date(2026, 1, 1), None, 5_000),)
KWH = st.integers(0, 40).map(lambda n: n * 1000)


@dataclass(frozen=True, slots=True)
class _Month:
    used: int
    sent: int


MONTHS = st.lists(st.builds(_Month, KWH, KWH), min_size=14, max_size=24)


def _month(number: int) -> date:
    return date(2026 + number // 12, number % 12 + 1, 1)


def _bills(months: list[_Month], lives: int) -> list[RatedBill]:
    """Each month's bill is of one day, so that two years take no time; its revenue month is what counts."""
    season = Season("all year", frozenset(range(1, 13)), ((Window(0, 1440, 0),),) * 8)
    export = ExportTerms(
        ExportKind.NET_METERING, Netting.BILLING_PERIOD, credit=CreditUnit.KWH, expires_after_months=lives
    )
    tariff = Tariff((PricePeriod("all", (Block(Decimal("0.1")),)),), (season,), export=export)
    schedule = RateSchedule("x", "X", "", "USD", (tariff,))
    spans = [BillSpan(FIRST + timedelta(days=n), FIRST + timedelta(days=n + 1)) for n in range(len(months))]
    starts = np.array([s.period(UTC_ZONE).start_s + h * 3600 for s in spans for h in range(24)], dtype=np.int64)
    wh, sent = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    wh[20::24], sent[12::24] = [m.used for m in months], [m.sent for m in months]
    terms = [BillTerms(revenue_month=_month(n), approved_w=APPROVED) for n in range(len(months))]
    found = determinants(schedule, Usage(starts, wh, 3600, None, sent), spans, UTC_ZONE, terms)
    return rate_in_turn(schedule, found, terms)


def _model(months: list[_Month], lives: int) -> tuple[list[int], list[int]]:
    """Return what is billed and what is in the bank after each month [Wh]."""
    bank: list[list[int]] = []
    billed, left = [], []
    for number, month in enumerate(months):
        bank = [c for c in bank if number - c[0] <= lives]
        need = month.used - month.sent
        while need > 0 and bank:
            part = min(need, bank[0][1])
            need, bank[0][1] = need - part, bank[0][1] - part
            bank = bank if bank[0][1] else bank[1:]
        if need < 0:
            bank.append([number, -need])
        billed.append(max(0, need))
        left.append(sum(c[1] for c in bank))
    return billed, left


@settings(max_examples=25, deadline=None)
@given(MONTHS, st.sampled_from([1, 3, 12]))
def test_two_years_of_bills_are_what_a_list_of_credits_says(months: list[_Month], lives: int) -> None:
    bills = _bills(months, lives)
    billed, left = _model(months, lives)
    energy = [sum(int(x.quantity * 1000) for x in b.lines if x.kind is LineKind.ENERGY) for b in bills]
    assert energy == billed
    assert [sum(c.wh for c in b.carried.bank) for b in bills] == left
    assert all(parse_carried(carried_document(b.carried)) == b.carried for b in bills)
