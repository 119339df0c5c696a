"""Worklist, cases and decisions for the console: from records to sentences. The gate was opened by the route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.app.people.case_desk import CaseDesk
from openami.app.commands.worklist_words import effect_words
from openami.app.people.desk import Decided
from openami.app.readings.editing_desk import EditingDesk, Kept
from openami.app.web.readings_why import WhyDesk
from openami.app.web.two_person import desk_act, order_view, require_seen
from openami.contracts.channel import CHANNEL_BY_NAME, CHANNELS
from openami.kernel.clock import Clock
from openami.kernel.finding import Severity
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s, local_midnight, zone_named
from openami.mdm.editing.casebook import Case
from openami.mdm.editing.decision import DecisionKind
from openami.mdm.editing.editor import Place, Proposal, Wish
from openami.mdm.editing.ports import DecisionHead, DecisionState
from openami.mdm.editing.preview import DayChange
from openami.mdm.editing.words import evidence_words
from openami.mdm.editing.worklist import WorkFilter, WorkItem, WorkOrder
from openami.portal.console_ports import WorklistQuery
from openami.portal.ports import RefusedError
from openami.portal.views.readings import (
    CaseDetailView,
    CaseItemView,
    CasesView,
    CaseView,
    CauseCountView,
    DayChangeView,
    Decide,
    DecisionName,
    DecisionStateName,
    DecisionsView,
    DecisionView,
    EffectView,
    KeptView,
    PlaceSpan,
    PreviewView,
    SeverityName,
    WhyView,
    WorkItemView,
    WorklistView,
)
from openami.security.access.order import Order
from openami.security.access.role import Principal

ITEMS_SHOWN = 1_000
CHANGES_SHOWN = 40
PLACES_NAMED = 20
_STATE_WORDS = {
    DecisionState.WAITING: "It waits for a second person.",
    DecisionState.IN_FORCE: "It is in force; its days run again within minutes.",
    DecisionState.UNDOING: "Undoing it waits for a second person.",
    DecisionState.UNDONE: "It is undone; its days run again within minutes.",
    DecisionState.WITHDRAWN: "It is withdrawn.",
}


@dataclass(frozen=True, slots=True)
class ReadingPages:
    """Implements :class:`~openami.portal.console_ports.ReadingsDesk`.

    Args:
        desk, cases_desk: where people act.
        why_desk: what is known of one place.
        real: real time.
    """

    desk: EditingDesk
    cases_desk: CaseDesk
    why_desk: WhyDesk
    real: Clock

    @desk_act
    async def worklist(self, asked: WorklistQuery) -> WorklistView:
        """Return a page of the worklist."""
        wanted = WorkFilter(
            severity=Severity(asked.severity) if asked.severity else None,
            rules=asked.rules,
            service_points=frozenset({asked.service_point_id}) if asked.service_point_id else None,
            cell=asked.cell,
            feeder=asked.feeder,
            bill_before=asked.bill_before,
            min_wh=int(asked.min_kwh * 1000),
            case_id=asked.case_id,
            with_cases=asked.with_cases,
            order=WorkOrder(asked.order),
        )
        async with self.desk.rooms() as rooms:
            page = await rooms.worklist.page(wanted, today=self.desk.today(), limit=asked.limit, offset=asked.offset)
            rules = await rooms.worklist.rules()
            cases = await rooms.cases.cases(limit=1_000)
        return WorklistView(
            items=[_item_view(item) for item in page.items],
            total=page.total,
            findings=page.findings,
            cases=len(cases),
            rules=[CauseCountView(rule=rule, findings=count) for rule, count in rules.items()],
        )

    @desk_act
    async def preview(self, principal: Principal, wish: Decide) -> PreviewView:
        """Return what a decision would do."""
        return _preview_view(await self.desk.preview(Decided(principal), await self._wish(wish)))

    @desk_act
    async def decide(self, principal: Principal, wish: Decide) -> KeptView:
        """Keep a decision that still does what its token says."""
        proposal = await self.desk.preview(Decided(principal), await self._wish(wish))
        _require_same(proposal, wish.token)
        return _kept_view(await self.desk.decide(Decided(principal), proposal))

    @desk_act
    async def decisions(self, principal: Principal, service_point_id: UUID | None, *, state: str) -> DecisionsView:
        """Return decisions, newest first."""
        places = [service_point_id] if service_point_id else None
        wanted = DecisionState(state) if state else None
        heads = await self.desk.decisions(Decided(principal), places, state=wanted)
        return DecisionsView(decisions=await self._decision_views(heads, principal))

    @desk_act
    async def approve(self, principal: Principal, decision_id: UUID, digest: str) -> DecisionView:
        """Approve what waits of a decision, exactly as the person saw it."""
        async with self.desk.rooms() as rooms:
            require_seen(await self.desk.waiting_order(rooms, decision_id), digest)
        await self.cases_desk.approve(Decided(principal), decision_id)
        async with self.desk.rooms() as rooms:
            head = await rooms.decisions.head(decision_id)
        return (await self._decision_views([head], principal))[0]

    @desk_act
    async def withdraw(self, principal: Principal, decision_id: UUID) -> None:
        """Take back a decision that waits."""
        await self.desk.withdraw(Decided(principal), decision_id)

    @desk_act
    async def preview_undo(self, principal: Principal, decision_id: UUID) -> PreviewView:
        """Return what undoing would do."""
        return _preview_view(await self.desk.preview_undo(Decided(principal), decision_id), undo=True)

    @desk_act
    async def undo(self, principal: Principal, decision_id: UUID, *, reason: str, token: str) -> KeptView:
        """Undo a decision as previewed."""
        proposal = await self.desk.preview_undo(Decided(principal), decision_id)
        _require_same(proposal, token)
        return _kept_view(await self.desk.undo(Decided(principal), proposal, reason=reason))

    @desk_act
    async def places_of_decision(self, decision_id: UUID) -> frozenset[UUID]:
        """Return every place that a decision is about."""
        async with self.desk.rooms() as rooms:
            return (await rooms.decisions.whole(decision_id)).service_points

    @desk_act
    async def places_of_case(self, case_id: UUID) -> frozenset[UUID]:
        """Return every place of a case that is still open."""
        async with self.desk.rooms() as rooms:
            return frozenset(item.service_point_id for item in await rooms.cases.items(case_id))

    @desk_act
    async def cases(self, *, is_open: bool) -> CasesView:
        """Return cases."""
        async with self.desk.rooms() as rooms:
            return CasesView(cases=[_case_view(case) for case in await rooms.cases.cases(is_open=is_open)])

    @desk_act
    async def case(self, case_id: UUID) -> CaseDetailView:
        """Return one case with its places."""
        async with self.desk.rooms() as rooms:
            case, items = await rooms.cases.case(case_id), await rooms.cases.items(case_id)
        items.sort(key=lambda i: (-i.stake_wh, i.service_point_id.bytes))
        views = [
            CaseItemView(
                service_point_id=i.service_point_id,
                channel=CHANNELS[i.channel].name,
                first=i.first,
                last=i.last,
                stake_wh=i.stake_wh,
            )
            for i in items[:ITEMS_SHOWN]
        ]
        return CaseDetailView(case=_case_view(case), items=views)

    @desk_act
    async def preview_case(self, principal: Principal, case_id: UUID) -> PreviewView:
        """Return what the case's fix would do."""
        return _preview_view(await self.cases_desk.preview(Decided(principal), case_id))

    @desk_act
    async def fix_case(self, principal: Principal, case_id: UUID, *, reason: str, token: str) -> KeptView:
        """Carry the case's fix out as previewed."""
        proposal = await self.cases_desk.preview(Decided(principal), case_id, reason=reason)
        _require_same(proposal, token)
        return _kept_view(await self.cases_desk.fix(Decided(principal), proposal))

    @desk_act
    async def close_case(self, principal: Principal, case_id: UUID, *, reason: str) -> None:
        """Close a case without a fix."""
        await self.cases_desk.close(Decided(principal), case_id, reason=reason)

    @desk_act
    async def why(self, principal: Principal, service_point_id: UUID, channel: str, day: date | None) -> WhyView:
        """Return why a read of a place is missing, estimated or held."""
        if channel not in CHANNEL_BY_NAME:
            raise RefusedError(f"there is no channel {channel!r}: delivered, received or voltage")
        async with self.desk.rooms() as rooms:
            heads = await rooms.decisions.heads([service_point_id], limit=20)
            views = await self._decision_views(heads, principal)
            return await self.why_desk.why(rooms, service_point_id, CHANNEL_BY_NAME[channel], day, heads, views)

    async def _wish(self, wish: Decide) -> Wish:
        async with self.desk.rooms() as rooms:
            points = await rooms.registry.service_points({p.service_point_id for p in wish.places})
        zones = {p.id: zone_named(p.zone) for p in points}
        return Wish(
            DecisionKind(wish.kind.value),
            wish.reason,
            tuple(_place(span, zones.get(span.service_point_id)) for span in wish.places),
            rules=tuple(wish.rules),
            shift_s=wish.shift_s,
            numerator=wish.numerator,
            denominator=wish.denominator,
        )

    async def _decision_views(self, heads: Sequence[DecisionHead], principal: Principal) -> list[DecisionView]:
        orders = await self.desk.orders_of(heads)
        return [self._decision_view(head, orders.get(head.decision.id), principal) for head in heads]

    def _decision_view(self, head: DecisionHead, order: Order | None, principal: Principal) -> DecisionView:
        d = head.decision
        return DecisionView(
            decision_id=d.id,
            kind=DecisionName(d.kind.value),
            state=DecisionStateName(head.state.value),
            words=d.words() if head.spans == len(d.targets) else f"{d.words()} and more, {head.spans:,} spans in all",
            reason=d.reason,
            spans=head.spans,
            places=sorted(d.service_points)[:PLACES_NAMED],
            at=epoch_s(d.at),
            is_yours=d.by == principal.user_id,
            effect=effect_words(head.effect),
            case_id=d.case_id,
            order=order_view(order, principal, now=self.real.now()) if order is not None else None,
        )


