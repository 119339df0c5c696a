"""Server-side sessions: an opaque secret in the cookie, only its hash in the table, limits in real time. Pure.

The token against cross-site requests is derived from the secret, so it needs no storage and dies with the session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from openami.security.access.role import STAFF_ROLES, Role

SECRET_OCTETS = 32
ABSOLUTE_LIMIT = timedelta(hours=12)
STAFF_IDLE_S = 15 * 60
CUSTOMER_IDLE_S = 60 * 60
TOUCH_EVERY = timedelta(seconds=30)
"""Activity is noted at most this often, so that a page of ten requests writes once."""


def secret_text(octets: bytes) -> str:
    """Return a new session's secret as cookie text.

    Args:
        octets: :data:`SECRET_OCTETS` random octets.
    """
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def secret_hash(secret: str) -> bytes:
    """Return what the table keeps of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_token(secret: str) -> str:
    """Return the token that unsafe requests carry."""
    digest = hmac.new(secret.encode(), b"openami csrf v1", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def idle_limit_s(roles: frozenset[Role]) -> int:
    """Return how long a session may rest [s]: shorter for staff, whose screens show many."""
    return STAFF_IDLE_S if roles & STAFF_ROLES else CUSTOMER_IDLE_S


def is_live(*, seen_at: datetime, expires_at: datetime, idle_s: int, now: datetime) -> bool:
    """Tell whether a session still holds at this instant of real time.

    >>> from datetime import UTC
    >>> t = datetime(2026, 1, 1, tzinfo=UTC)
    >>> is_live(seen_at=t, expires_at=t + ABSOLUTE_LIMIT, idle_s=900, now=t + timedelta(seconds=900))
    False
    """
    return now < expires_at and now - seen_at < timedelta(seconds=idle_s)
