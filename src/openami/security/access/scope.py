"""What an actor may read, as a value that only a decision can make.

Every query for readings takes a scope. There is no empty scope and no "all by default": a scope either names service
points or is the scope of one of our own processes doing stated work.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from openami.kernel.errors import OpenAmiError

_MADE_HERE = object()


class ScopeError(OpenAmiError):
    """Data outside the scope were asked for, or a scope was made by hand."""


class Purpose(StrEnum):
    """Why data are looked at; written in the audit row."""

    OWN_DATA = "own_data"
    CUSTOMER_SERVICE = "customer_service"
    OPERATIONS = "operations"
    VALIDATION = "validation"
    BILLING = "billing"
    IMPORT = "import"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Scope:
    """A granted view.

    Args:
        actor: ``user:<uuid>`` or ``process:<name>``.
        purpose: why.
        service_points: the service points that may be read; None only for a process of ours.
        audit_id: the audit row of the decision; None for a process of ours, whose runs are logged as runs.
    """

    actor: str
    purpose: Purpose
    service_points: frozenset[UUID] | None
    audit_id: UUID | None
    _seal: object = None

    def __post_init__(self) -> None:
        if self._seal is not _MADE_HERE:
            raise ScopeError("a scope is made by decide() or system_scope(), never by hand")

    def require(self, service_points: frozenset[UUID]) -> None:
        """Pass if every service point asked for lies in the scope.

        Raises:
            ScopeError: one does not.
        """
        if self.service_points is not None and not service_points <= self.service_points:
            raise ScopeError("a service point outside the granted scope was asked for")


def system_scope(*, process: str, purpose: Purpose) -> Scope:
    """Return the scope of one of our own processes doing batch work over every service point."""
    return Scope(f"process:{process}", purpose, None, None, _MADE_HERE)


def granted_scope(*, actor: str, purpose: Purpose, service_points: frozenset[UUID], audit_id: UUID) -> Scope:
    """Return the scope of a decision whose audit row is written. Called by ``decide`` alone."""
    return Scope(actor, purpose, service_points, audit_id, _MADE_HERE)
