"""Where people look at corrections, preview, decide and approve: each act under a person's own sign-in.

A preview is a look, written in the log with the places whose bills it shows. Beyond what one person may decide alone a
decision waits for another: the two-person orders of every other desk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from openami.app.billing.correction_room import CorrectionRoom, open_correction_room
from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_or_resume, make_order, withdraw_order
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.billing.correction.decision import (
    CorrectionDecision,
    CorrectionRefusedError,
    DecisionHead,
    DecisionState,
)
from openami.billing.correction.effect import CorrectionLimits
from openami.billing.correction.group import CauseCase
from openami.billing.correction.proposal import Proposal, Wish
from openami.billing.correction.record import Adjustment
from openami.billing.correction.weigh import Weighed
from openami.kernel.time import Period, local_date, zone_named
from openami.security.access.order import (
    MAX_TEXT_OCTETS,
    Order,
    OrderKind,
    OrderSubject,
    digest_of_items,
    good_approvals,
)
from openami.security.access.policy import Action, Kind
from openami.security.adapters.order_postgres import PostgresOrders

WINDOW = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a decision: in force at once, or waiting by an order."""

    decision_id: UUID
    state: DecisionState
    order: Order | None = None


class CorrectionDesk:
    """Acts of people on bills that are out.

    Args:
        settings: of the home.
        limits: what one person may decide alone.
    """

    def __init__(self, settings: Settings, limits: CorrectionLimits | None = None) -> None:
        self._settings = settings
        self._limits = limits

    async def cases(self, person: Actor, *, cause: str | None = None, place: UUID | None = None) -> list[CauseCase]:
        """Return open cases, the most money first, a logged look.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        async with self.room() as room:
            found = await room.corrections.cases(cause=cause, place=place)
            places = frozenset(c.service_point_id for case in found for c in case.changes)
            async with acting(self._settings, person, look("corrections", places, f"{len(found)} cases")):
                return found

    async def weigh(self, person: Actor) -> Weighed:
        """Weigh the queue now; the worker does it by itself as well."""
        async with acting(self._settings, person, Act(Kind.BILLING, "corrections.weigh")), self.room() as room:
            await room.book.note_rates(at=self.now())
            await room.book.note_handed(at=self.now())
            await room.stops.note(self.now())
            await room.terms.note(self.now())
            return await room.weigher.weigh(self.now())

    async def preview(self, person: Actor, wish: Wish) -> Proposal:
        """Return what a wish would do, a logged look. Raises as :meth:`cases`, and CorrectionRefusedError."""
        async with self.room() as room:
            cases = await room.corrections.cases(cause=wish.cause, place=wish.place)
            places = frozenset(c.service_point_id for case in cases for c in case.changes)
            note = f"preview: {wish.kind.value} {wish.cause}"
            async with acting(self._settings, person, look("corrections.preview", places, note)) as who:
                accounts = await self._accounts(who.user_id)
                return await room.corrections.propose(wish, by=who.user_id, at=self.now(), accounts=accounts)

    async def decide(self, person: Actor, proposal: Proposal) -> Kept:
        """Carry out a decision that was previewed, or keep it until a second person approves.

        Raises:
            As :meth:`preview`; OrderRefusedError, OrdersUnavailableError: the order was not kept.
        """
        decision, effect = proposal.decision, proposal.effect
        places = frozenset(c.service_point_id for c in proposal.case.changes)
        note = f"decision {decision.decision_id}: {decision.words()}"
        act = Act(Kind.BILLING, "corrections.decide", note, service_points=places)
        if proposal.second is None:
            async with acting(self._settings, person, act) as who, self.room() as room:
                mine = replace(decision, by=who.user_id, at=self.now())
                by = await self._accounts(who.user_id)
                if await room.corrections.second(effect, places, by=by, at=mine.at) is None:
                    await room.corrections.carry_out(mine, effect, by=who.user_id, at=self.now(), real=real_now())
                    return Kept(decision.decision_id, DecisionState.IN_FORCE)
        now = real_now().replace(microsecond=0)
        subject = OrderSubject(
            uuid4(), OrderKind.CORRECTIONS, _ascii(decision.words()), _ascii(decision.reason),
            digest_of_items(decision.items()), Period(now, now + WINDOW),
        )  # fmt: skip
        order = await make_order(self._settings, person, act, subject, sorted(set(decision.items())))
        async with self.room() as room:
            mine = replace(decision, by=order.requester, at=self.now())
            await room.book.keep(mine, effect, order_id=subject.order_id, real=real_now())
        return Kept(decision.decision_id, DecisionState.WAITING, order)

    async def approve(self, person: Actor, decision_id: UUID) -> DecisionHead:
        """Approve a decision that waits, and carry it out.

        Raises:
            As :meth:`decide`; nothing waits, this person approved it before, or data changed once more.
        """
        async with self.room() as room:
            head = await room.book.head(decision_id)
            order = await self._order(head)
            places = await self._places(room, head.decision)
            order = await approve_or_resume(
                self._settings, person, Kind.BILLING, "corrections.approve", order, places=places
            )
            if not good_approvals(order, now=real_now()):
                raise CorrectionRefusedError("the approvals came too far apart: withdraw it and decide anew")
            second = next((a.user_id for a in order.approvals if a.user_id != order.requester), order.requester)
            await room.corrections.carry_out(head.decision, None, by=second, at=self.now(), real=real_now())
            return await room.book.head(decision_id)

    async def places_of(self, decision_id: UUID) -> frozenset[UUID]:
        """Return the places whose bills a decision is about: for the log, before anybody acts on it.

        Raises:
            CorrectionRefusedError: there is no such decision.
        """
        async with self.room() as room:
            return await self._places(room, (await room.book.head(decision_id)).decision)

    async def _accounts(self, user_id: UUID) -> frozenset[UUID]:
        async with room_database(self._settings, "openami_access") as engine:
            return await PostgresOrders(engine).accounts_of_human(user_id)

    async def _places(self, room: CorrectionRoom, decision: CorrectionDecision) -> frozenset[UUID]:
        return frozenset(b.service_point_id for b in await room.book.bills([b.bill_id for b in decision.bills]))

    async def withdraw(self, person: Actor, decision_id: UUID) -> None:
        """Take back a decision that waits. Raises as :meth:`approve`."""
        async with self.room() as room:
            head = await room.book.head(decision_id)
            if head.state is not DecisionState.WAITING or head.order_id is None:
                raise CorrectionRefusedError(f"decision {decision_id} is {head.state.value}: nothing of it waits")
            by = await withdraw_order(self._settings, person, Kind.BILLING, "corrections.withdraw", head.order_id)
            await room.book.withdrawn(decision_id, by=by, at=self.now(), real=real_now())

    async def decisions(
        self, person: Actor, *, state: DecisionState | None = None, limit: int = 100
    ) -> list[DecisionHead]:
        """Return decisions, newest first, a logged look; no place is named in them."""
        async with (
            acting(self._settings, person, look("corrections.decisions", frozenset(), "decisions")),
            self.room() as room,
        ):
            return await room.book.heads(state=state, limit=limit)

    async def adjustments(self, person: Actor, place: UUID) -> list[Adjustment]:
        """Return the adjustments of a place, newest first, a logged look."""
        act = look("corrections.adjustments", frozenset({place}), "adjustments")
        async with acting(self._settings, person, act), self.room() as room:
            return await room.book.adjustments(service_points=[place])

    def now(self) -> datetime:
        """Return domain time, in whole seconds."""
        return self._settings.clock().now().replace(microsecond=0)

    def today(self) -> date:
        """Return the utility's local day."""
        return local_date(self.now(), zone_named(self._settings.zone))

    @asynccontextmanager
    async def room(self) -> AsyncIterator[CorrectionRoom]:
        """Hold the room open."""
        async with open_correction_room(self._settings, self.today(), self._limits) as room:
            yield room

    async def _order(self, head: DecisionHead) -> Order:
        """Return the order that a decision waits for, which is for exactly this decision.

        Raises:
            CorrectionRefusedError: nothing waits, or the tables say something else than was ordered.
        """
        decision = head.decision
        if head.state is not DecisionState.WAITING or head.order_id is None:
            raise CorrectionRefusedError(f"decision {decision.decision_id} is {head.state.value}: nothing of it waits")
        async with room_database(self._settings, "openami_access") as engine:
            orders = PostgresOrders(engine)
            order, items = await orders.order(head.order_id), await orders.items(head.order_id)
        signed = order.subject.items_digest
        if digest_of_items(decision.items()) != signed or digest_of_items(items) != signed:
            raise CorrectionRefusedError(f"decision {decision.decision_id} is not what its order was made for")
        return order


def look(query: str, places: frozenset[UUID], note: str) -> Act:
    """Return the act of a look at bills of places."""
    return Act(Kind.BILLING, query, note, action=Action.READ, service_points=places)


def _ascii(words: str) -> str:
    """Return words as an order may carry them."""
    plain = words.encode("ascii", "replace").decode()[:MAX_TEXT_OCTETS]
    return "".join(c if c.isprintable() else " " for c in plain)
