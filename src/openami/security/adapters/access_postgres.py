"""Accounts, sessions and grants in PostgreSQL (schema ``access``), and the limits on sign-in.

Real time throughout: sessions and limits do not run at demonstration speed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.kernel.clock import Clock
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.security.access.account import AccountStoreError, LiveSession, NewGrant, NewUser
from openami.security.access.password import PasswordBook, login_digest
from openami.security.access.role import Grant, Principal, Role
from openami.security.access.row import RowSettings, seen_as
from openami.security.access.session import (
    ABSOLUTE_LIMIT,
    SECRET_OCTETS,
    TOUCH_EVERY,
    csrf_token,
    idle_limit_s,
    is_live,
    secret_hash,
    secret_text,
)
from openami.security.access.throttle import (
    ADDRESS_RULE,
    FULL_AGAIN,
    LOGIN_RULE,
    PAIR_RULE,
    Bucket,
    BucketRule,
    TooManyAttemptsError,
    take,
)

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""End of a grant that runs on."""
_SESSION_DESK = RowSettings("session_desk")
_ACCOUNT_DESK = RowSettings("account_desk")


@dataclass(frozen=True, slots=True)
class PostgresAccounts:
    """Local accounts.

    Args:
        engine: as role ``openami_access``, from :func:`~openami.security.adapters.row_security.row_secured_engine`.
        real: real time.
        login_key: 32 secret octets; the digests of logins are made with it.
        passwords: hashes and verifies.
    """

    engine: AsyncEngine
    real: Clock
    login_key: bytes = field(repr=False)
    passwords: PasswordBook

    async def sign_in(self, *, login: str, password: str, address: str) -> LiveSession | None:
        """Return a new session, or None. An unknown login takes as long as a wrong password.

        Raises:
            TooManyAttemptsError: a bucket is empty; wrong and right passwords alike are refused.
            AccountStoreError: the database does not answer.
        """
        digest = login_digest(login, key=self.login_key)
        try:
            with seen_as(_SESSION_DESK):
                await self._take_tokens(digest, address)
                async with self.engine.begin() as connection:
                    row = (await connection.execute(_CREDENTIAL, {"digest": digest})).one_or_none()
                if not await self.passwords.matches(row.password_hash if row else None, password) or row is None:
                    return None
                await self._give_back(digest, address)
                return await self._open(row.user_id)
        except DBAPIError as error:
            raise _unavailable(error) from error

    async def resume(self, secret: str, *, touch: bool = True) -> LiveSession | None:
        """Return the live session of a secret, or None. Rights are read anew each time: a change holds at once.

        Raises:
            AccountStoreError: the database does not answer.
        """
        now = self.real.now()
        digest = secret_hash(secret)
        try:
            with seen_as(_SESSION_DESK):
                async with self.engine.begin() as connection:
                    row = (await connection.execute(_SESSION, {"hash": digest})).one_or_none()
                    if row is None or not is_live(
                        seen_at=row.seen_at, expires_at=row.expires_at, idle_s=row.idle_limit_s, now=now
                    ):
                        return None
                    if touch and now - row.seen_at >= TOUCH_EVERY:
                        await connection.execute(_TOUCH, {"hash": digest, "now": now})
        except DBAPIError as error:
            raise _unavailable(error) from error
        return _live(secret, row)

    async def sign_out(self, secret: str) -> None:
        """End the session."""
        try:
            with seen_as(_SESSION_DESK):
                async with self.engine.begin() as connection:
                    await connection.execute(_END, {"hash": secret_hash(secret)})
        except DBAPIError as error:
            raise _unavailable(error) from error

    async def register_users(self, users: Sequence[NewUser]) -> list[UUID]:
        """Make accounts; a login that exists keeps its account and gains the roles. In order, one transaction.

        A user without a password cannot sign in until one is set.
        """
        now = self.real.now()
        digests = [login_digest(u.login, key=self.login_key) for u in users]
        hashes = {p: await self.passwords.hashed(p) for p in {u.password for u in users if u.password}}
        made = [
            {"id": uuid4(), "digest": d, "now": now, "shown": u.display_name, "human": u.human_id}
            for d, u in zip(digests, users, strict=True)
        ]
        with seen_as(_ACCOUNT_DESK):
            async with self.engine.begin() as connection:
                await _many(connection, _ADD_USER, made)
                rows = (await connection.execute(_IDS, {"digests": digests})).all()
                ids = {bytes(r.login_digest): r.user_id for r in rows}
                roles = [
                    {"id": ids[d], "role": r.value, "now": now}
                    for d, u in zip(digests, users, strict=True)
                    for r in sorted(u.roles)
                ]
                await _many(connection, _ADD_ROLE, roles)
                words = [
                    {"id": ids[d], "hash": hashes[u.password], "now": now}
                    for d, u in zip(digests, users, strict=True)
                    if u.password
                ]
                await _many(connection, _SET_PASSWORD, words)
        return [ids[d] for d in digests]

    async def grant_service_points(self, grants: Sequence[NewGrant]) -> None:
        """Let users see service points for a time. Repeating a grant changes nothing but its end."""
        rows = [{"user": g.user_id, "place": g.service_point_id, "start": g.start_at, "end": g.end_at} for g in grants]
        with seen_as(_ACCOUNT_DESK):
            async with self.engine.begin() as connection:
                await _many(connection, _ADD_GRANT, rows)

    async def end_grants(self, service_point_id: UUID, *, at: datetime) -> None:
        """End whatever grant of this service point runs over an instant: somebody else moves in."""
        with seen_as(_ACCOUNT_DESK):
            async with self.engine.begin() as connection:
                await connection.execute(_END_GRANT, {"place": service_point_id, "at": at})

    async def disable(self, user_id: UUID) -> None:
        """Close an account and end its sessions now."""
        with seen_as(_ACCOUNT_DESK):
            async with self.engine.begin() as connection:
                await connection.execute(_DISABLE, {"id": user_id})
                await connection.execute(_END_ALL, {"id": user_id})

    async def _open(self, user_id: UUID) -> LiveSession | None:
        now = self.real.now()
        secret = secret_text(secrets.token_bytes(SECRET_OCTETS))
        async with self.engine.begin() as connection:
            roles = frozenset(Role(r) for (r,) in (await connection.execute(_ROLES, {"id": user_id})).all())
            row = {
                "hash": secret_hash(secret), "id": user_id, "now": now, "expires": now + ABSOLUTE_LIMIT,
                "idle": idle_limit_s(roles),
            }  # fmt: skip
            await connection.execute(_FORGET, {"now": now})
            await connection.execute(_FORGET_BUCKETS, {"before": now - FULL_AGAIN})
            await connection.execute(_ADD_SESSION, row)
            found = (await connection.execute(_SESSION, {"hash": row["hash"]})).one_or_none()
        return _live(secret, found) if found else None

    def _buckets(self, digest: bytes, address: str) -> tuple[bytes, bytes]:
        """Return the buckets of an address, and of a login at it."""
        where = hmac.new(self.login_key, b"address\0" + address.encode(), hashlib.sha256).digest()
        return where, hmac.new(self.login_key, b"pair\0" + digest + where, hashlib.sha256).digest()

    async def _give_back(self, digest: bytes, address: str) -> None:
        """Let a sign-in that was right cost nothing: who works at the command line signs in at each act.

        The address pays all the same, so that nobody keeps us busy with passwords that they know.
        """
        _, pair = self._buckets(digest, address)
        rules = {digest: LOGIN_RULE, pair: PAIR_RULE}
        rows = [{"bucket": bucket, "burst": float(rules[bucket].burst)} for bucket in sorted(rules)]
        async with self.engine.begin() as connection:
            await _many(connection, _GIVE_BACK, rows)

    async def _take_tokens(self, digest: bytes, address: str) -> None:
        where, pair = self._buckets(digest, address)
        now = self.real.now()
        rules = {where: ADDRESS_RULE, digest: LOGIN_RULE, pair: PAIR_RULE}
        async with self.engine.begin() as connection:
            # Always in one order, so that two attempts never wait for each other.
            found = {b: await _take(connection, b, rules[b], now) for b in sorted(rules)}
            wait_s = max(wait for _, wait in found.values())
            if not wait_s:
                # A refused attempt takes no token of the others: one place cannot lock a person out everywhere.
                rows = [{"bucket": b, "tokens": state.tokens, "now": state.at} for b, (state, _) in found.items()]
                await _many(connection, _SET_BUCKET, rows)
        if wait_s:
            raise TooManyAttemptsError(wait_s)


