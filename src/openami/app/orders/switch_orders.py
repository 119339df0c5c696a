"""Switching orders of an installation: made, taken from lists, approved, withdrawn, shown.

Whoever calls has signed a person in and opened the gate; nothing here asks who it is. The command line and the web
requests share it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.engines.rooms import room_database
from openami.app.orders.switch_loads import LOOK_BACK, peak_loads_w
from openami.app.orders.switch_standing import OrderHead, order_head
from openami.app.settings import Settings, real_now
from openami.customer.adapters.supply_postgres import PostgresSupply
from openami.customer.supply import SupplyBook
from openami.headend.adapters.switch_turns import PostgresSwitchTurns
from openami.headend.switching.life import SwitchTurn
from openami.headend.switching.list_file import OrderList, read_list
from openami.headend.switching.order import (
    SwitchAction,
    SwitchItem,
    SwitchReason,
    SwitchSubject,
    decode_item,
    feeder_number,
    subject_of,
)
from openami.headend.switching.rules_file import rules_of
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, instant_from_epoch_s, zone_named
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.security.access.order import (
    Order,
    OrderKind,
    OrderRefusedError,
    OrderSubject,
    digest_of_items,
    good_approvals,
)
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.list_keys_postgres import PostgresListKeys
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.watch.alert import Alert, AlertRule

MAX_SUBJECTS = 1_000
"""Places named in one audit row; an order of more names them in the rows of its meters."""
SECOND = timedelta(seconds=1)


class SwitchRefusedError(OpenAmiError):
    """A switching act that is refused. The text says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order that nobody has made yet.

    Args:
        subject: action and reason.
        items: its meters.
        window: when it may be carried out, real time.
        order_id: of the order.
        document: the signed list that it comes from; empty for none.
    """

    subject: SwitchSubject
    items: tuple[SwitchItem, ...]
    window: Period
    order_id: UUID
    document: bytes = b""

    @property
    def places(self) -> frozenset[UUID]:
        """Its places, as an audit row names them: none where they are too many for one."""
        return frozenset(i.service_point_id for i in self.items) if len(self.items) <= MAX_SUBJECTS else frozenset()

    @property
    def note(self) -> str:
        """What the audit log says of it."""
        text, reason, count = self.subject.text, self.subject.reason.value, len(self.items)
        return f"order {self.order_id}: {text} for {reason}, {count} meters, until {self.window.end.isoformat()}"


class SwitchOrders:
    """Orders of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def prepare(self, subject: SwitchSubject, titles: Collection[SystemTitle], window: Period) -> Prepared:
        """Return an order for meters as they hang now.

        Raises:
            SwitchRefusedError: it needs a signed list, has no meter, or one hangs nowhere.
        """
        if subject.needs_list:
            raise SwitchRefusedError("a disconnection for non-payment comes as a signed list: openami orders take FILE")
        if not titles:
            raise SwitchRefusedError("an order names at least one meter")
        found = await self._installed(titles)
        items = []
        for title in sorted(set(titles)):
            if title not in found:
                raise SwitchRefusedError(f"meter {title} hangs nowhere now")
            items.append(found[title])
        whole = Period(_whole_s(window.start), _whole_s(window.end))
        return Prepared(subject, tuple(items), whole, uuid4())

    async def read(self, octets: bytes) -> tuple[OrderList, Prepared | None]:
        """Return a signed list, and the order that it is; None for a notice of payments.

        Raises:
            SwitchOrderError: no registered key signed it as it is.
            SwitchRefusedError: its window has passed.
        """
        async with self._access() as engine:
            keys = [key.public_key for key in await PostgresListKeys(engine).keys() if key.ended_at is None]
        found = read_list(octets, public_keys=keys)
        if found.subject is None:
            return found, None
        if found.window.end <= real_now():
            raise SwitchRefusedError("the list's window has passed")
        known = await self._installed([title for title, _ in found.places])
        items = []
        for title, place in found.places:
            # What hangs elsewhere now stays in the order: it is refused at its turn, with that reason.
            there = known.get(title)
            same = there is not None and there.service_point_id == place
            items.append(there if there is not None and same else SwitchItem(title, place))
        return found, Prepared(found.subject, tuple(items), found.window, found.list_id, octets)

    async def make(self, prepared: Prepared, *, by: UUID) -> Order:
        """Keep an order with its maker's approval.

        Raises:
            OrderRefusedError: the list was taken before, or the account is closed.
        """
        octets = sorted(item.encode() for item in prepared.items)
        subject = OrderSubject(
            prepared.order_id,
            OrderKind.SWITCH,
            prepared.subject.text,
            prepared.subject.reason.value,
            digest_of_items(octets),
            prepared.window,
        )
        order = Order(subject, by, real_now(), len(octets), document=prepared.document)
        async with self._access() as engine:
            await PostgresOrders(engine).make(order, octets, approval_id=uuid4())
        return order

    async def paid(self, places: Collection[UUID]) -> None:
        """Note that places have paid: orders for non-payment stop at them."""
        async with room_database(self._settings, "openami_customer") as engine:
            await supply_book(self._settings, engine).paid(places, now=real_now())

    async def order(self, order_id: UUID) -> Order:
        """Return an order.

        Raises:
            OrderRefusedError: there is none.
        """
        async with self._access() as engine:
            found = await PostgresOrders(engine).order(order_id)
        if found.subject.kind is not OrderKind.SWITCH:
            raise OrderRefusedError(f"there is no switching order {order_id}")
        return found

    async def approve(self, order: Order, *, by: UUID) -> Order:
        """Give a person's approval to an order as that person saw it, and return the order.

        Raises:
            SwitchRefusedError: the order has ended.
            OrderRefusedError: this person has approved before.
        """
        now = real_now()
        if order.withdrawn_at is not None or order.subject.window.end <= now:
            raise SwitchRefusedError("this order has ended and needs no approval")
        subject = subject_of(order.subject.action, order.subject.reason)
        async with self._access() as engine:
            await PostgresOrders(engine).approve(order.subject, approval_id=uuid4(), user_id=by, at=now)
        after = await self.order(order.subject.order_id)
        is_safety = (subject.action, subject.reason) == (SwitchAction.DISCONNECT, SwitchReason.SAFETY)
        if is_safety and good_approvals(after, now=max(now, order.subject.window.start), people=subject.people):
            await self._call_people(after, now)
        return after

    async def withdraw(self, order_id: UUID) -> None:
        """Let nothing more of an order be done.

        Raises:
            OrderRefusedError: there is none that stands.
        """
        async with self._access() as engine:
            await PostgresOrders(engine).withdraw(order_id, at=real_now())

    async def heads(self) -> list[OrderHead]:
        """Return the newest orders."""
        async with self._access() as engine:
            orders = await PostgresOrders(engine).newest(OrderKind.SWITCH)
        return await self._seen(orders)

    async def one(self, order_id: UUID) -> tuple[OrderHead, list[SwitchTurn]]:
        """Return an order and its meters, also those that have not been taken up yet.

        Raises:
            OrderRefusedError: there is none.
        """
        order = await self.order(order_id)
        async with self._access() as engine:
            items = [decode_item(octets) for octets in await PostgresOrders(engine).items(order_id)]
        async with room_database(self._settings, "openami_headend") as engine:
            turns = {turn.title: turn for turn in await PostgresSwitchTurns(engine).of_order(order_id)}
        # Counted from what is shown, so that the two never disagree.
        rows = [(t.state.value, t.code.value if t.code is not None else "", 1, t.took_s) for t in turns.values()]
        each = [turns.get(i.title) or SwitchTurn(order_id, i.title, i.service_point_id) for i in items]
        return order_head(order, rows, real_now()), each

    async def _seen(self, orders: Sequence[Order]) -> list[OrderHead]:
        ids = [order.subject.order_id for order in orders]
        async with room_database(self._settings, "openami_headend") as engine:
            counts = await PostgresSwitchTurns(engine).counts(ids)
        now = real_now()
        return [order_head(order, counts.get(order.subject.order_id, []), now) for order in orders]

    async def _call_people(self, order: Order, now: datetime) -> None:
        words = f"a disconnection for safety of {order.item_count} meters has its approvals: no block stops it"
        alert_id = uuid5(order.subject.order_id, "safety")
        async with room_database(self._settings, "openami_security") as engine:
            alert = Alert(alert_id, now, AlertRule.SAFETY_ORDERED, words, order.subject.order_id)
            await PostgresAlerts(engine).raise_alert(alert)

    async def _installed(self, titles: Collection[SystemTitle]) -> dict[SystemTitle, SwitchItem]:
        """Return those of the meters that hang somewhere now, with feeder and load."""
        now = self._settings.clock().now()
        async with room_database(self._settings, "openami_mdm") as engine:
            registry = PostgresRegistry(engine)
            meters = await registry.meters_titled([title.octets for title in titles])
            installed = await registry.installed(None, Period(now, now + SECOND), meters=[m.id for m in meters])
            places = {one.installation.service_point_id for one in installed}
            feeders = {p.id: p.feeder for p in await registry.service_points(places)}
        lately = Period(now - LOOK_BACK, now)
        spans = [
            MeterSpan(one.installation.service_point_id, one.meter.id, lately)
            for one in installed
            if one.installation.start <= lately.start
        ]
        store = SocketStore(self._settings.home.store_socket)
        try:
            loads = await peak_loads_w(store, spans, until=now)
        finally:
            await store.close()
        found = {}
        for one in installed:
            place, title = one.installation.service_point_id, SystemTitle(one.meter.system_title or b"")
            feeder = feeder_number(feeders.get(place, ""))
            found[title] = SwitchItem(title, place, feeder, loads.get(one.meter.id, 0))
        return found

    def _access(self) -> AbstractAsyncContextManager[AsyncEngine]:
        return room_database(self._settings, "openami_access")


def supply_book(settings: Settings, engine: AsyncEngine) -> SupplyBook:
    """Return the customer room's book of holds and payments.

    Args:
        settings: of the home.
        engine: as ``openami_customer``.
    """
    rules = rules_of()
    return SupplyBook(
        PostgresSupply(engine),
        lambda kind, day: frozenset(reason.value for reason in rules.stopped_by(kind, day)),
        zone_named(settings.zone),
    )


def _whole_s(at: datetime) -> datetime:
    return instant_from_epoch_s(int(at.timestamp()))
