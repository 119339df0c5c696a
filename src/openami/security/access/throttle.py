"""Limits on sign-in: token buckets by login, by address and by both. Pure; the adapter keeps the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from openami.kernel.errors import OpenAmiError


class TooManyAttemptsError(OpenAmiError):
    """Sign-in was tried too often; ``retry_after_s`` says how long to wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many sign-in attempts: wait {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class BucketRule:
    """A bucket of ``burst`` tokens that gains one every ``refill_s`` seconds."""

    burst: int
    refill_s: float


PAIR_RULE = BucketRule(burst=8, refill_s=15.0)
"""One person at one place who mistypes."""
LOGIN_RULE = BucketRule(burst=40, refill_s=15.0)
"""Many places that guess at one account."""
ADDRESS_RULE = BucketRule(burst=120, refill_s=0.5)
"""One place that guesses at many accounts; an office behind one address stays below."""
FULL_AGAIN = timedelta(seconds=max(r.burst * r.refill_s for r in (PAIR_RULE, LOGIN_RULE, ADDRESS_RULE)))
"""A bucket that has rested for so long is as good as none: whoever keeps it may forget it."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """State of one bucket: tokens left at an instant of real time."""

    tokens: float
    at: datetime


def take(bucket: Bucket | None, rule: BucketRule, now: datetime) -> tuple[Bucket, int]:
    """Take one token.

    Returns:
        The new state, and 0 if a token was there, else the seconds until there is one.

    >>> from datetime import UTC
    >>> t = datetime(2026, 1, 1, tzinfo=UTC)
    >>> take(Bucket(0.5, t), BucketRule(8, 10.0), t)[1]
    5
    """
    tokens = float(rule.burst)
    if bucket is not None:
        gained = max(0.0, (now - bucket.at).total_seconds()) / rule.refill_s
        tokens = min(float(rule.burst), bucket.tokens + gained)
    if tokens >= 1.0:
        return Bucket(tokens - 1.0, now), 0
    return Bucket(tokens, now), max(1, math.ceil((1.0 - tokens) * rule.refill_s))
