"""Standing facts that people order: the gateway's thresholds, and what it lets go of what it keeps.

The desk's tables are not believed: an order counts with the approvals of two different people for exactly what it is,
in its window, and with the items whose digest they approved. Of several good orders of thresholds the one with the
highest version holds. When an order's window is over its thresholds stay in force; a release ends with its order.

Source: requirements R3.4 (two people), R3.6 (signed, versioned thresholds; release of what is kept by two people).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import structlog

from openami.contracts.directive import DirectiveKind
from openami.contracts.directive_body import Released
from openami.contracts.errors import ContractError
from openami.contracts.release_item import released_by
from openami.contracts.threshold import Thresholds, decode_thresholds
from openami.headend.command.ports import CommandUnavailableError
from openami.security.access.order import (
    Order,
    OrderBook,
    OrderKind,
    OrdersUnavailableError,
    digest_of_items,
    good_approvals,
)

_log = structlog.get_logger("openami.command")


class OrderedThresholds:
    """The thresholds of the newest good order.

    Args:
        book: orders and what people said of them.
        real_now: the host's clock.
    """

    kind = DirectiveKind.THRESHOLDS

    def __init__(self, book: OrderBook, real_now: Callable[[], datetime]) -> None:
        self._book, self._real_now = book, real_now

    async def bodies(self) -> Mapping[int, bytes]:
        """Return the body that should be in force; none where nobody orders one now."""
        found: list[tuple[int, datetime, bytes]] = []
        for order, items in await _good_orders(self._book, OrderKind.THRESHOLDS, self._real_now()):
            thresholds = _thresholds_of(order, items)
            if thresholds is not None:
                found.append((thresholds.version, order.made_at, thresholds.encode()))
        return {0: max(found)[2]} if found else {}


class OrderedReleases:
    """Everything that good orders release now.

    Args:
        book: orders and what people said of them.
        real_now: the host's clock.
    """

    kind = DirectiveKind.RELEASE

    def __init__(self, book: OrderBook, real_now: Callable[[], datetime]) -> None:
        self._book, self._real_now = book, real_now

    async def bodies(self) -> Mapping[int, bytes]:
        """Return what is released, which may be nothing."""
        frames: set[bytes] = set()
        commands: set[UUID] = set()
        for order, items in await _good_orders(self._book, OrderKind.RELEASE, self._real_now()):
            try:
                released = released_by(items)
            except ContractError as error:
                _log.warning("order_unreadable", order=str(order.subject.order_id), problem=str(error))
                continue
            frames |= released.frames
            commands |= released.commands
        return {0: Released(frozenset(frames), frozenset(commands)).encode()}


def thresholds_item(document: bytes) -> bytes:
    """Return the one item of an order of thresholds: the SHA-256 of its document."""
    return sha256(document).digest()


def _thresholds_of(order: Order, items: list[bytes]) -> Thresholds | None:
    if items != [thresholds_item(order.document)]:
        _log.warning("order_changed", order=str(order.subject.order_id), kind="thresholds")
        return None
    try:
        return decode_thresholds(order.document)
    except ContractError as error:
        _log.warning("order_unreadable", order=str(order.subject.order_id), problem=str(error))
        return None


async def _good_orders(book: OrderBook, kind: OrderKind, now: datetime) -> list[tuple[Order, list[bytes]]]:
    """Return good orders with their items, where those are the ones that were approved."""
    try:
        orders = [o for o in await book.standing(kind, now=now) if good_approvals(o, now=now)]
        found = [(order, list(await book.items(order.subject.order_id))) for order in orders]
    except OrdersUnavailableError as error:
        raise CommandUnavailableError(str(error)) from error
    good = []
    for order, items in found:
        if digest_of_items(items) == order.subject.items_digest:
            good.append((order, items))
        else:
            _log.warning("order_changed", order=str(order.subject.order_id), kind=kind.value)
    return good