def _place(span: PlaceSpan, zone: ZoneInfo | None) -> Place:
    if zone is None:
        raise RefusedError(f"there is no service point {span.service_point_id}")
    if span.channel not in CHANNEL_BY_NAME:
        raise RefusedError(f"there is no channel {span.channel!r}")
    if span.start_at is not None and span.end_at is not None and span.start_at < span.end_at:
        period = Period(instant_from_epoch_s(span.start_at), instant_from_epoch_s(span.end_at))
    elif span.first is not None and span.last is not None and span.first <= span.last:
        period = Period(local_midnight(span.first, zone), local_midnight(span.last + timedelta(days=1), zone))
    else:
        raise RefusedError("a span has a first and a last day, or a start and an end")
    return Place(span.service_point_id, CHANNEL_BY_NAME[span.channel], period, tuple(span.values))


def _token(proposal: Proposal) -> str:
    """Return what names exactly this decision with exactly this effect, whatever its id, reason and hour."""
    d = proposal.decision
    numbers = f"{d.kind.value}|{d.shift_s}|{d.numerator}|{d.denominator}|{','.join(d.rules)}|{d.case_id}"
    octets = b"".join(target.digest() for target in d.targets)
    return sha256(f"{numbers}|{proposal.preview.effect}".encode() + octets).hexdigest()


