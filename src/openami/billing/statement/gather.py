"""Gather what a statement says: the kept bill, and its days and the bills before it as they stood when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from openami.billing.bill.record import Bill, BillState
from openami.billing.ports import BillBook
from openami.billing.statement.facts import StatementFacts
from openami.billing.statement.prices import amount
from openami.billing.statement.record import DayBar
from openami.billing.tariff.model import RateSchedule
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import QualityState
from openami.kernel.time import local_days
from openami.mdm.api import MeterData
from openami.security.access.scope import Scope


async def facts_of(
    meters: MeterData,
    book: BillBook,
    rates: Mapping[str, RateSchedule],
    scope: Scope,
    bill: Bill,
    *,
    addressee: tuple[str, ...] = (),
) -> StatementFacts:
    """Return the facts of one bill's statement.

    Args:
        meters: validated days.
        book: the other bills.
        rates: by code.
        scope: of whoever reads.
        bill: with lines.
        addressee: name and address lines of whoever reads it; not kept.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer.
    """
    point = bill.service_point_id
    # Staff may see every bill of a place; on a customer's paper stand their own alone.
    others = [b for b in await book.bills(scope, point) if b.is_of_same_account(bill)]
    earlier = tuple(b for b in others if b.span.first < bill.span.first and b.made_at <= bill.made_at)
    replaced = next((b for b in others if b.bill_id == bill.supersedes), None)
    days = await meters.days(
        scope, [point], Channel.DELIVERED, bill.span.first, bill.span.last, as_known_at=bill.made_at
    )
    return StatementFacts(
        bill=bill,
        schedule=rates.get(bill.rate_code),
        days=_bars(bill, days),
        earlier=earlier,
        addressee=addressee,
        adjustments=() if replaced is None else (adjustment_words(bill, replaced),),
    )


def as_issued(bill: Bill) -> Bill:
    """Return a bill as it stood when it went out: what replaced it later is no part of that document."""
    return replace(bill, state=BillState.ISSUED) if bill.state is BillState.SUPERSEDED else bill


def adjustment_words(bill: Bill, replaced: Bill) -> str:
    """Say what a corrected bill changes against the one that it replaces."""
    if bill.total is None or replaced.total is None:
        return f"This bill replaces the bill {replaced.bill_id} for the same days."
    change = bill.total - replaced.total
    was, now = amount(replaced.total, bill.currency), amount(bill.total, bill.currency)
    words = f"This bill replaces the bill {replaced.bill_id}, which was {was}. It is now {now}"
    if change == 0:
        return f"{words}: nothing changes in what you owe."
    by = amount(abs(change), bill.currency)
    return f"{words}: {by} {'more' if change > 0 else 'less'}."


def _bars(bill: Bill, table: DayTable) -> tuple[DayBar, ...]:
    """Return a bar for every day of the bill; a day without a version has none of its energy."""
    found: dict[object, DayBar] = {}
    for row in table.rows():
        estimated = row.quality == QualityState.ESTIMATED
        entered = row.quality == QualityState.EDITED
        missing = bool((row.quality == QualityState.MISSING).any())
        found[row.local_day] = DayBar(
            row.local_day, int(row.values.sum()), int(row.values[estimated].sum()), missing,
            int(row.values[entered].sum()),
        )  # fmt: skip
    if not found:
        return ()
    return tuple(found.get(d) or DayBar(d, 0, is_missing=True) for d in local_days(bill.span.first, bill.span.last))
