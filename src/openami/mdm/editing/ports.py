"""Port of the book in which decisions are kept for ever."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from openami.kernel.time import Period
from openami.mdm.editing.decision import Decision
from openami.mdm.registry.records import Affected


class DecisionState(StrEnum):
    """How a decision stands."""

    WAITING = "waiting"
    """A second person must approve it: no run obeys it yet."""
    IN_FORCE = "in_force"
    UNDOING = "undoing"
    """In force; undoing it waits for a second person."""
    UNDONE = "undone"
    WITHDRAWN = "withdrawn"
    """Taken back before anybody approved it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a preview said that a decision would do, kept with it. Energy is of delivered and received together.

    Args:
        service_points, days: how many places, and channel days of them, would get another version.
        up_wh, down_wh: by how much totals of places over the whole span rise, and fall [Wh].
        most_wh: the largest change of one place's total of one channel [Wh].
        moved_wh: energy that changes its interval [Wh].
        places_changed: places whose total changes by more than the noise that the limits name.
        settled: findings that would close.
        raised: findings that would open.
    """

    service_points: int = 0
    days: int = 0
    up_wh: int = 0
    down_wh: int = 0
    most_wh: int = 0
    moved_wh: int = 0
    places_changed: int = 0
    settled: int = 0
    raised: int = 0


@dataclass(frozen=True, slots=True)
class DecisionHead:
    """A decision as a list shows it: without the values of its spans.

    Args:
        decision: its first spans only.
        state: how it stands.
        spans: how many spans it has.
        effect: what its preview said.
        order_id: the order that a second person approves, or None.
        undo_order_id: likewise for undoing it.
    """

    decision: Decision
    state: DecisionState
    spans: int
    effect: Effect
    order_id: UUID | None = None
    undo_order_id: UUID | None = None


class DecisionBook(Protocol):
    """Decisions and what became of them. Nothing is altered or deleted.

    Making, approving and undoing put the local days concerned on validation's queue in the same transaction, so there
    is no moment at which a decision is in force and its days are not asked for.
    """

    async def keep(
        self, decision: Decision, effect: Effect, affected: Sequence[Affected], *, order_id: UUID | None, real: datetime
    ) -> None:
        """Keep a decision: in force at once without an order, waiting for its approval with one.

        Args:
            decision: what was decided.
            effect: what its preview said.
            affected: the local days that it touches.
            order_id: of the order that must be approved.
            real: real time.

        Raises:
            DecisionRefusedError: there is a decision of this id, or a service point that is not registered.
        """
        ...

    async def approved(self, decision_id: UUID, *, by: UUID, at: datetime, real: datetime) -> bool:
        """Note that a second person approved: a waiting decision is in force. False where it did not wait."""
        ...

    async def withdrawn(self, decision_id: UUID, *, by: UUID, at: datetime, real: datetime) -> bool:
        """Note that a waiting decision is taken back. False where it did not wait."""
        ...

    async def ask_undo(
        self, decision_id: UUID, *, by: UUID, reason: str, order_id: UUID, at: datetime, real: datetime
    ) -> bool:
        """Note that undoing waits for a second person. False where the decision is not in force."""
        ...

    async def undone(self, decision_id: UUID, *, by: UUID, reason: str, at: datetime, real: datetime) -> bool:
        """Note that a decision in force is undone. False where it is not in force."""
        ...

    async def places(self, service_points: Collection[UUID] | None, period: Period) -> frozenset[UUID]:
        """Return the service points with a decision in force that touches the period; of all for None."""
        ...

    async def in_force(self, service_points: Collection[UUID], period: Period) -> list[Decision]:
        """Return decisions in force that touch the period, oldest first, with their spans at these places alone."""
        ...

    async def alone(
        self, by: UUID, service_points: Collection[UUID], *, place_since: datetime, since: datetime
    ) -> Effect:
        """Return what one person has brought into force, or undone, without a second.

        Args:
            by: the account.
            service_points: the places whose changes ``most_wh`` adds up: at most what they changed by.
            place_since: from when, in domain time, those count.
            since: from when everything else counts.
        """
        ...

    async def head(self, decision_id: UUID) -> DecisionHead:
        """Return one decision.

        Raises:
            DecisionRefusedError: there is none.
        """
        ...

    async def heads(
        self, service_points: Collection[UUID] | None = None, *, state: DecisionState | None = None, limit: int = 200
    ) -> list[DecisionHead]:
        """Return decisions, newest first."""
        ...

    async def whole(self, decision_id: UUID) -> Decision:
        """Return one decision with all of its spans.

        Raises:
            DecisionRefusedError: there is none.
        """
        ...
