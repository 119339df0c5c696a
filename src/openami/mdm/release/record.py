"""A release as it is kept: what left, to whom, and who was in it. Values only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.release.guard import Part, Released
from openami.mdm.usage.aggregate import Grain


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One release.

    Args:
        id: random.
        group: what the group is called.
        preset, floor: the rule it was judged by.
        channel, grain, first, last: what was asked; days both included.
        period: the same as instants.
        customers: who is in the total.
        recipient, reason: to whom and what for, in words.
        made_by: who released it.
        known_at: domain time up to which what was known counts.
        real_at: when.
        result: the figures as they left.
        parts: which places are in the total when, and whose they were; empty in records that kept customers alone.
    """

    id: UUID
    group: str
    preset: str
    floor: int
    channel: Channel
    grain: Grain
    first: date
    last: date
    period: Period
    customers: frozenset[UUID]
    recipient: str
    reason: str
    made_by: UUID
    known_at: datetime
    real_at: datetime
    result: dict[str, Any]
    parts: frozenset[Part] = frozenset()

    def answers(self, asked: ReleaseRecord) -> bool:
        """Tell whether this is what is asked for again: the same places of the same customers, cut the same way."""
        mine, theirs = (
            (r.customers, r.channel, r.grain, r.first, r.last, r.parts if self.parts else None) for r in (self, asked)
        )
        return mine == theirs

    def as_released(self) -> Released:
        """Return what the guard sees of it."""
        return Released(self.customers, self.period, self.floor, self.parts)


class ReleaseBook(Protocol):
    """Where releases are kept. One at a time is judged, so that two cannot pass beside one another."""

    async def judged(self, period: Period, judge: Callable[[Sequence[ReleaseRecord]], ReleaseRecord]) -> ReleaseRecord:
        """Give ``judge`` every release that overlaps the period and keep what it returns, unless it is one of them.

        What ``judge`` raises passes through, and nothing is kept. It is called with the book locked, so it does no I/O.
        """
        ...

    async def overlapping(self, period: Period) -> list[ReleaseRecord]:
        """Return releases that overlap the period, the oldest first."""
        ...

    async def releases(self, *, limit: int) -> list[ReleaseRecord]:
        """Return releases, the newest first."""
        ...
