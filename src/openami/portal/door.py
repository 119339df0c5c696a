"""The door of each route: the session from its cookie, the check of unsafe methods, and the gate.

An unsafe request passes if its ``Origin`` is ours and it carries the session's token. A browser always sends ``Origin``
with an unsafe request; a client without one is no browser, holds no other site's cookie, and still needs the token.
"""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request

from openami.kernel.time import Period
from openami.portal.config import PortalConfig, Ports
from openami.portal.problem import ProblemError, not_signed_in
from openami.security.access.account import LiveSession
from openami.security.access.gate import Look
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose, Scope

BACKGROUND = "x-background"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def ports_of(request: Request) -> Ports:
    """Return the ports that the wiring gave the application."""
    ports: Ports = request.app.state.ports
    return ports


def config_of(request: Request) -> PortalConfig:
    """Return the facts of the installation."""
    config: PortalConfig = request.app.state.config
    return config


def require_same_origin(request: Request) -> None:
    """Refuse an unsafe request that another site's page made.

    Raises:
        ProblemError: 403.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    is_ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not is_ours or site not in {None, "same-origin", "none"}:
        raise ProblemError(403, "wrong_origin", "This request came from another site.", "Open our own page.")


async def session_of(request: Request) -> LiveSession:
    """Return the live session of the request.

    Raises:
        ProblemError: 401 without a live session, 403 for an unsafe request without the session's token.
    """
    secret = request.cookies.get(config_of(request).cookie_name, "")
    if not 0 < len(secret) <= 128:
        raise not_signed_in()
    # What a page fetches by itself is no activity: a console that was left alone ends although its figures run on.
    session = await ports_of(request).sessions.resume(secret, touch=BACKGROUND not in request.headers)
    if session is None:
        raise not_signed_in()
    if request.method not in SAFE_METHODS:
        require_same_origin(request)
        token = request.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(token.encode(), session.csrf_token.encode()):
            raise ProblemError(403, "wrong_token", "This page is out of date.", "Reload the page and try again.")
    return session


# FastAPI runs a plain function in a thread of a pool, which costs far more than what these two do.
async def _ports(request: Request) -> Ports:
    return ports_of(request)


async def _config(request: Request) -> PortalConfig:
    return config_of(request)


PortsOf = Annotated[Ports, Depends(_ports)]
ConfigOf = Annotated[PortalConfig, Depends(_config)]
SessionOf = Annotated[LiveSession, Depends(session_of)]


def default_purpose(session: LiveSession) -> Purpose:
    """Return why somebody looks who does not say why: own data for customers, operations for staff."""
    return Purpose.OPERATIONS if session.principal.is_staff else Purpose.OWN_DATA


async def open_gate(
    ports: Ports,
    session: LiveSession,
    *,
    query: str,
    kind: Kind,
    action: Action = Action.READ,
    service_point_id: UUID | None = None,
    period: Period | None = None,
    purpose: Purpose | None = None,
    note: str = "",
) -> Scope:
    """Decide, write the audit row, and return the scope.

    Args:
        ports: the portal's ports.
        session: who asks.
        query: name of the operation.
        kind: to what it is done.
        action: what is done.
        service_point_id: the subject, if it has one.
        period: span of data asked for.
        purpose: the stated purpose; else :func:`default_purpose`.
        note: a stated reason, for changes.

    Raises:
        AccessDeniedError: no. AuditUnavailableError: the log does not take the row.
    """
    subjects = frozenset({service_point_id}) if service_point_id else frozenset()
    look = Look(action, kind, purpose or default_purpose(session), query, subjects, period, note)
    return await ports.gate.open(session.principal, look)
