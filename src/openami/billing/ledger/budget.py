"""Budget billing: a level amount in place of each bill's own, the difference deferred, reviewed and settled. Pure.

The level is a twelfth of what the last twelve months came to, with what is deferred by now spread over the next twelve,
rounded up to a whole dollar. A review looks every few months and changes the level only where it is off by more than a
tenth. What is deferred is settled once a year, or at once where the agreement or the plan ends.

Source: common practice of utilities; the numbers are the utility's own and are settings (:class:`BudgetRules`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.entry import Entry, EntryKind, Posting, entry_id_of
from openami.kernel.errors import OpenAmiError


class BudgetRefusedError(OpenAmiError):
    """A budget plan that cannot be. The text says why."""


@dataclass(frozen=True, slots=True)
class BudgetRules:
    """How levels are made.

    Args:
        months: over how many months a level spreads, 2 to 24.
        least_history: bills that must be there to make a first level.
        review_months: how often a level is looked at.
        band: by which share of the level it may be off before a review changes it.
        step: a level is rounded up to whole steps of money.
    """

    months: int = 12
    least_history: int = 6
    review_months: int = 4
    band: Decimal = Decimal("0.10")
    step: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """A level in force for an agreement's bills.

    Args:
        agreement_id, service_point_id: whose and where.
        first_day: bills that end after this day are levelled by it.
        level: charged for each bill.
        anniversary: month (1 to 12) in which what is deferred is settled.
        end_day: the first day on which it holds no more, or None.
    """

    agreement_id: UUID
    service_point_id: UUID
    first_day: date
    level: Decimal
    anniversary: int
    end_day: date | None = None

    def holds(self, day: date) -> bool:
        """Whether a bill whose last day this is falls under the plan."""
        return self.first_day <= day and (self.end_day is None or day < self.end_day)


def level_of(
    totals: Sequence[Decimal], days: Sequence[int], *, deferred: Decimal = Decimal(0), rules: BudgetRules | None = None
) -> Decimal:
    """Return the level amount of a month.

    Args:
        totals: of the last bills, newest last; the last ``rules.months`` of them count.
        days: days of each, so that short and long bills weigh right.
        deferred: used and not charged by now; below zero where too much was charged.
        rules: settings.

    Raises:
        BudgetRefusedError: too few bills.

    >>> level_of([Decimal(100)] * 12, [30] * 12)
    Decimal('102')
    """
    rules = rules or BudgetRules()
    used, spans = totals[-rules.months :], days[-rules.months :]
    if len(used) < rules.least_history:
        raise BudgetRefusedError(f"{len(used)} bills are there; a level needs {rules.least_history}")
    year = sum(used, Decimal(0)) / sum(spans) * Decimal(365) * rules.months / 12
    steps = ((year + deferred) / rules.months / rules.step).to_integral_value(rounding=ROUND_CEILING)
    return max(steps * rules.step, Decimal(0))


def reviewed(level: Decimal, fresh: Decimal, rules: BudgetRules | None = None) -> Decimal:
    """Return the level after a review: the present one unless it is off by more than the band."""
    rules = rules or BudgetRules()
    return fresh if abs(fresh - level) > level * rules.band else level


def budget_entry(plan: BudgetPlan, charged: Entry, total: Decimal, *, made_at: datetime) -> Entry | None:
    """Return the entry that makes a bill's charge the level amount; None where the two are equal.

    Args:
        plan: in force.
        charged: the entry of the bill.
        total: of the bill.
        made_at: domain time.
    """
    more = total - plan.level
    if not more:
        return None
    return Entry(
        entry_id_of(EntryKind.BUDGET, str(charged.bill_id)), EntryKind.BUDGET, charged.agreement_id,
        charged.service_point_id, charged.day, charged.currency,
        (Posting(LedgerAccount.RECEIVABLE, -more), Posting(LedgerAccount.BUDGET_DEFERRED, more)), made_at,
        bill_id=charged.bill_id, decision_id=charged.decision_id, evidence={"level": str(plan.level)},
    )  # fmt: skip


def settlement_entry(
    plan: BudgetPlan,
    deferred: Decimal,
    *,
    day: date,
    currency: str,
    made_at: datetime,
    bill_id: UUID | None = None,
    decision_id: UUID | None = None,
) -> Entry | None:
    """Return the entry that charges what was deferred, or gives it back; None where nothing is.

    Args:
        plan: what is settled.
        deferred: what stands on the deferred account.
        day: accounting day.
        currency: of it.
        made_at: domain time.
        bill_id: the account's last bill, where that settles it.
        decision_id: the decision about a correction, where that settles it.
    """
    if not deferred:
        return None
    about = bill_id or decision_id or day.isoformat()
    return Entry(
        entry_id_of(EntryKind.BUDGET_SETTLEMENT, f"{plan.agreement_id}/{about}"),
        EntryKind.BUDGET_SETTLEMENT, plan.agreement_id, plan.service_point_id, day, currency,
        (Posting(LedgerAccount.RECEIVABLE, deferred), Posting(LedgerAccount.BUDGET_DEFERRED, -deferred)), made_at,
        bill_id=bill_id, decision_id=decision_id,
    )  # fmt: skip
