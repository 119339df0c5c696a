"""The console's pages on bills: what waits and why, and what is corrected. Every look and act is in the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from openami.portal.config import Ports
from openami.portal.door import PortsOf, SessionOf, default_purpose, open_gate
from openami.portal.routes import ERRORS, policy
from openami.portal.views.billing import (
    BlockedView,
    CorrectionKeptView,
    CorrectionPreviewView,
    CorrectionsView,
    CorrectionWish,
    DecideCorrection,
    HeldBillsView,
    HeldBillView,
    ReleaseBill,
)
from openami.security.access.account import LiveSession
from openami.security.access.gate import Look
from openami.security.access.policy import Action, Kind

router = APIRouter(prefix="/staff", tags=["staff"])
MAX_SUBJECTS = 1_000
"""Places that one row of the log names; more are written in several rows."""


async def _note(
    ports: Ports, session: LiveSession, query: str, places: Iterable[UUID], *, action: Action = Action.READ,
    note: str = "",
) -> None:  # fmt: skip
    """Write down which places a look or an act was about."""
    named = sorted(set(places))
    for at in range(0, len(named), MAX_SUBJECTS):
        subjects = frozenset(named[at : at + MAX_SUBJECTS])
        look = Look(action, Kind.BILLING, default_purpose(session), query, subjects, None, note)
        await ports.gate.open(session.principal, look)


@router.get("/bills/held", responses=ERRORS, openapi_extra=policy(Kind.BILLING))
async def held_bills(
    session: SessionOf,
    ports: PortsOf,
    owner: Annotated[str, Query(max_length=40)] = "",
    group: Annotated[int | None, Query(ge=1, le=999)] = None,
) -> HeldBillsView:
    """Return bills that wait, the longest first: reason, owner, age, and the one thing that frees each."""
    await open_gate(ports, session, query="bills.held", kind=Kind.BILLING)
    found = await ports.billing.held(session.principal, owner, group)
    await _note(ports, session, "bills.held", (b.service_point_id for b in found.bills))
    return found


@router.post("/bills/{bill_id}/release", responses=ERRORS, openapi_extra=policy(Kind.BILLING, Action.CHANGE))
async def release_bill(bill_id: UUID, body: ReleaseBill, session: SessionOf, ports: PortsOf) -> HeldBillView:
    """Let a held bill pass its hold with the next run, for a reason."""
    note = f"bill {bill_id}: {body.reason}"
    await open_gate(ports, session, query="bills.release", kind=Kind.BILLING, action=Action.CHANGE, note=note)
    place = await ports.billing.place_of(bill_id)
    if place is not None:
        await _note(ports, session, "bills.release", [place], action=Action.CHANGE, note=note)
    return await ports.billing.release(session.principal, bill_id, body.reason)


@router.get("/places/{service_point_id}/not-billed", responses=ERRORS, openapi_extra=policy(Kind.BILLING))
async def not_billed(service_point_id: UUID, session: SessionOf, ports: PortsOf) -> BlockedView:
    """Return why a place is not billed: the first link that stops it, since when, whose move, the one act."""
    await open_gate(ports, session, query="bills.not_billed", kind=Kind.BILLING, service_point_id=service_point_id)
    return await ports.billing.not_billed(session.principal, service_point_id)


@router.get("/corrections", responses=ERRORS, openapi_extra=policy(Kind.BILLING))
async def corrections(session: SessionOf, ports: PortsOf) -> CorrectionsView:
    """Return billed data that changed, by cause, the most money first; and the newest decisions."""
    await open_gate(ports, session, query="corrections", kind=Kind.BILLING)
    found = await ports.billing.corrections(session.principal)
    await _note(ports, session, "corrections", (b.service_point_id for c in found.cases for b in c.bills))
    return found


@router.post("/corrections/preview", responses=ERRORS, openapi_extra=policy(Kind.BILLING))
async def preview_correction(body: CorrectionWish, session: SessionOf, ports: PortsOf) -> CorrectionPreviewView:
    """Return what a decision about a cause would do; nothing is changed."""
    await open_gate(ports, session, query="corrections.preview", kind=Kind.BILLING, note=body.cause)
    found = await ports.billing.preview(session.principal, body)
    await _note(ports, session, "corrections.preview", found.places, note=body.cause)
    return found


@router.post(
    "/corrections/decisions", status_code=201, responses=ERRORS, openapi_extra=policy(Kind.BILLING, Action.CHANGE)
)
async def decide_correction(body: DecideCorrection, session: SessionOf, ports: PortsOf) -> CorrectionKeptView:
    """Carry out exactly what was previewed, or keep it until a second person approves."""
    note = f"{body.cause}: {body.reason}"
    await open_gate(ports, session, query="corrections.decide", kind=Kind.BILLING, action=Action.CHANGE, note=note)
    found = await ports.billing.preview(session.principal, body)
    await _note(ports, session, "corrections.decide", found.places, action=Action.CHANGE, note=note)
    return await ports.billing.decide(session.principal, body)


@router.post(
    "/corrections/decisions/{decision_id}/approvals",
    status_code=201,
    responses=ERRORS,
    openapi_extra=policy(Kind.BILLING, Action.CHANGE),
)
async def approve_correction(decision_id: UUID, session: SessionOf, ports: PortsOf) -> CorrectionKeptView:
    """Approve what another person decided, and carry it out."""
    note = f"decision {decision_id}"
    await open_gate(ports, session, query="corrections.approve", kind=Kind.BILLING, action=Action.CHANGE, note=note)
    places = await ports.billing.places_of(decision_id)
    await _note(ports, session, "corrections.approve", places, action=Action.CHANGE, note=note)
    return await ports.billing.approve(session.principal, decision_id)
