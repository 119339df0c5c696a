"""Bills as work for the console: from records to sentences. The gate was opened by the route."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from openami.app.billing.bill_room import SCOPE, bill_room
from openami.app.billing.correction_desk import CorrectionDesk
from openami.app.people.desk import Decided
from openami.app.billing.hold_desk import HoldDesk
from openami.app.settings import Settings
from openami.app.web.two_person import desk_act
from openami.billing.api import Bill
from openami.billing.bill.hold import RELEASABLE
from openami.billing.correction.decision import DecisionHead, DecisionState
from openami.billing.correction.effect import Effect
from openami.billing.correction.group import CauseCase
from openami.billing.correction.record import Change, DecisionKind
from openami.billing.correction.proposal import Proposal, Wish
from openami.billing.cycle.blocked import Blocked, FreeingAct
from openami.billing.statement.dates import counted, kwh
from openami.billing.statement.prices import amount
from openami.kernel.time import epoch_s
from openami.portal.ports import RefusedError
from openami.portal.views.billing import (
    BlockedLinkView,
    BlockedView,
    ChainState,
    ChangedBillView,
    ChangedPartView,
    CorrectionCaseView,
    CorrectionDecisionView,
    CorrectionKeptView,
    CorrectionPreviewView,
    CorrectionsView,
    CorrectionWish,
    DecideCorrection,
    HeldBillsView,
    HeldBillView,
    HoldCountView,
)
from openami.security.access.role import Principal

NEWEST = 50
_PAGES = {
    FreeingAct.LOOK_AT_READINGS: "/why/{place}",
    FreeingAct.TAKE_READ: "/why/{place}",
    FreeingAct.CORRECT_BEFORE: "/corrections",
}


@dataclass(frozen=True, slots=True)
class BillingPages:
    """Implements :class:`~openami.portal.billing_ports.BillingDesk`.

    Args:
        settings: of the home.
        holds: bills that wait.
        corrections_desk: bills that are out.
    """

    settings: Settings
    holds: HoldDesk
    corrections_desk: CorrectionDesk

    @desk_act
    async def held(self, principal: Principal, owner: str, bill_group: int | None) -> HeldBillsView:
        """Return bills that wait, and how many for which reason."""
        found = await self.holds.held(Decided(principal), owner=owner, bill_group=bill_group)
        bills = [self._held(b) for b in found.bills]
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for one in bills:
            groups[one.code, one.owner].append(one.age_days)
        counts = [HoldCountView(code=c, owner=o, bills=len(a), oldest_days=max(a)) for (c, o), a in groups.items()]
        return HeldBillsView(bills=bills, counts=sorted(counts, key=lambda c: -c.bills), is_cut=found.is_cut)

    @desk_act
    async def place_of(self, bill_id: UUID) -> UUID | None:
        """Return where a bill is of."""
        async with bill_room(self.settings) as billing:
            bill = await billing.bill(SCOPE, bill_id)
        return None if bill is None else bill.service_point_id

    @desk_act
    async def release(self, principal: Principal, bill_id: UUID, reason: str) -> HeldBillView:
        """Let a bill pass."""
        return self._held(await self.holds.release(Decided(principal), bill_id, reason))

    @desk_act
    async def not_billed(self, principal: Principal, service_point_id: UUID) -> BlockedView:
        """Return the chain of one place."""
        return _blocked(await self.holds.not_billed(Decided(principal), service_point_id))

    @desk_act
    async def corrections(self, principal: Principal) -> CorrectionsView:
        """Return cases and decisions."""
        person = Decided(principal)
        cases = await self.corrections_desk.cases(person)
        heads = await self.corrections_desk.decisions(person, limit=NEWEST)
        return CorrectionsView(cases=[_case(c) for c in cases], decisions=[_head(h, principal) for h in heads])

    @desk_act
    async def preview(self, principal: Principal, wish: CorrectionWish) -> CorrectionPreviewView:
        """Return what a decision would do."""
        proposal = await self.corrections_desk.preview(Decided(principal), _wish(wish))
        return CorrectionPreviewView(
            words=proposal.decision.words(),
            effect=effect_words(proposal.effect, _currency(proposal.case)),
            second=proposal.second,
            token=_token(proposal),
            places=sorted({c.service_point_id for c in proposal.case.changes}),
        )

    @desk_act
    async def decide(self, principal: Principal, wish: DecideCorrection) -> CorrectionKeptView:
        """Decide what was seen, and nothing else."""
        person = Decided(principal)
        proposal = await self.corrections_desk.preview(person, _wish(wish))
        if _token(proposal) != wish.token:
            raise RefusedError("the bills have changed since you looked: look at the preview again")
        kept = await self.corrections_desk.decide(person, proposal)
        return _kept(kept.decision_id, kept.state)

    @desk_act
    async def places_of(self, decision_id: UUID) -> list[UUID]:
        """Return where the bills of a decision are."""
        return sorted(await self.corrections_desk.places_of(decision_id))

    @desk_act
    async def approve(self, principal: Principal, decision_id: UUID) -> CorrectionKeptView:
        """Approve another person's decision."""
        head = await self.corrections_desk.approve(Decided(principal), decision_id)
        return _kept(decision_id, head.state)

    def _held(self, bill: Bill) -> HeldBillView:
        hold = bill.hold
        if hold is None:
            raise RefusedError(f"bill {bill.bill_id} waits no more")
        age = max(0, (self.settings.clock().now() - hold.since).days)
        return HeldBillView(
            bill_id=bill.bill_id, service_point_id=bill.service_point_id, first_day=bill.span.first,
            last_day=bill.span.last, bill_group=None if bill.cycle is None else bill.cycle.bill_group,
            code=hold.code.value, reason=hold.reason, owner=hold.owner, since=epoch_s(hold.since), age_days=age,
            action=hold.action, can_release=hold.code in RELEASABLE,
        )  # fmt: skip


