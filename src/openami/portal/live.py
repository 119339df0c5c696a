"""Live events to browsers: the room's announcements in, bounded queues out.

One hub per web process. A slow browser loses its oldest events and is told so (``lagged``); nobody else waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

QUEUE_EVENTS = 100
"""A browser that is this far behind has lost interest, or its line."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event: its name and JSON-ready data that carry no identity."""

    name: str
    data: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Subscription:
    """One browser's queue. ``service_points`` None means staff: counts instead of readings."""

    service_points: frozenset[UUID] | None
    queue: asyncio.Queue[LiveEvent] = field(default_factory=lambda: asyncio.Queue(QUEUE_EVENTS))
    lagged: bool = False

    def put(self, event: LiveEvent) -> None:
        """Queue the event; when full, drop the oldest."""
        if self.queue.full():
            self.queue.get_nowait()
            self.lagged = True
        self.queue.put_nowait(event)


@dataclass(slots=True, eq=False)
class LiveHub:
    """Fan-out of what changed."""

    subscriptions: set[Subscription] = field(default_factory=set)
    readings: int = 0
    newest_end_s: int | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def subscribe(self, service_points: frozenset[UUID] | None) -> AsyncIterator[Subscription]:
        """Yield a queue of events until the browser leaves."""
        subscription = Subscription(service_points)
        self.subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self.subscriptions.discard(subscription)

    def readings_arrived(
        self, *, service_points: frozenset[UUID] | None, meters: int, newest_end_s: int | None
    ) -> None:
        """Tell customers that their own readings changed and staff how many meters spoke.

        Args:
            service_points: places whose readings arrived; None when too many to name, so everybody looks again.
            meters: how many meters spoke.
            newest_end_s: end of the newest interval, epoch seconds, where known.
        """
        self.readings += meters
        self.newest_end_s = max(filter(None, (self.newest_end_s, newest_end_s)), default=None)
        counts = LiveEvent("staff", {"meters": meters, "meters_total": self.readings, "newest_end": newest_end_s})
        for subscription in self.subscriptions:
            if subscription.service_points is None:
                subscription.put(counts)
                continue
            mine = subscription.service_points
            for one in mine if service_points is None else mine & service_points:
                subscription.put(LiveEvent("reading", {"service_point_id": str(one), "newest_end": newest_end_s}))

    def announce(self, event: LiveEvent) -> None:
        """Tell everybody."""
        for subscription in self.subscriptions:
            subscription.put(event)

    def close(self) -> None:
        """End every stream: the process stops."""
        self.closed.set()
        for subscription in self.subscriptions:
            subscription.put(LiveEvent("closing", {}))
