"""Where people change the gateway's thresholds and release what it keeps: under their own sign-in, two of them.

Whoever proposes gives the first approval; somebody else gives the second. The command process tells the gateway within
seconds. Nothing here reaches the gateway itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_order, is_over, make_order, withdraw_order
from openami.app.people.desk import Act, Actor
from openami.app.settings import Settings, real_now
from openami.contracts.errors import ContractError
from openami.contracts.release_item import command_item, released_by
from openami.contracts.threshold import BUILT_IN, Thresholds, decode_thresholds
from openami.contracts.threshold_word import ThresholdWord, WordKind
from openami.headend.adapters.thresholds_postgres import PostgresThresholdBook
from openami.headend.command.ordered_facts import thresholds_item
from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.time import Period
from openami.security.access.order import (
    Order,
    OrderKind,
    OrderSubject,
    digest_of_items,
)
from openami.security.access.policy import Kind
from openami.security.adapters.order_postgres import PostgresOrders

WINDOW = timedelta(hours=24)
HELD_FOR = timedelta(days=7)
"""As long as a gateway keeps what nobody asks for again."""
KINDS = (OrderKind.THRESHOLDS, OrderKind.RELEASE)


class ThresholdRefusedError(OpenAmiError):
    """An act on thresholds that is refused. The text says why."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The thresholds that hold.

    Args:
        version: as the gateway last said.
        thresholds: None where the order that brought them is not kept here any more.
    """

    version: int
    thresholds: Thresholds | None


class ThresholdDesk:
    """Acts of people on thresholds of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def in_force(self) -> InForce:
        """Return the thresholds that hold now."""
        words = [w for w in await self.words() if w.kind is WordKind.RENEWED]
        if not words:
            return InForce(0, BUILT_IN)
        version = words[0].version
        for order in await self.orders():
            found = _read(order)
            if found is not None and found.version == version:
                return InForce(version, found)
        return InForce(version, None)

    async def words(self, *, limit: int = 500) -> list[ThresholdWord]:
        """Return what gateways said, the newest first."""
        async with room_database(self._settings, "openami_headend") as engine:
            return await PostgresThresholdBook(engine).newest(limit=limit)

    async def held(self) -> list[ThresholdWord]:
        """Return the commands that gateways keep, the oldest first."""
        async with room_database(self._settings, "openami_headend") as engine:
            return await PostgresThresholdBook(engine).held(since=real_now() - HELD_FOR)

    async def orders(self) -> Sequence[Order]:
        """Return orders of thresholds and releases, the newest first."""
        async with room_database(self._settings, "openami_headend") as engine:
            found = [order for kind in KINDS for order in await PostgresOrders(engine).newest(kind)]
        return sorted(found, key=lambda order: order.made_at, reverse=True)

    async def propose(self, person: Actor, document: bytes, *, reason: str) -> Order:
        """Order other thresholds.

        Args:
            person: who gives the first approval.
            document: thresholds as JSON.
            reason: why, at most 160 printable ASCII characters.

        Raises:
            ThresholdRefusedError: the version is no newer than one that was ordered.
            MisuseError: the document holds no thresholds.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            OrderRefusedError, OrdersUnavailableError: the order was not kept.
        """
        try:
            wanted = decode_thresholds(document)
        except ContractError as error:
            raise MisuseError(str(error)) from error
        newest = max((t.version for t in map(_read, await self.orders()) if t is not None), default=0)
        if wanted.version <= newest:
            raise ThresholdRefusedError(f"version {wanted.version} is no newer than {newest}, which was ordered before")
        item = thresholds_item(document)
        note = f"version {wanted.version}, SHA-256 {item.hex()}"
        return await self._order(
            person, OrderKind.THRESHOLDS, f"thresholds version {wanted.version}", reason, [item], note, document
        )

    async def release(self, person: Actor, held_ids: Collection[UUID], *, reason: str) -> Order:
        """Order that kept commands may pass, each once.

        Raises:
            ThresholdRefusedError: nothing of an id is kept.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, OrderRefusedError, OrdersUnavailableError: as
                :meth:`propose`.
        """
        known = {word.held_id for word in await self.held()}
        if not held_ids or (unknown := [i for i in held_ids if i not in known]):
            what = f"{unknown[0]} is not" if held_ids else "nothing is named that is"
            raise ThresholdRefusedError(f"{what} kept by a gateway now")
        items = sorted(command_item(held_id) for held_id in set(held_ids))
        note = f"{len(items)} kept commands: {', '.join(sorted(map(str, set(held_ids)))[:10])}"
        return await self._order(person, OrderKind.RELEASE, f"release {len(items)} commands", reason, items, note)

    async def approve(self, person: Actor, order_id: UUID) -> Order:
        """Give a second person's approval to an order as it stands in the tables, and return it.

        Raises:
            ThresholdRefusedError: the order is of another kind, or over.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, OrderRefusedError, OrdersUnavailableError: as
                :meth:`propose`; this person approved it before.
        """
        order = await self._one(order_id)
        return await approve_order(self._settings, person, Kind.THRESHOLD, "thresholds.approve", order)

    async def withdraw(self, person: Actor, order_id: UUID) -> None:
        """Let an order change nothing any more; thresholds that are in force stay.

        Raises:
            As :meth:`approve`.
        """
        await self._one(order_id)
        await withdraw_order(self._settings, person, Kind.THRESHOLD, "thresholds.withdraw", order_id)

    async def _order(
        self,
        person: Actor,
        kind: OrderKind,
        action: str,
        reason: str,
        items: Sequence[bytes],
        note: str,
        document: bytes = b"",
    ) -> Order:
        now = real_now().replace(microsecond=0)
        window = Period(now, now + WINDOW)
        subject = OrderSubject(uuid4(), kind, action, reason, digest_of_items(items), window)
        act = Act(Kind.THRESHOLD, f"thresholds.{kind.value}", f"order {subject.order_id}: {note}")
        return await make_order(self._settings, person, act, subject, items, document=document)

    async def _one(self, order_id: UUID) -> Order:
        async with room_database(self._settings, "openami_headend") as engine:
            book = PostgresOrders(engine)
            order, items = await book.order(order_id), await book.items(order_id)
        if order.subject.kind not in KINDS:
            raise ThresholdRefusedError(f"order {order_id} is one of {order.subject.kind.value}, not of thresholds")
        if order.subject.kind is OrderKind.RELEASE and not _releases_commands(items):
            # Frames are another right: whoever may sign for thresholds may not let them in.
            raise ThresholdRefusedError(f"order {order_id} releases frames: see openami quarantine")
        if is_over(order):
            raise ThresholdRefusedError(f"order {order_id} is over")
        return order


def _releases_commands(items: Sequence[bytes]) -> bool:
    try:
        released = released_by(items)
    except ContractError:
        return False
    return bool(released.commands) and not released.frames


def _read(order: Order) -> Thresholds | None:
    if order.subject.kind is not OrderKind.THRESHOLDS:
        return None
    try:
        return decode_thresholds(order.document)
    except ContractError:
        return None
