"""The console's page of keys: where they stand, how their changes go, who ordered them, and what leaked."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from fastapi import APIRouter

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.key import KeysView, LeakView, OrderKeys, ReportLeak, RetriedView, RetryKeys
from openami.portal.views.two_person import Approve, TwoPersonOrderView, Withdraw
from openami.security.access.policy import Action, Kind

router = APIRouter(prefix="/staff/keys", tags=["staff"])
_CHANGE = policy(Kind.KEYS, Action.CHANGE)


@router.get("", responses=ERRORS, openapi_extra=policy(Kind.KEYS))
async def keys(session: SessionOf, ports: PortsOf) -> KeysView:
    """Return where keys stand, how their changes go, orders and incidents."""
    await open_gate(ports, session, query="keys", kind=Kind.KEYS)
    return await ports.keys.keys(session.principal)


@router.post("/orders", status_code=201, responses=ERRORS, openapi_extra=_CHANGE)
async def order_keys(body: OrderKeys, session: SessionOf, ports: PortsOf) -> TwoPersonOrderView:
    """Order that keys change; a second person approves."""
    note = f"{_named(body.system_titles)} for {body.days:g} days: {body.reason}"
    await open_gate(ports, session, query="keys.order", kind=Kind.KEYS, action=Action.CHANGE, note=note)
    return await ports.keys.order(session.principal, body.system_titles, days=body.days, reason=body.reason)


@router.post("/orders/{order_id}/approvals", status_code=201, responses=ERRORS, openapi_extra=_CHANGE)
async def approve_key_order(order_id: UUID, body: Approve, session: SessionOf, ports: PortsOf) -> TwoPersonOrderView:
    """Approve an order of somebody else as it was seen."""
    note = f"order {order_id}, digest {body.digest}"
    await open_gate(ports, session, query="keys.approve", kind=Kind.KEYS, action=Action.CHANGE, note=note)
    return await ports.keys.approve(session.principal, order_id, digest=body.digest)


@router.post("/orders/{order_id}/withdrawal", status_code=204, responses=ERRORS, openapi_extra=_CHANGE)
async def withdraw_key_order(order_id: UUID, body: Withdraw, session: SessionOf, ports: PortsOf) -> None:
    """Let nothing more begin by an order; what has gone to a meter is still proved."""
    note = f"order {order_id}: {body.reason}"
    await open_gate(ports, session, query="keys.withdraw", kind=Kind.KEYS, action=Action.CHANGE, note=note)
    await ports.keys.withdraw(session.principal, order_id)


@router.post("/retries", status_code=202, responses=ERRORS, openapi_extra=_CHANGE)
async def retry_keys(body: RetryKeys, session: SessionOf, ports: PortsOf) -> RetriedView:
    """Begin failed changes anew."""
    note = f"{body.system_title or 'every meter that failed'}: {body.reason}"
    await open_gate(ports, session, query="keys.retry", kind=Kind.KEYS, action=Action.CHANGE, note=note)
    return await ports.keys.retry(session.principal, body.system_title)


@router.post("/incidents", status_code=201, responses=ERRORS, openapi_extra=_CHANGE)
async def report_leak(body: ReportLeak, session: SessionOf, ports: PortsOf) -> LeakView:
    """Say that keys leaked: these meters take no switching command until they have proved newer ones."""
    what = "with their master keys" if body.masters else "without their master keys"
    note = f"{_named(body.system_titles)} {what}: {body.reason}"
    await open_gate(ports, session, query="keys.compromise", kind=Kind.KEYS, action=Action.CHANGE, note=note)
    return await ports.keys.leak(session.principal, body.system_titles, masters=body.masters, reason=body.reason)


def _named(titles: list[str] | None) -> str:
    """Return what meters an act is about, for the log: how many, and a digest of exactly which."""
    if titles is None:
        return "every meter as it becomes due"
    return f"{len(titles)} meters, titles sha256 {sha256(' '.join(sorted(titles)).encode()).hexdigest()}"
