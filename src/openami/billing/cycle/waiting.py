"""Whether a bill had better wait for its end read: until the window around the read day has passed, one may come."""

from __future__ import annotations

from datetime import datetime

from openami.billing.bill.record import Bill
from openami.mdm.api import READ_WINDOW_AFTER, ReadKind

_GOOD = frozenset({ReadKind.SCHEDULED, ReadKind.INSTALLER})


def waits_for_a_read(bill: Bill, now: datetime) -> bool:
    """Tell whether a register at the bill's end was not read as scheduled, and still may be."""
    if now >= bill.period.end + READ_WINDOW_AFTER:
        return False
    return any(p.end.at >= bill.period.end and p.end.kind not in _GOOD for p in bill.reads) or any(
        p.end.kind not in _GOOD and p.end.at == bill.period.end for p in bill.reads
    )
