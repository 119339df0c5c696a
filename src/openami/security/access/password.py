"""Passwords: argon2id, and as much work for an unknown login as for a wrong password.

Source: OWASP password storage; RFC 9106. 19 MiB, two passes, one lane: about 32 ms on the reference machine. The cap on
hashes at one time bounds memory: a flood of sign-ins waits instead of filling the machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MAX_HASHES_AT_ONCE = 2
MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_CHARACTERS = 1024


def normalized_login(login: str) -> str:
    """Return the login as it is compared: the same person types it in many ways.

    >>> normalized_login("  Ada@Example.ORG ")
    'ada@example.org'
    """
    return unicodedata.normalize("NFKC", login).strip().casefold()


def login_digest(login: str, *, key: bytes) -> bytes:
    """Return the keyed digest that names an account: without the key the table tells nobody's address."""
    return hmac.new(key, b"login\0" + normalized_login(login).encode(), hashlib.sha256).digest()


@dataclass(slots=True)
class PasswordBook:
    """Hashes and verifies, at most :data:`MAX_HASHES_AT_ONCE` at a time."""

    hasher: PasswordHasher = field(
        default_factory=lambda: PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    )
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_HASHES_AT_ONCE))
    _nobody: str | None = None

    async def hashed(self, password: str) -> str:
        """Return the argon2id string of a password."""
        async with self._turns:
            return await asyncio.to_thread(self.hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is the stored one. None, for an unknown login, takes as long and is always no."""
        if self._nobody is None:
            self._nobody = await self.hashed("nobody has this password")
        async with self._turns:
            is_right = await asyncio.to_thread(self._verify, stored or self._nobody, password)
        return is_right and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self.hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
