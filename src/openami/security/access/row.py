"""Whose eyes a database transaction has: the settings that row security reads. Pure; a context variable carries them.

The wiring sets them around each call; the engine writes them with ``set_config(..., true)`` when a transaction begins,
so a pooled connection never keeps them. Without them a query sees no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from openami.security.access.scope import Scope


@dataclass(frozen=True, slots=True)
class RowSettings:
    """Settings of one transaction.

    Args:
        role: ``viewer`` for a person's scope, or the name of a desk.
        user: the signed-in user, or None.
        service_points: places whose rows may be seen.
    """

    role: str
    user: UUID | None = None
    service_points: frozenset[UUID] = frozenset()


ROW_SETTINGS: ContextVar[RowSettings | None] = ContextVar("openami_row_settings", default=None)


@contextmanager
def seen_as(settings: RowSettings) -> Iterator[None]:
    """Give every transaction that begins inside these settings."""
    token = ROW_SETTINGS.set(settings)
    try:
        yield
    finally:
        ROW_SETTINGS.reset(token)


def of_scope(scope: Scope) -> RowSettings:
    """Return the settings of a granted scope."""
    kind, _, name = scope.actor.partition(":")
    user = UUID(name) if kind == "user" else None
    return RowSettings("viewer", user, scope.service_points or frozenset())
