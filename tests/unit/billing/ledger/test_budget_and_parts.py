"""Level amounts, repayment in parts, and what is earned and not billed yet."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from tests.unit.billing.ledger.bills import AT, POINT, bill, line

from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.budget import (
    BudgetPlan,
    BudgetRefusedError,
    BudgetRules,
    budget_entry,
    level_of,
    reviewed,
    settlement_entry,
)
from openami.billing.ledger.charge import bill_entry
from openami.billing.ledger.installment import InstallmentPlan, part_entry, parts_of, plan_entry
from openami.billing.ledger.trial import standings_of
from openami.billing.ledger.unbilled import OpenUsage, Yardstick, rate_yardsticks, unbilled_entry, yardstick_of
from openami.kernel.errors import MisuseError

DAY = date(2026, 11, 1)
AGREEMENT = uuid4()
YEAR = [Decimal(x) for x in (120, 110, 90, 70, 60, 90, 140, 150, 110, 70, 80, 110)]


@pytest.mark.parametrize(
    ("totals", "days", "deferred", "level"),
    [
        (YEAR, [30] * 12, 0, 102),  # 1,200 in 360 days is 1,216.67 in 365, a twelfth is 101.39
        (YEAR, [365 // 12] * 11 + [365 - 30 * 11], 0, 100),
        (YEAR, [30] * 12, 120, 112),
        (YEAR, [30] * 12, -120, 92),
        (YEAR[-6:], [30] * 6, 0, 112),
        ([Decimal(-10)] * 12, [30] * 12, 0, 0),
        ([Decimal(9999)] * 5 + YEAR, [30] * 17, 0, 102),
    ],
    ids=["by days", "a whole year", "deferred is caught up", "too much is given back", "half a year",
         "never below zero", "old bills do not count"],
)  # fmt: skip
def test_a_level_is_a_twelfth_of_a_year_with_what_is_deferred(
    totals: list[Decimal], days: list[int], deferred: int, level: int
) -> None:
    assert level_of(totals, days, deferred=Decimal(deferred)) == level


def test_a_level_needs_history_and_a_review_changes_it_only_beyond_the_band() -> None:
    with pytest.raises(BudgetRefusedError, match="5 bills are there; a level needs 6"):
        level_of(YEAR[:5], [30] * 5)
    assert reviewed(Decimal(100), Decimal(110)) == 100
    assert reviewed(Decimal(100), Decimal(111)) == 111
    assert reviewed(Decimal(100), Decimal(89), BudgetRules(band=Decimal("0.2"))) == 100


def test_a_levelled_bill_charges_the_level_and_defers_the_rest_until_it_is_settled() -> None:
    plan = BudgetPlan(AGREEMENT, POINT, date(2026, 6, 1), Decimal(100), 6)
    entries = []
    for month, total in ((7, "140.00"), (8, "95.50"), (9, "100.00")):
        made = bill([line("energy", total)], first=date(2026, month, 1))
        entry = bill_entry(made, agreement_id=AGREEMENT, day=DAY, made_at=AT)
        assert entry is not None
        level = budget_entry(plan, entry, Decimal(total), made_at=AT)
        entries += [entry] if level is None else [entry, level]
    assert len(entries) == 5, "a bill that equals the level defers nothing"
    at = {s.account: s.balance for s in standings_of(entries)}
    assert (at[A.RECEIVABLE], at[A.BUDGET_DEFERRED], at[A.ENERGY]) == tuple(map(Decimal, ("300", "35.50", "-335.50")))
    settled = settlement_entry(plan, at[A.BUDGET_DEFERRED], day=DAY, currency="USD", made_at=AT)
    assert settled is not None
    after = {s.account: s.balance for s in standings_of([*entries, settled])}
    assert (after[A.RECEIVABLE], after[A.BUDGET_DEFERRED]) == (Decimal("335.50"), Decimal(0))
    assert settlement_entry(plan, Decimal(0), day=DAY, currency="USD", made_at=AT) is None


@pytest.mark.parametrize(
    ("day", "holds"), [("2026-05-31", False), ("2026-06-01", True), ("2026-08-31", True), ("2026-09-01", False)]
)
def test_a_plan_holds_from_its_first_day_to_the_day_before_its_end(day: str, holds: bool) -> None:
    plan = BudgetPlan(AGREEMENT, POINT, date(2026, 6, 1), Decimal(1), 6, date(2026, 9, 1))
    assert plan.holds(date.fromisoformat(day)) is holds


@pytest.mark.parametrize(
    ("amount", "parts", "expected"),
    [
        ("100.00", 3, ("33.34", "33.33", "33.33")),
        ("0.02", 24, ("0.01", "0.01")),
        ("240.00", 24, ("10.00",) * 24),
        ("0.05", 1, ("0.05",)),
    ],
)
def test_parts_are_equal_and_the_first_takes_the_cents_left_over(
    amount: str, parts: int, expected: tuple[str, ...]
) -> None:
    assert parts_of(Decimal(amount), parts) == tuple(map(Decimal, expected))


@pytest.mark.parametrize(("amount", "parts"), [("0.00", 2), ("-1.00", 2), ("1.005", 2), ("1.00", 0), ("1.00", 121)])
def test_parts_of_what_cannot_be_parted_are_refused(amount: str, parts: int) -> None:
    with pytest.raises(MisuseError):
        parts_of(Decimal(amount), parts)


def test_parts_fall_due_one_with_each_bill_and_then_nothing_is_left() -> None:
    plan = InstallmentPlan(uuid4(), AGREEMENT, POINT, parts_of(Decimal("50.00"), 3), DAY)
    entries = [plan_entry(plan, made_at=AT)]
    entries += [part_entry(plan, n, bill_id=uuid4(), day=DAY, made_at=AT) for n in range(3)]
    assert all(s.balance == 0 for s in standings_of(entries))
    assert len({e.entry_id for e in entries}) == 4


def test_what_is_unbilled_counts_as_the_last_bill_did_without_taxes() -> None:
    last = bill([line("energy", "60.00"), line("rider", "6.00"), line("fixed", "9.00"), line("tax", "4.00")])
    own = yardstick_of([last])
    assert own == Yardstick(Decimal(66) / 500_000, Decimal("0.3"), 1)
    usage = OpenUsage(AGREEMENT, POINT, "flat", days=10, wh=100_000)
    entry = unbilled_entry(usage, own, {}, month_end=date(2026, 10, 31), made_at=AT)
    assert entry is not None
    assert entry.amount_of(A.UNBILLED) == Decimal("16.20")  # 13.20 of energy, ten days of 30 cents
    assert entry.day == date(2026, 10, 31)
    assert entry.evidence["per_kwh"] == "0.132000"


def test_days_without_readings_count_as_the_mean_of_those_with_and_a_new_place_as_its_rate() -> None:
    sticks = rate_yardsticks([bill([line("energy", "60.00")]), bill([line("energy", "40.00")], rate_code="other")])
    usage = OpenUsage(AGREEMENT, POINT, "flat", days=10, wh=80_000, days_missing=2)
    entry = unbilled_entry(usage, None, sticks, month_end=date(2026, 10, 31), made_at=AT)
    assert entry is not None
    assert entry.amount_of(A.UNBILLED) == Decimal("12.00")
    assert unbilled_entry(usage, None, {}, month_end=DAY, made_at=AT) is None
    none_seen = OpenUsage(AGREEMENT, POINT, "flat", days=3, wh=0, days_missing=3)
    assert unbilled_entry(none_seen, None, sticks, month_end=DAY, made_at=AT) is None
    assert yardstick_of([]) is None