def _blocked(found: Blocked) -> BlockedView:
    page = _PAGES.get(found.act)
    worth = None if found.waiting_amount is None else amount(found.waiting_amount, found.currency)
    return BlockedView(
        service_point_id=found.service_point_id, headline=found.headline, since=found.since, owner=found.owner,
        action=found.action, act=found.act.value, bill_id=found.bill_id, can_release=found.can_release,
        href=None if page is None else page.format(place=found.service_point_id), waiting_days=found.waiting_days,
        waiting_amount=worth,
        chain=[BlockedLinkView(title=c.title, words=c.words, state=ChainState(c.stands.value)) for c in found.chain],
    )  # fmt: skip


def _case(case: CauseCase) -> CorrectionCaseView:
    changes = case.changes
    by = sum((c.by for c in changes), Decimal(0))
    return CorrectionCaseView(
        cause=case.cause.name, words=case.cause.words or case.cause.name, since=epoch_s(case.since),
        customers=len(case.customers), by=_signed(by, _currency(case)), first_day=case.first, last_day=case.last,
        bills=[_changed(c) for c in changes],
    )  # fmt: skip


def _changed(change: Change) -> ChangedBillView:
    return ChangedBillView(
        bill_id=change.bill_id, service_point_id=change.service_point_id, first_day=change.span.first,
        last_day=change.span.last, days=change.days, by_kwh=kwh(change.by_wh),
        before=amount(change.before, change.currency),
        after=None if change.after is None else amount(change.after, change.currency),
        by=_signed(change.by, change.currency), words=change.reason or change.found.value.replace("_", " "),
        parts=[
            ChangedPartView(
                first_day=p.span.first, last_day=p.span.last, rate=p.rate_name or p.rate_code, kwh=kwh(p.wh),
                amount=amount(p.total, change.currency),
            )
            for p in change.parts
        ],
        joins=change.joins is not None,
    )  # fmt: skip


def _head(head: DecisionHead, principal: Principal) -> CorrectionDecisionView:
    decision = head.decision
    waits = head.state is DecisionState.WAITING
    return CorrectionDecisionView(
        decision_id=decision.decision_id, words=decision.words(), reason=decision.reason, state=head.state.value,
        at=epoch_s(decision.at), effect=effect_words(head.effect, "USD"),
        may_approve=waits and decision.by != principal.user_id,
    )  # fmt: skip


def effect_words(effect: Effect, currency: str) -> str:
    """Return the sums of a preview in a sentence."""
    who = f"{counted(effect.bills, 'bill')} of {counted(effect.customers, 'customer')}"
    if effect.left_customers:
        whose = counted(effect.left_customers, "customer")
        return f"Bills stay as they are: {amount(effect.left, currency)} of {whose} is neither asked nor given back."
    parts = [f"{who}: {amount(effect.up, currency)} more, {amount(effect.down, currency)} given back"]
    if effect.beyond:
        parts.append(f"{counted(effect.beyond, 'bill')} beyond the look-back limit left")
    if effect.unmakable:
        parts.append(f"{counted(effect.unmakable, 'bill')} cannot be made again now")
    if effect.in_parts:
        parts.append(f"{counted(effect.in_parts, 'customer')} repay in parts")
    return "; ".join(parts) + "."


def _wish(wish: CorrectionWish) -> Wish:
    kind = DecisionKind.LEAVE if wish.leave else DecisionKind.REBILL
    return Wish(wish.cause, kind, wish.reason, place=wish.place, tampering=wish.tampering)


def _token(proposal: Proposal) -> str:
    """Return the digest of what was seen: every bill with its versions, and the sums; not the decision's own number."""
    bills = b"".join(b.digest() for b in proposal.decision.bills)
    return sha256(bills + repr(proposal.effect).encode()).hexdigest()


def _kept(decision_id: UUID, state: DecisionState) -> CorrectionKeptView:
    words = "It waits for a second person." if state is DecisionState.WAITING else "It is carried out."
    return CorrectionKeptView(decision_id=decision_id, state=state.value, words=words)


def _currency(case: CauseCase) -> str:
    return case.changes[0].currency if case.changes else "USD"


def _signed(value: Decimal, currency: str) -> str:
    return f"+{amount(value, currency)}" if value > 0 else amount(value, currency)
