"""Routes by audience. Every route states its policy in ``openapi_extra``; tests walk the document and try each."""

from __future__ import annotations

from typing import Any

from openami.portal.views.base import ErrorDocument
from openami.security.access.policy import Action, Kind

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorDocument},
    401: {"model": ErrorDocument},
    403: {"model": ErrorDocument},
    404: {"model": ErrorDocument},
    503: {"model": ErrorDocument},
}
_WAIT = {"Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}}}
PACED_ERRORS: dict[int | str, dict[str, Any]] = {**ERRORS, 429: {"model": ErrorDocument, "headers": _WAIT}}
"""Of a route that one person may not ask without end: what takes long, and signing in."""


def policy(kind: Kind, action: Action = Action.READ) -> dict[str, Any]:
    """Return the extension that names a route's policy in the OpenAPI document."""
    return {"x-openami-policy": {"kind": kind.value, "action": action.value}}
