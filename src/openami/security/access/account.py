"""Local accounts as the rooms above see them: what is made, what a live session is, and the port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.security.access.role import Principal, Role


class AccountStoreError(OpenAmiError):
    """The account database does not answer now: try again."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to make.

    Args:
        login: e-mail address, or a staff account's name.
        roles: what it may be.
        password: None: nobody can sign in to it yet.
        display_name: how a staff account is shown; None for customers, whose name the customer room keeps.
        human_id: the human behind it where that human has other accounts; None for an account of its own. What needs
            two people counts humans.
    """

    login: str = field(repr=False)
    roles: frozenset[Role]
    password: str | None = field(default=None, repr=False)
    display_name: str | None = None
    human_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A service point that a user may see, from an instant to another (exclusive) or for good."""

    user_id: UUID
    service_point_id: UUID
    start_at: datetime
    end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that holds now. ``secret`` goes into the cookie and nowhere else."""

    secret: str = field(repr=False)
    csrf_token: str = field(repr=False)
    principal: Principal
    expires_at: datetime
    idle_limit_s: int
    display_name: str | None = None


class AccessRegister(Protocol):
    """The write side of accounts, for the customer room and for operations.

    Every method raises :class:`AccountStoreError` or the database's own error; each call is one transaction.
    """

    async def register_users(self, users: Sequence[NewUser]) -> list[UUID]:
        """Make accounts and return their ids in order; an existing login keeps its id."""
        ...

    async def grant_service_points(self, grants: Sequence[NewGrant]) -> None:
        """Let users see service points; repeating a grant changes only its end."""
        ...

    async def end_grants(self, service_point_id: UUID, *, at: datetime) -> None:
        """End grants of a service point that run over the instant."""
        ...
