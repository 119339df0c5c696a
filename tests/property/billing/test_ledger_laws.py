"""Whatever happens to bills, the ledger adds up and says what each customer was charged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.billing.ledger.bills import AT, bill, line

from openami.billing.bill.record import Bill, KeptLine
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.budget import BudgetPlan, budget_entry, settlement_entry
from openami.billing.ledger.charge import bill_entry
from openami.billing.ledger.conservation import BilledEnergy, PlaceDays, balance_of
from openami.billing.ledger.entry import Entry, agreement_id_of, reversal_of
from openami.billing.ledger.installment import InstallmentPlan, part_entry, parts_of, plan_entry
from openami.billing.ledger.trial import out_of_balance, standings_of

CENTS = st.integers(-50_000, 50_000).map(lambda c: Decimal(c) / 100)
KINDS = ("energy", "demand", "fixed", "minimum", "rider", "tax", "credit")
LINES = st.lists(
    st.builds(line, st.sampled_from(KINDS), CENTS.map(str), st.sampled_from(["", "A", "B"])), min_size=1, max_size=8
)
STEPS = st.lists(st.tuples(LINES, st.one_of(st.none(), LINES), st.integers(-2, 2)), min_size=1, max_size=6)
DAY = date(2026, 11, 1)


def _booked(made: Bill, plan: BudgetPlan | None) -> list[Entry]:
    entry = bill_entry(made, agreement_id=agreement_id_of(made.service_point_id, None), day=DAY, made_at=AT)
    if entry is None or made.total is None:
        return []
    level = None if plan is None else budget_entry(plan, entry, made.total, made_at=AT)
    return [entry] if level is None else [entry, level]


def _bill(lines: list[KeptLine], month: int, version: int, off_cents: int) -> Bill:
    total = sum((x.amount for x in lines), Decimal(0)) + Decimal(off_cents) / 100
    return bill(lines, first=date(2025, 1, 1) + timedelta(days=30 * month), version=version, total=total)


@given(STEPS, st.booleans(), st.booleans())
def test_after_any_bills_corrections_and_levels_every_account_adds_up(
    steps: list[tuple[list[KeptLine], list[KeptLine] | None, int]], has_plan: bool, settles: bool
) -> None:
    agreement = agreement_id_of(bill([]).service_point_id, None)
    plan = BudgetPlan(agreement, bill([]).service_point_id, date(2020, 1, 1), Decimal(80), 6) if has_plan else None
    entries: list[Entry] = []
    in_force = Decimal(0)
    for month, (lines, corrected, off) in enumerate(steps):
        first = _bill(lines, month, 1, off)
        booked = _booked(first, plan)
        last = first
        if corrected is not None:
            last = _bill(corrected, month, 2, off)
            booked += [reversal_of(e, day=DAY, made_at=AT) for e in booked] + _booked(last, plan)
        entries += booked
        in_force += last.total or Decimal(0)
    at: dict[A, Decimal] = {}
    for one in standings_of(entries):
        at[one.account] = at.get(one.account, Decimal(0)) + one.balance
    assert out_of_balance(standings_of(entries)) == {}
    assert at.get(A.RECEIVABLE, Decimal(0)) + at.get(A.BUDGET_DEFERRED, Decimal(0)) == in_force
    if settles and plan is not None:
        deferred = at.get(A.BUDGET_DEFERRED, Decimal(0))
        settled = settlement_entry(plan, deferred, day=DAY, currency="USD", made_at=AT)
        entries += [] if settled is None else [settled]
        after = {s.account: s.balance for s in standings_of(entries)}
        assert after.get(A.RECEIVABLE, Decimal(0)) == in_force
        assert after.get(A.BUDGET_DEFERRED, Decimal(0)) == 0


@given(st.integers(1, 10_000_000), st.integers(1, 120))
def test_parts_add_up_differ_by_the_cents_left_over_and_leave_nothing(cents: int, parts: int) -> None:
    amount = Decimal(cents) / 100
    found = parts_of(amount, parts)
    assert sum(found) == amount
    assert min(found) > 0
    assert len(set(found[1:])) <= 1
    assert found[0] - min(found) < Decimal(parts) / 100
    plan = InstallmentPlan(UUID(int=1), UUID(int=2), UUID(int=3), found, DAY)
    entries = [plan_entry(plan, made_at=AT)]
    entries += [part_entry(plan, n, bill_id=UUID(int=n), day=DAY, made_at=AT) for n in range(len(found))]
    assert all(s.balance == 0 for s in standings_of(entries))


DAYS = st.lists(
    st.tuples(st.integers(0, 200_000), st.integers(-5_000, 5_000), st.booleans(), st.booleans()), min_size=1,
    max_size=35,
)  # fmt: skip
BILLS = st.lists(st.tuples(DAYS, st.sampled_from(["issued", "held", "none"]), st.floats(0, 1)), max_size=6)


@given(BILLS, st.integers(0, 10_000), st.integers(-900, 900))
def test_energy_is_conserved_to_the_wh_and_a_bill_that_loses_one_shows(
    groups: list[tuple[list[tuple[int, int, bool, bool]], str, float]], loose_wh: int, carried_wh: int
) -> None:
    rows: list[tuple[int, int, bool, bool, bool, bool]] = []
    bills: list[BilledEnergy] = []
    for days, state, share in groups:
        then = [max(0, wh - by) for wh, by, *_ in days]
        on_bill, on_hold = state == "issued", state == "held"
        rows += [
            (wh, t if on_bill else 0, on_bill, on_hold, has_rate, is_left)
            for (wh, _, has_rate, is_left), t in zip(days, then, strict=True)
        ]
        if on_bill:
            usage = sum(then) - carried_wh
            bills.append(BilledEnergy(usage, int(max(usage, 0) * share), carried_wh))
    table = np.array(rows, dtype=np.int64).reshape(-1, 6)
    days_of = PlaceDays(table[:, 0], table[:, 1], *(table[:, n].astype(bool) for n in range(2, 6)))
    found = balance_of(days_of, bills, loose_wh=loose_wh)
    assert found.residual_wh == 0
    assert found.metered_wh == int(table[:, 0].sum()) + loose_wh
    assert (found + found).residual_wh == 0
    if bills:
        wrong = replace(bills[0], usage_wh=bills[0].usage_wh - 1)
        assert balance_of(days_of, [wrong, *bills[1:]], loose_wh=loose_wh).residual_wh == 1
