"""Settles estimated bills once an actual read lies behind them: without a hand as far as the dated policy lets it.

All bills since the last actual read become one decision: a corrected bill and an adjustment for each period, one plan
of repayment, one booking. What comes to more than the policy leaves to a rule stays on the list and waits for a person,
like any other correction. It runs before bills are closed, so that the bill that the actual read closes opens on what
the periods before it were settled on, and charges its own days alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import structlog

from openami.billing.bill.record import Bill
from openami.billing.correction.decision import CorrectionRefusedError
from openami.billing.correction.group import CauseCase, CustomerChanges
from openami.billing.correction.periods import periods_of
from openami.billing.correction.ports import Settling
from openami.billing.correction.proposal import Wish
from openami.billing.correction.record import CauseKind, DecisionKind, Finding
from openami.billing.correction.weigh import Weigher
from openami.billing.correction.work import Corrections
from openami.billing.jurisdiction import Jurisdiction, TrueUpRule
from openami.contracts.changed import DaysChanged

_LOG = structlog.get_logger("true_up")
BY_RULE = UUID("7d0b1a52-6f0e-4f57-9a35-2c1e0a5d7701")
"""Who decides a true-up that the policy leaves to no person: no account of anybody."""


class EstimatedBills(Protocol):
    """What is asked of the book beside corrections."""

    async def estimated(self) -> list[Bill]:
        """Return issued bills in force with an estimated end, without lines, by place and first day.

        Those are left out that an actual read settled already: they are decided about, or wait for a person.
        """
        ...

    async def note_true_ups(self, settled: Sequence[tuple[Bill, datetime]], *, at: datetime) -> int:
        """Put bills on the queue that an actual read settles; each counts once for one read.

        Args:
            settled: each with the instant of the read.
            at: domain time.

        Returns:
            How many are new.
        """
        ...


@dataclass(frozen=True, slots=True)
class TrueUps:
    """Finds what actual reads settle, and carries out what the policy leaves to a rule.

    Args:
        book: estimated bills, and the queue.
        settling: which of them lie between two actual reads.
        weigher: of the queue.
        corrections: cases, proposals, and carrying out.
        rules: of the jurisdiction.
        real: gives real time.
        looked_at: what could not be carried out, by the versions that it was made from: a person's, until one changes.
    """

    book: EstimatedBills
    settling: Settling
    weigher: Weigher
    corrections: Corrections
    rules: Jurisdiction
    real: Callable[[], datetime]
    looked_at: set[tuple[str, ...]] = field(default_factory=set)

    async def settle(self, now: datetime) -> int:
        """Settle what can be; doing it again settles nothing twice.

        Args:
            now: domain time.

        Returns:
            How many customers got a true-up.
        """
        bills = await self.book.estimated()
        settled = await self.settling.of(bills) if bills else {}
        if settled:
            told = [(b, settled[b.bill_id].by.at) for b in bills if b.bill_id in settled]
            if await self.book.note_true_ups(told, at=now):
                await self.weigher.weigh(now)
        cases = [c for c in await self.corrections.cases() if c.cause.kind is CauseKind.TRUE_UP]
        return sum([await self._customer(case, one, now) for case in cases for one in case.customers])

    async def _customer(self, case: CauseCase, one: CustomerChanges, now: datetime) -> bool:
        rule = self.rules.on(one.changes[-1].span.last).true_up
        if any(c.found is not Finding.OPEN for c in one.changes) or abs(one.by) > rule.most_alone:
            return False
        place = one.changes[0].service_point_id
        if any(o.agreement_id != one.agreement_id and place in {c.service_point_id for c in o.changes}
               for o in case.customers):  # fmt: skip
            # Somebody moved in between: two customers are charged by one decision, so a person looks at it.
            return False
        versions = tuple(c.versions_digest for c in one.changes)
        if versions in self.looked_at:
            return False
        done = await self._carried_out(case, one, rule, now)
        if not done:
            self.looked_at.add(versions)
        return done

    async def _carried_out(self, case: CauseCase, one: CustomerChanges, rule: TrueUpRule, now: datetime) -> bool:
        billed = sum((c.after or Decimal(0) for c in one.changes), Decimal(0))
        place, mine = one.changes[0].service_point_id, {c.bill_id for c in one.changes}
        bills = await self.corrections.book.bills_of({place})
        parts = rule.parts(one.by, billed, len(periods_of([b for b in bills if b.bill_id in mine])))
        wish = Wish(
            case.cause.name, DecisionKind.REBILL, f"true-up: {case.cause.words}"[:500], place=place,
            in_parts=parts if one.by > 0 else None,
        )  # fmt: skip
        try:
            proposal = await self.corrections.propose(wish, by=BY_RULE, at=now)
            if proposal.effect.beyond or proposal.effect.unmakable:
                return False
            done = await self.corrections.carry_out(
                proposal.decision, proposal.effect, by=BY_RULE, at=now, real=self.real()
            )
        except CorrectionRefusedError:
            # What it says may hold readings; `openami corrections preview` shows it to whoever may look.
            _LOG.warning("true_up.refused", cause=case.cause.name)
            return False
        return done


@dataclass(slots=True)
class TrueUpJob:
    """The worker's job: settles before bills are closed.

    Args:
        true_ups: what settles.
    """

    true_ups: TrueUps
    name: str = "true_up"
    _again: datetime | None = field(default=None)

    PAUSE = timedelta(minutes=1)

    async def run_due(self, now: datetime) -> None:
        """Settle what actual reads lie behind now; as often as bills are closed."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        done = await self.true_ups.settle(now)
        if done:
            _LOG.info("true_up.settled", customers=done)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Look again at the next turn."""
        self._again = None
