"""The console's pages on readings: worklist, cases, decisions, and why a read is as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from openami.portal.config import Ports
from openami.portal.console_ports import WorklistQuery
from openami.portal.door import PortsOf, SessionOf, default_purpose, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.readings import (
    CaseDetailView,
    CasesView,
    CloseCase,
    Decide,
    DecisionStateName,
    DecisionsView,
    DecisionView,
    FixCase,
    KeptView,
    PreviewView,
    Undo,
    WaitingName,
    WhyView,
    WorklistView,
    WorkOrderName,
)
from openami.portal.views.two_person import Approve, Withdraw
from openami.security.access.account import LiveSession
from openami.security.access.gate import Look
from openami.security.access.policy import Action, Kind

router = APIRouter(prefix="/staff", tags=["staff"])
MAX_SUBJECTS = 1_000
"""Places that one row of the log names; more are written in several rows."""
Text = Annotated[str, Query(max_length=80)]


async def _look_at(
    ports: Ports,
    session: LiveSession,
    query: str,
    places: Iterable[UUID],
    *,
    action: Action = Action.READ,
    note: str = "",
) -> None:
    """Decide and write down a look at, or a change of, the readings of places."""
    named = sorted(set(places))
    for at in range(0, max(len(named), 1), MAX_SUBJECTS):
        subjects = frozenset(named[at : at + MAX_SUBJECTS])
        look = Look(action, Kind.VEE, default_purpose(session), query, subjects, None, note)
        await ports.gate.open(session.principal, look)


async def _change_at(
    ports: Ports, session: LiveSession, query: str, note: str, places: Callable[[], Awaitable[frozenset[UUID]]]
) -> None:
    """Decide and write down a change of what the desk knows the places of: asked for after the first row allowed it."""
    await _look_at(ports, session, query, [], action=Action.CHANGE, note=note)
    named = await places()
    if named:
        await _look_at(ports, session, query, named, action=Action.CHANGE, note=note)


@router.get("/worklist", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def worklist(
    session: SessionOf,
    ports: PortsOf,
    severity: WaitingName = WaitingName.FAIL,
    rule: Annotated[list[str] | None, Query(max_length=20)] = None,
    place: UUID | None = None,
    cell: Text = "",
    feeder: Text = "",
    bill_before: date | None = None,
    min_kwh: Annotated[float, Query(ge=0)] = 0.0,
    case: UUID | None = None,
    cases: Annotated[bool, Query()] = False,  # noqa: FBT002 - a switch of the address bar
    order: WorkOrderName = WorkOrderName.PRESSING,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> WorklistView:
    """Return what waits for a person, or the notes that nobody must look at: by the day of the bill, then by money."""
    await open_gate(ports, session, query="worklist", kind=Kind.VEE)
    shown = "" if severity is WaitingName.ANY else severity.value
    asked = WorklistQuery(
        shown, tuple(rule or ()), place, cell, feeder, bill_before, min_kwh, case, cases,
        order.value, limit, offset,
    )  # fmt: skip
    found = await ports.readings.worklist(asked)
    if found.items:
        await _look_at(ports, session, "worklist", (i.service_point_id for i in found.items))
    return found


@router.post("/decisions/preview", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def preview_decision(body: Decide, session: SessionOf, ports: PortsOf) -> PreviewView:
    """Return what a decision would do; nothing is changed."""
    places = [p.service_point_id for p in body.places]
    await _look_at(ports, session, "worklist.preview", places, note=f"{body.kind.value} at {len(places)} spans")
    return await ports.readings.preview(session.principal, body)


@router.post("/decisions", status_code=201, responses=ERRORS, openapi_extra=policy(Kind.VEE, Action.CHANGE))
async def decide(body: Decide, session: SessionOf, ports: PortsOf) -> KeptView:
    """Keep a decision that still does exactly what its preview said."""
    places = [p.service_point_id for p in body.places]
    note = f"{body.kind.value} at {len(places)} spans: {body.reason}"
    await _look_at(ports, session, "worklist.decide", places, action=Action.CHANGE, note=note)
    return await ports.readings.decide(session.principal, body)


@router.get("/decisions", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def decisions(
    session: SessionOf, ports: PortsOf, place: UUID | None = None, state: DecisionStateName | None = None
) -> DecisionsView:
    """Return what people decided, newest first."""
    await _look_at(ports, session, "worklist.decisions", [place] if place else [])
    found = await ports.readings.decisions(session.principal, place, state=state.value if state else "")
    named = {p for d in found.decisions for p in d.places} - {place}
    if named:
        await _look_at(ports, session, "worklist.decisions", named)
    return found


@router.post(
    "/decisions/{decision_id}/approvals",
    status_code=201,
    responses=ERRORS,
    openapi_extra=policy(Kind.VEE, Action.CHANGE),
)
async def approve_decision(decision_id: UUID, body: Approve, session: SessionOf, ports: PortsOf) -> DecisionView:
    """Approve exactly what the person saw of a decision, or of its undoing."""
    note = f"decision {decision_id}, {body.digest}"
    await _change_at(ports, session, "worklist.approve", note, partial(ports.readings.places_of_decision, decision_id))
    return await ports.readings.approve(session.principal, decision_id, body.digest)


@router.post(
    "/decisions/{decision_id}/withdrawal",
    status_code=204,
    responses=ERRORS,
    openapi_extra=policy(Kind.VEE, Action.CHANGE),
)
async def withdraw_decision(decision_id: UUID, body: Withdraw, session: SessionOf, ports: PortsOf) -> None:
    """Take back a decision that waits for a second person."""
    note = f"decision {decision_id}: {body.reason}"
    await _change_at(ports, session, "worklist.withdraw", note, partial(ports.readings.places_of_decision, decision_id))
    await ports.readings.withdraw(session.principal, decision_id)


@router.post("/decisions/{decision_id}/undo-preview", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def preview_undo(decision_id: UUID, session: SessionOf, ports: PortsOf) -> PreviewView:
    """Return what undoing a decision would do; nothing is changed."""
    await _look_at(ports, session, "worklist.preview", [], note=f"undo decision {decision_id}")
    found = await ports.readings.preview_undo(session.principal, decision_id)
    if found.changes:
        await _look_at(ports, session, "worklist.preview", (c.service_point_id for c in found.changes))
    return found


@router.post("/decisions/{decision_id}/undo", responses=ERRORS, openapi_extra=policy(Kind.VEE, Action.CHANGE))
async def undo_decision(decision_id: UUID, body: Undo, session: SessionOf, ports: PortsOf) -> KeptView:
    """Undo a decision as previewed: it stays on record, its days get another version."""
    note = f"decision {decision_id}: {body.reason}"
    await _change_at(ports, session, "worklist.undo", note, partial(ports.readings.places_of_decision, decision_id))
    return await ports.readings.undo(session.principal, decision_id, reason=body.reason, token=body.token)


@router.get("/cases", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def cases(
    session: SessionOf,
    ports: PortsOf,
    closed: Annotated[bool, Query()] = False,  # noqa: FBT002 - a switch of the address bar
) -> CasesView:
    """Return findings with one likely cause, the largest first; no place is named."""
    await _look_at(ports, session, "cases", [])
    return await ports.readings.cases(is_open=not closed)


@router.get("/cases/{case_id}", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def case_of_findings(case_id: UUID, session: SessionOf, ports: PortsOf) -> CaseDetailView:
    """Return one case with the places that are still open."""
    await _look_at(ports, session, "cases.case", [], note=f"case {case_id}")
    found = await ports.readings.case(case_id)
    if found.items:
        await _look_at(ports, session, "cases.case", (i.service_point_id for i in found.items), note=f"case {case_id}")
    return found


@router.post("/cases/{case_id}/preview", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def preview_case(case_id: UUID, session: SessionOf, ports: PortsOf) -> PreviewView:
    """Return what the case's one fix would do; nothing is changed."""
    await _look_at(ports, session, "cases.preview", [], note=f"case {case_id}")
    found = await ports.readings.preview_case(session.principal, case_id)
    if found.changes:
        await _look_at(ports, session, "cases.preview", (c.service_point_id for c in found.changes))
    return found


