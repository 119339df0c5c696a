"""The console's page of collectors."""

from __future__ import annotations

from fastapi import APIRouter

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.collector import CollectorsView
from openami.security.access.policy import Kind

router = APIRouter(prefix="/staff", tags=["staff"])


@router.get("/collectors", responses=ERRORS, openapi_extra=policy(Kind.COLLECTOR))
async def collectors(session: SessionOf, ports: PortsOf) -> CollectorsView:
    """Return every collector with its health, those that need a person first."""
    await open_gate(ports, session, query="collectors", kind=Kind.COLLECTOR)
    return await ports.collectors.collectors()
