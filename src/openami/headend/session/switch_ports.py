"""What carrying out switching orders asks of the world around it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.headend.keeping.budget import CellBudget
from openami.headend.ports import Sealing
from openami.headend.profiles import MeterProfile
from openami.headend.session.session import Sessions
from openami.headend.state_ports import Lease
from openami.headend.switching.life import SwitchTurn
from openami.headend.switching.order import SwitchSubject
from openami.kernel.ids import SystemTitle
from openami.security.access.order import Order, OrderBook


class SwitchStore(Protocol):
    """Where each meter of an order stands, so that whoever owns a group next goes on where the last owner stood.

    Every method raises :class:`openami.headend.ports.StateUnavailableError` when the database cannot be reached.
    """

    async def adopted(self, orders: Collection[UUID], partitions: frozenset[int]) -> set[UUID]:
        """Return those of the orders that have meters of these partitions in the tables."""
        ...

    async def adopt(self, lease: Lease, turns: Sequence[SwitchTurn]) -> None:
        """Keep new meters of orders; those that are kept already stay as they are.

        Raises:
            LostLeaseError: the fence is not this lease's any more; nothing was written.
        """
        ...

    async def due(self, partitions: frozenset[int], *, now_s: float, limit: int) -> list[SwitchTurn]:
        """Return meters that have not ended and whose turn it is, the longest due first."""
        ...

    async def strays(self, partitions: frozenset[int], standing: Collection[UUID]) -> list[SwitchTurn]:
        """Return meters that have not ended, of orders that are none of these."""
        ...

    async def keep(self, lease: Lease, turn: SwitchTurn) -> None:
        """Keep where a meter stands. One that has ended stays ended.

        Raises:
            LostLeaseError: the fence is not this lease's any more; nothing was written.
        """
        ...


class SwitchLog(Protocol):
    """Where it is written down what came of each meter, and where people are called.

    Raises :class:`openami.headend.ports.StateUnavailableError` where it cannot be written: then the end is not kept
    either, and the meter is asked again.
    """

    async def ended(self, turn: SwitchTurn, subject: SwitchSubject | None) -> None:
        """Write down how a meter of an order ended."""
        ...


class SwitchOrderBook(OrderBook, Protocol):
    """Orders, those that stand no more included. Raises as :class:`~openami.security.access.order.OrderBook`."""

    async def order(self, order_id: UUID) -> Order:
        """Return one order.

        Raises:
            OrderRefusedError: there is none of this id.
        """
        ...


@dataclass(frozen=True, slots=True)
class SwitchEngines:
    """What a group's owner needs to carry out orders, beside what asking has.

    Args:
        book: orders and approvals.
        store: where each meter stands.
        log: what came of it.
        sealing: is asked whether a step may go, before any air is used for it.
    """

    book: SwitchOrderBook
    store: SwitchStore
    log: SwitchLog
    sealing: Sealing


@dataclass(frozen=True, slots=True)
class SwitchWay:
    """How a group's owner speaks to its meters.

    Args:
        sessions: shared with everything else that is asked.
        profile_of: a meter's profile; None where it has no keys.
        budget_of: the air, and the number of a meter's cell.
        dice: spreads turns.
        real_now: the host's clock.
    """

    sessions: Sessions
    profile_of: Callable[[SystemTitle], MeterProfile | None]
    budget_of: Callable[[SystemTitle], tuple[CellBudget, int]]
    dice: Callable[[], float]
    real_now: Callable[[], datetime]
