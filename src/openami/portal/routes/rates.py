"""Rates of a place: compare, what would have to be true, and the wish for another. Every look and act is logged."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.routes import PACED_ERRORS, policy
from openami.portal.routes.customer import StatedPurpose
from openami.portal.turns import LONG
from openami.portal.views.rates import AskRate, Assumed, BreakEvensView, RatesView, WishView
from openami.security.access.policy import Action, Kind

router = APIRouter(tags=["rates"])


@router.get(
    "/service-points/{service_point_id}/rates",
    responses=PACED_ERRORS,
    openapi_extra=policy(Kind.INTERVALS),
    dependencies=LONG,
)
async def rates(
    service_point_id: UUID,
    session: SessionOf,
    ports: PortsOf,
    assumed: Annotated[Assumed, Query()],
    purpose: StatedPurpose = None,
) -> RatesView:
    """Compare every rate on the last twelve whole months, with assumptions on top where some are stated."""
    scope = await open_gate(
        ports, session, query="rates", kind=Kind.INTERVALS, service_point_id=service_point_id, purpose=purpose
    )
    return await ports.rates.compared(scope, service_point_id, assumed)


@router.get(
    "/service-points/{service_point_id}/rates/break-even",
    responses=PACED_ERRORS,
    openapi_extra=policy(Kind.INTERVALS),
    dependencies=LONG,
)
async def break_even(
    service_point_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None
) -> BreakEvensView:
    """Return what would have to be true for each other rate to be the better choice."""
    scope = await open_gate(
        ports, session, query="rates.break_even", kind=Kind.INTERVALS, service_point_id=service_point_id,
        purpose=purpose,
    )  # fmt: skip
    return await ports.rates.break_even(scope, service_point_id)


@router.post(
    "/service-points/{service_point_id}/rate-wish", responses=PACED_ERRORS,
    openapi_extra=policy(Kind.RATE_WISH, Action.CHANGE), dependencies=LONG,
)  # fmt: skip
async def ask_rate(service_point_id: UUID, body: AskRate, session: SessionOf, ports: PortsOf) -> WishView:
    """Record the wish for another rate; it begins with the next billing read."""
    scope = await open_gate(
        ports, session, query="rate_wish.ask", kind=Kind.RATE_WISH, action=Action.CHANGE,
        service_point_id=service_point_id, note=body.rate_code,
    )  # fmt: skip
    return await ports.rates.ask(scope, session.principal, service_point_id, body.rate_code)


@router.delete(
    "/service-points/{service_point_id}/rate-wish", responses=PACED_ERRORS,
    openapi_extra=policy(Kind.RATE_WISH, Action.CHANGE), dependencies=LONG,
)  # fmt: skip
async def withdraw_rate(service_point_id: UUID, session: SessionOf, ports: PortsOf) -> WishView:
    """Take the open wish back."""
    scope = await open_gate(
        ports, session, query="rate_wish.withdraw", kind=Kind.RATE_WISH, action=Action.CHANGE,
        service_point_id=service_point_id,
    )  # fmt: skip
    return await ports.rates.withdraw(scope, session.principal, service_point_id)
