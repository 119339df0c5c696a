"""Weighs bills whose data changed: each is made again, without writing, and compared. The worker does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill, BillState, ReadingState
from openami.billing.correction.corrected import is_reversed, versions_digest
from openami.billing.correction.group import main_cause
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.ports import Causes, CorrectionBook, Remaker, Settling, TouchedBill
from openami.billing.correction.record import Cause, CauseKind, Change, Finding
from openami.billing.correction.rules import CorrectionRules, Tolerances
from openami.billing.correction.true_up import true_up_cause
from openami.billing.ledger.posting import agreements_of

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
        rules: of the jurisdiction.
        settling: which estimated bills an actual read settles; None where nobody asks.
    """

    book: CorrectionBook
    remaker: Remaker
    causes: Causes
    rules: CorrectionRules
    settling: Settling | None = None

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
        followers = await self._followers(bills)
        made = await self.remaker.again([*bills, *followers], now=now)
        causes = {i: dict(c) for i, c in (await self.causes.of(list(touched.values()))).items()}
        settled = {} if self.settling is None else await self.settling.of(bills)
        for bill in bills:
            other = _other_cause(bill, made[bill.bill_id]) or true_up_cause(
                bill, made[bill.bill_id], settled.get(bill.bill_id), causes[bill.bill_id]
            )
            causes[bill.bill_id] |= {} if other is None else {other: bill.span.days + 1}
        for later, first in _led(followers, bills, made):
            touched[later.bill_id] = replace(touched[first.bill_id], bill_id=later.bill_id, days=())
            causes[later.bill_id] = causes[first.bill_id]
            bills.append(later)
        agreements = agreements_of(bills)
        changes = [
            change_of(b, made[b.bill_id], touched[b.bill_id], causes[b.bill_id], agreements[b.bill_id], self.rules)
            for b in bills
        ]
        changes = _whole_chains(changes)
        await self.book.weighed([(c, touched[c.bill_id].seen) for c in changes], at=now)
        counts = {f: sum(c.found is f for c in changes) for f in Finding}
        return Weighed(counts[Finding.OPEN], counts[Finding.WITHIN_TOLERANCE], counts[Finding.UNMAKABLE])

    async def _followers(self, bills: Sequence[Bill]) -> list[Bill]:
        """Return the bills in force after these, without a gap and of the same account, that are not among them."""
        mine = {b.bill_id for b in bills}
        in_force = await self.book.bills_of({b.service_point_id for b in bills})
        around = Neighbors.of(in_force)
        found: dict[UUID, Bill] = {}
        for bill in bills:
            later = around.after(bill)
            while later is not None and later.bill_id not in mine and later.bill_id not in found:
                found[later.bill_id] = later
                later = around.after(later)
        return await self.book.bills(found) if found else []


def total_of(made: Bill) -> Decimal | None:
    """Return what a bill made again comes to: nothing where it is reversed whole; None where it cannot be made."""
    if is_reversed(made):
        return Decimal(0)
    return made.total if made.state is BillState.ISSUED else None


def _led(followers: Sequence[Bill], bills: Sequence[Bill], made: Mapping[UUID, Bill]) -> list[tuple[Bill, Bill]]:
    """Return the followers to which something else is handed now, each with the touched bill it begins with."""
    first: dict[UUID, Bill] = {b.bill_id: b for b in bills}
    around = Neighbors.of([*followers, *bills])
    found = []
    for later in sorted(followers, key=lambda b: b.span):
        before = around.before(later)
        is_led = before is not None and before.bill_id in first
        if before is not None and is_led and made[later.bill_id].carried_in != later.carried_in:
            first[later.bill_id] = first[before.bill_id]
            found.append((later, first[later.bill_id]))
    return found


def _other_cause(old: Bill, made: Bill) -> Cause | None:
    """Return the cause of a bill that is another one now, whatever its readings are."""
    if is_reversed(made):
        return Cause(CauseKind.REGISTRY, "stop/before", "service stopped before these days, entered after the bill")
    if made.span != old.span:
        words = f"service stopped on {made.span.end}, entered after the bill"
        return Cause(CauseKind.REGISTRY, f"stop/{made.span.end.isoformat()}", words)
    if made.rate_code != old.rate_code:
        words = f"the rate is {made.rate_name} now, it was {old.rate_name}"
        return Cause(CauseKind.RATE, f"{old.rate_code}>{made.rate_code}", words)
    return None


def _whole_chains(changes: Sequence[Change]) -> list[Change]:
    """Return changes so that no bill is left while one that it hands on to is corrected for it."""
    last_open: dict[UUID, date] = {}
    for c in changes:
        if c.found is Finding.OPEN and not c.days:
            last_open[c.agreement_id] = max(last_open.get(c.agreement_id, c.span.first), c.span.first)
    return [
        replace(c, found=Finding.OPEN)
        if c.found is Finding.WITHIN_TOLERANCE and c.span.first < last_open.get(c.agreement_id, c.span.first)
        else c
        for c in changes
    ]


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
    after = total_of(made)
    before, before_wh = old.total or Decimal(0), old.usage_wh or 0
    after_wh = before_wh if after is None else made.usage_wh or 0
    found = Finding.UNMAKABLE
    if after is not None:
        # Days that are another account's now are given up however little they held: that account's bill waits for it.
        keeps_its_days = made.span == old.span and not is_reversed(made)
        # What a register counted between two actual reads is charged to the cent, however little one bill changes.
        is_exact = cause.kind is CauseKind.TRUE_UP and old.reading_state is ReadingState.ESTIMATED
        tolerances = Tolerances(0, Decimal(0)) if is_exact else rules.tolerances
        is_left = keeps_its_days and tolerances.leaves(after_wh - before_wh, after - before)
        found = Finding.WITHIN_TOLERANCE if is_left else Finding.OPEN
    is_issued = made.state is BillState.ISSUED
    return Change(
        old.bill_id, old.service_point_id, agreement_id, old.rate_code, old.span, touched.issued_at, cause, also,
        len(touched.days), versions_digest(made), before_wh, after_wh, before, after, found,
        made.released if is_issued else made.hold_reason or "it cannot be made", touched.found_at, old.currency,
    )  # fmt: skip
