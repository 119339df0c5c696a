"""Canaries: customers whose names, addresses and account numbers are words that occur nowhere else."""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
from tests.canary.needles import Finder

from openami.app.engines.address import postgres_engine
from openami.app.engines.postgres import DATABASE, SUPERUSER
from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.settings import Settings
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.customer.api import CustomerBook, NewCustomer
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.records import ServicePoint

LETTERS = 12
"""26^12 words: none comes by chance."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One customer: the parts of the name, the e-mail address and the street address, each a word of its own."""

    first: str
    last: str
    mailbox: str
    street: str

    @property
    def name(self) -> str:
        """The whole name."""
        return f"{self.first.title()} {self.last.title()}"

    @property
    def email(self) -> str:
        """The e-mail address."""
        return f"{self.mailbox}@example.org"

    @property
    def address(self) -> str:
        """The street address."""
        return f"{1 + len(self.street)} {self.street.title()} Street"


def canary() -> Canary:
    """Make one."""
    return Canary(*("".join(secrets.choice(string.ascii_lowercase) for _ in range(LETTERS)) for _ in range(4)))


async def seed(core: Settings, count: int) -> tuple[Finder, list[Canary]]:
    """Put canaries into the customer store: who lives in metered homes becomes one, the rest live where no meter is.

    Args:
        core: settings of core, where the store is.
        count: how many there are to be.

    Returns:
        What to look for, and the canaries; the first ones live in metered homes.
    """
    residents = _renamed(core)
    others = [canary() for _ in range(count - len(residents))]
    now = core.clock().now()
    points = [ServicePoint(uuid4(), core.zone, now - timedelta(days=2), cell="canary") for _ in others]
    async with (
        room_database(core, "openami_mdm") as mdm,
        room_database(core, "openami_access") as access,
        room_database(core, "openami_customer") as identity,
    ):
        await PostgresRegistry(mdm).add_service_points(points)
        book = CustomerBook(PostgresCustomers(identity), accounts_of(core, access, RealClock()), core.clock())
        await book.create([
            NewCustomer(
                name=c.name, email=c.email, service_point_id=point.id, address=c.address, since=now - timedelta(days=1)
            )
            for c, point in zip(others, points, strict=True)
        ])  # fmt: skip
    canaries = [*residents, *others]
    return _finder(canaries, _accounts(core)), canaries


def _renamed(core: Settings) -> list[Canary]:
    """Give the people of the demonstration names and addresses of canaries; they keep the address they sign in with."""
    made = []
    with _customers(core) as connection:
        lives = connection.execute(
            "select p.person_id, g.service_point_id from customer.person p join customer.account a using (person_id) "
            "join customer.agreement g using (account_id) order by p.email"
        ).fetchall()
        for person_id, point_id in lives:
            bird = canary()
            connection.execute("update customer.person set name = %s where person_id = %s", (bird.name, person_id))
            connection.execute(
                "update customer.premise set address = %s where service_point_id = %s", (bird.address, point_id)
            )
            made.append(bird)
    return made


def _accounts(core: Settings) -> Sequence[UUID]:
    with _customers(core) as connection:
        return [row[0] for row in connection.execute("select account_id from customer.account").fetchall()]


def _customers(core: Settings) -> psycopg.Connection:
    engine = postgres_engine(core)
    return psycopg.connect(f"host={engine.sockets} user={SUPERUSER} dbname={DATABASE}", autocommit=True)


def _finder(canaries: Sequence[Canary], accounts: Sequence[UUID]) -> Finder:
    words: dict[str, bytes] = {}
    for number, c in enumerate(canaries):
        words |= {f"{what} {number}": getattr(c, what).encode() for what in ("first", "last", "mailbox", "street")}
    words |= {f"account {number}": str(account).encode() for number, account in enumerate(accounts)}
    return Finder(words, {f"account {number}": account.bytes for number, account in enumerate(accounts)})
