"""Connections of rooms to the database. No parameter of a statement ever reaches an error text or a log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.engines.address import postgres_url
from openami.app.settings import Settings
from openami.security.adapters.row_security import row_secured_engine

ROW_SECURED = frozenset({"openami_access", "openami_audit", "openami_customer", "openami_portal"})


def room_engine(settings: Settings, role: str, *, pool_size: int = 4) -> AsyncEngine:
    """Return an engine of a room's role; dispose of it when done."""
    url = postgres_url(settings, role)
    if role in ROW_SECURED:
        return row_secured_engine(url, pool_size=pool_size)
    return create_async_engine(url, pool_size=pool_size, pool_pre_ping=True, hide_parameters=True)


@asynccontextmanager
async def room_database(settings: Settings, role: str) -> AsyncIterator[AsyncEngine]:
    """Hold an engine of a room's role for the length of the block."""
    engine = room_engine(settings, role)
    try:
        yield engine
    finally:
        await engine.dispose()
