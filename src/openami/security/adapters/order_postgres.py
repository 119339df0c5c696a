"""Orders, their items and approvals in PostgreSQL, schema ``access``: made, approved, withdrawn, never changed.

What a person approves is written here under the desk's role alone. The roles of the head-end and the command process
read it; the command process also notes which items have served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.kernel.time import Period
from openami.security.access.order import (
    MAX_ITEM_OCTETS,
    MAX_ITEMS,
    Order,
    OrderApproval,
    OrderKind,
    OrderRefusedError,
    OrderSubject,
    OrdersUnavailableError,
    digest_of_items,
)
from openami.security.access.row import RowSettings, seen_as

_DESK = RowSettings("approval_desk")
MAX_STANDING = 1_000
"""Orders whose window is open at once."""
MAX_SHOWN = 1_000
_FIELDS = """
    select order_id, kind, action, reason, items_digest, item_count, from_at, to_at, requester, made_at, withdrawn_at,
           document from access.work_order
"""
_STANDING = text(
    _FIELDS + " where kind = :kind and withdrawn_at is null and from_at <= :now and :now < to_at "
    "order by made_at, order_id limit :most"
)
_NEWEST = text(_FIELDS + " where kind = :kind order by made_at desc, order_id limit :most")
_ONE = text(_FIELDS + " where order_id = :order_id")
_APPROVALS = text("""
    select approval_id, order_id, subject_digest, user_id, human_id, made_at from access.order_approval
    where order_id = any(:orders) order by made_at, approval_id
""")
_ITEMS = text("select item from access.order_item where order_id = :order_id order by item")
_ADD = text("""
    insert into access.work_order (order_id, kind, action, reason, items_digest, item_count, from_at, to_at, requester,
        made_at, document)
    values (:order_id, :kind, :action, :reason, :items_digest, :item_count, :from_at, :to_at, :requester, :made_at,
        :document)
""")
_ADD_ITEMS = text("insert into access.order_item (order_id, item) select :order_id, unnest(cast(:items as bytea[]))")
# The human is the account's own, read here and not told: nobody can lend a second voice.
_APPROVE = text("""
    insert into access.order_approval (approval_id, order_id, subject_digest, user_id, human_id, made_at)
    select :approval_id, :order_id, :digest, user_id, coalesce(human_id, user_id), :made_at from access.user_account
    where user_id = :user_id and is_enabled returning human_id
""")
_OF_HUMAN = text("""
    select b.user_id from access.user_account a
    join access.user_account b on coalesce(b.human_id, b.user_id) = coalesce(a.human_id, a.user_id)
    where a.user_id = :user_id
""")
_WITHDRAW = text("""
    update access.work_order set withdrawn_at = :at where order_id = :order_id and withdrawn_at is null
    returning order_id
""")
_USE = text("""
    insert into access.order_use as u (order_id, item, uses, used_at) values (:order_id, :item, 1, :at)
    on conflict (order_id, item) do update set uses = u.uses + 1, used_at = :at
    where u.uses < :most and u.ended_at is null returning uses
""")
_FREE = text(
    "select uses < :most and ended_at is null from access.order_use where order_id = :order_id and item = :item"
)
_GIVE_BACK = text("""
    update access.order_use set uses = uses - 1 where order_id = :order_id and item = :item and uses > 0
