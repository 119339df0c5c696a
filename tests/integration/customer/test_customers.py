"""Customers on a real PostgreSQL: bulk creation, move-in at the exact instant, and nobody's name elsewhere."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from argon2 import PasswordHasher
from psycopg import sql
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.customer.api import CustomerBook, NewCustomer, OccupiedError
from openami.customer.invented import invented_customers
from openami.kernel.clock import FixedClock
from openami.kernel.errors import MisuseError
from openami.security.access.password import PasswordBook
from openami.security.adapters.access_postgres import PostgresAccounts
from openami.security.adapters.row_security import row_secured_engine

pytestmark = pytest.mark.engines
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORD = "a long enough password"


@pytest.fixture
async def accounts(postgres: PostgresEngine) -> AsyncIterator[PostgresAccounts]:
    engine = row_secured_engine(postgres.url("openami_access"))
    yield PostgresAccounts(engine, FixedClock(NOW), b"k" * 32, PasswordBook(PasswordHasher(1, 8, 1)))
    await engine.dispose()


@pytest.fixture
async def book(postgres: PostgresEngine, accounts: PostgresAccounts) -> AsyncIterator[CustomerBook]:
    engine = create_async_engine(postgres.url("openami_customer"))
    yield CustomerBook(PostgresCustomers(engine), accounts, FixedClock(NOW))
    await engine.dispose()


def customer(name: str, place: object = None, since: datetime = NOW) -> NewCustomer:
    return NewCustomer(
        name=name,
        email=f"{name.lower()}@example.org",
        service_point_id=place or uuid4(),  # type: ignore[arg-type]  # None asks for a new place
        address="1 Elm Street",
        since=since,
        password=WORD,
    )


async def test_a_thousand_invented_customers_are_made_in_seconds_and_once(
    book: CustomerBook, postgres: PostgresEngine
) -> None:
    places = [uuid4() for _ in range(1000)]
    people = invented_customers(places, dice=random.Random(1), since=NOW, password=WORD)
    assert people == invented_customers(places, dice=random.Random(1), since=NOW, password=WORD)
    began = time.monotonic()
    users = await book.create(people)
    assert time.monotonic() - began < 15
    assert await book.create(people) == users
    assert len(set(users)) == 1000
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c:
        for table in ("person", "account", "premise", "agreement"):
            assert c.execute(sql.SQL("select count(*) from customer.{}").format(sql.Identifier(table))).fetchone() == (
                1000,
            )


async def test_a_move_in_ends_the_old_right_at_the_instant_the_new_one_begins(
    book: CustomerBook, accounts: PostgresAccounts
) -> None:
    old = customer("Old", since=NOW - timedelta(days=100))
    place = old.service_point_id
    await book.create([old, customer("New")])
    before = (await book.service_points_of((await book.create([old]))[0]))[0]
    subject = await book.move_in(email="new@example.org", service_point_id=place, at=NOW)
    assert subject != before.usage_subject_id
    periods = {}
    for name in ("old", "new"):
        session = await accounts.sign_in(login=f"{name}@example.org", password=WORD, address="192.0.2.1")
        assert session is not None
        (periods[name],) = session.principal.periods_of(place)
    assert periods["old"].end == NOW == periods["new"].start
    assert periods["old"].intersection(periods["new"]) is None


async def test_a_second_occupant_at_the_same_time_is_refused_and_gains_nothing(
    book: CustomerBook, accounts: PostgresAccounts
) -> None:
    first = customer("First")
    await book.create([first])
    with pytest.raises(OccupiedError):
        await book.create([customer("Second", first.service_point_id, NOW + timedelta(days=1))])
    session = await accounts.sign_in(login="second@example.org", password=WORD, address="192.0.2.1")
    assert session is not None
    assert session.principal.grants == ()


async def test_a_move_in_of_a_stranger_is_refused(book: CustomerBook) -> None:
    with pytest.raises(MisuseError):
        await book.move_in(email="nobody@example.org", service_point_id=uuid4(), at=NOW)


async def test_names_are_in_the_customer_schema_and_nowhere_else(book: CustomerBook, postgres: PostgresEngine) -> None:
    await book.create([customer("Zebulonia")])
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c:
        tables = c.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        hits = {
            schema
            for schema, table in tables
            if "ebulonia"
            in str(
                c.execute(
                    sql.SQL("select * from {}.{}").format(sql.Identifier(schema), sql.Identifier(table))
                ).fetchall()
            )
        }
    assert hits == {"customer"}


async def test_a_known_customer_gets_a_second_place_and_keeps_name_and_password(
    book: CustomerBook, accounts: PostgresAccounts
) -> None:
    first = customer("Ada")
    (user,) = await book.create([first])
    second = NewCustomer("", first.email, uuid4(), "Imported file", NOW, label="Imported file")
    assert await book.create([second]) == [user]
    assert await book.name_of(user) == "Ada"
    assert len(await book.service_points_of(user)) == 2
    session = await accounts.sign_in(login=first.email, password=WORD, address="192.0.2.1")
    assert session is not None
    assert {g.service_point_id for g in session.principal.grants} == {first.service_point_id, second.service_point_id}
