"""What every desk of two-person orders does: make one, approve it, withdraw it, and say how it stands.

Each is one act of a person, decided and in the audit log before it happens. The desks say what an order is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.security.access.order import Order, OrderSubject, good_approvals, lapse_of
from openami.security.access.policy import Kind
from openami.security.adapters.order_postgres import PostgresOrders


async def make_order(
    settings: Settings, person: Actor, act: Act, subject: OrderSubject, items: Sequence[bytes], *, document: bytes = b""
) -> Order:
    """Keep an order with its first approval, its maker's own, and return it.

    Args:
        settings: of the home.
        person: who makes it.
        act: what the log says of it.
        subject: what is ordered.
        items: those that the subject's digest is of.
        document: a file that it was made from.

    Raises:
        SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        OrderRefusedError, OrdersUnavailableError: the order was not kept.
    """
    async with acting(settings, person, act) as principal, room_database(settings, "openami_access") as engine:
        orders = PostgresOrders(engine)
        order = Order(subject, principal.user_id, real_now(), len(items), document=document)
        await orders.make(order, items, approval_id=uuid4())
        return await orders.order(subject.order_id)


async def approve_order(
    settings: Settings, person: Actor, kind: Kind, query: str, order: Order, *, places: frozenset[UUID] = frozenset()
) -> Order:
    """Give a person's approval to an order as it stands in the tables, and return it.

    The log names the places that it is about, where it is about any.

    Raises:
        As :func:`make_order`; this person approved it before.
    """
    order_id = order.subject.order_id
    act = Act(kind, query, f"order {order_id}, digest {order.subject.digest().hex()}", service_points=places)
    async with acting(settings, person, act) as principal, room_database(settings, "openami_access") as engine:
        orders = PostgresOrders(engine)
        await orders.approve(order.subject, approval_id=uuid4(), user_id=principal.user_id, at=real_now())
        return await orders.order(order_id)


async def approve_or_resume(
    settings: Settings, person: Actor, kind: Kind, query: str, order: Order, *, places: frozenset[UUID] = frozenset()
) -> Order:
    """Give a person's approval; where enough have approved and it was not carried out, only see who goes on with it.

    Either way nobody carries out an order who is not signed in, allowed to, and in the log.

    Args:
        settings: of the home.
        person: who.
        kind: of what the order is about.
        query: name of the operation.
        order: as it stands in the tables.
        places: that it is about, for whoever lives there to see.

    Raises:
        As :func:`approve_order`.
    """
    if not good_approvals(order, now=real_now()):
        return await approve_order(settings, person, kind, query, order, places=places)
    note = f"order {order.subject.order_id}, approved before, goes on"
    async with acting(settings, person, Act(kind, query, note, service_points=places)):
        return order


async def withdraw_order(settings: Settings, person: Actor, kind: Kind, query: str, order_id: UUID) -> UUID:
    """Let nothing more begin by an order, and return the account of who says so.

    Raises:
        As :func:`make_order`.
    """
    act = Act(kind, query, f"order {order_id}")
    async with acting(settings, person, act) as principal, room_database(settings, "openami_access") as engine:
        await PostgresOrders(engine).withdraw(order_id, at=real_now())
        return principal.user_id


def is_over(order: Order) -> bool:
    """Tell whether nothing is done by an order any more, whoever approves it."""
    return order.withdrawn_at is not None or not order.subject.window.holds(real_now())


def standing_words(order: Order) -> str:
    """Return how an order stands, in words."""
    now = real_now()
    if order.withdrawn_at is not None:
        return "withdrawn"
    if good_approvals(order, now=now):
        return "approved by two people"
    if not order.subject.window.holds(now):
        return "over"
    newest = max((a.made_at for a in order.approvals), default=None)
    if newest is not None and newest + lapse_of(order.subject.kind) < now:
        return "lapsed: order it anew"
    return "waits for a second person"
