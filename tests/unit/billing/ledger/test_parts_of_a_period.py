"""A period that a change of rate parts is two bills: one level amount and one instalment for both."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import cast
from uuid import UUID

import pytest
from tests.unit.billing.ledger.bills import AT, POINT, bill, line

from openami.billing.bill.record import Bill, BillKind
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.budget import BudgetPlan
from openami.billing.ledger.entry import Entry, EntryKind, agreement_id_of
from openami.billing.ledger.installment import InstallmentPlan
from openami.billing.ledger.ports import LedgerBook
from openami.billing.ledger.posting import LedgerPostings
from openami.billing.ledger.trial import Standing, standings_of
from openami.billing.rating.terms import BillTerms, PartOf
from openami.billing.rating.usage import BillSpan

AGREEMENT = agreement_id_of(POINT, None)
DAY = date(2026, 6, 1)
PERIOD = BillSpan(date(2026, 10, 1), date(2026, 11, 1))


class _Ledger:
    """A ledger in memory: what postings ask of one."""

    def __init__(self, plans: Sequence[BudgetPlan] = (), parts: Sequence[InstallmentPlan] = ()) -> None:
        self.entries: dict[UUID, Entry] = {}
        self._plans = plans
        self._parts = parts

    async def keep(self, entries: Sequence[Entry]) -> int:
        new = {e.entry_id: e for e in entries if e.entry_id not in self.entries}
        self.entries |= new
        return len(new)

    async def plans(self, agreements: Collection[UUID]) -> list[BudgetPlan]:
        return [p for p in self._plans if p.agreement_id in agreements]

    async def installments(self, agreements: Collection[UUID]) -> list[tuple[InstallmentPlan, int]]:
        fallen = sum(e.kind is EntryKind.INSTALLMENT for e in self.entries.values())
        return [(p, fallen) for p in self._parts if p.agreement_id in agreements]

    async def of_bills(self, bill_ids: Collection[UUID]) -> list[Entry]:
        return [e for e in self.entries.values() if e.bill_id in bill_ids]

    async def standings(self, *, agreement_id: UUID) -> list[Standing]:
        return standings_of([e for e in self.entries.values() if e.agreement_id == agreement_id])

    def stands(self, account: A) -> Decimal:
        rows = standings_of(list(self.entries.values()))
        return sum((s.balance for s in rows if s.account is account), Decimal(0))


def _parts() -> list[Bill]:
    """10 and 21 days of October, on two rates."""
    terms = BillTerms(part_of=PartOf(PERIOD))
    early = bill([line("energy", "40.00")], first=PERIOD.first, days=10)
    late = bill([line("energy", "90.00")], first=date(2026, 10, 11), days=21)
    return [replace(early, terms=terms), replace(late, terms=terms)]


def _post(ledger: _Ledger, *calls: Sequence[Bill]) -> None:
    for bills in calls:
        asyncio.run(LedgerPostings(cast("LedgerBook", ledger)).post(bills, at=AT))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in turn", "the late part first"])
def test_both_parts_together_charge_one_level_amount(order: tuple[int, int]) -> None:
    ledger = _Ledger([BudgetPlan(AGREEMENT, POINT, DAY, Decimal(100), 6)])
    parts = _parts()
    _post(ledger, *([parts[n]] for n in order))
    assert ledger.stands(A.RECEIVABLE) == 100
    assert ledger.stands(A.BUDGET_DEFERRED) == 30
    levels = {e.bill_id: e.evidence["level"] for e in ledger.entries.values() if e.kind is EntryKind.BUDGET}
    # 100 x 10/31 is 32.258: 32.26, and the rest of the hundred.
    assert levels == {parts[0].bill_id: "32.26", parts[1].bill_id: "67.74"}


@pytest.mark.parametrize("together", [True, False], ids=["in one run", "in two runs"])
def test_one_instalment_falls_due_with_both_parts_of_a_period(together: bool) -> None:
    plan = InstallmentPlan(UUID(int=9), AGREEMENT, POINT, (Decimal(20), Decimal(20), Decimal(20)), DAY)
    ledger, parts = _Ledger(parts=[plan]), _parts()
    _post(ledger, *([parts] if together else [[p] for p in parts]))
    fallen = [e for e in ledger.entries.values() if e.kind is EntryKind.INSTALLMENT]
    assert [e.bill_id for e in fallen] == [parts[1].bill_id]
    assert ledger.stands(A.RECEIVABLE) == 150
    _post(ledger, [bill([line("energy", "70.00")], first=PERIOD.end, days=30)])
    assert ledger.stands(A.RECEIVABLE) == 240, "the next period takes the next one"


def test_an_accounts_last_bill_asks_for_all_parts_that_are_left_and_settles_what_was_deferred() -> None:
    """Hand-calculated: 100 of 130 are asked for, 30 deferred; the last bill is 70, with 30 deferred and 40 of parts."""
    plan = InstallmentPlan(UUID(int=9), AGREEMENT, POINT, (Decimal(20), Decimal(20), Decimal(20)), DAY)
    ledger = _Ledger([BudgetPlan(AGREEMENT, POINT, DAY, Decimal(100), 6)], [plan])
    _post(ledger, [bill([line("energy", "130.00")], first=PERIOD.first, days=31)])
    assert (ledger.stands(A.RECEIVABLE), ledger.stands(A.BUDGET_DEFERRED)) == (Decimal(120), Decimal(30))
    last = replace(bill([line("energy", "70.00")], first=PERIOD.end, days=12), kind=BillKind.FINAL)
    _post(ledger, [last], [last])
    assert (ledger.stands(A.RECEIVABLE), ledger.stands(A.BUDGET_DEFERRED)) == (Decimal(260), Decimal(0))
    assert ledger.stands(A.INSTALLMENTS) == -60, "all three parts of the sixty have fallen due"


def test_what_a_crash_left_out_is_settled_with_the_last_bill_in_one_booking() -> None:
    ledger = _Ledger([BudgetPlan(AGREEMENT, POINT, DAY, Decimal(100), 6)])
    early = bill([line("energy", "130.00")], first=PERIOD.first, days=31)
    last = replace(bill([line("energy", "60.00")], first=PERIOD.end, days=12), kind=BillKind.FINAL)
    _post(ledger, [early, last], [last, early])
    assert (ledger.stands(A.RECEIVABLE), ledger.stands(A.BUDGET_DEFERRED)) == (Decimal(190), Decimal(0))
