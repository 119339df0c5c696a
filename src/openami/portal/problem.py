"""Failures as people see them: a code, a sentence, what to do, and a reference that finds it in our logs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from openami.customer.api import CustomerStoreError
from openami.kernel.errors import OpenAmiError
from openami.mdm.api import StoreError
from openami.portal.ports import RefusedError, SourceUnavailableError
from openami.portal.views.base import ErrorDocument
from openami.security.access.account import AccountStoreError
from openami.security.access.gate import AccessDeniedError, AuditUnavailableError
from openami.security.access.scope import ScopeError
from openami.security.access.throttle import TooManyAttemptsError

_log = structlog.get_logger("openami.portal")
_TRY_AGAIN = "Try again in a minute. Nothing is lost."


class ProblemError(OpenAmiError):
    """An answer that is not 2xx. The texts are for the person."""

    def __init__(
        self, status: int, code: str, message: str, mend: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.mend = status, code, message, mend
        self.headers = headers or {}


def not_signed_in() -> ProblemError:
    """Return the answer to a request without a live session."""
    return ProblemError(401, "not_signed_in", "You are not signed in, or your session has ended.", "Sign in again.")


def not_found(what: str) -> ProblemError:
    """Return the answer for a thing that is not there, or not the person's to see."""
    return ProblemError(404, "not_found", f"There is no such {what}.", "Check the address, or go back to the start.")


def bad_request(message: str, mend: str) -> ProblemError:
    """Return the answer to a request that cannot be understood."""
    return ProblemError(400, "bad_request", message, mend)


def problem_response(problem: ProblemError) -> Response:
    """Return the error document."""
    reference = secrets.token_hex(6)
    document = ErrorDocument(code=problem.code, message=problem.message, mend=problem.mend, reference=reference)
    _log.info("request refused", reference=reference, code=problem.code, status=problem.status)
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(document.model_dump_json(), problem.status, headers, "application/json")


def _translated(error: Exception) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, AccessDeniedError) and error.hides_existence:
        return not_found("thing in your account")
    for kind, answer in _ANSWERS:
        if isinstance(error, kind):
            return answer(error)
    message, mend = "Something went wrong on our side.", "Try again; if it stays, tell us the reference."
    return ProblemError(500, "internal", message, mend)


def _denied(_error: Exception) -> ProblemError:
    return ProblemError(403, "not_allowed", "Your role does not allow this.", "Ask whoever gives out roles.")


def _no_audit(_error: Exception) -> ProblemError:
    message = "The access log cannot be written now, so nothing may be shown."
    return ProblemError(503, "audit_unavailable", message, _TRY_AGAIN, headers=_SOON)


def _no_source(_error: Exception) -> ProblemError:
    message = "A part of the system does not answer now."
    return ProblemError(503, "source_unavailable", message, _TRY_AGAIN, headers=_SOON)


def _throttled(error: Exception) -> ProblemError:
    wait_s = getattr(error, "retry_after_s", 60)
    headers = {"Retry-After": str(wait_s)}
    message, mend = "That was too many tries to sign in.", f"Wait {waiting_words(wait_s)}, then try again."
    return ProblemError(429, "too_many_attempts", message, mend, headers=headers)


def waiting_words(wait_s: int) -> str:
    """Return how long to wait, as people say it: never less than it takes.

    >>> waiting_words(1), waiting_words(45), waiting_words(61), waiting_words(3600)
    ('1 second', '45 seconds', '2 minutes', '60 minutes')
    """
    count, word = (wait_s, "second") if wait_s <= 60 else (-(-wait_s // 60), "minute")
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _refused(error: Exception) -> ProblemError:
    return ProblemError(409, "refused", str(error), "Correct the request and send it again.")


def _invalid(error: Exception) -> ProblemError:
    """Name the fields, never their content: what was sent may be a password."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    places = sorted({".".join(str(step) for step in e["loc"]) for e in errors})
    return bad_request(f"Not understood: {', '.join(places)[:300]}.", "Correct these fields and send it again.")


def _http(error: Exception) -> ProblemError:
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == 404:
        return not_found("page")
    if status == 413:
        return ProblemError(413, "too_large", "The request is longer than any that is needed here.", "Send less.")
    return ProblemError(status, "http", "This request is not possible.", "Check the address.")


_SOON = {"Retry-After": "5"}
_ANSWERS: tuple[tuple[type[Exception], Callable[[Exception], ProblemError]], ...] = (
    (AccessDeniedError, _denied),
    (ScopeError, _denied),
    (AuditUnavailableError, _no_audit),
    (SourceUnavailableError, _no_source),
    (AccountStoreError, _no_source),
    (CustomerStoreError, _no_source),
    (StoreError, _no_source),
    (TooManyAttemptsError, _throttled),
    (RefusedError, _refused),
    (RequestValidationError, _invalid),
    (HTTPException, _http),
)


def answer_failure(error: Exception) -> Response:
    """Return the error document of any failure, and log an unforeseen one once, without its text."""
    problem = _translated(error)
    if problem.status == 500:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
        # The text of an unforeseen error may hold a reading; its type and place are enough to find it.
        _log.error("request failed", error=type(error).__name__, place=place)
    return problem_response(problem)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every anticipated failure with an error document; the edge middleware answers the rest."""

    async def known(_request: Request, error: Exception) -> Response:
        return answer_failure(error)

    kinds: tuple[type[Exception], ...] = (OpenAmiError, RequestValidationError, HTTPException)
    for kind in kinds:
        app.add_exception_handler(kind, known)
