"""Repayment in parts of what was charged too little. Pure.

A customer who was charged too little over some months did not choose to; the amount is repaid over about double the
time, in equal parts, one with each bill. The first part takes the cents that do not share.

Source: 20 CSR 4240-13.025 (double the period of the adjustment); the factor is dated jurisdiction data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.entry import Entry, EntryKind, Posting, entry_id_of
from openami.kernel.errors import MisuseError
from openami.kernel.money import CENT

MAX_PARTS = 120
"""Double of sixty months."""


@dataclass(frozen=True, slots=True)
class InstallmentPlan:
    """What is repaid in parts.

    Args:
        decision_id: the decision behind it.
        agreement_id, service_point_id: whose, where.
        parts: in the order in which they fall due, one with each bill; all above zero.
        made_on: accounting day.
        currency: of the parts.
    """

    decision_id: UUID
    agreement_id: UUID
    service_point_id: UUID
    parts: tuple[Decimal, ...]
    made_on: date
    currency: str = "USD"

    @property
    def total(self) -> Decimal:
        """Sum of the parts."""
        return sum(self.parts, Decimal(0))


def parts_of(amount: Decimal, parts: int) -> tuple[Decimal, ...]:
    """Share an amount of whole cents in equal parts; the first takes what is left over.

    Args:
        amount: above zero, whole cents.
        parts: 1 to 120; fewer where a part would be nothing.

    >>> parts_of(Decimal("100.00"), 3)
    (Decimal('33.34'), Decimal('33.33'), Decimal('33.33'))
    """
    cents = int(amount / CENT)
    if not 1 <= parts <= MAX_PARTS or cents < 1 or amount != cents * CENT:
        raise MisuseError(f"{amount} in {parts} parts: whole cents above zero in 1 to {MAX_PARTS} parts")
    parts = min(parts, cents)
    each, rest = divmod(cents, parts)
    return tuple((each + (rest if n == 0 else 0)) * CENT for n in range(parts))


def plan_entry(plan: InstallmentPlan, *, made_at: datetime) -> Entry:
    """Return the entry that takes the amount out of what is due now."""
    return _entry(plan, EntryKind.INSTALLMENT_PLAN, "plan", plan.made_on, -plan.total, made_at)


def part_entry(plan: InstallmentPlan, number: int, *, bill_id: UUID, day: date, made_at: datetime) -> Entry:
    """Return the entry by which a part falls due.

    Args:
        plan: of which.
        number: of the part, 0 for the first.
        bill_id: the bill that it is charged with.
        day: accounting day.
        made_at: domain time.
    """
    return _entry(plan, EntryKind.INSTALLMENT, str(number), day, plan.parts[number], made_at, bill_id)


def _entry(
    plan: InstallmentPlan,
    kind: EntryKind,
    what: str,
    day: date,
    due: Decimal,
    made_at: datetime,
    bill_id: UUID | None = None,
) -> Entry:
    return Entry(
        entry_id_of(kind, f"{plan.decision_id}/{plan.agreement_id}/{what}"), kind, plan.agreement_id,
        plan.service_point_id, day, plan.currency,
        (Posting(LedgerAccount.RECEIVABLE, due), Posting(LedgerAccount.INSTALLMENTS, -due)), made_at,
        bill_id=bill_id, decision_id=plan.decision_id,
    )  # fmt: skip
