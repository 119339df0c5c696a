"""What an actor may read, as a value that only a decision can make.

Every query for readings takes a scope. There is no empty scope and no "all by default": a scope either names service
points or is the scope of one of our own processes doing stated work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period

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
        periods: for each service point the times whose data may be read; None where the scope knows no bound in time.
            A new occupant's scope begins at move-in.
    """

    actor: str
    purpose: Purpose
    service_points: frozenset[UUID] | None
    audit_id: UUID | None
    _seal: object = None
    periods: Mapping[UUID, tuple[Period, ...]] | None = None

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

    def granted(self, service_point_id: UUID, period: Period) -> tuple[Period, ...]:
        """Return the parts of the period that may be read at this service point, in order; perhaps none.

        Raises:
            ScopeError: the service point is not in the scope at all.
        """
        self.require(frozenset({service_point_id}))
        if self.periods is None:
            return (period,)
        parts = (period.intersection(p) for p in self.periods.get(service_point_id, ()))
        return tuple(p for p in parts if p is not None)


def system_scope(*, process: str, purpose: Purpose) -> Scope:
    """Return the scope of one of our own processes doing batch work over every service point."""
    return Scope(f"process:{process}", purpose, None, None, _MADE_HERE)


def granted_scope(
    *,
    actor: str,
    purpose: Purpose,
    service_points: frozenset[UUID],
    audit_id: UUID,
    periods: Mapping[UUID, tuple[Period, ...]] | None = None,
) -> Scope:
    """Return the scope of a decision whose audit row is written. Called by the gate alone."""
    return Scope(actor, purpose, service_points, audit_id, _MADE_HERE, periods)