@router.post("/cases/{case_id}/fix", responses=ERRORS, openapi_extra=policy(Kind.VEE, Action.CHANGE))
async def fix_case(case_id: UUID, body: FixCase, session: SessionOf, ports: PortsOf) -> KeptView:
    """Carry the case's fix out as previewed: one decision for all of it."""
    note = f"case {case_id}: {body.reason}"
    await _change_at(ports, session, "cases.fix", note, partial(ports.readings.places_of_case, case_id))
    return await ports.readings.fix_case(session.principal, case_id, reason=body.reason, token=body.token)


@router.post(
    "/cases/{case_id}/closing", status_code=204, responses=ERRORS, openapi_extra=policy(Kind.VEE, Action.CHANGE)
)
async def close_case(case_id: UUID, body: CloseCase, session: SessionOf, ports: PortsOf) -> None:
    """Close a case without a fix; what is open goes back to the worklist."""
    note = f"case {case_id}: {body.reason}"
    await _change_at(ports, session, "cases.close", note, partial(ports.readings.places_of_case, case_id))
    await ports.readings.close_case(session.principal, case_id, reason=body.reason)


@router.get("/service-points/{service_point_id}/why", responses=ERRORS, openapi_extra=policy(Kind.VEE))
async def why(
    service_point_id: UUID,
    session: SessionOf,
    ports: PortsOf,
    channel: Text = "delivered",
    day: date | None = None,
) -> WhyView:
    """Return why a read is missing, estimated or held: first broken link, since when, and the one action."""
    await _look_at(ports, session, "why", [service_point_id])
    return await ports.readings.why(session.principal, service_point_id, channel, day)