async def _take(connection: AsyncConnection, bucket: bytes, rule: BucketRule, now: datetime) -> tuple[Bucket, int]:
    full = {"bucket": bucket, "tokens": float(rule.burst), "now": now}
    row = (await connection.execute(_HOLD_BUCKET, full)).one()
    return take(Bucket(row.tokens, row.at), rule, now)


async def _many(connection: AsyncConnection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(statement, rows)


def _live(secret: str, row: Row[Any]) -> LiveSession:
    places, starts, ends = row.places or [], row.starts or [], row.ends or []
    grants = tuple(
        Grant(place, Period(start, end or FOREVER)) for place, start, end in zip(places, starts, ends, strict=True)
    )
    principal = Principal(row.user_id, frozenset(Role(r) for r in row.roles or []), grants)
    return LiveSession(secret, csrf_token(secret), principal, row.expires_at, row.idle_limit_s, row.display_name)


def _unavailable(error: Exception) -> OpenAmiError:
    return AccountStoreError(f"the account database does not answer: {type(error).__name__}")


_CREDENTIAL = text(
    "select c.user_id, c.password_hash from access.user_account u join access.credential c using (user_id) "
    "where u.login_digest = :digest and u.is_enabled"
)
_SESSION = text(
    "select s.user_id, u.display_name, s.seen_at, s.expires_at, s.idle_limit_s, "
    "(select array_agg(r.role) from access.role_grant r where r.user_id = s.user_id) as roles, "
    "g.places, g.starts, g.ends "
    "from access.session s join access.user_account u using (user_id) left join lateral ("
    "select array_agg(service_point_id order by service_point_id, start_at) as places, "
    "array_agg(start_at order by service_point_id, start_at) as starts, "
    "array_agg(end_at order by service_point_id, start_at) as ends "
    "from access.service_point_grant p where p.user_id = s.user_id) g on true "
    "where s.secret_hash = :hash and u.is_enabled"
)
_TOUCH = text("update access.session set seen_at = greatest(seen_at, :now) where secret_hash = :hash")
_END = text("delete from access.session where secret_hash = :hash")
_END_ALL = text("delete from access.session where user_id = :id")
_FORGET = text("delete from access.session where expires_at <= :now")
_FORGET_BUCKETS = text(
    "delete from access.sign_in_bucket where bucket in "
    "(select bucket from access.sign_in_bucket where at < :before limit 10000 for update skip locked)"
)
_ROLES = text("select role from access.role_grant where user_id = :id")
_ADD_SESSION = text(
    "insert into access.session (secret_hash, user_id, made_at, seen_at, expires_at, idle_limit_s) "
    "values (:hash, :id, :now, :now, :expires, :idle)"
)
_ADD_USER = text(
    "insert into access.user_account (user_id, login_digest, made_at, display_name, human_id) "
    "values (:id, :digest, :now, :shown, :human) "
    "on conflict (login_digest) do nothing"
)
_IDS = text("select user_id, login_digest from access.user_account where login_digest = any(:digests)")
_ADD_ROLE = text(
    "insert into access.role_grant (user_id, role, made_at) values (:id, :role, :now) on conflict do nothing"
)
_SET_PASSWORD = text(
    "insert into access.credential (user_id, password_hash, made_at) values (:id, :hash, :now) "
    "on conflict (user_id) do update set password_hash = excluded.password_hash, made_at = excluded.made_at"
)
_ADD_GRANT = text(
    "insert into access.service_point_grant (user_id, service_point_id, start_at, end_at) "
    "values (:user, :place, :start, :end) "
    "on conflict (user_id, service_point_id, start_at) do update set end_at = excluded.end_at"
)
_END_GRANT = text(
    "update access.service_point_grant set end_at = :at "
    "where service_point_id = :place and start_at < :at and (end_at is null or end_at > :at)"
)
_DISABLE = text("update access.user_account set is_enabled = false where user_id = :id")
# The update changes nothing: it locks the row whether it was there or not.
_HOLD_BUCKET = text(
    "insert into access.sign_in_bucket as b (bucket, tokens, at) values (:bucket, :tokens, :now) "
    "on conflict (bucket) do update set tokens = b.tokens returning tokens, at"
)
_GIVE_BACK = text("update access.sign_in_bucket set tokens = least(:burst, tokens + 1) where bucket = :bucket")
_SET_BUCKET = text("update access.sign_in_bucket set tokens = :tokens, at = :now where bucket = :bucket")
