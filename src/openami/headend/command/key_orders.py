"""Orders of people to change keys, as what a change rests on: of named meters, or a standing one for all that are due.

A standing order has no items. It says that keys may change by themselves, where a rule asks for it, and is given anew
once a year by two people. The head-end decides which meters are due; it can bring nothing by it but new keys for a
meter of ours, made here.

Source: requirement R3.4 (two people for key changes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from openami.headend.command.ports import CommandUnavailableError, Warrant
from openami.kernel.ids import SystemTitle
from openami.security.access.order import (
    Order,
    OrderBook,
    OrderKind,
    OrdersUnavailableError,
    digest_of_items,
    good_approvals,
)

EVERY_METER = "change keys of every meter as they become due"
NAMED_METERS = "change keys of the meters named"
"""Actions of an order of this kind; any other one lets nothing pass here."""
BOOK_S = 1.0
"""Real time for which the orders that were read last are good: a withdrawn one stops within it."""
AGAIN_S = 0.1
"""The same where no order was found: refusals come often while nobody has ordered anything."""
MAX_ORDERS = 64
"""Orders whose meters are held."""


@dataclass(frozen=True, slots=True)
class _Good:
    warrant: Warrant
    titles: frozenset[bytes] | None


class KeyOrders:
    """:class:`openami.headend.command.rekey.KeyWarrants`.

    Args:
        book: what people ordered and approved.
        real_now: the host's clock; windows are real time.
    """

    def __init__(self, book: OrderBook, real_now: Callable[[], datetime]) -> None:
        self._book, self._real_now = book, real_now
        self._read: tuple[datetime, tuple[_Good, ...]] | None = None
        self._items: dict[UUID, frozenset[bytes] | None] = {}

    async def warrant(self, title: SystemTitle) -> Warrant | None:
        """Return the order that a change of this meter's keys rests on now; None where there is none."""
        found = self._found(title, await self._good(BOOK_S))
        # Whoever asks may have read an order that was made since.
        return found or self._found(title, await self._good(AGAIN_S))

    def _found(self, title: SystemTitle, goods: tuple[_Good, ...]) -> Warrant | None:
        found = None
        for good in goods:
            if good.titles is None:
                found = found or good.warrant
            elif title.octets in good.titles:
                # What names the meter says more than what is for all.
                return good.warrant
        return found

    async def scope(self) -> frozenset[bytes] | None:
        """Return the titles whose keys may change now; None where those of every meter may.

        Raises:
            CommandUnavailableError: the orders cannot be read.
        """
        named: set[bytes] = set()
        for good in await self._good(BOOK_S):
            if good.titles is None:
                return None
            named |= good.titles
        return frozenset(named)

    async def _good(self, old_s: float) -> tuple[_Good, ...]:
        """Return what is good; what was read longer ago than ``old_s`` is read again."""
        now = self._real_now()
        if self._read is None or abs((now - self._read[0]).total_seconds()) >= old_s:
            try:
                orders = await self._book.standing(OrderKind.KEYS, now=now)
                found = [good for order in orders if (good := await self._judged(order, now)) is not None]
            except OrdersUnavailableError as error:
                raise CommandUnavailableError(str(error)) from error
            self._read = now, tuple(found)
        return self._read[1]

    async def _judged(self, order: Order, now: datetime) -> _Good | None:
        subject = order.subject
        approvals = good_approvals(order, now=now)
        if not approvals or subject.action not in {EVERY_METER, NAMED_METERS}:
            return None
        titles = None
        if subject.action == EVERY_METER:
            if subject.items_digest != digest_of_items([]):
                return None
        else:
            titles = await self._titles(order)
            if titles is None:
                return None
        return _Good(Warrant(approvals, subject.order_id, order.requester), titles)

    async def _titles(self, order: Order) -> frozenset[bytes] | None:
        """Return the meters of an order; None where they are not those that were approved."""
        order_id = order.subject.order_id
        if order_id not in self._items:
            items = await self._book.items(order_id)
            fits = digest_of_items(items) == order.subject.items_digest
            while len(self._items) >= MAX_ORDERS:
                self._items.pop(next(iter(self._items)))
            self._items[order_id] = frozenset(items) if fits else None
        return self._items[order_id]
