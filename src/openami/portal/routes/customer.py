"""A service point's pages: home, chart data, bills, who looked, download. Every read is a logged decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from openami.kernel.time import Period, epoch_s
from openami.portal import usage
from openami.portal.config import Ports
from openami.portal.door import PortsOf, SessionOf, default_purpose, open_gate
from openami.portal.problem import not_found
from openami.portal.routes import ERRORS, policy
from openami.portal.views.bill import BillsView, BillView
from openami.portal.views.radio import MeterRadioView
from openami.portal.views.session import LogEntryView, WhoLookedView
from openami.portal.views.usage import (
    ChartChannel,
    HomeView,
    IntervalsView,
    Resolution,
    ServicePointsView,
    ServicePointView,
)
from openami.security.access.account import LiveSession
from openami.security.access.policy import Action, Kind, decide
from openami.security.access.scope import Purpose
from openami.security.audit.entry import AuditEntry

router = APIRouter(tags=["customer"])
LOG_ENTRIES = 500
First = Annotated[date, Query(alias="from", description="First local day.")]
Last = Annotated[date, Query(alias="to", description="Last local day, included.")]
StatedPurpose = Annotated[
    Purpose | None, Query(description="Staff state why; by default operations. Customers leave it out.")
]


@router.get("/me/service-points", responses=ERRORS, openapi_extra=policy(Kind.OWN_SERVICE_POINTS))
async def my_service_points(session: SessionOf, ports: PortsOf) -> ServicePointsView:
    """Return the signed-in customer's places."""
    await open_gate(ports, session, query="my_service_points", kind=Kind.OWN_SERVICE_POINTS)
    now = ports.domain.now()
    views = [
        ServicePointView(
            service_point_id=place.service_point_id,
            label=place.label,
            address=place.address,
            zone=(await usage.zone_of(ports, place.service_point_id)).key,
            # The rate of today is the next occupant's where this agreement has ended.
            rate_name=await ports.bills.rate_name(place.service_point_id) if place.period.holds(now) else None,
            since=place.period.start_s,
            until=None if place.is_open else place.period.end_s,
            has_received=place.has_received,
        )
        for place in await ports.customers.places_of(session.principal)
    ]
    return ServicePointsView(service_points=views)


@router.get(
    "/service-points/{service_point_id}/home", response_model=HomeView, responses=ERRORS,
    openapi_extra=policy(Kind.INTERVALS),
)  # fmt: skip
async def home(service_point_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None) -> Response:
    """Return today against a usual day, yesterday, the bill so far with its forecast, and one notice."""
    zone = await _zone_behind_gate(ports, session, service_point_id, purpose=purpose)
    span = usage.home_span(ports.domain.now(), zone)
    scope = await open_gate(
        ports, session, query="home", kind=Kind.INTERVALS, service_point_id=service_point_id, period=span,
        purpose=purpose,
    )  # fmt: skip
    return _json(await usage.home_view(ports, scope, service_point_id, zone=zone, period=span))


@router.get(
    "/service-points/{service_point_id}/intervals", response_model=IntervalsView, responses=ERRORS,
    openapi_extra=policy(Kind.INTERVALS),
)  # fmt: skip
async def intervals(
    service_point_id: UUID,
    session: SessionOf,
    ports: PortsOf,
    first: First,
    last: Last,
    resolution: Resolution = Resolution.QUARTER,
    channel: ChartChannel = ChartChannel.DELIVERED,
    purpose: StatedPurpose = None,
) -> Response:
    """Return chart data as columns."""
    zone = await _zone_behind_gate(ports, session, service_point_id, purpose=purpose)
    period = usage.range_of(first, last, zone, resolution)
    scope = await open_gate(
        ports, session, query=f"intervals.{resolution}.{channel}", kind=Kind.INTERVALS,
        service_point_id=service_point_id, period=period, purpose=purpose,
    )  # fmt: skip
    view = await usage.intervals_view(
        ports, scope, service_point_id, zone=zone, first=first, last=last, resolution=resolution, channel=channel
    )
    return _json(view)


@router.get("/service-points/{service_point_id}/bills", responses=ERRORS, openapi_extra=policy(Kind.BILL))
async def bills(service_point_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None) -> BillsView:
    """Return the bills, newest first."""
    scope = await open_gate(
        ports, session, query="bills", kind=Kind.BILL, service_point_id=service_point_id, purpose=purpose
    )
    found = await ports.bills.bills(scope, service_point_id)
    notices = await ports.bills.notices(scope, service_point_id)
    true_ups = await ports.bills.true_ups(scope, service_point_id)
    return BillsView(
        service_point_id=service_point_id, bills=list(found), notices=list(notices), true_ups=list(true_ups)
    )


@router.get("/service-points/{service_point_id}/bills/{bill_id}", responses=ERRORS, openapi_extra=policy(Kind.BILL))
async def bill(
    service_point_id: UUID, bill_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None
) -> BillView:
    """Return one bill with every line, exact and rounded, and what it was computed from."""
    scope = await open_gate(
        ports, session, query="bill", kind=Kind.BILL, service_point_id=service_point_id, purpose=purpose
    )
    found = await ports.bills.bill(scope, service_point_id, bill_id)
    if found is None:
        raise not_found("bill")
    return found


