"""Weighs bills whose data changed: each is made again, without writing, and compared. The worker does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.correction.compared import (
    change_of,
    finding_of,
    handed_cause,
    is_exact,
    other_cause,
    unexplained_cause,
)
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.ports import Causes, CorrectionBook, Remaker, Settling, TouchedBill
from openami.billing.correction.record import Cause, Change, Finding
from openami.billing.correction.remade import Remade
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
        led = _led(made, set(touched))
        known = {t.bill_id: t for t in await self.book.touched_of(led)} if led else {}
        # What a bill takes in from another is weighed with it; its own changes, if it has some, count too.
        touched |= {i: known.get(i) or replace(touched[first], bill_id=i, days=(), seen="") for i, first in led.items()}
        mine = [made[bill_id] for bill_id in touched]
        causes = await self._causes(mine, touched, led)
        agreements = agreements_of([m.old for m in mine])
        found = _found_of(mine, made, causes, self.rules)
        changes = [
            change_of(m, touched[m.old.bill_id], causes[m.old.bill_id], agreements[m.old.bill_id], found[m.unit])
            for m in mine
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

    async def _causes(
        self, mine: Sequence[Remade], touched: Mapping[UUID, TouchedBill], led: Mapping[UUID, UUID]
    ) -> dict[UUID, dict[Cause, int]]:
        """Return why each bill changed; those of a unit changed for the same causes: it is decided about once."""
        own = [t for t in touched.values() if t.days]
        told = {i: dict(c) for i, c in (await self.causes.of(own)).items()}
        settled = {} if self.settling is None else await self.settling.of([m.old for m in mine])
        for one in mine:
            other = other_cause(one)
            if other is None and not one.is_split and one.old.bill_id in told:
                bill_id = one.old.bill_id
                other = true_up_cause(one.old, one.bills[0], settled.get(bill_id), told[bill_id])
            if other is None and one.old.bill_id in touched and one.old.bill_id not in led:
                other = handed_cause(one, touched[one.old.bill_id])
            if other is not None:
                told.setdefault(one.old.bill_id, {})[other] = one.old.span.days + 1
        units: dict[tuple[UUID, ...], Counter[Cause]] = {}
        for one in mine:
            counts = units.setdefault(one.unit, Counter())
            counts.update(told.get(one.old.bill_id, {}))
        found = {one.old.bill_id: dict(units[one.unit]) for one in mine}
        for bill_id, first in led.items():
            # It takes in what the bill before it hands over now: that bill's cause is its own.
            found[bill_id] = found[bill_id] or found[first]
        return {i: causes or {unexplained_cause(touched[i]): 1} for i, causes in found.items()}


def _led(made: Mapping[UUID, Remade], touched: Collection[UUID]) -> dict[UUID, UUID]:
    """Return bills that are weighed for another's sake, each with the touched bill it begins with.

    These are the bills that are replaced together with a touched one, and those to which something else is handed now.
    """
    first: dict[UUID, UUID] = {i: i for i in touched}
    found: dict[UUID, UUID] = {}
    around = Neighbors.of([m.old for m in made.values()])
    for one in sorted(made.values(), key=lambda m: m.old.span):
        begun = next((first[i] for i in one.unit if i in first), None)
        before = around.before(made[one.unit[0]].old)
        if begun is None and before is not None and before.bill_id in first:
            is_handed = one.carried_in is not None and one.carried_in != made[one.unit[0]].old.carried_in
            begun = first[before.bill_id] if is_handed else None
        if begun is None:
            continue
        for bill_id in one.unit:
            if bill_id not in first:
                first[bill_id] = found[bill_id] = begun
    return found


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


def _found_of(
    mine: Sequence[Remade],
    made: Mapping[UUID, Remade],
    causes: Mapping[UUID, Mapping[Cause, int]],
    rules: CorrectionRules,
) -> dict[tuple[UUID, ...], Finding]:
    """Return how each unit is weighed: its bills together, for they are decided about together."""
    exact = replace(rules, tolerances=Tolerances(0, Decimal(0)))
    return {
        one.unit: finding_of([made[i] for i in one.unit], exact if is_exact(one, causes[one.old.bill_id]) else rules)
        for one in mine
    }
