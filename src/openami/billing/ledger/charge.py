"""From a bill to its entries. Pure.

A bill debits the receivable with its total and credits each line's account. A line's rounded amount is what is booked:
the ledger holds what was printed. Where a rate's total rule makes the total differ from its printed lines, the
difference stands on the rounding account by itself.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.ledger.account import ACCOUNT_OF_KIND, BY_NAME, LedgerAccount
from openami.billing.ledger.entry import MAX_DETAIL, Entry, EntryKind, Posting, UnbalancedError, entry_id_of


def bill_entry(
    bill: Bill, *, agreement_id: UUID, day: date, made_at: datetime, decision_id: UUID | None = None
) -> Entry | None:
    """Return the entry of an issued bill; None where it charges nothing at all.

    Args:
        bill: with its lines.
        agreement_id: whose.
        day: accounting day.
        made_at: domain time.
        decision_id: of a corrected bill, the decision behind it.

    Raises:
        UnbalancedError: the bill has no total, or a line of a kind that no account takes.
    """
    if bill.total is None:
        raise UnbalancedError(f"bill {bill.bill_id} is {bill.state.value}: it has no total to book")
    sums: dict[tuple[LedgerAccount, str], Decimal] = {}
    for line in bill.lines:
        account = ACCOUNT_OF_KIND.get(line.kind)
        if account is None:
            raise UnbalancedError(f"bill {bill.bill_id}: no account takes a line of kind {line.kind!r}")
        key = (account, line.name[:MAX_DETAIL] if account in BY_NAME else "")
        sums[key] = sums.get(key, Decimal(0)) - line.amount
    off = -sum(sums.values(), Decimal(0)) - bill.total
    sums[LedgerAccount.ROUNDING, ""] = off
    postings = [Posting(LedgerAccount.RECEIVABLE, bill.total)] if bill.total else []
    postings += [Posting(account, amount, detail) for (account, detail), amount in sums.items() if amount]
    if not postings:
        return None
    return Entry(
        entry_id_of(EntryKind.BILL, str(bill.bill_id)), EntryKind.BILL, agreement_id, bill.service_point_id, day,
        bill.currency, tuple(postings), made_at, bill_id=bill.bill_id, decision_id=decision_id,
    )  # fmt: skip
