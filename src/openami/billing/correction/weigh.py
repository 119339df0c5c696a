"""Weighs bills whose data changed: each is made again, without writing, and compared. The worker does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill, BillState
from openami.billing.correction.corrected import versions_digest
from openami.billing.correction.group import main_cause
from openami.billing.correction.ports import Causes, CorrectionBook, Remaker, TouchedBill
from openami.billing.correction.record import Cause, Change, Finding
from openami.billing.correction.rules import CorrectionRules
from openami.billing.ledger.posting import LedgerPostings

AT_ONCE = 500
"""Bills of one turn: a month of so many places in memory at once."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one turn did.

    Args:
        open: bills that wait for a person.
        tolerated: bills within tolerance, which left the queue.
        unmakable: bills that cannot be made again now.
    """

    open: int = 0
    tolerated: int = 0
    unmakable: int = 0


@dataclass(frozen=True, slots=True)
class Weigher:
    """Weighs what is on the queue.

    Args:
        book: the queue.
        remaker: makes bills again.
        causes: why days changed.
        postings: whose bills they are.
        rules: of the jurisdiction.
    """

    book: CorrectionBook
    remaker: Remaker
    causes: Causes
    postings: LedgerPostings
    rules: CorrectionRules

    async def weigh(self, now: datetime, *, limit: int = AT_ONCE) -> Weighed:
        """Weigh bills with changes that were not weighed yet, oldest first; doing it again changes nothing.

        Args:
            now: domain time.
            limit: at most so many bills.
        """
        touched = {t.bill_id: t for t in await self.book.touched(limit=limit)}
        if not touched:
            return Weighed()
        bills = await self.book.bills(touched)
        made = await self.remaker.again(bills, now=now)
        causes = await self.causes.of(list(touched.values()))
        agreements = await self.postings.agreements(bills)
        changes = [
            change_of(
                b, made[b.bill_id], touched[b.bill_id], dict(causes[b.bill_id]), agreements[b.bill_id], self.rules
            )
            for b in bills
        ]
        await self.book.weighed([(c, touched[c.bill_id].seen) for c in changes], at=now)
        counts = {f: sum(c.found is f for c in changes) for f in Finding}
        return Weighed(counts[Finding.OPEN], counts[Finding.WITHIN_TOLERANCE], counts[Finding.UNMAKABLE])


def change_of(
    old: Bill, made: Bill, touched: TouchedBill, causes: dict[Cause, int], agreement_id: UUID, rules: CorrectionRules
) -> Change:
    """Return a bill compared with its new making.

    Args:
        old: in force.
        made: from what is known now; held where it cannot be.
        touched: what changed.
        causes: days by cause.
        agreement_id: whose.
        rules: of the jurisdiction.
    """
    cause, also = main_cause(causes)
    is_made = made.state is BillState.ISSUED and made.total is not None
    before, before_wh = old.total or Decimal(0), old.usage_wh or 0
    after_wh = (made.usage_wh or 0) if is_made else before_wh
    found = Finding.UNMAKABLE
    if is_made and made.total is not None:
        is_left = rules.tolerances.leaves(after_wh - before_wh, made.total - before)
        found = Finding.WITHIN_TOLERANCE if is_left else Finding.OPEN
    return Change(
        old.bill_id, old.service_point_id, agreement_id, old.rate_code, old.span, touched.issued_at, cause, also,
        len(touched.days), versions_digest(made), before_wh, after_wh, before, made.total if is_made else None, found,
        "" if is_made else made.hold_reason or "it cannot be made", touched.found_at, old.currency,
    )  # fmt: skip
