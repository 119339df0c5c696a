"""Fourteen months of net metering worked by hand: netting, a bank used in order, an end by age, a stop, a move in."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import BillSpan, LineKind, RatedBill, Usage, determinants, rate
from openami.billing.rating.calendar import local_times
from openami.billing.rating.carried import Carried
from openami.billing.rating.carried_document import carried_document, parse_carried
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.tariff import parse_rate

FOLDER = Path(__file__).parent / "net_metering"
ZONE = ZoneInfo("America/Chicago")
APPROVED = (Approval(date(2025, 5, 11), None, 7_600),)
NOON, ON_PEAK, EVENING = 12 * 60, 17 * 60, 21 * 60


def _rows() -> list[dict[str, str]]:
    with (FOLDER / "bills.csv").open() as lines:
        return list(csv.DictReader(lines))


def _usage(row: dict[str, str], span: BillSpan) -> Usage:
    period = span.period(ZONE)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    minute = local_times(starts, ZONE).minute
    wh, sent = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    wh[minute == EVENING], wh[minute == ON_PEAK] = int(row["off_kwh_day"]) * 1000, 3000
    sent[minute == NOON] = int(row["sent_kwh_day"]) * 1000
    return Usage(starts, wh, 900, None, sent)


def _bills(*, by_hand: bool) -> list[RatedBill]:
    """Rate the rows in turn; what is carried goes through its document, and a new account begins with nothing."""
    schedule = parse_rate((FOLDER / "rate.toml").read_bytes(), code="made")
    bills: list[RatedBill] = []
    carried, account = Carried(), ""
    for row in _rows():
        span = BillSpan(date.fromisoformat(row["first"]), date.fromisoformat(row["end"]))
        if row["account"] != account:
            carried, account = Carried(), row["account"]
        terms = BillTerms(approved_w=APPROVED, is_final=row["end"] == "2026-06-21")
        usage = _usage(row, span)
        if by_hand:
            found = determinants_by_hand(schedule, usage, span, ZONE, terms)
        else:
            (found,) = determinants(schedule, usage, [span], ZONE, terms)
        bills.append(rate(schedule, found, terms, carried))
        carried = parse_carried(carried_document(bills[-1].carried))
    return bills


def _kwh(bill: RatedBill, *words: str, kind: LineKind = LineKind.CREDIT) -> Decimal:
    named = [x for x in bill.lines if x.kind is kind and x.unit == "kWh" and any(w in x.name for w in words)]
    return sum((x.quantity for x in named), Decimal(0))


@pytest.mark.parametrize("by_hand", [False, True], ids=["columns", "by hand"])
def test_fourteen_months_and_a_move_come_out_as_worked_by_hand(by_hand: bool) -> None:
    for row, bill in zip(_rows(), _bills(by_hand=by_hand), strict=True):
        found = {
            "on_billed": _kwh(bill, "On-peak", kind=LineKind.ENERGY),
            "off_billed": _kwh(bill, "Off-peak", kind=LineKind.ENERGY),
            "used": _kwh(bill, "used"),
            "excess": _kwh(bill, "beyond your use"),
            "lost": _kwh(bill, "ended by its age", "ended with your service"),
            "uncredited": _kwh(bill, "without an approved"),
            "bank": Decimal(sum(c.wh for c in bill.carried.bank)) / 1000,
            "fixed": sum((x.amount for x in bill.lines if x.kind is LineKind.FIXED), Decimal(0)),
            "total": bill.total,
        }
        assert found == {name: Decimal(row[name]) for name in found}, row["first"]


def test_the_oldest_credit_is_used_first_and_lives_twelve_months() -> None:
    bills = {b.span.first: b for b in _bills(by_hand=False)}
    assert [(c.month.month, c.wh) for c in bills[date(2026, 5, 1)].carried.bank] == [
        (5, 33_000), (9, 90_000), (10, 31_000), (3, 124_000), (4, 180_000), (5, 217_000)
    ]  # fmt: skip
    june = bills[date(2026, 6, 1)]
    assert [x.name for x in june.lines if x.kind is LineKind.CREDIT and "ended by" in x.name] == [
        "Energy credit of 2025-05 (Off-peak) ended by its age"
    ]
    assert [(x.name, x.quantity) for x in june.lines if x.name.endswith("used")] == [
        ("Energy credit of 2025-09 (Off-peak) used", Decimal(90)),
        ("Energy credit of 2025-10 (Off-peak) used", Decimal(10)),
    ]
