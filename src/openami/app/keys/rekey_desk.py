"""Where people order that meters' keys change, and see how far it is: under their own sign-in, two of them.

A standing order lets keys change by themselves where a rule asks for it: factory keys, keys that leaked, keys whose
counters end, keys of a year. An order that names meters changes theirs now. Whoever makes it gives the first approval,
somebody else the second; head-ends take it up within seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from openami.app.devices.shipment import root_key
from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_order, is_over, make_order, withdraw_order
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.headend.adapters.rekeys_postgres import PostgresRekeys
from openami.headend.command.key_orders import EVERY_METER, NAMED_METERS
from openami.headend.keeping.rekey import Cause, Rekey, RekeyPolicy, RekeyProgress
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.security.access.order import (
    MAX_ITEMS,
    Order,
    OrderKind,
    OrderSubject,
    digest_of_items,
    good_approvals,
)
from openami.security.access.policy import Kind
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.vault_postgres import PostgresVault

MAX_SHOWN = 10_000


class RekeyRefusedError(OpenAmiError):
    """An act on changes of keys that is refused. The text says why."""


@dataclass(frozen=True, slots=True)
class RekeyStanding:
    """How the changes of an installation stand.

    Args:
        progress: by cause, the gravest first.
        is_ordered: whether an order of two people holds now.
        policy: the pace.
    """

    progress: dict[Cause, RekeyProgress]
    is_ordered: bool
    policy: RekeyPolicy


class RekeyDesk:
    """Acts of people on changes of keys of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def standing(self) -> RekeyStanding:
        """Return how far it is.

        Raises:
            StateUnavailableError, OrdersUnavailableError: the database does not answer.
        """
        policy, now = RekeyPolicy(), real_now()
        async with room_database(self._settings, "openami_headend") as engine:
            progress = await PostgresRekeys(engine).progress(policy)
            orders = await PostgresOrders(engine).standing(OrderKind.KEYS, now=now)
        return RekeyStanding(progress, any(good_approvals(order, now=now) for order in orders), policy)

    async def left_over(self, *, limit: int = MAX_SHOWN) -> list[Rekey]:
        """Return meters whose keys do not get changed, the gravest cause first.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        async with room_database(self._settings, "openami_headend") as engine:
            return await PostgresRekeys(engine).left_over(RekeyPolicy(), limit=limit)

    async def orders(self) -> Sequence[Order]:
        """Return orders of key changes, the newest first.

        Raises:
            OrdersUnavailableError: the database does not answer.
        """
        async with room_database(self._settings, "openami_headend") as engine:
            return await PostgresOrders(engine).newest(OrderKind.KEYS)

    async def order_all(self, person: Actor, *, reason: str, days: float) -> Order:
        """Give a standing order, and its first approval.

        Args:
            person: who.
            reason: why, at most 160 printable ASCII characters.
            days: real time for which it holds, up to 366.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            OrderRefusedError, OrdersUnavailableError: the order was not kept.
        """
        return await self._order(person, EVERY_METER, [], reason, days)

    async def order_named(
        self, person: Actor, titles: Collection[SystemTitle] | None, *, profile: str = "", reason: str, days: float
    ) -> Order:
        """Order new keys for meters, and give the first approval.

        Args:
            person: who.
            titles: these; None for every meter that has keys.
            profile: of these, the meters of this profile alone; empty for any.
            reason: why, at most 160 printable ASCII characters.
            days: real time for which it holds, up to 366.

        Raises:
            RekeyRefusedError: no meter fits, one has no keys here, or there are too many.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, OrderRefusedError, OrdersUnavailableError: as
                :meth:`order_all`.
        """
        async with room_database(self._settings, "openami_security") as engine:
            kept = await PostgresVault(engine, root_key(self._settings)).meters()
        unknown = set(titles or ()) - {m.system_title for m in kept}
        if unknown:
            raise RekeyRefusedError(f"{len(unknown)} meters have no keys here, {min(unknown)} among them")
        items = [
            m.system_title.octets
            for m in kept
            if (titles is None or m.system_title in titles) and profile in {"", m.profile}
        ]
        if not 1 <= len(items) <= MAX_ITEMS:
            raise RekeyRefusedError(f"{len(items)} meters fit: an order names 1 to {MAX_ITEMS}")
        return await self._order(person, NAMED_METERS, sorted(items), reason, days)

    async def approve(self, person: Actor, order_id: UUID) -> Order:
        """Give a second person's approval to an order as it stands in the tables, and return it.

        Raises:
            RekeyRefusedError: the order is of another kind, or over.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, OrderRefusedError, OrdersUnavailableError: as
                :meth:`order_all`; this person approved it before.
        """
        return await approve_order(self._settings, person, Kind.KEYS, "keys.approve", await self._one(order_id))

    async def withdraw(self, person: Actor, order_id: UUID) -> None:
        """Let nothing more begin by an order. What has gone to a meter is still found out and proved.

        Raises:
            As :meth:`approve`.
        """
        await self._one(order_id)
        await withdraw_order(self._settings, person, Kind.KEYS, "keys.withdraw", order_id)

    async def retry(self, person: Actor, title: SystemTitle | None) -> int:
        """Begin anew what failed, of one meter or of all; return how many.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: as :meth:`order_all`.
            StateUnavailableError: the database does not answer.
        """
        act = Act(Kind.KEYS, "keys.retry", f"meter {title}" if title is not None else "every meter that failed")
        async with acting(self._settings, person, act), room_database(self._settings, "openami_headend") as engine:
            return await PostgresRekeys(engine).retry(title, now_s=real_now().timestamp())

    async def _order(self, person: Actor, action: str, items: Sequence[bytes], reason: str, days: float) -> Order:
        now = real_now().replace(microsecond=0)
        window = Period(now, now + timedelta(seconds=round(days * 86_400)))
        subject = OrderSubject(uuid4(), OrderKind.KEYS, action, reason, digest_of_items(items), window)
        note = f"order {subject.order_id}: {action}; {len(items)} meters, items {subject.items_digest.hex()}: {reason}"
        return await make_order(self._settings, person, Act(Kind.KEYS, "keys.order", note), subject, items)

    async def _one(self, order_id: UUID) -> Order:
        async with room_database(self._settings, "openami_headend") as engine:
            order = await PostgresOrders(engine).order(order_id)
        if order.subject.kind is not OrderKind.KEYS:
            raise RekeyRefusedError(f"order {order_id} is one of {order.subject.kind.value}, not of keys")
        if is_over(order):
            raise RekeyRefusedError(f"order {order_id} is over")
        return order
