"""Where people look at what the gateway keeps aside, and two of them let frames out: under their own sign-in.

An order names each frame by an id that is made of all that the frame is. Whoever makes it gives the first approval,
somebody else the second; then the command process tells the gateway. A frame that is damaged or in the clear is not
released, whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_order, is_over, make_order
from openami.app.people.desk import Act, Actor
from openami.app.settings import Settings, real_now
from openami.contracts.deadletter import RefusalReason
from openami.contracts.directive_body import MAX_RELEASED
from openami.contracts.errors import ContractError
from openami.contracts.release_item import frame_item, released_by
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.network.gateway.quarantine import QUARANTINE
from openami.network.gateway.refused import QuarantinedFrame, newest_refused
from openami.network.gateway.stored import chosen_frames, frames_with_ids
from openami.network.gateway.thinning import RELEASABLE
from openami.security.access.order import Order, OrderKind, OrderSubject, digest_of_items
from openami.security.access.policy import Kind
from openami.security.adapters.order_postgres import PostgresOrders

WINDOW = timedelta(hours=24)


class ReleaseRefusedError(OpenAmiError):
    """A release that cannot be ordered or approved. The text says why."""


class QuarantineDesk:
    """Acts of people on the quarantine of one installation.

    Args:
        settings: of the home. Where the gateway stands in another zone its folder is not in it: frames are listed
            there, and named here by their ids.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway = settings.home.path / "gateway"

    async def newest(self, *, limit: int) -> list[QuarantinedFrame]:
        """Return refused frames, newest first.

        Raises:
            QuarantineError: the disk refused.
        """
        return await asyncio.to_thread(newest_refused, self._gateway, limit=limit)

    async def chosen(
        self, *, reason: RefusalReason | None, collector_id: int | None, most: int = MAX_RELEASED
    ) -> list[bytes]:
        """Return ids of frames that may be released, the oldest first.

        Raises:
            ReleaseRefusedError: the gateway stands in another zone.
            QuarantineError: the disk refused.
        """
        if not (self._gateway / QUARANTINE).is_dir():
            raise ReleaseRefusedError("the gateway is not in this home: list its frames there, and name them by id")
        return await asyncio.to_thread(
            chosen_frames, self._gateway / QUARANTINE, reason=reason, collector_id=collector_id, most=most
        )

    async def release(self, person: Actor, frame_ids: Collection[bytes], *, reason: str) -> Order:
        """Order that frames be let out of the quarantine.

        Args:
            person: who gives the first approval.
            frame_ids: 16 octets each, at most ``MAX_RELEASED``.
            reason: why, at most 160 printable ASCII characters.

        Raises:
            ReleaseRefusedError: a frame is not there, or its reason is one that nobody may pass over.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            OrderRefusedError, OrdersUnavailableError, QuarantineError: the order was not kept.
        """
        ids = sorted(set(frame_ids))
        if not 1 <= len(ids) <= MAX_RELEASED:
            raise ReleaseRefusedError(f"{len(ids)} frames are named: an order has 1 to {MAX_RELEASED}")
        await self._require_releasable(ids)
        items = [frame_item(frame_id) for frame_id in ids]
        now = real_now().replace(microsecond=0)
        subject = OrderSubject(
            uuid4(), OrderKind.RELEASE, f"release {len(ids)} frames", reason, digest_of_items(items),
            Period(now, now + WINDOW),
        )  # fmt: skip
        note = f"order {subject.order_id}: {len(ids)} frames, items {subject.items_digest.hex()}: {reason}"
        act = Act(Kind.DEAD_LETTERS, "quarantine.release", note)
        return await make_order(self._settings, person, act, subject, items)

    async def approve(self, person: Actor, order_id: UUID) -> Order:
        """Give a second person's approval to an order that releases frames, and return it.

        Raises:
            ReleaseRefusedError: the order is of another kind, or over.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, OrderRefusedError, OrdersUnavailableError: as
                :meth:`release`; this person approved it before.
        """
        order = await self._one(order_id)
        return await approve_order(self._settings, person, Kind.DEAD_LETTERS, "quarantine.approve", order)

    async def orders(self) -> Sequence[Order]:
        """Return orders of releases, the newest first."""
        async with room_database(self._settings, "openami_headend") as engine:
            return await PostgresOrders(engine).newest(OrderKind.RELEASE)

    async def _one(self, order_id: UUID) -> Order:
        async with room_database(self._settings, "openami_headend") as engine:
            book = PostgresOrders(engine)
            order, items = await book.order(order_id), await book.items(order_id)
        try:
            frames = released_by(items).frames
        except ContractError:
            frames = frozenset()
        if order.subject.kind is not OrderKind.RELEASE or not frames:
            raise ReleaseRefusedError(f"order {order_id} releases no frames")
        if is_over(order):
            raise ReleaseRefusedError(f"order {order_id} is over")
        return order

    async def _require_releasable(self, ids: Sequence[bytes]) -> None:
        """Pass if every frame is in the quarantine for a reason that says nothing against it."""
        if not (self._gateway / QUARANTINE).is_dir():
            # The gateway stands in another zone: it looks for itself, and refuses what may not go.
            return
        known = set(await self.chosen(reason=None, collector_id=None))
        strange = [frame_id for frame_id in ids if frame_id not in known]
        if not strange:
            return
        there = await asyncio.to_thread(frames_with_ids, self._gateway / QUARANTINE, strange[:1])
        if there and there[0].reason not in RELEASABLE:
            raise ReleaseRefusedError(f"frame {strange[0].hex()} is {there[0].reason.value}: nobody releases that")
        words = "was released before" if there else "is not in the quarantine"
        raise ReleaseRefusedError(f"frame {strange[0].hex()} {words}")
