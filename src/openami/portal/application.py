"""The application: routes, error documents, headers and files, over the ports it is given. Imports nothing alive."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from openami.portal.assets import mount_assets
from openami.portal.config import PortalConfig, Ports
from openami.portal.edge import EdgeMiddleware
from openami.portal.problem import install_problem_handlers
from openami.portal.routes import (
    billing,
    collectors,
    customer,
    events,
    fleet,
    gateway,
    keys,
    own_reads,
    rates,
    readings,
    session,
    staff,
    statements,
    switching,
)

API_PREFIX = "/api/v1"


def create_app(config: PortalConfig, ports: Ports) -> FastAPI:
    """Return the portal.

    Args:
        config: facts of the installation.
        ports: every room's face, wired.
    """
    app = _bare_app()
    app.state.config = config
    app.state.ports = ports
    install_problem_handlers(app)
    mount_assets(app, config.static)
    app.add_middleware(EdgeMiddleware, is_https=config.is_https)
    return app


def openapi_document() -> dict[str, object]:
    """Return the contract of the interface; needs no ports."""
    return _bare_app().openapi()


def _bare_app() -> FastAPI:
    app = FastAPI(
        title="OpenAMI portal",
        version="1",
        summary="What customers and staff see. The contract of the web application.",
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_name,
    )
    api = APIRouter(prefix=API_PREFIX)
    for part in (
        session,
        customer,
        statements,
        rates,
        own_reads,
        events,
        staff,
        fleet,
        collectors,
        gateway,
        keys,
        switching,
        readings,
        billing,
    ):
        api.include_router(part.router)
    app.include_router(api)
    return app


def _operation_name(route: APIRoute) -> str:
    return route.name
