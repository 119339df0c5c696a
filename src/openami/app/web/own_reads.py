"""A customer's own reads, over the book of reads by hand: judged like any other, and closing bills where accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.web.bills import PortalBills
from openami.contracts.channel import Channel
from openami.kernel.clock import Clock
from openami.kernel.time import Period, epoch_s
from openami.mdm.adapters.hand_reads_postgres import PostgresHandReads
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.api import StoreError
from openami.mdm.hand_reads.desk import HandReadDesk, Taken
from openami.mdm.hand_reads.read import HandRead, HandReadError, ReadState, Road
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.facts import FactKind, ReadingKind
from openami.mdm.registry.ports import Registry
from openami.portal.ports import RefusedError, SourceUnavailableError
from openami.portal.views.own_read import NoticeStateName, OwnReadState, OwnReadsView, OwnReadView
from openami.security.access.role import Principal
from openami.security.access.scope import Scope

MOST_A_DAY = 4
"""Whoever mis-keys a read sends it once more; beyond that somebody had better look."""
DAY, MOMENT = timedelta(days=1), timedelta(seconds=1)
WH_PER_KWH = 1000
BY = "customer"
"""Stands for who sent it: which account did is in the log alone."""
_WORDS = {
    ReadState.ACCEPTED: "Taken. It settles your estimated bills within minutes.",
    ReadState.HELD: "We are checking it: it is far from what your meter showed before. A person looks at it.",
    ReadState.REJECTED: "It could not be taken: your meter cannot have shown this.",
}


@dataclass(frozen=True, slots=True)
class ReadRoom:
    """What reads by hand are taken with.

    Args:
        registry: who hangs where.
        desk: takes them.
    """

    registry: Registry
    desk: HandReadDesk


@dataclass(frozen=True, slots=True)
class OwnReadPages:
    """Implements :class:`~openami.portal.own_read_port.OwnReadDesk`.

    Args:
        opened: opens the room of reads for the length of one request.
        bills: the customer's bills, with the notices that were given with them.
        domain: domain time.
    """

    opened: Callable[[], AbstractAsyncContextManager[ReadRoom]]
    bills: PortalBills
    domain: Clock

    async def reads(self, scope: Scope, service_point_id: UUID) -> OwnReadsView:
        """See the port."""
        async with self.opened() as room:
            return await self._view(room, scope, service_point_id)

    async def send(self, scope: Scope, principal: Principal, service_point_id: UUID, shown_kwh: str) -> OwnReadsView:  # noqa: ARG002 - the gate has logged who
        """See the port."""
        async with self.opened() as room:
            now = self.domain.now()
            found = await self._view(room, scope, service_point_id)
            if not found.can_send:
                raise RefusedError(found.why)
            if sum(r.at > epoch_s(now - DAY) for r in found.reads) >= MOST_A_DAY:
                raise RefusedError(f"you have sent {MOST_A_DAY} reads today: we look at them first")
            value = int(Decimal(shown_kwh.replace(",", ".")) * WH_PER_KWH)
            taken = Taken(service_point_id, Channel.DELIVERED, now.replace(microsecond=0), value, Road.CUSTOMER)
            try:
                await room.desk.take(taken, now=now, by=BY)
            except HandReadError as error:
                raise RefusedError(str(error)) from error
            return await self._view(room, scope, service_point_id)

    async def _view(self, room: ReadRoom, scope: Scope, point: UUID) -> OwnReadsView:
        now = self.domain.now()
        moment = Period(now, now + MOMENT)
        if not scope.granted(point, moment):
            return OwnReadsView(
                service_point_id=point, meter=None, can_send=False, why="This place is not yours any more.", reads=[]
            )
        hung = await room.registry.installed([point], moment)
        meter = next((i.meter for i in hung if not i.meter.is_virtual), None)
        can_send, why = await self._asked(room, scope, point, moment)
        kept = await room.desk.reads(point, Channel.DELIVERED)
        mine = [r for r in kept if r.road is Road.CUSTOMER and scope.granted(point, Period(r.at, r.at + MOMENT))]
        return OwnReadsView(
            service_point_id=point, meter=None if meter is None else meter.serial,
            can_send=can_send and meter is not None, why=why, reads=_views(mine),
        )  # fmt: skip

    async def _asked(self, room: ReadRoom, scope: Scope, point: UUID, moment: Period) -> tuple[bool, str]:
        """Return whether a read is asked for, and why or why not."""
        open_ones = [n for n in await self.bills.notices(scope, point) if n.state is not NoticeStateName.SETTLED]
        if open_ones:
            return True, "Your own read takes the place of the estimate and settles every estimated bill."
        facts = await room.registry.facts.of([point], moment, kinds=[FactKind.READING])
        if any(f.value != ReadingKind.INTERVAL.name.lower() for f in facts):
            return True, "Your meter is read by a person. Your own read near the end of a bill closes it."
        return False, "Your meter sends its reads itself, and no bill of yours is estimated: none is needed from you."


def _views(reads: Sequence[HandRead]) -> list[OwnReadView]:
    return [
        OwnReadView(
            read_id=r.id, at=epoch_s(r.at), shown_kwh=f"{Decimal(r.value) / WH_PER_KWH:f}",
            state=OwnReadState(r.state.value), words=_WORDS[r.state],
        )
        for r in sorted(reads, key=lambda r: r.at, reverse=True)
    ]  # fmt: skip


@asynccontextmanager
async def read_room(engine: AsyncEngine, store: IntervalStore) -> AsyncIterator[ReadRoom]:
    """Hold the room of reads for one request, over connections that stay open: no rate and no bill is read for it.

    Args:
        engine: connections of role ``openami_mdm``.
        store: where accepted reads go.

    Raises:
        SourceUnavailableError: it does not answer.
    """
    registry = PostgresRegistry(engine)
    try:
        yield ReadRoom(registry, HandReadDesk(registry, store, PostgresHandReads(engine), uuid4))
    except (DBAPIError, StoreError) as error:
        raise SourceUnavailableError("the book of reads does not answer") from error
