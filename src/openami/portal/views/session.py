"""Sign-in and who is signed in."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field, SecretStr

from openami.portal.views.base import View
from openami.security.access.role import Role


class SignIn(View):
    """A sign-in attempt."""

    login: str = Field(min_length=1, max_length=254, description="E-mail address, or staff name.")
    password: SecretStr = Field(min_length=1, max_length=1024)


class SessionView(View):
    """Who is signed in, and what every page needs to know."""

    user_id: UUID
    name: str = Field(description="How to address the person; for staff the name of the account.")
    roles: list[Role]
    is_staff: bool
    csrf_token: str = Field(description="Send it as header X-CSRF-Token with every unsafe request.")
    expires_at: int = Field(description="Real time at which the session ends at the latest, epoch s.")
    idle_limit_s: int = Field(description="The session ends after this long without a request.")
    domain_now: int = Field(description="The installation's domain time, epoch s.")
    real_now: int = Field(description="The server's real time, epoch s.")
    speed: float = Field(description="Domain seconds per real second; above 1 every page says so.")
    zone: str = Field(description="IANA zone of the utility.", examples=["America/Chicago"])


class LogEntryView(View):
    """One look at somebody's data."""

    at: int = Field(description="Real time of the look, epoch s.")
    who: str = Field(description="You, a role of the utility's staff, or a receiver by name.", examples=["OPERATOR"])
    is_you: bool
    purpose: str = Field(examples=["own_data"])
    what: str = Field(description="In words.", examples=["15-minute usage"])
    range_from: int | None = Field(description="Start of the span of data looked at, epoch s.")
    range_to: int | None = Field(description="End of the span (exclusive), epoch s.")
    allowed: bool
    entry_id: UUID = Field(description="Names the entry in the tamper-evident log.")


class WhoLookedView(View):
    """Every look at one service point's data, newest first."""

    service_point_id: UUID
    entries: list[LogEntryView]
    log_size: int = Field(description="Entries under the newest signed tree head.")
    log_root: str | None = Field(description="Root hash of that tree head, hex; None before the first.")
    log_signed_at: int | None = Field(description="Real time of that tree head, epoch s.")