def _require_same(proposal: Proposal, token: str) -> None:
    if _token(proposal) != token:
        raise RefusedError("readings have changed since the preview: look at it again")


def _preview_view(proposal: Proposal, *, undo: bool = False) -> PreviewView:
    e = proposal.preview.effect
    words = proposal.decision.words()
    return PreviewView(
        words=f"undo: {words}" if undo else words,
        sentence=effect_words(e),
        effect=EffectView(
            service_points=e.service_points, days=e.days, up_wh=e.up_wh, down_wh=e.down_wh, moved_wh=e.moved_wh,
            settled=e.settled, raised=e.raised,
        ),
        second_person=proposal.second,
        changes=[_change_view(c) for c in proposal.preview.changes[:CHANGES_SHOWN]],
        token=_token(proposal),
    )  # fmt: skip


def _change_view(change: DayChange) -> DayChangeView:
    after, before = change.after, change.before
    return DayChangeView(
        service_point_id=after.service_point_id,
        channel=CHANNELS[after.channel].name,
        local_day=after.local_day,
        start_at=epoch_s(after.start_utc),
        interval_s=after.interval_s,
        version=after.version,
        before=before.values.tolist() if before is not None else [],
        after=after.values.tolist(),
        before_wh=int(before.values.sum()) if before is not None else None,
        after_wh=int(after.values.sum()),
    )


def _kept_view(kept: Kept) -> KeptView:
    return KeptView(
        decision_id=kept.decision_id, state=DecisionStateName(kept.state.value), words=_STATE_WORDS[kept.state]
    )


def _item_view(item: WorkItem) -> WorkItemView:
    return WorkItemView(
        service_point_id=item.service_point_id,
        channel=CHANNELS[item.channel].name,
        rule=item.rule,
        severity=SeverityName(item.severity.value),
        first=item.first,
        last=item.last,
        findings=item.findings,
        bill_on=item.bill_on,
        is_billed=item.is_billed,
        stake_wh=item.stake_wh,
        dollars=str(item.dollars()),
        words=evidence_words(item.evidence),
        cell=item.cell,
        transformer=item.transformer,
        case_id=item.case_id,
    )


def _case_view(case: Case) -> CaseView:
    e = case.evidence
    return CaseView(
        case_id=case.id,
        title=case.title,
        cause=case.cause.value,
        value=case.value,
        rule=case.rule,
        evidence=e.words(),
        next_best=f"{e.next_cause} ({e.next_ratio:,.1f} against {e.ratio:,.1f})" if e.next_cause else "",
        findings=e.findings,
        open_items=case.open_items,
        stake_wh=e.stake_wh,
        first=e.first,
        last=e.last,
        fix=DecisionName(case.fix.kind.value) if case.fix.kind is not None else None,
        fix_words=case.fix.words,
        opened_at=epoch_s(case.opened_at),
        closed_at=epoch_s(case.closed_at) if case.closed_at is not None else None,
        closed_reason=case.closed_reason,
        decision_id=case.decision_id,
    )


