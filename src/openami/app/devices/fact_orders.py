"""Facts that price the bills of many customers: one person enters them, and they wait until a second one approves.

An order carries the facts themselves, so that whoever approves it approves exactly these. What the same person entered
in the last day counts with them: a large file in slices is a large file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from openami.app.devices.registry_desk import RegistryRoom
from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_or_resume, make_order, withdraw_order
from openami.app.people.desk import Act, Actor
from openami.app.settings import Settings, real_now
from openami.billing.correction.effect import CorrectionLimits
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.mdm.adapters.registry_facts import PostgresFacts
from openami.mdm.registry.change import Change, EnterFacts
from openami.mdm.registry.facts import TERMS, FactEntry, FactKind
from openami.security.access.order import (
    MAX_TEXT_OCTETS,
    Order,
    OrderKind,
    OrderSubject,
    digest_of_items,
    good_approvals,
)
from openami.security.access.policy import Kind
from openami.security.adapters.order_postgres import PostgresOrders

PRICING = TERMS | {FactKind.RATE}
"""Kinds that say by what a bill is priced; a stop of service, an account or a group concerns days, not prices."""
MOST_ALONE = CorrectionLimits().customers
ALONE_SPAN = CorrectionLimits().total_span
WINDOW = timedelta(days=14)


class FactOrderError(OpenAmiError):
    """An order of facts that cannot be carried out; the text says why."""


@dataclass(frozen=True, slots=True)
class OrderedFacts:
    """Facts that wait for a second person.

    Args:
        order: with its approvals.
        change: what is entered.
        by: who enters it: a login, and that somebody approved. It counts for nobody as entered alone.
        reason: why, with the order's id: the facts of one order are entered once.
    """

    order: Order
    change: EnterFacts
    by: str
    reason: str


async def second_for(book: PostgresFacts, change: Change, *, by: str, at: datetime) -> str | None:
    """Return why a second person must approve a change; None where one is enough.

    Args:
        book: of facts.
        change: what is asked for.
        by: login of whoever asks.
        at: domain time.
    """
    entries = change.entries if isinstance(change, EnterFacts) else ()
    places = {e.service_point_id for e in entries if e.kind in PRICING}
    if len(places) > MOST_ALONE:
        return f"it says by what the bills of {len(places):,} places are priced, the limit is {MOST_ALONE:,}"
    if not places:
        return None
    places |= await book.entered_by(by, PRICING, since=at - ALONE_SPAN)
    if len(places) > MOST_ALONE:
        told = f"with what {by} entered in the last day, it says by what the bills of {len(places):,} places are priced"
        return f"{told}, the limit is {MOST_ALONE:,}"
    return None


async def order_facts(settings: Settings, person: Actor, act: Act, change: Change, *, by: str, reason: str) -> Order:
    """Keep an order of facts with its maker's own approval.

    Raises:
        FactOrderError: it is no change of facts.
        As :func:`openami.app.orders.order_desk.make_order`.
    """
    if not isinstance(change, EnterFacts):
        raise FactOrderError("only facts of places wait for a second person")
    document = _document(change, by, reason)
    now, items = real_now().replace(microsecond=0), [sha256(document).digest()]
    subject = OrderSubject(
        uuid4(), OrderKind.FACTS, f"enter {len(change.entries)} facts of places", _ascii(reason),
        digest_of_items(items), Period(now, now + WINDOW),
    )  # fmt: skip
    return await make_order(settings, person, act, subject, items, document=document)


async def ordered_facts(settings: Settings, order_id: UUID) -> OrderedFacts:
    """Return what an order would enter, which is exactly what was ordered.

    Raises:
        FactOrderError: it is of another kind, for other facts, withdrawn, over, or carried out already.
        OrderRefusedError, OrdersUnavailableError: there is none, or it cannot be read.
    """
    async with room_database(settings, "openami_access") as engine:
        order = await PostgresOrders(engine).order(order_id)
    signed = digest_of_items([sha256(order.document).digest()])
    if order.subject.kind is not OrderKind.FACTS or order.subject.items_digest != signed:
        raise FactOrderError(f"order {order_id} is not one of facts")
    if order.withdrawn_at is not None or not order.subject.window.holds(real_now()):
        raise FactOrderError(f"order {order_id} was withdrawn, or is over: enter the facts anew")
    told = json.loads(order.document)
    entries = tuple(
        FactEntry(
            UUID(place), FactKind(kind), value, datetime.fromisoformat(start),
            None if end is None else datetime.fromisoformat(end),
        )
        for place, kind, value, start, end in told["entries"]
    )  # fmt: skip
    return OrderedFacts(
        order, EnterFacts(entries), f"{told['by']}, approved by a second person", f"{told['reason']} (order {order_id})"
    )


async def approve_facts(
    settings: Settings, person: Actor, order_id: UUID, room: RegistryRoom, *, places: frozenset[UUID], mark: str
) -> None:
    """Give a person's approval to ordered facts, and enter them, once.

    Args:
        settings: of the home.
        person: who approves.
        order_id: of the order.
        room: the registry.
        places: whose bills they may change, for whoever lives there to see.
        mark: of the effect that the person looked at.

    Raises:
        As :func:`ordered_facts`; this person approved it before, they are entered, or affect something else by now.
    """
    told = await ordered_facts(settings, order_id)
    if await room.registry.facts.is_entered(told.by, told.reason):
        raise FactOrderError(f"the facts of order {order_id} are entered")
    order = await approve_or_resume(
        settings, person, Kind.MASTER_DATA, "registry.approve", told.order, places=places
    )  # fmt: skip
    if not good_approvals(order, now=real_now()):
        raise FactOrderError("the approvals came too far apart: withdraw it and enter the facts anew")
    await room.work.accept(told.change, at=room.now, by=told.by, reason=told.reason, mark=mark)


async def withdraw_facts(settings: Settings, person: Actor, order_id: UUID) -> None:
    """Take back an order of facts that waits.

    Raises:
        As :func:`ordered_facts`; two people approved it.
    """
    if good_approvals((await ordered_facts(settings, order_id)).order, now=real_now()):
        raise FactOrderError("two people approved it: enter what is right over it")
    await withdraw_order(settings, person, Kind.MASTER_DATA, "registry.withdraw_order", order_id)


def _document(change: EnterFacts, by: str, reason: str) -> bytes:
    entries = [
        [str(e.service_point_id), e.kind.value, e.value, e.start.isoformat(), e.end.isoformat() if e.end else None]
        for e in change.entries
    ]
    return json.dumps({"by": by, "reason": reason, "entries": entries}, separators=(",", ":")).encode()


def _ascii(words: str) -> str:
    """Return words as an order may carry them."""
    plain = words.encode("ascii", "replace").decode()[:MAX_TEXT_OCTETS]
    return "".join(c if c.isprintable() else " " for c in plain)
