"""The meters of a switching order, believed once they are exactly what was approved, and what was signed.

The tables are believed by nobody: the items must have the digest that people approved, and where a customer
information system ordered it, they must be its signed list, all of it and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from openami.headend.switching.list_file import OrderList, read_list
from openami.headend.switching.order import SwitchItem, SwitchOrderError, SwitchSubject, decode_item
from openami.kernel.ids import SystemTitle
from openami.security.access.order import Order, OrderBook, digest_of_items

MAX_ORDERS_HELD = 64
Items = Mapping[bytes, SwitchItem]
"""Items by system title, 8 octets."""


class OrderItems:
    """Items of orders.

    Args:
        book: orders.
        list_keys: gives the public keys that may sign lists now.
    """

    def __init__(self, book: OrderBook, list_keys: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        self._book, self._list_keys = book, list_keys
        self._held: OrderedDict[tuple[UUID, bytes, tuple[bytes, ...]], Items] = OrderedDict()

    async def of(self, order: Order, subject: SwitchSubject) -> Items | None:
        """Return the items of an order by title; None where they are not what was approved.

        What is not believed is looked at anew each time: whoever mends it shall not have to wait.

        Raises:
            OrdersUnavailableError: the tables do not answer.
        """
        # A key that may sign no more voids what it has signed, also what was believed before.
        keys = tuple(await self._list_keys()) if order.document else ()
        key = order.subject.order_id, order.subject.digest(), keys
        held = self._held.get(key)
        if held is None:
            held = _believed(order, subject, await self._book.items(order.subject.order_id), keys)
            if held is None:
                return None
            self._held[key] = held
            while len(self._held) > MAX_ORDERS_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return held

    async def names(self, order: Order, title: SystemTitle) -> bool:
        """Tell whether the tables, believed or not, name a meter. Raises OrdersUnavailableError."""
        items = await self._book.items(order.subject.order_id)
        return any(octets.startswith(title.octets) for octets in items)

    def forget(self) -> None:
        """Believe nothing any more."""
        self._held.clear()


def _believed(order: Order, subject: SwitchSubject, octets: Sequence[bytes], keys: Sequence[bytes]) -> Items | None:
    if digest_of_items(octets) != order.subject.items_digest:
        return None
    try:
        items = {item.title.octets: item for item in map(decode_item, octets)}
        if len(items) != len(octets):
            return None
        if not subject.needs_list and not order.document:
            return items
        is_list = _is_of(read_list(order.document, public_keys=keys), order, subject, items)
    except SwitchOrderError:
        return None
    return items if is_list else None


def _is_of(signed: OrderList, order: Order, subject: SwitchSubject, items: Items) -> bool:
    """Tell whether an order is a signed list, all of it and nothing else. Its id is the list's: a list serves once."""
    return (
        (signed.list_id, signed.subject) == (order.subject.order_id, subject)
        and signed.window.intersection(order.subject.window) == order.subject.window
        and dict(signed.places) == {item.title: item.service_point_id for item in items.values()}
    )
