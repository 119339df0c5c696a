"""An engine whose transactions carry the row settings of their caller, and nothing of the caller before.

Source: PostgreSQL 18 documentation, 5.9 Row Security Policies; ``set_config(..., is_local => true)`` ends with the
transaction, so a pooled connection starts clean.
"""

from __future__ import annotations

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.security.access.row import ROW_SETTINGS
from openami.security.adapters.rested_connection import ask_the_rested

_SET = text(
    "select set_config('app.role', :role, true), set_config('app.user', :user, true), "
    "set_config('app.service_points', :places, true)"
)


def row_secured_engine(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """Return an engine that writes the caller's row settings at the start of each transaction."""
    # Last in, first out: at rest few connections are used, and those have answered a moment ago.
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=pool_size, pool_use_lifo=True, hide_parameters=True
    )
    ask_the_rested(engine)
    secure_rows(engine)
    return engine


def secure_rows(engine: AsyncEngine) -> None:
    """Make an existing engine write the row settings."""

    @event.listens_for(engine.sync_engine, "begin")
    def write_settings(connection: Connection) -> None:
        settings = ROW_SETTINGS.get()
        if settings is None:
            return
        values = {
            "role": settings.role,
            "user": str(settings.user or ""),
            "places": ",".join(sorted(map(str, settings.service_points))),
        }
        connection.execute(_SET, values)
