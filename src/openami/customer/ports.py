"""Ports of the customer room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import OpenAmiError


class CustomerStoreError(OpenAmiError):
    """The customer database does not answer now: try again."""


class OccupiedError(OpenAmiError):
    """Another agreement holds the service point at that time."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A customer with account and first agreement, as kept. Never logged: its text form hides what names a person."""

    person_id: UUID
    name: str = field(repr=False)
    email: str = field(repr=False)
    account_id: UUID
    user_id: UUID
    service_point_id: UUID
    address: str = field(repr=False)
    label: str = field(repr=False)
    agreement_id: UUID
    usage_subject_id: UUID
    start_at: datetime


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One occupancy.

    Args:
        agreement_id: its id.
        account_id: whose.
        service_point_id: where.
        usage_subject_id: the occupancy's own id; readings are never looked up by account.
        start_at, end_at: half-open time; None while it runs.
        address: as on the bill.
        label: the customer's word for the place.
    """

    agreement_id: UUID
    account_id: UUID
    service_point_id: UUID
    usage_subject_id: UUID
    start_at: datetime
    end_at: datetime | None
    address: str = field(repr=False)
    label: str = field(repr=False)


class CustomerStore(Protocol):
    """Where identity lives. All methods raise :class:`CustomerStoreError` when it does not answer."""

    async def add(self, rows: Sequence[PersonRow], *, now: datetime) -> None:
        """Keep people, accounts, premises and agreements in one transaction; a known e-mail address keeps its person.

        Raises:
            OccupiedError: a service point already has an agreement then.
        """
        ...

    async def known(self, emails: Sequence[str]) -> dict[str, tuple[UUID, UUID, UUID]]:
        """Return (person, account, user) of e-mail addresses that are known."""
        ...

    async def move_in(self, row: AgreementRow, *, now: datetime) -> None:
        """End the agreement that runs at the service point and begin the new one, in one transaction.

        Raises:
            OccupiedError: a later agreement is already there.
        """
        ...

    async def agreements_of(self, user_id: UUID) -> Sequence[AgreementRow]:
        """Return the agreements of a user, newest first."""
        ...

    async def agreements_at(self, service_point_id: UUID) -> Sequence[AgreementRow]:
        """Return the agreements of a service point, newest first."""
        ...

    async def name_of(self, user_id: UUID) -> str | None:
        """Return a user's name."""
        ...