@router.get("/service-points/{service_point_id}/radio", responses=ERRORS, openapi_extra=policy(Kind.RADIO))
async def radio(
    service_point_id: UUID, session: SessionOf, ports: PortsOf, purpose: StatedPurpose = None
) -> MeterRadioView:
    """Return how strong the meter's radio is by distance, how much it sent, and what the law allows."""
    scope = await open_gate(
        ports, session, query="radio", kind=Kind.RADIO, service_point_id=service_point_id, purpose=purpose
    )
    return await ports.radios.radio_at(scope, service_point_id)


@router.get("/service-points/{service_point_id}/who-looked", responses=ERRORS, openapi_extra=policy(Kind.ACCESS_LOG))
async def who_looked(service_point_id: UUID, session: SessionOf, ports: PortsOf) -> WhoLookedView:
    """Return every look at this service point's data, from the log that cannot be quietly altered."""
    scope = await open_gate(ports, session, query="who_looked", kind=Kind.ACCESS_LOG, service_point_id=service_point_id)
    entries = await ports.access_log.who_looked(scope, service_point_id, limit=LOG_ENTRIES)
    head = await ports.access_log.head()
    return WhoLookedView(
        service_point_id=service_point_id,
        entries=[_log_entry(e, session) for e in entries],
        log_size=head.size if head else 0,
        log_root=head.root.hex() if head else None,
        log_signed_at=epoch_s(head.signed_at) if head else None,
    )


@router.get(
    "/service-points/{service_point_id}/download.csv",
    response_class=StreamingResponse,
    responses={**ERRORS, 200: {"content": {"text/csv": {}}}},
    openapi_extra=policy(Kind.INTERVALS, Action.EXPORT),
)
async def download(
    service_point_id: UUID,
    session: SessionOf,
    ports: PortsOf,
    first: First,
    last: Last,
    channel: ChartChannel = ChartChannel.DELIVERED,
) -> StreamingResponse:
    """Return the intervals as a CSV file. Its name holds dates only."""
    zone = await _zone_behind_gate(ports, session, service_point_id, action=Action.EXPORT)
    period = usage.range_of(first, last, zone, Resolution.QUARTER)
    scope = await open_gate(
        ports, session, query=f"download.{channel}", kind=Kind.INTERVALS, action=Action.EXPORT,
        service_point_id=service_point_id, period=period,
    )  # fmt: skip
    series = await usage.granted_series(ports, scope, service_point_id, usage.CHANNEL_OF[channel], period)
    headers = {"Content-Disposition": f'attachment; filename="usage_{first}_{last}.csv"'}
    lines = usage.csv_lines(series, channel, zone)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


async def _zone_behind_gate(
    ports: Ports,
    session: LiveSession,
    service_point_id: UUID,
    *,
    action: Action = Action.READ,
    purpose: Purpose | None = None,
) -> ZoneInfo:
    """Return the zone, or let the gate refuse and log: who may not look does not learn whether an id exists."""
    decision = decide(
        session.principal,
        action=action,
        kind=Kind.INTERVALS,
        purpose=purpose or default_purpose(session),
        service_points=frozenset({service_point_id}),
    )
    if decision.allowed:
        return await usage.zone_of(ports, service_point_id)
    await open_gate(
        ports, session, query="foreign", kind=Kind.INTERVALS, action=action, service_point_id=service_point_id,
        purpose=purpose,
    )  # fmt: skip
    raise not_found("service point")


_WORDS: Mapping[str, str] = {
    "home": "Today's usage and the bill so far",
    "intervals": "Usage",
    "download": "Download of usage",
    "bills": "List of bills",
    "bill": "A bill",
    "statement": "A bill, as a page",
    "statement_pdf": "A bill, as a PDF",
    "bill_answer": "Why a bill is as high as it is",
    "bill_proof": "How a bill was computed",
    "bill_readings": "The readings behind a day of a bill",
    "bill_made_again": "A bill, made again to check it",
    "rates": "Rates compared on your usage",
    "rate_wish": "The wish for another rate",
    "own_reads": "Your own reads of the meter",
    "radio": "The radio of the meter",
    "who_looked": "This list",
    "foreign": "An attempt that was refused",
}
_DETAIL: Mapping[str, str] = {
    "quarter": "by quarter-hour",
    "hour": "by hour",
    "day": "by day",
    "month": "by month",
    "received": "electricity sent back",
    "voltage": "voltage",
    "break_even": "what would have to be true",
    "ask": "recorded",
    "send": "sent",
    "withdraw": "taken back",
}


def _log_entry(entry: AuditEntry, session: LiveSession) -> LogEntryView:
    name, *details = entry.query.split(".")
    words = [_WORDS.get(name, name.replace("_", " ")), *(_DETAIL[d] for d in details if d in _DETAIL)]
    is_you = entry.actor == session.principal.actor
    return LogEntryView(
        at=epoch_s(entry.at),
        who="You" if is_you else entry.role,
        is_you=is_you,
        purpose=entry.purpose,
        what=", ".join(words),
        range_from=_edge(entry.period, is_end=False),
        range_to=_edge(entry.period, is_end=True),
        allowed=entry.allowed,
        entry_id=entry.entry_id,
    )


def _edge(period: Period | None, *, is_end: bool) -> int | None:
    if period is None:
        return None
    return period.end_s if is_end else period.start_s


def _json(view: BaseModel) -> Response:
    """Return a view that we made ourselves without validating it again: the hot path."""
    body = orjson.dumps(_plain(view), option=orjson.OPT_NON_STR_KEYS)
    return Response(body, media_type="application/json")


def _plain(value: Any) -> Any:
    return {k: _plain(v) for k, v in value.__dict__.items()} if isinstance(value, BaseModel) else value
