"""Sign in, who am I, sign out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from openami.kernel.time import epoch_s
from openami.portal.config import PortalConfig, Ports
from openami.portal.door import ConfigOf, PortsOf, SessionOf, require_same_origin
from openami.portal.problem import ProblemError
from openami.portal.routes import ERRORS, PACED_ERRORS, policy
from openami.portal.views.session import SessionView, SignIn
from openami.security.access.account import LiveSession
from openami.security.access.policy import Action, Kind

router = APIRouter(tags=["session"])


@router.post("/session", responses=PACED_ERRORS, openapi_extra={"x-openami-policy": "open"})
async def sign_in(body: SignIn, request: Request, response: Response, ports: PortsOf, config: ConfigOf) -> SessionView:
    """Sign in with a local account. The answer to a wrong login and to a wrong password is the same."""
    require_same_origin(request)
    address = request.client.host if request.client else "unknown"
    session = await ports.sessions.sign_in(login=body.login, password=body.password.get_secret_value(), address=address)
    if session is None:
        mend = "Check both and try again."
        raise ProblemError(401, "wrong_sign_in", "This e-mail address and password do not match.", mend)
    response.set_cookie(
        config.cookie_name,
        session.secret,
        max_age=int((session.expires_at - ports.real.now()).total_seconds()),
        httponly=True,
        secure=config.is_https,
        # Lax, so that a link in a mail opens signed in; unsafe methods carry the token and our origin besides.
        samesite="lax",
        path="/",
    )
    return await _view(session, ports, config)


@router.get("/session", responses=ERRORS, openapi_extra=policy(Kind.SESSION))
async def who_am_i(session: SessionOf, ports: PortsOf, config: ConfigOf) -> SessionView:
    """Return who is signed in, the clocks and the zone."""
    return await _view(session, ports, config)


@router.delete(
    "/session", status_code=204, response_class=Response, responses=ERRORS,
    openapi_extra=policy(Kind.SESSION, Action.CHANGE),
)  # fmt: skip
async def sign_out(session: SessionOf, ports: PortsOf, config: ConfigOf) -> Response:
    """End the session now, everywhere."""
    await ports.sessions.sign_out(session.secret)
    response = Response(status_code=204)
    response.delete_cookie(config.cookie_name, path="/", httponly=True, secure=config.is_https, samesite="lax")
    # Nothing of the signed-in pages stays in the browser.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def _view(session: LiveSession, ports: Ports, config: PortalConfig) -> SessionView:
    return SessionView(
        user_id=session.principal.user_id,
        name=await ports.customers.name_of(session),
        roles=sorted(session.principal.roles),
        is_staff=session.principal.is_staff,
        csrf_token=session.csrf_token,
        expires_at=epoch_s(session.expires_at),
        idle_limit_s=session.idle_limit_s,
        domain_now=epoch_s(ports.domain.now()),
        real_now=epoch_s(ports.real.now()),
        speed=config.speed,
        zone=config.zone,
    )
