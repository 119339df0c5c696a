"""Books what a bill run issued: each bill, its level amount, and the parts of earlier undercharges that fall due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.record import Bill, BillState
from openami.billing.ledger.budget import BudgetPlan, budget_entry
from openami.billing.ledger.charge import bill_entry
from openami.billing.ledger.entry import Entry, EntryKind, agreement_id_of
from openami.billing.ledger.installment import InstallmentPlan, part_entry
from openami.billing.ledger.ports import LedgerBook
from openami.kernel.money import rounded_to_cent
from openami.kernel.time import local_date, zone_named


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
        return await self._book.keep(entries)


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
    plan = plan_for(plans, bill.span.last)
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

    Where a change of rate parts a period, the last of its bills takes the part.
    """
    of_agreement: dict[UUID, list[Bill]] = defaultdict(list)
    for bill in bills:
        if bill.supersedes is None and bill.terms.is_last_part(bill.span):
            of_agreement[agreements[bill.bill_id]].append(bill)
    found = []
    for plan, fallen in plans:
        bills_of = of_agreement[plan.agreement_id]
        later = [b for b in bills_of if day_of(b) >= plan.made_on and (plan.decision_id, b.bill_id) not in taken]
        for number, bill in zip(range(fallen, len(plan.parts)), later, strict=False):
            found.append(part_entry(plan, number, bill_id=bill.bill_id, day=day_of(bill), made_at=at))
    return found
