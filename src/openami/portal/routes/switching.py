"""The console's pages of switching orders and of alerts."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.switching import (
    AlertsView,
    ListTakenView,
    PlanSwitching,
    SwitchOrderDetailView,
    SwitchOrdersView,
    SwitchOrderView,
    TakeList,
)
from openami.portal.views.two_person import Approve, Withdraw
from openami.security.access.policy import Action, Kind

router = APIRouter(prefix="/staff", tags=["staff"])


@router.get("/orders", responses=ERRORS, openapi_extra=policy(Kind.SWITCH))
async def orders(session: SessionOf, ports: PortsOf) -> SwitchOrdersView:
    """Return the newest switching orders, those that wait for a person first."""
    await open_gate(ports, session, query="orders", kind=Kind.SWITCH)
    return await ports.switching.orders(session.principal)


@router.get("/orders/{order_id}", responses=ERRORS, openapi_extra=policy(Kind.SWITCH))
async def order(order_id: UUID, session: SessionOf, ports: PortsOf) -> SwitchOrderDetailView:
    """Return one order with what became of each of its meters."""
    await open_gate(ports, session, query="order", kind=Kind.SWITCH, note=f"order {order_id}")
    return await ports.switching.order(session.principal, order_id)


@router.post("/orders", status_code=201, responses=ERRORS, openapi_extra=policy(Kind.SWITCH, Action.CHANGE))
async def plan_order(body: PlanSwitching, session: SessionOf, ports: PortsOf) -> SwitchOrderView:
    """Order something of meters; the person's own approval is the first."""
    note = f"{body.action.value} for {body.reason.value} of {len(body.system_titles)} meters: {body.note}"
    await open_gate(ports, session, query="orders.plan", kind=Kind.SWITCH, action=Action.CHANGE, note=note)
    return await ports.switching.plan(session.principal, body)


@router.post("/order-lists", status_code=201, responses=ERRORS, openapi_extra=policy(Kind.SWITCH, Action.CHANGE))
async def take_list(body: TakeList, session: SessionOf, ports: PortsOf) -> ListTakenView:
    """Take a list that the customer information system has signed; one that was changed is refused whole."""
    await open_gate(ports, session, query="orders.take", kind=Kind.SWITCH, action=Action.CHANGE)
    return await ports.switching.take(session.principal, body.text)


@router.post(
    "/orders/{order_id}/approvals", status_code=201, responses=ERRORS, openapi_extra=policy(Kind.SWITCH, Action.CHANGE)
)
async def approve_order(order_id: UUID, body: Approve, session: SessionOf, ports: PortsOf) -> SwitchOrderView:
    """Approve exactly what the person saw: another person's order, by its digest."""
    note = f"order {order_id}, {body.digest}"
    await open_gate(ports, session, query="orders.approve", kind=Kind.SWITCH, action=Action.CHANGE, note=note)
    return await ports.switching.approve(session.principal, order_id, body.digest)


@router.post(
    "/orders/{order_id}/withdrawal", status_code=204, responses=ERRORS, openapi_extra=policy(Kind.SWITCH, Action.CHANGE)
)
async def withdraw_order(order_id: UUID, body: Withdraw, session: SessionOf, ports: PortsOf) -> None:
    """Let nothing more of an order be done; what is switched stays as it is."""
    note = f"order {order_id}: {body.reason}"
    await open_gate(ports, session, query="orders.withdraw", kind=Kind.SWITCH, action=Action.CHANGE, note=note)
    await ports.switching.withdraw(session.principal, order_id)


@router.get("/alerts", responses=ERRORS, openapi_extra=policy(Kind.ALERT))
async def alerts(session: SessionOf, ports: PortsOf) -> AlertsView:
    """Return what people were called for, what nobody has seen to first."""
    await open_gate(ports, session, query="alerts", kind=Kind.ALERT)
    return await ports.switching.alerts()


@router.post(
    "/alerts/{alert_id}/seen", status_code=204, responses=ERRORS, openapi_extra=policy(Kind.ALERT, Action.CHANGE)
)
async def alert_seen(alert_id: UUID, session: SessionOf, ports: PortsOf) -> None:
    """Note that a person has seen to an alert."""
    note = f"alert {alert_id}"
    await open_gate(ports, session, query="alerts.seen", kind=Kind.ALERT, action=Action.CHANGE, note=note)
    await ports.switching.seen(session.principal, alert_id)
