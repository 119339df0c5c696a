"""Turns for answers that take long to make: papers, proofs, comparisons. Nobody in a loop keeps others waiting.

A process makes few of them at once, each person has few on the way, and whoever asks without end gets as many as a
person reads. Kept in the process: a restart forgets it, and it guards no secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import Depends, Request

from openami.kernel.clock import Clock
from openami.portal.door import SessionOf, ports_of
from openami.portal.problem import ProblemError, waiting_words
from openami.security.access.throttle import Bucket, BucketRule, take

AT_ONCE = 2
"""Answers that a process makes at the same time; each works in a thread of its own."""
EACH = 3
"""Answers of one person on the way: one that is made, and two that a page asked for beside it."""
PACE = BucketRule(burst=40, refill_s=1.5)
"""Of one person: a dozen bills looked through at once, then one look in a second and a half."""
MOST_KEPT = 10_000


class Turns:
    """Gives turns.

    Args:
        real: real time.
    """

    def __init__(self, real: Clock) -> None:
        self._real = real
        self._free = asyncio.Semaphore(AT_ONCE)
        self._on_the_way: dict[UUID, int] = {}
        self._buckets: dict[UUID, Bucket] = {}

    @asynccontextmanager
    async def turn(self, user_id: UUID) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            ProblemError: 429, this person has asked for too much at once, or too often.
        """
        if self._on_the_way.get(user_id, 0) >= EACH:
            raise _too_many(5)
        if wait_s := self._paced(user_id):
            raise _too_many(wait_s)
        self._on_the_way[user_id] = self._on_the_way.get(user_id, 0) + 1
        try:
            async with self._free:
                yield
        finally:
            self._on_the_way[user_id] -= 1
            if not self._on_the_way[user_id]:
                del self._on_the_way[user_id]

    def _paced(self, user_id: UUID) -> int:
        if len(self._buckets) >= MOST_KEPT:
            self._buckets.clear()
        bucket, wait_s = take(self._buckets.get(user_id), PACE, self._real.now())
        self._buckets[user_id] = bucket
        return wait_s


async def long_turn(request: Request, session: SessionOf) -> AsyncIterator[None]:
    """Hold a turn for the length of a request."""
    turns: Turns | None = getattr(request.app.state, "turns", None)
    if turns is None:
        turns = request.app.state.turns = Turns(ports_of(request).real)
    async with turns.turn(session.principal.user_id):
        yield


LONG = [Depends(long_turn)]
"""What a route says that takes long."""


def _too_many(wait_s: int) -> ProblemError:
    headers = {"Retry-After": str(wait_s)}
    return ProblemError(
        429,
        "too_many_requests",
        "You have asked for a lot at once.",
        f"Nothing is lost. Wait {waiting_words(wait_s)}, then ask again.",
        headers=headers,
    )
