"""Passwords, secrets, throttling and the scope's bound in time, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from openami.kernel.time import Period
from openami.security.access.account import NewUser
from openami.security.access.password import PasswordBook, login_digest, normalized_login
from openami.security.access.role import Role
from openami.security.access.scope import Purpose, Scope, ScopeError, granted_scope
from openami.security.access.session import csrf_token, secret_hash, secret_text
from openami.security.access.throttle import PAIR_RULE, Bucket, take

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_password_matches_itself_alone_and_nobody_matches_nothing() -> None:
    book = PasswordBook(QUICK)
    stored = await book.hashed("correct horse")
    assert await book.matches(stored, "correct horse")
    assert not await book.matches(stored, "correct horsE")
    assert not await book.matches(None, "nobody has this password")
    assert not await book.matches("not a hash", "x")


def test_the_default_hash_is_argon2id_at_the_floor_or_above() -> None:
    hasher = PasswordBook().hasher
    assert hasher.type.name == "ID"
    assert hasher.memory_cost >= 19 * 1024
    assert hasher.time_cost >= 2


def test_a_login_is_the_same_however_it_is_typed_and_needs_the_key() -> None:
    assert login_digest(" ADA@example.org", key=b"k" * 32) == login_digest("ada@EXAMPLE.org ", key=b"k" * 32)
    assert login_digest("ada@example.org", key=b"k" * 32) != login_digest("ada@example.org", key=b"l" * 32)
    assert normalized_login("ada@example.org") == "ada@example.org"


def test_a_new_user_hides_login_and_password_in_its_text() -> None:
    text = repr(NewUser("ada@example.org", frozenset({Role.CUSTOMER}), "hunter2 hunter2"))
    assert "ada" not in text
    assert "hunter2" not in text


def test_the_table_keeps_no_secret_and_the_token_is_not_the_secret() -> None:
    secret = secret_text(bytes(range(32)))
    assert len(secret) == 43
    assert secret.encode() not in secret_hash(secret)
    assert csrf_token(secret) != secret
    assert csrf_token(secret) != csrf_token(secret_text(bytes(32)))


def test_a_bucket_empties_and_says_how_long_to_wait() -> None:
    bucket = None
    for _ in range(PAIR_RULE.burst):
        bucket, wait_s = take(bucket, PAIR_RULE, NOW)
        assert wait_s == 0
    bucket, wait_s = take(bucket, PAIR_RULE, NOW)
    assert wait_s == PAIR_RULE.refill_s
    _, wait_s = take(bucket, PAIR_RULE, NOW + timedelta(seconds=wait_s))
    assert wait_s == 0


@given(st.lists(st.floats(0, 100), max_size=200))
def test_no_run_of_attempts_gets_more_than_burst_and_refill(gaps_s: list[float]) -> None:
    bucket: Bucket | None = None
    now, passed = NOW, 0
    for gap_s in gaps_s:
        now += timedelta(seconds=gap_s)
        bucket, wait_s = take(bucket, PAIR_RULE, now)
        passed += wait_s == 0
    assert passed <= PAIR_RULE.burst + (now - NOW).total_seconds() / PAIR_RULE.refill_s + 1e-6


def test_a_scope_grants_only_its_own_time() -> None:
    place, other = uuid4(), uuid4()
    moved_in = NOW - timedelta(days=10)
    scope = granted_scope(
        actor="user:x",
        purpose=Purpose.OWN_DATA,
        service_points=frozenset({place}),
        audit_id=uuid4(),
        periods={place: (Period(moved_in, NOW + timedelta(days=1)),)},
    )
    asked = Period(NOW - timedelta(days=30), NOW)
    assert scope.granted(place, asked) == (Period(moved_in, NOW),)
    assert scope.granted(place, Period(NOW - timedelta(days=30), moved_in)) == ()
    with pytest.raises(ScopeError):
        scope.granted(other, asked)


def test_a_scope_cannot_be_made_by_hand() -> None:
    with pytest.raises(ScopeError):
        Scope("user:x", Purpose.OWN_DATA, None, None)
