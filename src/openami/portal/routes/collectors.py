"""The console's page of collectors."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.collector import CollectorReportView, CollectorsView, ReportCollector
from openami.security.access.policy import Action, Kind

CollectorId = Annotated[int, Path(ge=1, le=2**32 - 1)]
router = APIRouter(prefix="/staff", tags=["staff"])


@router.get("/collectors", responses=ERRORS, openapi_extra=policy(Kind.COLLECTOR))
async def collectors(session: SessionOf, ports: PortsOf) -> CollectorsView:
    """Return every collector with its health, those that need a person first."""
    await open_gate(ports, session, query="collectors", kind=Kind.COLLECTOR)
    return await ports.collectors.collectors()


@router.post(
    "/collectors/{collector_id}/reports",
    status_code=201,
    responses=ERRORS,
    openapi_extra=policy(Kind.COLLECTOR, Action.CHANGE),
)
async def report_collector(
    collector_id: CollectorId, body: ReportCollector, session: SessionOf, ports: PortsOf
) -> CollectorReportView:
    """Report a collector stolen, or back: its session ends, its certificate is refused, what it brings is set aside."""
    said = f"collector {collector_id} {body.whereabouts.value} from {body.at if body.at is not None else 'now'}"
    await open_gate(
        ports, session, query=f"collector.{body.whereabouts.value}", kind=Kind.COLLECTOR, action=Action.CHANGE,
        note=f"{said}: {body.reason}",
    )  # fmt: skip
    return await ports.collectors.report(
        session.principal.user_id, collector_id, body.whereabouts, at=body.at, reason=body.reason
    )
