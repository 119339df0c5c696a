"""A bill as its customer reads it: the page's data and the PDF. Every read is a logged decision."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from openami.billing.api import Statement
from openami.portal.config import Ports
from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.problem import not_found
from openami.portal.routes import ERRORS, policy
from openami.portal.routes.customer import StatedPurpose
from openami.security.access.account import LiveSession
from openami.security.access.policy import Kind

router = APIRouter(tags=["customer"])
PDF = "application/pdf"


@router.get(
    "/service-points/{service_point_id}/bills/{bill_id}/statement",
    responses=ERRORS,
    openapi_extra=policy(Kind.BILL),
)
async def statement(
    service_point_id: UUID, bill_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None
) -> Statement:
    """Return one bill in words and numbers: the same that its PDF is set from."""
    scope = await open_gate(
        ports, session, query="statement", kind=Kind.BILL, service_point_id=service_point_id, purpose=purpose
    )
    found = await ports.bills.statement(scope, service_point_id, bill_id)
    if found is None:
        raise not_found("bill")
    return found


@router.get(
    "/service-points/{service_point_id}/bills/{bill_id}/statement.pdf",
    response_class=Response,
    responses={**ERRORS, 200: {"content": {PDF: {}}}},
    openapi_extra=policy(Kind.BILL),
)
async def statement_pdf(
    service_point_id: UUID, bill_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None
) -> Response:
    """Return one bill as a tagged PDF, as it went out. Its file name holds the bill's number only."""
    scope = await open_gate(
        ports, session, query="statement_pdf", kind=Kind.BILL,
        service_point_id=service_point_id, purpose=purpose,
    )  # fmt: skip
    lines = await _addressee(ports, session, service_point_id)
    found = await ports.bills.document(scope, service_point_id, bill_id, lines)
    if found is None:
        raise not_found("bill")
    headers = {"Content-Disposition": f'attachment; filename="bill_{bill_id}.pdf"', "Cache-Control": "no-store"}
    return Response(found, media_type=PDF, headers=headers)


async def _addressee(ports: Ports, session: LiveSession, service_point_id: UUID) -> tuple[str, ...]:
    """Return the customer's own name and address; staff get the document without: it is not theirs to see here."""
    if session.principal.is_staff:
        return ()
    places = await ports.customers.places_of(session.principal)
    address = next((p.address for p in places if p.service_point_id == service_point_id), "")
    return tuple(line for line in (await ports.customers.name_of(session), address) if line)