""")
_USED_UP = text("update access.order_use set ended_at = :at where order_id = :order_id and item = :item")


class PostgresOrders:
    """An :class:`~openami.security.access.order.OrderBook`, and its writer.

    Args:
        engine: row-secured as ``openami_access`` to make and approve; as ``openami_security`` to read and use; as
            ``openami_headend`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def standing(self, kind: OrderKind, *, now: datetime) -> Sequence[Order]:
        """Return the orders of a kind whose window holds an instant and that nobody has withdrawn."""
        return await self._orders(_STANDING, {"kind": kind.value, "now": now, "most": MAX_STANDING})

    async def newest(self, kind: OrderKind) -> Sequence[Order]:
        """Return the newest orders of a kind, whatever became of them.

        Raises:
            OrdersUnavailableError: the database does not answer.
        """
        return await self._orders(_NEWEST, {"kind": kind.value, "most": MAX_SHOWN})

    async def accounts_of_human(self, user_id: UUID) -> frozenset[UUID]:
        """Return all accounts of the human behind one, that one included: together they decide what one may alone.

        Raises:
            OrdersUnavailableError: the database does not answer.
        """
        async with self._transaction() as connection:
            found = (await connection.execute(_OF_HUMAN, {"user_id": user_id})).scalars()
            return frozenset({user_id, *found})

    async def order(self, order_id: UUID) -> Order:
        """Return one order.

        Raises:
            OrderRefusedError: there is none of this id.
            OrdersUnavailableError: the database does not answer.
        """
        found = await self._orders(_ONE, {"order_id": order_id})
        if not found:
            raise OrderRefusedError(f"there is no order {order_id}")
        return found[0]

    async def items(self, order_id: UUID) -> Sequence[bytes]:
        """Return the items of an order in rising order."""
        async with self._transaction() as connection:
            return [bytes(row.item) for row in (await connection.execute(_ITEMS, {"order_id": order_id})).all()]

    async def make(self, order: Order, items: Sequence[bytes], *, approval_id: UUID | None) -> None:
        """Keep a new order with its items and, as a rule, its maker's approval: all of it or nothing.

        Args:
            order: without approvals; its requester approves at the time when it was made.
            items: those whose digest the order names, each once.
            approval_id: of the requester's own approval; None where the requester gives none.

        Raises:
            OrderRefusedError: the id is not new, items are not those of the digest, or the account is closed.
            OrdersUnavailableError: the database does not answer.
        """
        subject = order.subject
        if len(items) > MAX_ITEMS or any(not 1 <= len(item) <= MAX_ITEM_OCTETS for item in items):
            raise OrderRefusedError(f"an order has at most {MAX_ITEMS} items of 1 to {MAX_ITEM_OCTETS} octets")
        if digest_of_items(items) != subject.items_digest or len(items) != order.item_count:
            raise OrderRefusedError("the items of an order are not those of its digest")
        row = {
            "order_id": subject.order_id, "kind": subject.kind.value, "action": subject.action,
            "reason": subject.reason, "items_digest": subject.items_digest, "item_count": order.item_count,
            "from_at": subject.window.start, "to_at": subject.window.end, "requester": order.requester,
            "made_at": order.made_at, "document": order.document,
        }  # fmt: skip
        try:
            async with self._transaction() as connection:
                await connection.execute(_ADD, row)
                await connection.execute(_ADD_ITEMS, {"order_id": subject.order_id, "items": list(items)})
                if approval_id is not None:
                    await _approve(connection, subject, approval_id, order.requester, order.made_at)
        except IntegrityError as error:
            raise OrderRefusedError(f"there is an order {subject.order_id} already") from error

    async def approve(self, subject: OrderSubject, *, approval_id: UUID, user_id: UUID, at: datetime) -> None:
        """Keep an approval of exactly this subject.

        Raises:
            OrderRefusedError: this human has approved the order before, by this account or another, or the account is
                closed.
            OrdersUnavailableError: the database does not answer.
        """
        try:
            async with self._transaction() as connection:
                await _approve(connection, subject, approval_id, user_id, at)
        except IntegrityError as error:
            raise OrderRefusedError("this person has approved this order before: another must") from error

    async def withdraw(self, order_id: UUID, *, at: datetime) -> None:
        """Let nothing of an order be done any more.

        Raises:
            OrderRefusedError: there is no such order, or it is withdrawn.
            OrdersUnavailableError: the database does not answer.
        """
        async with self._transaction() as connection:
            if (await connection.execute(_WITHDRAW, {"order_id": order_id, "at": at})).first() is None:
                raise OrderRefusedError(f"there is no order {order_id} that could be withdrawn")

    async def used(self, order_id: UUID, item: bytes, *, at: datetime, most: int) -> bool:
        """Note that an item is used now, and tell whether it was free for it."""
        values = {"order_id": order_id, "item": item, "at": at, "most": most}
        async with self._transaction() as connection:
            return (await connection.execute(_USE, values)).first() is not None

    async def is_free(self, order_id: UUID, item: bytes, *, most: int) -> bool:
        """Tell whether an item may still be used."""
        values = {"order_id": order_id, "item": item, "most": most}
        async with self._transaction() as connection:
            found = (await connection.execute(_FREE, values)).scalar_one_or_none()
        return found is None or bool(found)

    async def given_back(self, order_id: UUID, item: bytes) -> None:
        """Take back one use of an item."""
        async with self._transaction() as connection:
            await connection.execute(_GIVE_BACK, {"order_id": order_id, "item": item})

    async def used_up(self, order_id: UUID, item: bytes, *, at: datetime) -> None:
        """Note that an item has served."""
        async with self._transaction() as connection:
            await connection.execute(_USED_UP, {"order_id": order_id, "item": item, "at": at})

    async def _orders(self, query: Any, values: dict[str, Any]) -> list[Order]:
        async with self._transaction() as connection:
            rows = (await connection.execute(query, values)).all()
            ids = [row.order_id for row in rows]
            given = (await connection.execute(_APPROVALS, {"orders": ids})).all() if ids else []
        approvals: dict[UUID, list[OrderApproval]] = {}
        for one in given:
            approvals.setdefault(one.order_id, []).append(
                OrderApproval(
                    one.approval_id, one.order_id, bytes(one.subject_digest), one.user_id, one.human_id, one.made_at
                )
            )
        return [_order_of(row, tuple(approvals.get(row.order_id, ()))) for row in rows]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            with seen_as(_DESK):
                async with self._engine.begin() as connection:
                    yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise OrdersUnavailableError(f"the orders cannot be read: {type(error).__name__}") from error


async def _approve(
    connection: AsyncConnection, subject: OrderSubject, approval_id: UUID, user_id: UUID, at: datetime
) -> None:
    row = {
        "approval_id": approval_id, "order_id": subject.order_id, "digest": subject.digest(), "user_id": user_id,
        "made_at": at,
    }  # fmt: skip
    if (await connection.execute(_APPROVE, row)).first() is None:
        raise OrderRefusedError("this account cannot approve: it is closed")


def _order_of(row: Row[Any], approvals: tuple[OrderApproval, ...]) -> Order:
    subject = OrderSubject(
        row.order_id,
        OrderKind(row.kind),
        row.action,
        row.reason,
        bytes(row.items_digest),
        Period(row.from_at, row.to_at),
    )
    return Order(
        subject, row.requester, row.made_at, row.item_count, approvals, row.withdrawn_at, bytes(row.document or b"")
    )
