"""The gate: decide, write the audit row, and only then hand out a scope.

Nothing else makes a scope for a person. If the audit row cannot be written there is no scope, hence no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from openami.kernel.clock import Clock
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.security.access.policy import Action, Decision, Kind, Relation, decide
from openami.security.access.role import Principal, Role
from openami.security.access.scope import Purpose, Scope, granted_scope
from openami.security.audit.entry import AuditEntry, whole_ms


class AccessDeniedError(OpenAmiError):
    """The decision was no. ``hides_existence`` asks the edge to answer as if the thing did not exist."""

    def __init__(self, reason: str, *, hides_existence: bool) -> None:
        super().__init__(reason)
        self.hides_existence = hides_existence


class AuditUnavailableError(OpenAmiError):
    """The audit row could not be written, so nothing is returned: try again."""


class AuditWriter(Protocol):
    """Where audit rows go. ``write`` returns only when the row is on disk.

    Raises:
        AuditUnavailableError: it is not.
    """

    async def write(self, entry: AuditEntry) -> None:
        """Keep one row for ever."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wants to do.

    Args:
        action, kind, purpose: see :mod:`openami.security.access.policy`.
        service_points: the subjects; empty for totals and devices.
        period: span of data asked for; None where it has none.
        query: name of the operation, for example ``intervals``.
        note: a stated reason, for changes.
    """

    action: Action
    kind: Kind
    purpose: Purpose
    query: str
    service_points: frozenset[UUID] = frozenset()
    period: Period | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """Opens views. ``real`` is real time (the moment of a look), ``domain`` the installation's time."""

    audit: AuditWriter
    real: Clock
    domain: Clock

    async def open(self, principal: Principal, look: Look) -> Scope:
        """Decide, write it down, and return the scope.

        Raises:
            AccessDeniedError: the table does not allow it; the denial is in the log too.
            AuditUnavailableError: the log does not take the row.
        """
        decision = decide(
            principal,
            action=look.action,
            kind=look.kind,
            purpose=look.purpose,
            service_points=look.service_points,
        )
        entry = self._entry(principal, look, decision)
        await self.audit.write(entry)
        if not decision.allowed:
            raise AccessDeniedError(decision.reason, hides_existence=not principal.is_staff)
        periods = None
        if decision.relation is not Relation.ANY:
            periods = {s: principal.periods_of(s) for s in look.service_points}
        return granted_scope(
            actor=principal.actor,
            purpose=look.purpose,
            service_points=look.service_points,
            audit_id=entry.entry_id,
            periods=periods,
        )

    def _entry(self, principal: Principal, look: Look, decision: Decision) -> AuditEntry:
        return AuditEntry(
            entry_id=uuid4(),
            at=whole_ms(self.real.now()),
            domain_at=whole_ms(self.domain.now()),
            actor=principal.actor,
            role=_leading_role(principal).value,
            purpose=look.purpose.value,
            action=look.action.value,
            kind=look.kind.value,
            subjects=tuple(sorted(look.service_points)),
            period=look.period,
            query=look.query,
            allowed=decision.allowed,
            reason=decision.reason,
            note=look.note,
        )


def _leading_role(principal: Principal) -> Role:
    """The role named in the log: a staff role first, since that is what a customer wants to know."""
    ordered = [r for r in Role if r in principal.roles]
    staff = [r for r in ordered if r is not Role.CUSTOMER]
    return (staff or ordered or [Role.THIRD_PARTY])[0]
