"""A bill's papers: page, PDF, answer to a call, proof, and the bill made again. Every read is a logged decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from openami.billing.api import BillProof, CallAnswer, ReadingProof, Statement
from openami.portal.config import Ports
from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.problem import not_found
from openami.portal.routes import PACED_ERRORS, policy
from openami.portal.routes.customer import StatedPurpose
from openami.portal.turns import LONG
from openami.portal.views.bill import MadeAgainView
from openami.security.access.account import LiveSession
from openami.security.access.policy import Kind
from openami.security.access.scope import Scope

router = APIRouter(tags=["customer"])
PDF = "application/pdf"
T = TypeVar("T")
Route = TypeVar("Route", bound=Callable[..., Any])


def opened(query: str) -> Any:
    """Return what a route of one bill depends on: the gate, opened for the place of its path and written down."""

    async def scope_of(
        service_point_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None
    ) -> Scope:
        return await open_gate(
            ports, session, query=query, kind=Kind.BILL, service_point_id=service_point_id, purpose=purpose
        )

    return Depends(scope_of)


def paper(name: str, **more: Any) -> Callable[[Route], Route]:
    """Return the route of one paper of a bill."""
    answers = {**PACED_ERRORS, **more.pop("responses", {})}
    return router.get(
        f"/service-points/{{service_point_id}}/bills/{{bill_id}}/{name}",
        responses=answers, openapi_extra=policy(Kind.BILL), dependencies=LONG, **more,
    )  # fmt: skip


@paper("statement")
async def statement(
    service_point_id: UUID, bill_id: UUID, ports: PortsOf, scope: Annotated[Scope, opened("statement")]
) -> Statement:
    """Return one bill in words and numbers: the same that its PDF is set from."""
    return _there(await ports.bills.statement(scope, service_point_id, bill_id))


@paper("statement.pdf", response_class=Response, responses={200: {"content": {PDF: {}}}})
async def statement_pdf(
    service_point_id: UUID,
    bill_id: UUID,
    session: SessionOf,
    ports: PortsOf,
    scope: Annotated[Scope, opened("statement_pdf")],
) -> Response:
    """Return one bill as a tagged PDF, as it went out. Its file name holds the bill's number only."""
    lines = await _addressee(ports, session, service_point_id)
    found = _there(await ports.bills.document(scope, service_point_id, bill_id, lines))
    headers = {"Content-Disposition": f'attachment; filename="bill_{bill_id}.pdf"', "Cache-Control": "no-store"}
    return Response(found, media_type=PDF, headers=headers)


@paper("answer")
async def bill_answer(
    service_point_id: UUID, bill_id: UUID, ports: PortsOf, scope: Annotated[Scope, opened("bill_answer")]
) -> CallAnswer:
    """Return why a bill is as high as it is, in words for a call: days, use, prices, hours, readings, meter."""
    return _there(await ports.bills.answer(scope, service_point_id, bill_id))


@paper("proof")
async def bill_proof(
    service_point_id: UUID, bill_id: UUID, ports: PortsOf, scope: Annotated[Scope, opened("bill_proof")]
) -> BillProof:
    """Return each line down to clause and days, the versions that were billed, and validation's findings."""
    return _there(await ports.bills.proof(scope, service_point_id, bill_id))


@paper("readings")
async def bill_readings(
    service_point_id: UUID,
    bill_id: UUID,
    ports: PortsOf,
    day: Annotated[date, Query(description="A local day of the bill.")],
    scope: Annotated[Scope, opened("bill_readings")],
) -> list[ReadingProof]:
    """Return the raw reading behind each interval of one billed day, with the number of the frame that brought it."""
    return list(_there(await ports.bills.readings(scope, service_point_id, bill_id, day)))


@paper("made-again")
async def bill_made_again(
    service_point_id: UUID, bill_id: UUID, ports: PortsOf, scope: Annotated[Scope, opened("bill_made_again")]
) -> MadeAgainView:
    """Make a bill again from what was known then, and say where it differs."""
    return _there(await ports.bills.made_again(scope, service_point_id, bill_id))


def _there(found: T | None) -> T:
    if found is None:
        raise not_found("bill")
    return found


async def _addressee(ports: Ports, session: LiveSession, service_point_id: UUID) -> tuple[str, ...]:
    """Return the customer's own name and address; staff get the document without: it is not theirs to see here."""
    if session.principal.is_staff:
        return ()
    places = await ports.customers.places_of(session.principal)
    address = next((p.address for p in places if p.service_point_id == service_point_id), "")
    return tuple(line for line in (await ports.customers.name_of(session), address) if line)
