"""Server-sent events: the domain clock, and what has just arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from openami.kernel.time import epoch_s
from openami.portal.config import Ports
from openami.portal.door import ConfigOf, PortsOf, SessionOf, open_gate
from openami.portal.live import LiveEvent
from openami.portal.routes import ERRORS, policy
from openami.security.access.account import LiveSession
from openami.security.access.policy import Kind

router = APIRouter(tags=["live"])
HEARTBEAT_S = 5.0
_DESCRIPTION = """Event stream. `clock` every five seconds: `{now, real_now, speed}`. `reading` for a customer's own
service point: `{service_point_id, newest_end}`. `staff` for staff: `{meters, meters_total, newest_end}`. `lagged` when
events were dropped: load the page's data again. `ended` when the session is over."""


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={**ERRORS, 200: {"content": {"text/event-stream": {}}, "description": _DESCRIPTION}},
    openapi_extra=policy(Kind.LIVE_EVENTS),
)
async def events(session: SessionOf, ports: PortsOf, config: ConfigOf) -> StreamingResponse:
    """Stream events until the browser leaves or the session ends."""
    await open_gate(ports, session, query="events", kind=Kind.LIVE_EVENTS)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(session, ports, config.speed), media_type="text/event-stream", headers=headers)


async def _stream(session: LiveSession, ports: Ports, speed: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    async with ports.live.subscribe(_heard_by(session, ports)) as subscription:
        yield b"retry: 2000\n\n" + _clock(ports, speed)
        next_beat = loop.time() + HEARTBEAT_S
        while not ports.live.closed.is_set():
            try:
                event = await asyncio.wait_for(subscription.queue.get(), max(0.0, next_beat - loop.time()))
            except TimeoutError:
                # The stream itself is no activity: an idle session ends beneath it.
                live = await ports.sessions.resume(session.secret, touch=False)
                if live is None:
                    yield _line(LiveEvent("ended", {}))
                    return
                subscription.service_points = _heard_by(live, ports)
                yield _clock(ports, speed)
                next_beat = loop.time() + HEARTBEAT_S
                continue
            if subscription.lagged:
                subscription.lagged = False
                yield _line(LiveEvent("lagged", {}))
            yield _line(event)


def _heard_by(session: LiveSession, ports: Ports) -> frozenset[UUID] | None:
    """Return the places whose readings the session hears of now; None for staff, who get counts.

    Whoever has moved out hears nothing more: what arrives is the next occupant's.
    """
    if session.principal.is_staff:
        return None
    now = ports.domain.now()
    return frozenset(g.service_point_id for g in session.principal.grants if g.period.holds(now))


def _clock(ports: Ports, speed: float) -> bytes:
    data = {"now": epoch_s(ports.domain.now()), "real_now": epoch_s(ports.real.now()), "speed": speed}
    return _line(LiveEvent("clock", data))


def _line(event: LiveEvent) -> bytes:
    return b"event: " + event.name.encode() + b"\ndata: " + orjson.dumps(dict(event.data)) + b"\n\n"
