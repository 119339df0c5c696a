"""What is asked for at once, since nothing comes after: a budget plan is over, or an account's last bill is out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.correction.record import Adjustment
from openami.billing.ledger.budget import BudgetPlan, settlement_entry
from openami.billing.ledger.entry import Entry
from openami.billing.ledger.installment import InstallmentPlan, part_entry
from openami.billing.ledger.posting import DEFERRED, plan_for


@dataclass(frozen=True, slots=True)
class Ledgered:
    """What the ledger holds of bills that are superseded, and of their agreements.

    Args:
        entries: about the bills.
        plans: rows of budget plans of their agreements, oldest first.
        deferred: what stands deferred of each agreement that has such rows.
        ended: agreements whose last bill is out: no later one asks for anything.
        unfallen: plans of repayment of which parts have not fallen due, and how many have.
    """

    entries: tuple[Entry, ...] = ()
    plans: tuple[BudgetPlan, ...] = ()
    deferred: Mapping[UUID, Decimal] = field(default_factory=dict)
    ended: frozenset[UUID] = frozenset()
    unfallen: tuple[tuple[InstallmentPlan, int], ...] = ()


def closing_entries(
    known: Ledgered,
    plans: Mapping[UUID, Sequence[BudgetPlan]],
    adjustments: Sequence[Adjustment],
    fresh: Sequence[Entry],
    *,
    ended: Collection[UUID],
    at: datetime,
) -> list[Entry]:
    """Return the entries that ask for what nobody would ask for later.

    Args:
        known: of the ledger.
        plans: rows of budget plans by agreement, oldest first.
        adjustments: of the decision.
        fresh: entries that the decision books.
        ended: agreements whose last bill is out, or becomes so.
        at: domain time.
    """
    about = {a.agreement_id: a for a in reversed(adjustments)}
    found = []
    for agreement, one in about.items():
        levels = plans.get(agreement, ())
        if levels and (agreement in ended or plan_for(levels, one.day) is None):
            found += _settled(levels[-1], one, known, fresh, at)
    for plan, fallen in known.unfallen:
        if plan.agreement_id in ended and plan.agreement_id in about:
            found += _all_due(plan, fallen, about[plan.agreement_id], at)
    return found


def _settled(plan: BudgetPlan, one: Adjustment, known: Ledgered, fresh: Sequence[Entry], at: datetime) -> list[Entry]:
    """Return the entry that settles what is deferred where a plan is over: no review will ever do it."""
    there = {e.entry_id for e in known.entries}
    own = (e for e in fresh if e.agreement_id == plan.agreement_id and e.entry_id not in there)
    deferred = sum((e.amount_of(DEFERRED) for e in own), known.deferred.get(plan.agreement_id, Decimal(0)))
    found = settlement_entry(
        plan, deferred, day=one.day, currency=one.currency, made_at=at, decision_id=one.decision_id
    )
    return [] if found is None else [found]


def _all_due(plan: InstallmentPlan, fallen: int, one: Adjustment, at: datetime) -> list[Entry]:
    """Return the parts that have not fallen due: no bill follows to ask for them."""
    bill_id = one.corrected_bill_id or one.bill_id
    return [part_entry(plan, n, bill_id=bill_id, day=one.day, made_at=at) for n in range(fallen, len(plan.parts))]
