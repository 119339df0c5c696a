"""Where people order, approve and withdraw switching at the command line: each act under a person's own sign-in.

Every act is decided by the table of roles and in the audit log before it happens, with the places that it is about, so
that whoever lives there can see it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from openami.app.engines.rooms import room_database
from openami.app.orders.switch_orders import MAX_SUBJECTS, Prepared, SwitchOrders, supply_book
from openami.app.orders.switch_standing import OrderHead
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.customer.supply import Hold, HoldKind
from openami.headend.switching.forecast_file import parse_forecast
from openami.headend.switching.life import SwitchTurn
from openami.headend.switching.order import SwitchReason, SwitchSubject
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.security.access.list_key import ListKey
from openami.security.access.order import Order
from openami.security.access.policy import Action, Kind
from openami.security.access.role import Principal
from openami.security.access.scope import Purpose
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.list_keys_postgres import PostgresForecasts, PostgresListKeys
from openami.security.watch.alert import Alert

FORECAST_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a signed list came to.

    Args:
        order: the order; None for a notice of payments.
        paid: how many places have paid by it.
    """

    order: Order | None
    paid: int


class SwitchDesk:
    """Acts of people on switching orders of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.orders = SwitchOrders(settings)

    async def plan(
        self, person: Actor, subject: SwitchSubject, titles: Collection[SystemTitle], window: Period
    ) -> Order:
        """Make an order with the person's own approval.

        Raises:
            SwitchRefusedError, OrderRefusedError: see :class:`openami.app.orders.switch_orders.SwitchOrders`.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        prepared = await self.orders.prepare(subject, titles, window)
        return await self._make(person, prepared, "orders.plan")

    async def take(self, person: Actor, octets: bytes) -> Taken:
        """Take a signed list of the customer information system. Raises as :meth:`plan`, and SwitchOrderError."""
        found, prepared = await self.orders.read(octets)
        places = frozenset(place for _, place in found.places)
        has_paid = found.subject is None or found.subject.reason is SwitchReason.PAID
        order = await self._make(person, prepared, "orders.take") if prepared is not None else None
        if has_paid:
            named = places if len(places) <= MAX_SUBJECTS else frozenset[UUID]()
            act = Act(
                Kind.SWITCH, "orders.paid", f"list {found.list_id}: {len(places)} places paid", service_points=named
            )
            async with acting(self._settings, person, act):
                await self.orders.paid(places)
        return Taken(order, len(places) if has_paid else 0)

    async def approve(self, person: Actor, order_id: UUID) -> Order:
        """Give a second person's approval. Raises as :meth:`plan`."""
        order = await self.orders.order(order_id)
        async with self._acting(person, "orders.approve", order) as principal:
            return await self.orders.approve(order, by=principal.user_id)

    async def withdraw(self, person: Actor, order_id: UUID) -> None:
        """Let nothing more of an order be done. Raises as :meth:`plan`."""
        order = await self.orders.order(order_id)
        async with self._acting(person, "orders.withdraw", order):
            await self.orders.withdraw(order_id)

    async def heads(self) -> Sequence[OrderHead]:
        """Return the newest orders."""
        return await self.orders.heads()

    async def one(self, order_id: UUID) -> tuple[OrderHead, list[SwitchTurn]]:
        """Return an order with its meters. Raises OrderRefusedError."""
        return await self.orders.one(order_id)

    async def trust_key(self, person: Actor, name: str, public_key: bytes) -> ListKey:
        """Let a customer information system sign order lists. Raises as :meth:`plan`."""
        act = Act(Kind.LIST_KEY, "orders.trust_key", f"{name}: {public_key.hex()}")
        async with acting(self._settings, person, act) as principal:
            key = ListKey(uuid4(), name, public_key, real_now(), principal.user_id)
            async with room_database(self._settings, "openami_access") as engine:
                await PostgresListKeys(engine).add(key)
        return key

    async def end_key(self, person: Actor, key_id: UUID) -> None:
        """Let a key sign nothing any more. Raises as :meth:`plan`."""
        async with (
            acting(self._settings, person, Act(Kind.LIST_KEY, "orders.end_key", str(key_id))),
            room_database(self._settings, "openami_access") as engine,
        ):
            await PostgresListKeys(engine).end(key_id, at=real_now())

    async def keys(self) -> list[ListKey]:
        """Return the keys that may sign, and those that might."""
        async with room_database(self._settings, "openami_access") as engine:
            return await PostgresListKeys(engine).keys()

    async def forecast(self, person: Actor, octets: bytes) -> datetime:
        """Keep a weather forecast and return when it was issued. Raises as :meth:`plan`, and ForecastFileError."""
        found = parse_forecast(octets)
        note = f"issued {found.issued_at.isoformat()}, {len(found.hours)} hours"
        async with (
            acting(self._settings, person, Act(Kind.SWITCH, "orders.forecast", note)),
            room_database(self._settings, "openami_access") as engine,
        ):
            hours = [(h.at, h.temperature_f, h.heat_index_f) for h in found.hours]
            forget = self._settings.clock().now() - FORECAST_KEPT
            await PostgresForecasts(engine).keep(found.issued_at, hours, forget_before=forget)
        return found.issued_at

    async def hold(self, person: Actor, place: UUID, kind: HoldKind, *, to_at: datetime | None) -> Hold:
        """Hold a place. The log says that it is held, not why. Raises as :meth:`plan`."""
        act = self._of_customer("orders.hold", place, Action.CHANGE)
        async with (
            acting(self._settings, person, act) as principal,
            room_database(self._settings, "openami_customer") as engine,
        ):
            book = supply_book(self._settings, engine)
            return await book.hold(place, kind, now=real_now(), to_at=to_at, by=principal.user_id)

    async def end_hold(self, person: Actor, place: UUID, hold_id: UUID) -> None:
        """End a hold of a place. Raises as :meth:`plan`, and MisuseError."""
        async with (
            acting(self._settings, person, self._of_customer("orders.end_hold", place, Action.CHANGE)),
            room_database(self._settings, "openami_customer") as engine,
        ):
            await supply_book(self._settings, engine).end_hold(hold_id, now=real_now())

    async def holds(self, person: Actor, place: UUID) -> Sequence[Hold]:
        """Return the holds of a place, a logged look. Raises as :meth:`plan`."""
        async with (
            acting(self._settings, person, self._of_customer("orders.holds", place, Action.READ)),
            room_database(self._settings, "openami_customer") as engine,
        ):
            return await supply_book(self._settings, engine).holds_of(place)

    async def alerts(self, *, limit: int = 100) -> Sequence[Alert]:
        """Return alerts, those that nobody has seen to first."""
        async with room_database(self._settings, "openami_security") as engine:
            return await PostgresAlerts(engine).newest(limit=limit)

    async def seen(self, person: Actor, alert_id: UUID) -> bool:
        """Note that a person has seen to an alert. Raises as :meth:`plan`."""
        async with (
            acting(self._settings, person, Act(Kind.ALERT, "alerts.seen", str(alert_id))) as principal,
            room_database(self._settings, "openami_security") as engine,
        ):
            return await PostgresAlerts(engine).seen(alert_id, by=principal.user_id, at=real_now())

    async def _make(self, person: Actor, prepared: Prepared, query: str) -> Order:
        act = Act(Kind.SWITCH, query, prepared.note, service_points=prepared.places)
        async with acting(self._settings, person, act) as principal:
            return await self.orders.make(prepared, by=principal.user_id)

    def _acting(self, person: Actor, query: str, order: Order) -> AbstractAsyncContextManager[Principal]:
        note = f"order {order.subject.order_id}: {order.subject.action} for {order.subject.reason}"
        return acting(self._settings, person, Act(Kind.SWITCH, query, f"{note}, {order.subject.digest().hex()}"))

    def _of_customer(self, query: str, place: UUID, action: Action) -> Act:
        return Act(
            Kind.SUPPLY_HOLD,
            query,
            action=action,
            purpose=Purpose.CUSTOMER_SERVICE,
            service_points=frozenset({place}),
        )
