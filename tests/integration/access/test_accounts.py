"""Sign-in, sessions and grants on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from argon2 import PasswordHasher
from psycopg import sql

from openami.app.engines.postgres import PostgresEngine
from openami.kernel.clock import FixedClock
from openami.security.access.account import NewGrant, NewUser
from openami.security.access.password import PasswordBook
from openami.security.access.role import Role
from openami.security.access.session import STAFF_IDLE_S
from openami.security.access.throttle import FULL_AGAIN, LOGIN_RULE, PAIR_RULE, TooManyAttemptsError
from openami.security.adapters.access_postgres import PostgresAccounts
from openami.security.adapters.row_security import row_secured_engine

pytestmark = pytest.mark.engines
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORD = "a long enough password"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def accounts(postgres: PostgresEngine, clock: FixedClock) -> AsyncIterator[PostgresAccounts]:
    engine = row_secured_engine(postgres.url("openami_access"))
    yield PostgresAccounts(engine, clock, b"k" * 32, PasswordBook(PasswordHasher(1, 8, 1)))
    await engine.dispose()


async def test_a_customer_signs_in_and_sees_the_granted_places_and_times(accounts: PostgresAccounts) -> None:
    (user,) = await accounts.register_users([NewUser("Ada@example.org", frozenset({Role.CUSTOMER}), WORD)])
    place = uuid4()
    await accounts.grant_service_points(
        [NewGrant(user, place, NOW - timedelta(days=9), NOW), NewGrant(user, place, NOW)]
    )
    session = await accounts.sign_in(login=" ada@EXAMPLE.org", password=WORD, address="192.0.2.1")
    assert session is not None
    assert session.principal.roles == {Role.CUSTOMER}
    assert [p.start for p in session.principal.periods_of(place)] == [NOW - timedelta(days=9), NOW]
    again = await accounts.resume(session.secret)
    assert again == session


async def test_a_wrong_password_an_unknown_login_and_a_user_without_password_look_the_same(
    accounts: PostgresAccounts,
) -> None:
    await accounts.register_users(
        [
            NewUser("ada@example.org", frozenset({Role.CUSTOMER}), WORD),
            NewUser("bo@example.org", frozenset({Role.CUSTOMER})),
        ]
    )
    for login, word in (("ada@example.org", "wrong"), ("nobody@example.org", WORD), ("bo@example.org", WORD)):
        assert await accounts.sign_in(login=login, password=word, address="192.0.2.1") is None


async def test_an_idle_staff_session_ends_after_its_limit_and_activity_keeps_it(
    accounts: PostgresAccounts, clock: FixedClock
) -> None:
    await accounts.register_users([NewUser("operator", frozenset({Role.OPERATOR}), WORD)])
    session = await accounts.sign_in(login="operator", password=WORD, address="192.0.2.1")
    assert session is not None
    for _ in range(3):
        clock.advance(STAFF_IDLE_S - 1)
        assert await accounts.resume(session.secret)
    clock.advance(STAFF_IDLE_S - 1)
    assert await accounts.resume(session.secret, touch=False)
    clock.advance(2)
    assert await accounts.resume(session.secret) is None


async def test_a_session_ends_after_twelve_hours_however_busy(accounts: PostgresAccounts, clock: FixedClock) -> None:
    await accounts.register_users([NewUser("operator", frozenset({Role.OPERATOR}), WORD)])
    session = await accounts.sign_in(login="operator", password=WORD, address="192.0.2.1")
    assert session is not None
    for _ in range(12 * 6 - 1):
        clock.advance(600)
        assert await accounts.resume(session.secret)
    clock.advance(600)
    assert await accounts.resume(session.secret) is None


async def test_signing_out_and_disabling_end_sessions_at_once(accounts: PostgresAccounts) -> None:
    (user,) = await accounts.register_users([NewUser("operator", frozenset({Role.OPERATOR}), WORD)])
    first, second = [await accounts.sign_in(login="operator", password=WORD, address="192.0.2.1") for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first.secret != second.secret
    await accounts.sign_out(first.secret)
    assert await accounts.resume(first.secret) is None
    assert await accounts.resume(second.secret)
    await accounts.disable(user)
    assert await accounts.resume(second.secret) is None
    assert await accounts.sign_in(login="operator", password=WORD, address="192.0.2.1") is None


async def test_guessing_is_stopped_even_with_the_right_password_and_others_go_on(
    accounts: PostgresAccounts, clock: FixedClock
) -> None:
    roles = frozenset({Role.CUSTOMER})
    await accounts.register_users([NewUser("ada@example.org", roles, WORD), NewUser("bo@example.org", roles, WORD)])
    for _ in range(PAIR_RULE.burst):
        await accounts.sign_in(login="ada@example.org", password="guess", address="192.0.2.9")
    with pytest.raises(TooManyAttemptsError):
        await accounts.sign_in(login="ada@example.org", password=WORD, address="192.0.2.9")
    assert await accounts.sign_in(login="ada@example.org", password=WORD, address="192.0.2.1")
    assert await accounts.sign_in(login="bo@example.org", password=WORD, address="192.0.2.9")
    clock.advance(PAIR_RULE.refill_s)
    assert await accounts.sign_in(login="ada@example.org", password=WORD, address="192.0.2.9")


async def test_who_signs_in_rightly_at_each_act_is_not_slowed_down(accounts: PostgresAccounts) -> None:
    await accounts.register_users([NewUser("ada@example.org", frozenset({Role.OPERATOR}), WORD)])
    for _ in range(PAIR_RULE.burst + 2):
        assert await accounts.sign_in(login="ada@example.org", password=WORD, address="console") is not None
    # And has no more guesses for it.
    for _ in range(PAIR_RULE.burst):
        await accounts.sign_in(login="ada@example.org", password="guess", address="console")
    with pytest.raises(TooManyAttemptsError):
        await accounts.sign_in(login="ada@example.org", password=WORD, address="console")


async def test_one_place_that_guesses_on_does_not_lock_the_person_out_elsewhere(accounts: PostgresAccounts) -> None:
    await accounts.register_users([NewUser("ada@example.org", frozenset({Role.CUSTOMER}), WORD)])
    refused = 0
    for _ in range(LOGIN_RULE.burst + 10):
        try:
            await accounts.sign_in(login="ada@example.org", password="guess", address="192.0.2.9")
        except TooManyAttemptsError:
            refused += 1
    assert refused == LOGIN_RULE.burst + 10 - PAIR_RULE.burst
    assert await accounts.sign_in(login="ada@example.org", password=WORD, address="192.0.2.1")


async def test_buckets_that_are_full_again_are_forgotten(
    accounts: PostgresAccounts, clock: FixedClock, postgres: PostgresEngine
) -> None:
    await accounts.register_users([NewUser("ada@example.org", frozenset({Role.CUSTOMER}), WORD)])
    for n in range(5):
        await accounts.sign_in(login=f"nobody{n}@example.org", password="guess", address=f"192.0.2.{n}")
    clock.advance(FULL_AGAIN.total_seconds() + 1)
    assert await accounts.sign_in(login="ada@example.org", password=WORD, address="192.0.2.77")
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c:
        assert c.execute("select count(*) from access.sign_in_bucket").fetchone() == (3,)


async def test_attempts_at_one_time_take_their_tokens_one_by_one(accounts: PostgresAccounts) -> None:
    tries = [accounts.sign_in(login="x", password="y", address="192.0.2.9") for _ in range(PAIR_RULE.burst + 5)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(r, TooManyAttemptsError) for r in results) == 5


async def test_the_database_holds_neither_secret_nor_login(
    accounts: PostgresAccounts, postgres: PostgresEngine
) -> None:
    await accounts.register_users([NewUser("ada@example.org", frozenset({Role.CUSTOMER}), WORD)])
    session = await accounts.sign_in(login="ada@example.org", password=WORD, address="192.0.2.77")
    assert session is not None
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c:
        tables = [t for (t,) in c.execute("select tablename from pg_tables where schemaname = 'access'").fetchall()]
        dump = "".join(
            str(c.execute(sql.SQL("select * from access.{}").format(sql.Identifier(t))).fetchall()) for t in tables
        )
    for word in (session.secret, WORD, "ada@example.org", "192.0.2.77"):
        assert word not in dump
