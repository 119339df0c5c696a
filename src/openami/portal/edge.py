"""The outermost layer of every answer: a bound on request bodies, security headers, error documents for the rest.

Plain ASGI, because streams of events pass through it. Source: OWASP ASVS 5.0 section 3.4.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openami.portal.problem import answer_failure

# Charts set style attributes on their own SVG; style elements, sheets and scripts come from us alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"x-frame-options", b"DENY"),
)
MAX_BODY_OCTETS = 64 * 1024
"""The largest request is a sign-in or an installation with its reason: a few kilobytes."""
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class EdgeMiddleware:
    """Bounds request bodies, adds the headers and turns escaped exceptions into error documents."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._headers = (*_HEADERS, _STRICT_TRANSPORT) if is_https else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                _add_headers(message, self._headers)
            await send(message)

        try:
            await self._app(scope, _bounded(receive), with_headers)
        except Exception as error:  # noqa: BLE001  # the outer edge: logged once, answered with a reference
            response = answer_failure(error)
            if not has_started:
                await response(scope, receive, with_headers)


def _bounded(receive: Receive) -> Receive:
    """Return a receiver that gives at most :data:`MAX_BODY_OCTETS` of body, however it was announced.

    Raises:
        HTTPException: 413, from the receiver; the one kind that FastAPI lets through while it reads a body.
    """
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if received > MAX_BODY_OCTETS:
            raise HTTPException(413)
        return message

    return bounded


def _add_headers(message: MutableMapping[str, Any], headers: tuple[tuple[bytes, bytes], ...]) -> None:
    there = list(message.get("headers", ()))
    names = {name.lower() for name, _ in there}
    there.extend(h for h in headers if h[0] not in names)
    if b"cache-control" not in names:
        there.append((b"cache-control", b"no-store"))
    message["headers"] = there
