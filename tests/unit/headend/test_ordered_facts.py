"""Thresholds and releases come into force by two people's exact word and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from openami.contracts.directive_body import decode_released
from openami.contracts.release_item import command_item, frame_item
from openami.contracts.threshold import BUILT_IN, Thresholds, decode_thresholds
from openami.headend.command.ordered_facts import OrderedReleases, OrderedThresholds, thresholds_item
from openami.headend.command.ports import CommandUnavailableError
from openami.kernel.time import Period
from openami.security.access.order import (
    Order,
    OrderApproval,
    OrderBook,
    OrderKind,
    OrderSubject,
    OrdersUnavailableError,
    digest_of_items,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def order(
    number: int, kind: OrderKind, items: Sequence[bytes], *, document: bytes = b"", people: Sequence[int] = (1, 2)
) -> tuple[Order, Sequence[bytes]]:
    window = Period(NOW - 10 * MINUTE, NOW + 10 * MINUTE)
    subject = OrderSubject(UUID(int=number), kind, "as listed", "", digest_of_items(items), window)
    approvals = tuple(
        OrderApproval(
            UUID(int=100 + place), subject.order_id, subject.digest(), UUID(int=who), UUID(int=who), NOW - MINUTE
        )
        for place, who in enumerate(people)
    )
    made = Order(subject, UUID(int=1), NOW - MINUTE, len(items), approvals, document=document)
    return made, items


def of_thresholds(number: int, version: int, **changes: object) -> tuple[Order, Sequence[bytes]]:
    document = replace(BUILT_IN, version=version).encode()
    made, items = order(number, OrderKind.THRESHOLDS, [thresholds_item(document)], document=document)
    return replace(made, **changes), items  # type: ignore[arg-type]  # fields of the test's own making


@dataclass
class Book:
    orders: list[tuple[Order, Sequence[bytes]]] = field(default_factory=list)
    is_away: bool = False

    async def standing(self, kind: OrderKind, *, now: datetime) -> list[Order]:
        if self.is_away:
            raise OrdersUnavailableError("away")
        return [o for o, _ in self.orders if o.subject.kind is kind]

    async def items(self, order_id: UUID) -> Sequence[bytes]:
        return next(items for o, items in self.orders if o.subject.order_id == order_id)

    async def thresholds(self, *, at: datetime = NOW) -> Thresholds | None:
        book: OrderBook = self  # type: ignore[assignment]  # only what a fact asks
        bodies = await OrderedThresholds(book, lambda: at).bodies()
        return decode_thresholds(bodies[0]) if bodies else None

    async def released(self) -> tuple[frozenset[bytes], frozenset[UUID]]:
        book: OrderBook = self  # type: ignore[assignment]  # only what a fact asks
        found = decode_released((await OrderedReleases(book, lambda: NOW).bodies())[0])
        return found.frames, found.commands


async def test_the_highest_version_of_good_orders_holds() -> None:
    found = await Book([of_thresholds(1, 3), of_thresholds(2, 9), of_thresholds(3, 4)]).thresholds()
    assert found is not None
    assert found.version == 9


async def test_where_nobody_orders_thresholds_those_in_force_stay() -> None:
    assert await Book().thresholds() is None
    assert await Book([of_thresholds(1, 3)]).thresholds(at=NOW + 11 * MINUTE) is None


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(of_thresholds(1, 3, approvals=of_thresholds(1, 3)[0].approvals[:1]), id="A16 one person"),
        pytest.param(
            order(1, OrderKind.THRESHOLDS, [thresholds_item(b"{}")], document=b"{}", people=[1, 1]),
            id="A16 one person twice",
        ),
        pytest.param(of_thresholds(1, 3, document=b"{}"), id="A16 another document than was approved"),
        pytest.param(
            (of_thresholds(1, 3)[0], [thresholds_item(b"{}")]), id="A16 another item than was approved"
        ),
        pytest.param(
            order(1, OrderKind.THRESHOLDS, [thresholds_item(b"{"), b"more"], document=b"{"), id="two items"
        ),
        pytest.param(order(1, OrderKind.THRESHOLDS, [thresholds_item(b"{")], document=b"{"), id="a document of none"),
        pytest.param(of_thresholds(1, 3, withdrawn_at=NOW), id="withdrawn"),
    ],
)  # fmt: skip
async def test_thresholds_that_two_people_have_not_approved_are_not_told(made: tuple[Order, Sequence[bytes]]) -> None:
    assert await Book([made]).thresholds() is None


async def test_all_that_good_orders_release_is_released_and_the_rest_is_not() -> None:
    book = Book(
        [
            order(1, OrderKind.RELEASE, [command_item(UUID(int=7)), frame_item(bytes(16))]),
            order(2, OrderKind.RELEASE, [command_item(UUID(int=8))]),
            order(3, OrderKind.RELEASE, [command_item(UUID(int=9))], people=[1]),
            order(4, OrderKind.RELEASE, [b"\3" + bytes(16)]),
        ]
    )
    assert await book.released() == (frozenset([bytes(16)]), frozenset([UUID(int=7), UUID(int=8)]))
    assert await Book().released() == (frozenset(), frozenset())


async def test_orders_that_cannot_be_read_change_nothing() -> None:
    book = Book(is_away=True)
    with pytest.raises(CommandUnavailableError):
        await book.thresholds()
    with pytest.raises(CommandUnavailableError):
        await book.released()
