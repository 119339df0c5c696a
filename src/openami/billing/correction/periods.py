"""Billing periods as limits and installments count them: from read to read, however many bills one was parted into."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from openami.billing.bill.record import Bill
from openami.billing.rating.usage import BillSpan


def periods_of(bills: Collection[Bill]) -> set[BillSpan]:
    """Return the billing periods that bills of one agreement cover.

    A change of rate parts a period into bills that end on the same read day: they are one period, or a rate entered
    late would bring the look-back limit nearer. A bill outside the calendar is a period of its own.
    """
    by_read: dict[date, BillSpan] = {}
    found: set[BillSpan] = set()
    for bill in bills:
        if bill.cycle is None:
            found.add(bill.span)
            continue
        known = by_read.get(bill.cycle.read_on, bill.span)
        whole = BillSpan(min(known.first, bill.span.first), max(known.end, bill.span.end))
        by_read[bill.cycle.read_on] = whole
    return found | set(by_read.values())


def period_with(span: BillSpan, periods: Collection[BillSpan]) -> BillSpan:
    """Return the period that holds the first day of a bill: the bill's own days where none does."""
    return next((p for p in periods if p.first <= span.first < p.end), span)
