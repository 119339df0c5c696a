"""Roles and the signed-in actor.

Source: role names of IEC 62351-8 for staff; ``customer`` and ``third_party`` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from openami.kernel.time import Period


class Role(StrEnum):
    """What an account may be."""

    CUSTOMER = "customer"
    VIEWER = "VIEWER"
    OPERATOR = "OPERATOR"
    ENGINEER = "ENGINEER"
    INSTALLER = "INSTALLER"
    SECADM = "SECADM"
    SECAUD = "SECAUD"
    THIRD_PARTY = "third_party"


STAFF_ROLES = frozenset({Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.INSTALLER, Role.SECADM, Role.SECAUD})


@dataclass(frozen=True, slots=True)
class Grant:
    """A service point that a user may see, and the data of which time."""

    service_point_id: UUID
    period: Period


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in actor, as one session knows it.

    Args:
        user_id: the account.
        roles: what it may be.
        grants: service points of its own (customers) or shared with it (third parties).
    """

    user_id: UUID
    roles: frozenset[Role]
    grants: tuple[Grant, ...] = ()

    @property
    def is_staff(self) -> bool:
        """Whether any role is one of the utility's own."""
        return bool(self.roles & STAFF_ROLES)

    @property
    def actor(self) -> str:
        """Name in audit rows: a random id, never a person's name."""
        return f"user:{self.user_id}"

    def periods_of(self, service_point_id: UUID) -> tuple[Period, ...]:
        """Return the times of this service point that are the actor's own, in order."""
        return tuple(sorted(g.period for g in self.grants if g.service_point_id == service_point_id))
