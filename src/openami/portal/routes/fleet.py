"""How well the fleet is read, and a meter read by hand: service levels, reads on demand, and why one is missing."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from openami.kernel.time import epoch_s
from openami.portal.config import Ports
from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.ports import MeterFacts
from openami.portal.problem import not_found
from openami.portal.routes import ERRORS, policy
from openami.portal.views.fleet import AskRead, MeterReadView, MissingReadsView, ServiceLevelsView
from openami.security.access.account import LiveSession
from openami.security.access.policy import Action, Kind

READS_SHOWN = 10
router = APIRouter(prefix="/staff", tags=["staff"])


@router.get("/service-levels", responses=ERRORS, openapi_extra=policy(Kind.OPERATIONS))
async def service_levels(session: SessionOf, ports: PortsOf) -> ServiceLevelsView:
    """Return how complete reads are after 1, 6, 24 and 72 hours by cell, outages left out, and who is unread."""
    await open_gate(ports, session, query="service_levels", kind=Kind.OPERATIONS)
    return await ports.fleet.service_levels()


@router.get("/meters/{meter_id}/missing", responses=ERRORS, openapi_extra=policy(Kind.METER))
async def missing_reads(
    meter_id: UUID, session: SessionOf, ports: PortsOf, day: Annotated[date | None, Query()] = None
) -> MissingReadsView:
    """Return which reads of a local day are missing, why, since when, and what helps."""
    await open_gate(ports, session, query="missing_reads", kind=Kind.METER)
    found = await ports.fleet.missing(meter_id, day)
    if found is None:
        raise not_found("meter")
    return found


@router.get("/meters/{meter_id}/reads", responses=ERRORS, openapi_extra=policy(Kind.METER_READ))
async def meter_reads(meter_id: UUID, session: SessionOf, ports: PortsOf) -> list[MeterReadView]:
    """Return the newest reads that were asked for by hand, with what the meter said: a logged look."""
    await _gated_place(session, ports, meter_id, query="meter_reads")
    return list(await ports.fleet.reads(meter_id, limit=READS_SHOWN))


@router.post(
    "/meters/{meter_id}/reads",
    status_code=202,
    responses=ERRORS,
    openapi_extra=policy(Kind.METER_READ, Action.CHANGE),
)
async def ask_read(meter_id: UUID, body: AskRead, session: SessionOf, ports: PortsOf) -> MeterReadView:
    """Read a meter now. The answer comes over the radio: ask for the list until it is there."""
    await _gated_place(
        session, ports, meter_id, query=f"read_{body.kind.value}", action=Action.CHANGE, note=body.reason
    )
    return await ports.fleet.ask(meter_id, body.kind)


async def _gated_place(
    session: LiveSession, ports: Ports, meter_id: UUID, *, query: str, action: Action = Action.READ, note: str = ""
) -> UUID | None:
    """Open the gate for the place where the meter hangs now, so that its customer sees who looked; return the place.

    Raises:
        ProblemError: 404 for an unknown meter, after the gate has opened.
    """
    facts = await ports.operations.meter(meter_id)
    place = _place_now(facts, now_s=epoch_s(ports.domain.now())) if facts else None
    await open_gate(ports, session, query=query, kind=Kind.METER_READ, action=action, service_point_id=place, note=note)
    if facts is None:
        raise not_found("meter")
    return place


def _place_now(facts: MeterFacts, *, now_s: int) -> UUID | None:
    for installation in facts.installations:
        if installation.start <= now_s and (installation.end is None or now_s < installation.end):
            return installation.service_point_id
    return None
