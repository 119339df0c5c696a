"""Gather what a statement says: the kept bill, and its days and the bills before it as they stood when it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from openami.billing.bill.record import Bill, BillState
from openami.billing.jurisdiction import Jurisdiction
from openami.billing.ports import BillBook
from openami.billing.statement.dates import days
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
    rules: Jurisdiction | None = None,
) -> StatementFacts:
    """Return the facts of one bill's statement.

    Args:
        meters: validated days.
        book: the other bills.
        rates: by code.
        scope: of whoever reads.
        bill: with lines.
        addressee: name and address lines of whoever reads it; not kept.
        rules: of the jurisdiction; None says nothing of estimated bills.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer.
    """
    point = bill.service_point_id
    # Staff may see every bill of a place; on a customer's paper stand their own alone.
    others = [b for b in await book.bills(scope, point) if b.is_of_same_account(bill)]
    earlier = tuple(b for b in others if b.span.first < bill.span.first and b.made_at <= bill.made_at)
    gone = bill.replaces or (() if bill.supersedes is None else (bill.supersedes,))
    replaced = sorted((b for b in others if b.bill_id in gone), key=lambda b: b.span)
    # Its other parts went out with it and take the place of the same bills.
    parts = [b for b in others if bill.replaces and (b.replaces, b.made_at) == (bill.replaces, bill.made_at)]
    known = await meters.days(
        scope, [point], Channel.DELIVERED, bill.span.first, bill.span.last, as_known_at=bill.made_at
    )
    return StatementFacts(
        bill=bill,
        schedule=rates.get(bill.rate_code),
        days=_bars(bill, known),
        earlier=earlier,
        addressee=addressee,
        adjustments=(adjustment_words(bill, replaced, parts),) if replaced else (),
        estimates=None if rules is None else rules.on(bill.span.last).estimate,
    )


def as_issued(bill: Bill) -> Bill:
    """Return a bill as it stood when it went out: what replaced it later is no part of that document."""
    return replace(bill, state=BillState.ISSUED) if bill.state is BillState.SUPERSEDED else bill


def adjustment_words(bill: Bill, replaced: Sequence[Bill], parts: Sequence[Bill] = ()) -> str:
    """Say what corrected bills change against those that they replace: one difference, whatever the number of either.

    Args:
        bill: the corrected bill whose statement it is.
        replaced: the bills that it replaces, by first day.
        parts: the bills that replace them, this one among them; empty where it does alone.
    """
    news = sorted({b.bill_id: b for b in (*parts, bill)}.values(), key=lambda b: b.span)
    others = [f"the bill for {days(b.span)}" for b in news if b.bill_id != bill.bill_id]
    told = [f"the bill {b.bill_id}{f' for {days(b.span)}' if len(replaced) > 1 else ''}" for b in replaced]
    who = f"This bill and {_listed(others)} replace" if others else "This bill replaces"
    if any(b.total is None for b in (*news, *replaced)):
        return f"{who} {_listed(told)} for the same days."
    before = sum((b.total or Decimal(0) for b in replaced), Decimal(0))
    after = sum((b.total or Decimal(0) for b in news), Decimal(0))
    together = " together" if len(replaced) > 1 else ""
    now = f"{'Together they are' if others else 'It is'} now {amount(after, bill.currency)}"
    words = (
        f"{who} {_listed(told)}, which {'were' if together else 'was'} {amount(before, bill.currency)}{together}. {now}"
    )
    change = after - before
    if change == 0:
        return f"{words}: nothing changes in what you owe."
    return f"{words}: {amount(abs(change), bill.currency)} {'more' if change > 0 else 'less'}."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


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
