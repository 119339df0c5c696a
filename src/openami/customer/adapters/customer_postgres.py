"""Identity in PostgreSQL (schema ``customer``). As ``openami_portal`` only a signed-in user's own rows can be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.customer.ports import AgreementRow, CustomerStoreError, OccupiedError, PersonRow


@dataclass(frozen=True, slots=True)
class PostgresCustomers:
    """The customer store.

    Args:
        engine: as ``openami_customer`` for the room's own work, as ``openami_portal`` for web requests.
    """

    engine: AsyncEngine

    async def add(self, rows: Sequence[PersonRow], *, now: datetime) -> None:
        """Keep people, accounts, premises and agreements; see :class:`~openami.customer.ports.CustomerStore`."""
        if not rows:
            return
        people = [{"person": r.person_id, "name": r.name, "email": r.email, "now": now} for r in rows]
        accounts = [{"account": r.account_id, "person": r.person_id, "user": r.user_id, "now": now} for r in rows]
        places = [{"place": r.service_point_id, "address": r.address, "label": r.label} for r in rows]
        agreements = [
            {
                "id": r.agreement_id, "account": r.account_id, "place": r.service_point_id,
                "subject": r.usage_subject_id, "start": r.start_at,
            }
            for r in rows
        ]  # fmt: skip
        async with self._begin() as connection:
            await connection.execute(_ADD_PERSON, people)
            await connection.execute(_ADD_ACCOUNT, accounts)
            await connection.execute(_ADD_PREMISE, places)
            await connection.execute(_ADD_AGREEMENT, agreements)

    async def known(self, emails: Sequence[str]) -> dict[str, tuple[UUID, UUID, UUID]]:
        """Return (person, account, user) of known e-mail addresses."""
        async with self._begin() as connection:
            rows = (await connection.execute(_KNOWN, {"emails": list(emails)})).all()
        return {r.email: (r.person_id, r.account_id, r.user_id) for r in rows}

    async def move_in(self, row: AgreementRow, *, now: datetime) -> None:
        """End the running agreement and begin the new one; an order against who lived there stops no one else."""
        async with self._begin() as connection:
            await connection.execute(_END_AGREEMENT, {"place": row.service_point_id, "at": row.start_at})
            await connection.execute(
                _BEGIN_AGREEMENT,
                {
                    "id": row.agreement_id, "account": row.account_id, "place": row.service_point_id,
                    "subject": row.usage_subject_id, "start": row.start_at,
                },
            )  # fmt: skip
            await connection.execute(
                _STOP_ORDERS, {"id": row.agreement_id, "place": row.service_point_id, "start": row.start_at, "now": now}
            )

    async def agreements_of(self, user_id: UUID) -> list[AgreementRow]:
        """Return a user's agreements, newest first."""
        return await self._agreements(_OF_USER, {"user": user_id})

    async def agreements_at(self, service_point_id: UUID) -> list[AgreementRow]:
        """Return a service point's agreements, newest first."""
        return await self._agreements(_AT_PLACE, {"place": service_point_id})

    async def name_of(self, user_id: UUID) -> str | None:
        """Return a user's name."""
        async with self._begin() as connection:
            name = (await connection.execute(_NAME, {"user": user_id})).scalar_one_or_none()
        return None if name is None else str(name)

    async def _agreements(self, statement: Any, values: dict[str, Any]) -> list[AgreementRow]:
        async with self._begin() as connection:
            return [_agreement(r) for r in (await connection.execute(statement, values)).all()]

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        # Neither error is passed on as a cause: the database's own text may quote a name or an address.
        try:
            async with self.engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            if "one_occupant_at_a_time" in str(error.orig):
                raise OccupiedError("another agreement holds the service point at that time") from None
            raise CustomerStoreError("the customer database refuses the row: a value it holds is taken") from None
        except DBAPIError as error:
            raise CustomerStoreError(f"the customer database does not answer: {type(error).__name__}") from None


def _agreement(row: Row[Any]) -> AgreementRow:
    return AgreementRow(
        agreement_id=row.agreement_id,
        account_id=row.account_id,
        service_point_id=row.service_point_id,
        usage_subject_id=row.usage_subject_id,
        start_at=row.start_at,
        end_at=row.end_at,
        address=row.address,
        label=row.label,
    )


_ADD_PERSON = text(
    # A known person stays as they are, whatever the row says of them.
    "insert into customer.person (person_id, name, email, made_at) select :person, :name, :email, :now "
    "where not exists (select from customer.person where email = :email) on conflict (email) do nothing"
)
_ADD_ACCOUNT = text(
    "insert into customer.account (account_id, person_id, user_id, made_at) values (:account, :person, :user, :now) "
    "on conflict (user_id) do nothing"
)
_ADD_PREMISE = text(
    "insert into customer.premise (service_point_id, address, label) values (:place, :address, :label) "
    "on conflict (service_point_id) do nothing"
)
# Repeating a call adds nothing: the same account at the same place from the same instant is the same agreement.
_ADD_AGREEMENT = text(
    "insert into customer.agreement (agreement_id, account_id, service_point_id, usage_subject_id, start_at) "
    "select :id, :account, :place, :subject, :start where not exists (select from customer.agreement "
    "where account_id = :account and service_point_id = :place and start_at = :start)"
)
_BEGIN_AGREEMENT = text(
    "insert into customer.agreement (agreement_id, account_id, service_point_id, usage_subject_id, start_at) "
    "values (:id, :account, :place, :subject, :start)"
)
_END_AGREEMENT = text(
    "update customer.agreement set end_at = :at where service_point_id = :place and start_at < :at and end_at is null"
)
# What was ordered for the bills of who lived there must not cut off who lives there now.
_STOP_ORDERS = text(
    "insert into customer.switch_stop (stop_id, service_point_id, code, reasons, from_at, orders_before, made_at) "
    "values (:id, :place, 'other_customer', array['non_payment', 'move_out', 'customer_request'], :start, "
    "greatest(:start, :now), :now)"
)
_KNOWN = text(
    "select p.email, p.person_id, a.account_id, a.user_id from customer.person p "
    "join customer.account a using (person_id) where p.email = any(:emails)"
)
_AGREEMENTS = (
    "select g.agreement_id, g.account_id, g.service_point_id, g.usage_subject_id, g.start_at, g.end_at, "
    "p.address, p.label from customer.agreement g join customer.premise p using (service_point_id) "
)
_OF_USER = text(
    _AGREEMENTS + "join customer.account a using (account_id) where a.user_id = :user order by g.start_at desc"
)
_AT_PLACE = text(_AGREEMENTS + "where g.service_point_id = :place order by g.start_at desc")
_NAME = text("select p.name from customer.person p join customer.account a using (person_id) where a.user_id = :user")
