"""The console's page of the gateway: thresholds, commands that it keeps, and the orders that change or release."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from fastapi import APIRouter

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.gateway import GatewayView, ProposeThresholds, ReleaseCommands
from openami.portal.views.two_person import Approve, TwoPersonOrderView, Withdraw
from openami.security.access.policy import Action, Kind

IDS_IN_NOTE = 10
router = APIRouter(prefix="/staff/gateway", tags=["staff"])
_CHANGE = policy(Kind.THRESHOLD, Action.CHANGE)


@router.get("", responses=ERRORS, openapi_extra=policy(Kind.THRESHOLD))
async def gateway(session: SessionOf, ports: PortsOf) -> GatewayView:
    """Return the thresholds in force, commands that are kept, orders, and what gateways said lately."""
    await open_gate(ports, session, query="gateway", kind=Kind.THRESHOLD)
    return await ports.gateway.gateway(session.principal)


@router.post("/releases", status_code=201, responses=ERRORS, openapi_extra=_CHANGE)
async def release_commands(body: ReleaseCommands, session: SessionOf, ports: PortsOf) -> TwoPersonOrderView:
    """Order that kept commands may pass; a second person approves."""
    named = ", ".join(sorted(map(str, body.held_ids))[:IDS_IN_NOTE])
    note = f"{len(body.held_ids)} kept commands: {named}: {body.reason}"
    await open_gate(ports, session, query="thresholds.release", kind=Kind.THRESHOLD, action=Action.CHANGE, note=note)
    return await ports.gateway.release(session.principal, body.held_ids, reason=body.reason)


@router.post("/thresholds", status_code=201, responses=ERRORS, openapi_extra=_CHANGE)
async def propose_thresholds(body: ProposeThresholds, session: SessionOf, ports: PortsOf) -> TwoPersonOrderView:
    """Order other thresholds; a second person approves exactly this document."""
    note = f"thresholds with SHA-256 {sha256(body.document.encode()).hexdigest()}: {body.reason}"
    await open_gate(ports, session, query="thresholds.propose", kind=Kind.THRESHOLD, action=Action.CHANGE, note=note)
    return await ports.gateway.propose(session.principal, body.document, reason=body.reason)


@router.post("/orders/{order_id}/approvals", status_code=201, responses=ERRORS, openapi_extra=_CHANGE)
async def approve_gateway_order(
    order_id: UUID, body: Approve, session: SessionOf, ports: PortsOf
) -> TwoPersonOrderView:
    """Approve an order of somebody else as it was seen."""
    note = f"order {order_id}, digest {body.digest}"
    await open_gate(ports, session, query="thresholds.approve", kind=Kind.THRESHOLD, action=Action.CHANGE, note=note)
    return await ports.gateway.approve(session.principal, order_id, digest=body.digest)


@router.post("/orders/{order_id}/withdrawal", status_code=204, responses=ERRORS, openapi_extra=_CHANGE)
async def withdraw_gateway_order(order_id: UUID, body: Withdraw, session: SessionOf, ports: PortsOf) -> None:
    """Withdraw an order: what is in force stays, what was not released yet is not."""
    note = f"order {order_id}: {body.reason}"
    await open_gate(ports, session, query="thresholds.withdraw", kind=Kind.THRESHOLD, action=Action.CHANGE, note=note)
    await ports.gateway.withdraw(session.principal, order_id)
