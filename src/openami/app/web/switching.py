"""Switching orders and alerts for the console: from orders and turns to sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from openami.app.people.desk import Decided
from openami.app.orders.switch_desk import SwitchDesk
from openami.app.orders.switch_orders import SwitchRefusedError
from openami.app.orders.switch_standing import OrderHead, OrderState, switched
from openami.app.web.two_person import desk_act, order_view, require_seen
from openami.headend.switching.life import GOOD, WORDS, ItemCode, SwitchTurn
from openami.headend.switching.order import SwitchAction, SwitchReason, SwitchSubject
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, epoch_s
from openami.portal.views.switching import (
    AlertsView,
    AlertView,
    ListTakenView,
    PlanSwitching,
    SwitchCountView,
    SwitchMeterView,
    SwitchOrderDetailView,
    SwitchOrdersView,
    SwitchOrderView,
    SwitchProgress,
)
from openami.security.access.role import Principal
from openami.security.watch.alert import Alert

ALERTS_SHOWN = 200
_OPEN_WORDS = {"waiting": "its turn has not come", "running": "the meter is being asked now"}
_WORDS: Mapping[OrderState, str] = {
    OrderState.WAITS_FOR_APPROVAL: "Waits for approval by another person.",
    OrderState.LAPSED: "Lapsed: the approvals did not come in time. Make it anew.",
    OrderState.WAITS_FOR_WINDOW: "Approved; waits for its window.",
    OrderState.RUNNING: "Is carried out now.",
    OrderState.ENDED: "Ended.",
    OrderState.WITHDRAWN: "Withdrawn: nothing more of it is done.",
}


@dataclass(frozen=True, slots=True)
class SwitchingPages:
    """Implements :class:`~openami.portal.console_ports.SwitchingDesk`.

    Args:
        desk: where people act.
        real: real time.
    """

    desk: SwitchDesk
    real: Clock

    @desk_act
    async def orders(self, principal: Principal) -> SwitchOrdersView:
        """Return the newest orders, those that wait for a person first."""
        heads = sorted(await self.desk.heads(), key=lambda head: head.state is not OrderState.WAITS_FOR_APPROVAL)
        return SwitchOrdersView(orders=[self._view(head, principal) for head in heads])

    @desk_act
    async def order(self, principal: Principal, order_id: UUID) -> SwitchOrderDetailView:
        """Return one order with its meters."""
        head, turns = await self.desk.one(order_id)
        return SwitchOrderDetailView(order=self._view(head, principal), each=[_meter_view(turn) for turn in turns])

    @desk_act
    async def plan(self, principal: Principal, wish: PlanSwitching) -> SwitchOrderView:
        """Make an order with the person's own approval."""
        now = self.real.now()
        titles = [SystemTitle.from_hex(text) for text in wish.system_titles]
        subject = SwitchSubject(SwitchAction(wish.action), SwitchReason(wish.reason), wish.limit_w)
        window = Period(now, now + timedelta(hours=wish.hours))
        order = await self.desk.plan(Decided(principal), subject, titles, window)
        return await self._seen(principal, order.subject.order_id)

    @desk_act
    async def take(self, principal: Principal, text: str) -> ListTakenView:
        """Take a signed list."""
        taken = await self.desk.take(Decided(principal), text.encode("ascii", "replace"))
        view = await self._seen(principal, taken.order.subject.order_id) if taken.order is not None else None
        return ListTakenView(order=view, paid=taken.paid)

    @desk_act
    async def approve(self, principal: Principal, order_id: UUID, digest: str) -> SwitchOrderView:
        """Approve exactly what the person saw."""
        require_seen(await self.desk.orders.order(order_id), digest)
        await self.desk.approve(Decided(principal), order_id)
        return await self._seen(principal, order_id)

    @desk_act
    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        """Let nothing more of an order be done."""
        await self.desk.withdraw(Decided(principal), order_id)

    @desk_act
    async def alerts(self) -> AlertsView:
        """Return alerts, those that nobody has seen to first."""
        return AlertsView(alerts=[_alert_view(one) for one in await self.desk.alerts(limit=ALERTS_SHOWN)])

    @desk_act
    async def seen(self, principal: Principal, alert_id: UUID) -> None:
        """Note that a person has seen to an alert."""
        if not await self.desk.seen(Decided(principal), alert_id):
            raise SwitchRefusedError("there is no such alert that nobody has seen to")

    async def _seen(self, principal: Principal, order_id: UUID) -> SwitchOrderView:
        head, _ = await self.desk.one(order_id)
        return self._view(head, principal)

    def _view(self, head: OrderHead, principal: Principal) -> SwitchOrderView:
        words, people = _WORDS[head.state], head.subject.people
        if head.state is OrderState.WAITS_FOR_APPROVAL and people > 1:
            words = f"Waits for approval: {head.approved_by} of {people} people have given it."
        return SwitchOrderView(
            order=order_view(head.order, principal, now=self.real.now(), people=people),
            progress=SwitchProgress(head.state.value),
            words=words,
            people_needed=people,
            approved_by=head.approved_by,
            is_list=bool(head.order.document),
            switched=switched(head.counts),
            counts=[_count_view(code, meters) for code, meters in sorted(head.counts.items())],
            longest_s=head.longest_s,
        )


def _count_view(code: str, meters: int) -> SwitchCountView:
    words = _OPEN_WORDS[code] if code in _OPEN_WORDS else WORDS[ItemCode(code)]
    return SwitchCountView(code=code, words=words, meters=meters, is_good=code in {good.value for good in GOOD})


def _meter_view(turn: SwitchTurn) -> SwitchMeterView:
    return SwitchMeterView(
        system_title=str(turn.title),
        service_point_id=turn.service_point_id,
        state=turn.state.value,
        code=turn.code.value if turn.code is not None else None,
        words=turn.words,
        due_at=int(turn.due_s) if turn.due_s else None,
        took_s=turn.took_s,
    )


def _alert_view(one: Alert) -> AlertView:
    return AlertView(
        alert_id=one.alert_id,
        at=epoch_s(one.at),
        rule=one.rule,
        words=one.words,
        order_id=one.order_id,
        device=one.device,
        seen_at=epoch_s(one.seen_at) if one.seen_at else None,
    )
