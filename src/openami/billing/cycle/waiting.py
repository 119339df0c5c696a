"""Whether a bill had better wait for its end read: until the window around the read day has passed, one may come."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from openami.billing.bill.record import Bill, BillKind
from openami.kernel.time import local_midnight, zone_named
from openami.mdm.api import READ_WINDOW_AFTER, READ_WINDOW_BEFORE, ReadKind

_GOOD = frozenset({ReadKind.SCHEDULED, ReadKind.INSTALLER})


def waits_for_a_read(bill: Bill, now: datetime) -> bool:
    """Tell whether a register at the bill's end was not read as scheduled, and still may be."""
    if now >= scheduled_end(bill, zone_named(bill.zone)) + READ_WINDOW_AFTER:
        return False
    return any(p.end.kind not in _GOOD and p.end.at >= bill.period.end for p in bill.reads)


def scheduled_end(bill: Bill, zone: ZoneInfo) -> datetime:
    """Return the midnight at which the bill was to be read: its own end, or its read day where it ended before."""
    if bill.cycle is None or not _ends_on_its_read_day(bill):
        return bill.period.end
    return max(bill.period.end, local_midnight(bill.cycle.read_on, zone))


def ended_early(bill: Bill) -> bool:
    """Tell whether a bill ended on the nearest read before its read day."""
    if bill.cycle is None or not _ends_on_its_read_day(bill):
        return False
    return timedelta(0) < bill.cycle.read_on - bill.span.end <= READ_WINDOW_BEFORE


def _ends_on_its_read_day(bill: Bill) -> bool:
    """Tell whether a read day ends a bill: a move or a change of rate ends others."""
    return bill.kind is not BillKind.FINAL and bill.terms.is_last_part(bill.span)
