"""Proposes decisions about bills and carries them out. Knows no sign-in and no log: whoever calls it has asked them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from openami.billing.bill.record import Bill, BillState
from openami.billing.correction.corrected import superseding
from openami.billing.correction.decision import (
    CorrectionDecision,
    CorrectionRefusedError,
    DecisionHead,
)
from openami.billing.correction.effect import CorrectionLimits, Effect, effect_of, effect_of_leaving
from openami.billing.correction.group import CauseCase, cases_of
from openami.billing.correction.over import Ledgered
from openami.billing.correction.periods import periods_of
from openami.billing.correction.ports import CorrectionBook, Remaker, Writes
from openami.billing.correction.proposal import Proposal, Wish, decided_bill, found_before, fresh_change
from openami.billing.correction.reach import Reach, reach_of
from openami.billing.correction.record import DecisionKind, Finding
from openami.billing.correction.rules import CorrectionRules
from openami.billing.correction.writing import Unit, corrected_rows
from openami.billing.ledger.installment import MAX_PARTS
from openami.billing.ledger.ports import LedgerBook
from openami.billing.ledger.posting import agreements_of, deferred_of
from openami.kernel.time import local_date, zone_named


@dataclass(frozen=True, slots=True)
class Corrections:
    """Cases, proposals, and carrying out.

    Args:
        book: queue and decisions.
        ledger: entries.
        remaker: makes bills again.
        rules: of the jurisdiction.
        limits: what one person may decide alone.
    """

    book: CorrectionBook
    ledger: LedgerBook
    remaker: Remaker
    rules: CorrectionRules = field(default_factory=CorrectionRules)
    limits: CorrectionLimits = field(default_factory=CorrectionLimits)

    async def cases(self, *, cause: str | None = None, place: UUID | None = None) -> list[CauseCase]:
        """Return open cases, the most money first."""
        return cases_of(await self.book.changes(cause=cause, place=place))

    async def propose(self, wish: Wish, *, by: UUID, at: datetime, accounts: frozenset[UUID] = frozenset()) -> Proposal:
        """Return the decision that a wish comes to, with what it would do.

        Args:
            wish: what a person wants.
            by: the account of that person.
            at: domain time.
            accounts: others of the same person, whose decisions count with this one's.

        Raises:
            CorrectionRefusedError: nothing is open, or it cannot be. The text says why.
        """
        if wish.tampering and wish.place is None:
            raise CorrectionRefusedError("tampering is one customer's: name the place")
        if wish.in_parts is not None and not 1 <= wish.in_parts <= MAX_PARTS:
            raise CorrectionRefusedError(f"repayment in {wish.in_parts} parts: 1 to {MAX_PARTS}")
        cases = await self.cases(cause=wish.cause, place=wish.place)
        if not cases:
            raise CorrectionRefusedError(f"nothing is open of {wish.cause!r}: openami corrections list")
        (case,) = cases
        reaches = await self._reaches(case, wish, at)
        is_rebill = wish.kind is DecisionKind.REBILL
        if is_rebill:
            reaches = await self._made(reaches, at)
        ended = await self._ended({c.service_point_id for c in case.changes})
        parts = {a: 1 if a in ended else self._parts(r, wish) for a, r in reaches.items()}
        corrected = {c.bill_id: c for r in reaches.values() for c in r.rebilled} if is_rebill else {}
        # What cannot be made again stays on the queue, unless the decision is to leave all of it.
        told = [c for c in case.changes if c.found is Finding.OPEN or not is_rebill]
        if not told:
            raise CorrectionRefusedError(f"no bill of {wish.cause!r} can be made again now: {case.changes[0].reason}")
        decision = CorrectionDecision(
            uuid4(), wish.kind, case.cause,
            tuple(decided_bill(c, corrected.get(c.bill_id)) for c in told),
            wish.reason.strip(), by, at, tampering=wish.tampering, in_parts=wish.in_parts,
        )  # fmt: skip
        unmakable = sum(c.found is Finding.UNMAKABLE for c in case.changes)
        whole = list(reaches.values())
        effect = (
            effect_of(whole, unmakable=unmakable, in_parts=sum(n > 1 for n in parts.values()))
            if is_rebill
            else effect_of_leaving(whole, unmakable=unmakable)
        )
        places = frozenset(c.service_point_id for c in case.changes)
        second = found_before(wish, case, effect) or await self.second(effect, places, by=accounts | {by}, at=at)
        return Proposal(decision, case, reaches, parts, effect, second)

    async def second(self, effect: Effect, places: frozenset[UUID], *, by: frozenset[UUID], at: datetime) -> str | None:
        """Return why a second person must approve: for this by itself, or with what this one decided alone before.

        Asked again when a decision is carried out, since another may have been since its preview.
        """
        before = await self.book.alone(
            by, places, customer_since=at - self.limits.customer_span, since=at - self.limits.total_span
        )
        return self.limits.needs_second(effect, before)

    async def _made(self, reaches: Mapping[UUID, Reach], at: datetime) -> dict[UUID, Reach]:
        """Return the reaches with what each bill becomes if exactly these are made again, now."""
        bills = await self.book.bills([c.bill_id for r in reaches.values() for c in r.rebilled])
        made = await self.remaker.again(bills, now=at)
        found = {}
        for agreement, reach in reaches.items():
            rebilled = tuple(fresh_change(c, made[c.bill_id]) for c in reach.rebilled)
            mine = {c.bill_id for c in rebilled}
            alone = next((c for c in rebilled if not set(made[c.bill_id].unit) <= mine), None)
            if alone is not None:
                raise CorrectionRefusedError(
                    f"bill {alone.bill_id} is replaced together with one that is not in this case: weigh it again"
                )
            found[agreement] = replace(reach, rebilled=rebilled, by=sum((c.by for c in rebilled), Decimal(0)))
        return found

    async def writes(self, decision: CorrectionDecision, *, at: datetime) -> Writes:
        """Return all rows that carrying a decision out writes.

        Raises:
            CorrectionRefusedError: a bill is no longer in force, or would not become what was decided.
        """
        wanted = {b.bill_id: b for b in decision.bills if b.is_rebilled}
        olds = sorted(await self.book.bills(wanted), key=lambda b: (b.service_point_id.bytes, b.span))
        for old in olds:
            if old.state is not BillState.ISSUED:
                raise CorrectionRefusedError(f"bill {old.bill_id} is {old.state.value}: look at the case again")
        made = await self.remaker.again(olds, now=at) if olds else {}
        with_lines = {b.bill_id: b for b in olds}
        units: dict[tuple[UUID, ...], Unit] = {}
        for old in olds:
            again = made[old.bill_id]
            if again.digest != wanted[old.bill_id].versions_digest or not set(again.unit) <= set(wanted):
                raise CorrectionRefusedError(
                    f"bill {old.bill_id} would no longer become what was decided: data changed once more; look again"
                )
            whole = tuple(with_lines[i] for i in again.unit)
            news = () if again.is_reversed else superseding(replace(again, old=old), at=at)
            known = units.get(again.unit, Unit(whole, ()))
            units[again.unit] = Unit(whole, (*known.news, *news))
        agreements = agreements_of(olds)
        ledgered = await self._ledgered(olds, agreements)
        parts = self._parts_of(decision, list(units.values()), agreements)
        return corrected_rows(decision, list(units.values()), agreements, ledgered, parts, at=at)

    async def carry_out(
        self, decision: CorrectionDecision, effect: Effect | None, *, by: UUID, at: datetime, real: datetime
    ) -> bool:
        """Bring a decision into force, all or none of it. See :meth:`CorrectionBook.carry_out`."""
        writes = await self.writes(decision, at=at)
        return await self.book.carry_out(decision, effect, writes, by=by, at=at, real=real)

    async def heads(self, *, limit: int = 200) -> list[DecisionHead]:
        """Return decisions, newest first."""
        return await self.book.heads(limit=limit)

    async def _reaches(self, case: CauseCase, wish: Wish, at: datetime) -> dict[UUID, Reach]:
        """Return how far back each customer is corrected."""
        bills = await self.book.bills_of({c.service_point_id for c in case.changes})
        agreements = agreements_of(bills)
        mine: dict[UUID, list[Bill]] = {}
        for bill in bills:
            mine.setdefault(agreements[bill.bill_id], []).append(bill)
        periods = {agreement: periods_of(some) for agreement, some in mine.items()}
        zone = zone_named(bills[0].zone) if bills else zone_named("UTC")
        found = {}
        for one in case.customers:
            noted = local_date(min(c.found_at for c in one.changes), zone)
            day = min(wish.discovered or noted, local_date(at, zone))
            found[one.agreement_id] = reach_of(
                one.changes, periods.get(one.agreement_id, set()), self.rules.look_back, discovered=day,
                tampering=wish.tampering,
            )  # fmt: skip
        return found

    def _parts(self, reach: Reach, wish: Wish) -> int:
        return self.parts_of(reach.by, reach.periods, wish.in_parts, is_tampering=wish.tampering)

    def parts_of(self, by: Decimal, periods: int, asked: int | None, *, is_tampering: bool) -> int:
        """Return in how many parts an amount is repaid: about double the time that it built up over.

        Args:
            by: what the customer owes more; money given back is given at once.
            periods: corrected.
            asked: what the person says, or None.
            is_tampering: who tampered repays at once unless the person says otherwise.
        """
        if by <= 0:
            return 1
        if asked is not None:
            return asked
        factor = self.rules.installment_factor
        if is_tampering or not factor or by < self.rules.least_in_parts:
            return 1
        return min(max(periods * factor, 1), MAX_PARTS)

    def _parts_of(
        self,
        decision: CorrectionDecision,
        units: Sequence[Unit],
        agreements: Mapping[UUID, UUID],
    ) -> dict[UUID, int]:
        by: dict[UUID, Decimal] = {}
        bills: dict[UUID, list[Bill]] = {}
        for unit in units:
            agreement = agreements[unit.olds[0].bill_id]
            by[agreement] = by.get(agreement, Decimal(0)) + unit.by
            bills.setdefault(agreement, []).extend(unit.olds)
        return {
            a: self.parts_of(amount, len(periods_of(bills[a])), decision.in_parts, is_tampering=decision.tampering)
            for a, amount in by.items()
        }

    async def _ledgered(self, olds: Sequence[Bill], agreements: Mapping[UUID, UUID]) -> Ledgered:
        entries = await self.ledger.of_bills([b.bill_id for b in olds])
        plans = await self.ledger.plans(set(agreements.values()))
        deferred = {a: await deferred_of(self.ledger, a) for a in {p.agreement_id for p in plans}}
        ended = await self._ended({b.service_point_id for b in olds})
        mine = frozenset(agreements.values())
        unfallen = await self.ledger.installments(mine)
        return Ledgered(tuple(entries), tuple(plans), deferred, ended & mine, tuple(unfallen))

    async def _ended(self, places: set[UUID]) -> frozenset[UUID]:
        """Return the agreements of places whose last bill is out: nothing of theirs can fall due with a later one."""
        bills = sorted(await self.book.bills_of(places), key=lambda b: b.span)
        agreements = agreements_of(bills)
        last = {agreements[b.bill_id]: b for b in bills}
        return frozenset(a for a, b in last.items() if b.ends_service)
