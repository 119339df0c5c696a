"""Books what a bill run issued: each bill, its level amount, and the parts of earlier undercharges that fall due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill, BillState
from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.budget import BudgetPlan, budget_entry, settlement_entry
from openami.billing.ledger.charge import bill_entry
from openami.billing.ledger.entry import Entry, EntryKind, agreement_id_of
from openami.billing.ledger.installment import InstallmentPlan, part_entry
from openami.billing.ledger.ports import LedgerBook
from openami.kernel.money import rounded_to_cent
from openami.kernel.time import local_date, zone_named

DEFERRED = LedgerAccount.BUDGET_DEFERRED


class LedgerPostings:
    """Implements :class:`~openami.billing.ledger.ports.Postings`.

    Args:
        book: where entries are kept.
    """

    def __init__(self, book: LedgerBook) -> None:
        self._book = book

    async def post(self, bills: Sequence[Bill], *, at: datetime) -> int:
        """See the port."""
        issued = sorted((b for b in bills if b.state is BillState.ISSUED and b.total is not None), key=lambda b: b.span)
        if not issued:
            return 0
        agreements = agreements_of(issued)
        mine = set(agreements.values())
        plans = plans_by_agreement(await self._book.plans(mine))
        parts = await self._book.installments(mine)
        entries: list[Entry] = []
        for bill in issued:
            agreement = agreements[bill.bill_id]
            entries += charged(bill, agreement, plans.get(agreement, ()), day=day_of(bill), made_at=at)
        if parts:
            # Posting a bill again must not let the next part fall due with it.
            told = await self._book.of_bills([b.bill_id for b in issued])
            taken = {(e.decision_id, e.bill_id) for e in told if e.kind is EntryKind.INSTALLMENT}
            entries += _due(issued, agreements, parts, taken, at)
        for bill in issued:
            levels = plans.get(agreements[bill.bill_id])
            if bill.ends_service and levels:
                entries += await self._settled(bill, levels[-1], entries, at)
        return await self._book.keep(entries)

    async def _settled(self, bill: Bill, plan: BudgetPlan, entries: Sequence[Entry], at: datetime) -> list[Entry]:
        """Return the entry by which an account's last bill asks for, or gives back, all that was deferred till then.

        No later bill would: whoever is at the place now has an agreement of its own.
        """
        own = [e for e in entries if e.agreement_id == plan.agreement_id]
        there = {e.entry_id for e in await self._book.of_bills({e.bill_id for e in own if e.bill_id is not None})}
        deferred = await deferred_of(self._book, plan.agreement_id)
        deferred += sum((e.amount_of(DEFERRED) for e in own if e.entry_id not in there), Decimal(0))
        found = settlement_entry(
            plan, deferred, day=day_of(bill), currency=bill.currency, made_at=at, bill_id=bill.bill_id
        )
        return [] if found is None else [found]


async def deferred_of(book: LedgerBook, agreement_id: UUID) -> Decimal:
    """Return what an agreement used and was not charged yet under budget billing; below zero where too much was."""
    standings = await book.standings(agreement_id=agreement_id)
    return sum((s.balance for s in standings if s.account is DEFERRED), Decimal(0))


def agreements_of(bills: Collection[Bill]) -> dict[UUID, UUID]:
    """Return the agreement of each bill, by bill: the account that it names, at its service point."""
    accounts = {b.bill_id: None if b.account_id is None else str(b.account_id) for b in bills}
    return {b.bill_id: agreement_id_of(b.service_point_id, accounts[b.bill_id]) for b in bills}


def charged(
    bill: Bill,
    agreement_id: UUID,
    plans: Sequence[BudgetPlan],
    *,
    day: date,
    made_at: datetime,
    decision_id: UUID | None = None,
) -> list[Entry]:
    """Return the entries of one bill: the charge, and what a level amount defers of it.

    An account's last bill defers nothing: nothing comes after it that could ask for the rest.

    Args:
        bill: issued, with its lines.
        agreement_id: whose.
        plans: rows of the agreement's budget plans, oldest first; the last that holds counts.
        day: accounting day.
        made_at: domain time.
        decision_id: of a corrected bill, the decision behind it.
    """
    entry = bill_entry(bill, agreement_id=agreement_id, day=day, made_at=made_at, decision_id=decision_id)
    if entry is None or bill.total is None:
        return []
    plan = None if bill.ends_service else level_plan(plans, bill)
    level = None if plan is None else budget_entry(_for_part(plan, bill), entry, bill.total, made_at=made_at)
    return [entry] if level is None else [entry, level]


def _for_part(plan: BudgetPlan, bill: Bill) -> BudgetPlan:
    """Return the plan with the level of a bill: one level a period, shared by days where a change of rate parts it.

    Each part's share is what the level comes to through its days less what it came to before, so that all parts
    together are the level to the cent, whichever of them goes out first or is made again.
    """
    whole = bill.terms.whole(bill.span)
    through, before = (
        rounded_to_cent(plan.level * (day - whole.first).days / whole.days) for day in (bill.span.end, bill.span.first)
    )
    return replace(plan, level=through - before)


def level_plan(plans: Sequence[BudgetPlan], bill: Bill) -> BudgetPlan | None:
    """Return the plan that levels a bill: the one in force on the last day of its period, for all parts of it."""
    return plan_for(plans, bill.terms.whole(bill.span).last)


def plan_for(plans: Sequence[BudgetPlan], day: date) -> BudgetPlan | None:
    """Return the plan in force on a bill's last day: of rows oldest first, the last that begins by then.

    A row that ends at once ends what was before it.
    """
    begun = [p for p in plans if p.first_day <= day]
    return begun[-1] if begun and begun[-1].holds(day) else None


def plans_by_agreement(plans: Sequence[BudgetPlan]) -> dict[UUID, list[BudgetPlan]]:
    """Return rows of plans by agreement, in their order."""
    found: dict[UUID, list[BudgetPlan]] = defaultdict(list)
    for plan in plans:
        found[plan.agreement_id].append(plan)
    return found


def day_of(bill: Bill) -> date:
    """Return the accounting day of a bill: the local day on which it went out."""
    return local_date(bill.issued_at or bill.made_at, zone_named(bill.zone))


def _due(
    bills: Sequence[Bill],
    agreements: dict[UUID, UUID],
    plans: Sequence[tuple[InstallmentPlan, int]],
    taken: Collection[tuple[UUID | None, UUID | None]],
    at: datetime,
) -> list[Entry]:
    """Return the parts that fall due with bills that are new: each period takes one part of each plan.

    Where a change of rate parts a period, the last of its bills takes the part. With an account's last bill everything
    falls due that has not yet: no bill follows.
    """
    of_agreement: dict[UUID, list[Bill]] = defaultdict(list)
    for bill in bills:
        if bill.supersedes is None and bill.terms.is_last_part(bill.span):
            of_agreement[agreements[bill.bill_id]].append(bill)
    found = []
    for plan, fallen in plans:
        bills_of = of_agreement[plan.agreement_id]
        later = [b for b in bills_of if day_of(b) >= plan.made_on and (plan.decision_id, b.bill_id) not in taken]
        number, most = fallen, len(plan.parts)
        for bill in later:
            end = most if bill.ends_service else min(number + 1, most)
            found += [
                part_entry(plan, n, bill_id=bill.bill_id, day=day_of(bill), made_at=at) for n in range(number, end)
            ]
            number = end
    return found
