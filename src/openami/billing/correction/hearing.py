"""Orders of bills that are made again, with what their rate's signals are known now to have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making, held_bill, ruled
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.heard import Heard, heard_of
from openami.billing.signal.statement import SignalBook

_Of = TypeVar("_Of")


async def heard_orders(
    book: SignalBook, making: Making, orders: Sequence[tuple[_Of, BillOrder]]
) -> tuple[list[tuple[_Of, BillOrder]], list[tuple[_Of, Bill]]]:
    """Return orders with their signals, and a held bill for each of which something is not known.

    Args:
        book: statements.
        making: the rate and zone of all.
        orders: each with what it is of.
    """
    known: dict[BillSpan, Heard] = {}
    heard: list[tuple[_Of, BillOrder]] = []
    deaf: list[tuple[_Of, Bill]] = []
    for of, order in orders:
        if order.span not in known:
            known[order.span] = await heard_of(book, making.schedule, order.span, making.zone)
        one = known[order.span]
        if one.lacks:
            deaf.append((of, held_bill(making, order, HoldCode.SIGNAL_NOT_KNOWN, one.lacks)))
        else:
            heard.append((of, replace(order, terms=ruled(one.into(order.terms), making, order.span))))
    return heard, deaf
