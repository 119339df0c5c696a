"""The customer room's face: accounts, agreements, who lives where.

A move-in makes a new usage subject and ends the grant of whoever lived there before, at the same instant: the new
occupant reads no interval from before it, the old one none from after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from openami.customer.ports import AgreementRow, CustomerStore, CustomerStoreError, OccupiedError, PersonRow
from openami.kernel.clock import Clock
from openami.kernel.errors import MisuseError
from openami.security.access.account import AccessRegister, NewGrant, NewUser
from openami.security.access.role import Role

__all__ = ["AgreementRow", "CustomerBook", "CustomerStoreError", "NewCustomer", "OccupiedError"]


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer to make.

    Args:
        name: the person's name.
        email: address; also the login.
        service_point_id: where the person lives.
        address: street address as on the bill.
        since: move-in, UTC.
        label: the person's word for the place.
        password: a first password, or None: no sign-in until one is set.
    """

    name: str = field(repr=False)
    email: str = field(repr=False)
    service_point_id: UUID
    address: str = field(repr=False)
    since: datetime
    label: str = "Home"
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CustomerBook:
    """Customers.

    Args:
        store: identity.
        access: local accounts and grants.
        clock: domain time, for the stamps of rows.
        new_id: makes random ids.
    """

    store: CustomerStore
    access: AccessRegister
    clock: Clock
    new_id: Callable[[], UUID] = uuid4

    async def create(self, customers: Sequence[NewCustomer]) -> list[UUID]:
        """Make customers with one agreement each and return their user ids in order; 1,000 in one call.

        The account comes first, its right to see readings last, so a crash between leaves nobody with too much;
        calling it again completes what is missing.

        Raises:
            OccupiedError: a service point has an agreement of somebody else then.
            MisuseError: one e-mail address or service point twice in one call.
        """
        _require_distinct([c.email for c in customers], "e-mail address")
        _require_distinct([str(c.service_point_id) for c in customers], "service point")
        users = await self.access.register_users(
            [NewUser(c.email, frozenset({Role.CUSTOMER}), c.password) for c in customers]
        )
        known = await self.store.known([c.email for c in customers])
        rows = []
        for customer, user_id in zip(customers, users, strict=True):
            person_id, account_id, _ = known.get(customer.email, (self.new_id(), self.new_id(), user_id))
            rows.append(
                PersonRow(
                    person_id=person_id,
                    name=customer.name,
                    email=customer.email,
                    account_id=account_id,
                    user_id=user_id,
                    service_point_id=customer.service_point_id,
                    address=customer.address,
                    label=customer.label,
                    agreement_id=self.new_id(),
                    usage_subject_id=self.new_id(),
                    start_at=customer.since,
                )
            )
        await self.store.add(rows, now=self.clock.now())
        await self.access.grant_service_points([NewGrant(r.user_id, r.service_point_id, r.start_at) for r in rows])
        return users

    async def move_in(self, *, email: str, service_point_id: UUID, at: datetime, label: str = "Home") -> UUID:
        """Begin an agreement of a known customer at a place; whoever lived there moves out at that instant.

        Returns:
            The new usage subject.

        Raises:
            OccupiedError: a later agreement is already there.
            MisuseError: no such customer, or the place never had one (make a customer with :meth:`create`).
        """
        known = await self.store.known([email])
        before = await self.store.agreements_at(service_point_id)
        if email not in known or not before:
            raise MisuseError("move-in needs a known customer and a place with an address")
        _, account_id, user_id = known[email]
        agreement = AgreementRow(
            agreement_id=self.new_id(),
            account_id=account_id,
            service_point_id=service_point_id,
            usage_subject_id=self.new_id(),
            start_at=at,
            end_at=None,
            address=before[0].address,
            label=label,
        )
        # The old right ends before the new one begins: a crash between leaves nobody with too much.
        await self.access.end_grants(service_point_id, at=at)
        await self.store.move_in(agreement, now=self.clock.now())
        await self.access.grant_service_points([NewGrant(user_id, service_point_id, at)])
        return agreement.usage_subject_id

    async def service_points_of(self, user_id: UUID) -> Sequence[AgreementRow]:
        """Return a user's agreements, newest first."""
        return await self.store.agreements_of(user_id)

    async def name_of(self, user_id: UUID) -> str | None:
        """Return a user's name; None for one without an account here (staff)."""
        return await self.store.name_of(user_id)


def _require_distinct(values: Sequence[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise MisuseError(f"the same {what} twice in one call")
