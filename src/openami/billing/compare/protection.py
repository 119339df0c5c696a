"""The first year on another rate: both rates on the same intervals at every bill, and the lower year is paid.

A shadow bill is what the old rate would have charged for the very intervals of a bill that was issued. The ledger
holds both, bill by bill. After the protected months the customer gets back what the new rate cost more in sum, and
owes nothing where it cost less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.entry import Entry, EntryKind, Posting, entry_id_of
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import OpenAmiError


class ProtectionError(OpenAmiError):
    """A protection cannot be as stated."""


@dataclass(frozen=True, slots=True)
class Protection:
    """A customer's first year on another rate.

    Args:
        protection_id: names it.
        service_point_id: where.
        rate_code: the rate chosen.
        shadow_code: the rate left: what it would have charged is the guarantee.
        first_day: first local day on the rate chosen.
        months: how long.

    Raises:
        ProtectionError: one rate against itself, or no month.
    """

    protection_id: UUID
    service_point_id: UUID
    rate_code: str
    shadow_code: str
    first_day: date
    months: int

    def __post_init__(self) -> None:
        if self.rate_code == self.shadow_code:
            raise ProtectionError(f"{self.rate_code} is no guarantee against itself")
        if self.months < 1:
            raise ProtectionError("a protection lasts a month at least")

    @property
    def end_day(self) -> date:
        """First local day that is no longer protected."""
        number = self.first_day.year * 12 + self.first_day.month - 1 + self.months
        year, month = number // 12, number % 12 + 1
        return date(year, month, min(self.first_day.day, 28))

    def holds(self, span: BillSpan) -> bool:
        """Tell whether a bill's first day is protected: a bill that begins in the year counts whole."""
        return self.first_day <= span.first < self.end_day


@dataclass(frozen=True, slots=True)
class ShadowEntry:
    """Both rates on the intervals of one bill.

    Args:
        bill_id: the bill; a corrected one has an entry of its own, and the newest of a span counts.
        bill_version: of the bill.
        span: its days.
        billed: what the chosen rate charged.
        shadow: what the old rate would have charged; None where it cannot price these days.
        refused: why it cannot.
    """

    bill_id: UUID
    bill_version: int
    span: BillSpan
    billed: Decimal
    shadow: Decimal | None
    refused: str = ""

    @property
    def over(self) -> Decimal:
        """What the chosen rate cost more; negative where it cost less, 0 where the shadow is not known."""
        return Decimal(0) if self.shadow is None else self.billed - self.shadow


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a protection stands.

    Args:
        billed: by the chosen rate so far.
        shadow: by the old rate on the same bills.
        over: the difference; negative is saved.
        credit: what is due to the customer if it ended now; never negative.
        settled: whether the year is over and every bill of it has both amounts.
        unpriced: bills whose shadow is not known: a person decides about them before anything is settled.
    """

    billed: Decimal
    shadow: Decimal
    over: Decimal
    credit: Decimal
    settled: bool
    unpriced: tuple[BillSpan, ...]


def standing_of(protection: Protection, entries: Sequence[ShadowEntry]) -> Standing:
    """Return where a protection stands after the entries written so far.

    Args:
        protection: whose.
        entries: in any order; of one bill's first day the highest version counts.
    """
    newest: dict[date, ShadowEntry] = {}
    for entry in entries:
        held = newest.get(entry.span.first)
        if protection.holds(entry.span) and (held is None or entry.bill_version >= held.bill_version):
            newest[entry.span.first] = entry
    counted = [newest[day] for day in sorted(newest)]
    unpriced = tuple(e.span for e in counted if e.shadow is None)
    both = [e for e in counted if e.shadow is not None]
    billed = sum((e.billed for e in both), Decimal(0))
    shadow = sum((e.shadow for e in both if e.shadow is not None), Decimal(0))
    over = billed - shadow
    return Standing(
        billed, shadow, over, max(Decimal(0), over), _is_whole(protection, counted) and not unpriced, unpriced
    )


def settlement(
    protection: Protection, standing: Standing, *, agreement_id: UUID, day: date, currency: str, made_at: datetime
) -> Entry | None:
    """Return the ledger entry that gives back what the year cost more; None where nothing is due or not all is known.

    Args:
        protection: whose year.
        standing: where it stands.
        agreement_id: who is charged there.
        day: accounting day, local.
        currency: ISO 4217 letters.
        made_at: domain time.
    """
    if not standing.settled or not standing.credit:
        return None
    words = "First year on another rate"
    given = (Posting(LedgerAccount.RECEIVABLE, -standing.credit), Posting(LedgerAccount.CREDIT, standing.credit, words))
    return Entry(
        entry_id_of(EntryKind.RATE_PROTECTION, str(protection.protection_id)), EntryKind.RATE_PROTECTION, agreement_id,
        protection.service_point_id, day, currency, given, made_at,
        evidence={
            "billed": str(standing.billed), "shadow": str(standing.shadow), "rate": protection.rate_code,
            "shadow_rate": protection.shadow_code,
        },
    )  # fmt: skip


def _is_whole(protection: Protection, entries: Sequence[ShadowEntry]) -> bool:
    """Tell whether the entries join without a gap from the first protected day to its end."""
    reached = protection.first_day
    for entry in entries:
        if entry.span.first != reached:
            return False
        reached = entry.span.end
    return reached >= protection.end_day
