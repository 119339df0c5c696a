"""A ledger entry: amounts on accounts that add up to nothing. Values; an entry that does not balance cannot be made.

An entry is never altered and never deleted. What was wrong is reversed by another entry that names it. Its id follows
from what it is about, so posting the same thing twice is posting it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from openami.billing.ledger.account import LedgerAccount
from openami.kernel.errors import OpenAmiError
from openami.kernel.money import CENT
from openami.kernel.time import require_utc

_ENTRIES = UUID("3f0c0d2c-2f0e-4b53-9a4f-7b1e5f6a6f02")
_AGREEMENTS = UUID("b1e0a3d6-8f0a-4c0e-9a44-6f0f6f1f3e21")
MAX_POSTINGS = 200
"""Lines of a bill are some tens; each becomes one posting at most."""
MAX_DETAIL = 200


class UnbalancedError(OpenAmiError):
    """An entry whose amounts do not add up to nothing, or that cannot be booked. The text says what is wrong."""


class EntryKind(StrEnum):
    """What an entry is about. Values are stored: they stay for ever."""

    BILL = "bill"
    REVERSAL = "reversal"
    """Takes another entry back, whole."""
    BUDGET = "budget"
    """Puts a bill's difference from the level amount on the deferred account."""
    BUDGET_SETTLEMENT = "budget_settlement"
    """Charges or gives back what was deferred."""
    INSTALLMENT_PLAN = "installment_plan"
    """Takes what is repaid in parts out of what is due now."""
    INSTALLMENT = "installment"
    """One part falls due."""
    RATE_PROTECTION = "rate_protection"
    """Gives back what a protected first year on another rate cost more than the old rate would have."""
    UNBILLED = "unbilled"
    """Earned and not billed at a month's end."""
    UNBILLED_BACK = "unbilled_back"
    """The same taken back on the day after: bills of the next month hold it."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount on an account.

    Args:
        account: which.
        amount: whole cents; above zero is a debit, below a credit.
        detail: which rider, tax or credit; empty for accounts that are not kept by name.
    """

    account: LedgerAccount
    amount: Decimal
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A balanced entry.

    Args:
        entry_id: see :func:`entry_id_of`.
        kind: what it is about.
        agreement_id: whose, see :func:`agreement_id_of`.
        service_point_id: where.
        day: accounting day, local.
        currency: ISO 4217 letters; one entry has one.
        postings: 2 to 200, none of zero.
        made_at: domain time.
        bill_id: the bill that it is about, or None.
        reverses: the entry that it takes back, or None.
        decision_id: the decision about a correction behind it, or None.
        evidence: what an estimate or a level was computed from.

    Raises:
        UnbalancedError: it does not add up, or an amount is zero or no whole cent.
    """

    entry_id: UUID
    kind: EntryKind
    agreement_id: UUID
    service_point_id: UUID
    day: date
    currency: str
    postings: tuple[Posting, ...]
    made_at: datetime
    bill_id: UUID | None = None
    reverses: UUID | None = None
    decision_id: UUID | None = None
    evidence: Mapping[str, str | int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "made_at", require_utc(self.made_at))
        if not 2 <= len(self.postings) <= MAX_POSTINGS:
            raise UnbalancedError(f"an entry has 2 to {MAX_POSTINGS} postings, this one {len(self.postings)}")
        for one in self.postings:
            if not one.amount or one.amount != one.amount.quantize(CENT) or len(one.detail) > MAX_DETAIL:
                raise UnbalancedError(f"{one.account.value} {one.amount}: amounts are whole cents other than zero")
        total = sum((p.amount for p in self.postings), Decimal(0))
        if total:
            raise UnbalancedError(f"a {self.kind.value} entry is out of balance by {total} {self.currency}")
        if (self.kind in {EntryKind.REVERSAL, EntryKind.UNBILLED_BACK}) != (self.reverses is not None):
            raise UnbalancedError(f"a {self.kind.value} entry and what it takes back belong together")

    def amount_of(self, account: LedgerAccount) -> Decimal:
        """Return what the entry puts on an account."""
        return sum((p.amount for p in self.postings if p.account is account), Decimal(0))


def entry_id_of(kind: EntryKind, subject: str) -> UUID:
    """Return the id of the entry of a kind about a subject: the same for the same."""
    return uuid5(_ENTRIES, f"{kind.value}/{subject}")


def agreement_id_of(service_point_id: UUID, account: str | None) -> UUID:
    """Return the id of a service agreement: an account at a service point. Of no account it is the place's own.

    Args:
        service_point_id: where.
        account: the opaque id under which the customer information system knows who is charged.
    """
    return uuid5(_AGREEMENTS, f"{service_point_id}/{account or ''}")


def reversal_of(entry: Entry, *, day: date, made_at: datetime, decision_id: UUID | None = None) -> Entry:
    """Return the entry that takes an entry back.

    Args:
        entry: what was wrong, or held for a month's end only.
        day: accounting day of the reversal; never that of a month that is closed.
        made_at: domain time.
        decision_id: the decision behind it.
    """
    kind = EntryKind.UNBILLED_BACK if entry.kind is EntryKind.UNBILLED else EntryKind.REVERSAL
    return Entry(
        entry_id_of(kind, str(entry.entry_id)), kind, entry.agreement_id, entry.service_point_id, day, entry.currency,
        tuple(Posting(p.account, -p.amount, p.detail) for p in entry.postings), made_at,
        bill_id=entry.bill_id, reverses=entry.entry_id, decision_id=decision_id,
    )  # fmt: skip
