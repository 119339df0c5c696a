"""A customer's own read of their meter: what was asked for, and the read itself. Every look and act is logged."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.turns import LONG
from openami.portal.views.own_read import OwnReadsView, SendRead
from openami.security.access.policy import Action, Kind

router = APIRouter(tags=["customer"])


@router.get(
    "/service-points/{service_point_id}/own-reads", responses=ERRORS, openapi_extra=policy(Kind.OWN_READ),
    dependencies=LONG,
)  # fmt: skip
async def own_reads(service_point_id: UUID, session: SessionOf, ports: PortsOf) -> OwnReadsView:
    """Return whether a read of the customer's own is asked for, and those that were sent."""
    scope = await open_gate(
        ports, session, query="own_reads", kind=Kind.OWN_READ, service_point_id=service_point_id
    )  # fmt: skip
    return await ports.own_reads.reads(scope, service_point_id)


@router.post(
    "/service-points/{service_point_id}/own-reads", responses=ERRORS,
    openapi_extra=policy(Kind.OWN_READ, Action.CHANGE), dependencies=LONG,
)  # fmt: skip
async def send_read(service_point_id: UUID, body: SendRead, session: SessionOf, ports: PortsOf) -> OwnReadsView:
    """Take what the display of the meter shows now, in kWh."""
    scope = await open_gate(
        ports, session, query="own_reads.send", kind=Kind.OWN_READ, action=Action.CHANGE,
        service_point_id=service_point_id,
    )  # fmt: skip
    return await ports.own_reads.send(scope, session.principal, service_point_id, body.shown_kwh)
