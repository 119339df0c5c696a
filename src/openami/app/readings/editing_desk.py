"""Where people look at the worklist, preview, decide, approve and undo: each act under a person's own sign-in.

A preview is a look, written in the log with the places whose readings it shows. A decision is kept, and beyond what one
person may change alone it waits for the approval of another: the two-person orders of every other desk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from openami.app.billing.bill_calendar import read_days_around
from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_or_resume, make_order, withdraw_order
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.contracts.channel import Channel
from openami.kernel.time import Period, local_date, local_midnight, zone_named
from openami.mdm.adapters.case_postgres import PostgresCases
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.adapters.worklist_postgres import PostgresWorklist
from openami.mdm.editing.decision import Decision, DecisionKind, DecisionRefusedError
from openami.mdm.editing.editor import Editor, Place, Proposal, Wish
from openami.mdm.editing.limits import EditLimits
from openami.mdm.editing.ports import DecisionHead, DecisionState
from openami.mdm.editing.worklist import MAX_LIMIT, WorkFilter, WorkItem, WorkPage
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
class Rooms:
    """What an act works with: the rooms of one installation, open for its length."""

    registry: PostgresRegistry
    book: PostgresBook
    decisions: PostgresDecisions
    worklist: PostgresWorklist
    cases: PostgresCases
    store: SocketStore
    editor: Editor


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a decision or of its undoing: in force at once, or waiting by an order."""

    decision_id: UUID
    state: DecisionState
    order: Order | None = None


class EditingDesk:
    """Acts of people on readings of one installation.

    Args:
        settings: of the home.
        limits: what one person may change alone.
    """

    def __init__(self, settings: Settings, limits: EditLimits | None = None) -> None:
        self._settings = settings
        self._limits = limits or EditLimits()

    async def page(self, person: Actor, wanted: WorkFilter, *, limit: int, offset: int = 0) -> WorkPage:
        """Return a page of the worklist, a logged look at the places on it.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        async with self.rooms() as rooms:
            found = await rooms.worklist.page(wanted, today=self.today(), limit=limit, offset=offset)
            places = frozenset(item.service_point_id for item in found.items)
            async with acting(self._settings, person, look("worklist", places, f"{found.total} items")):
                return found

    async def zone_of(self, place: UUID) -> str:
        """Return the zone of a place. Raises UnknownRecordError."""
        async with self.rooms() as rooms:
            return (await rooms.registry.service_point(place)).zone

    async def wish_of(self, person: Actor, wanted: WorkFilter, kind: DecisionKind, reason: str) -> Wish:
        """Return the wish to decide one thing about everything that a filter leaves, a logged look.

        Raises:
            As :meth:`page`; DecisionRefusedError: nothing is left, or more than one decision holds.
        """
        async with self.rooms() as rooms:
            found = await rooms.worklist.page(wanted, today=self.today(), limit=MAX_LIMIT)
            if not 1 <= found.total <= MAX_LIMIT:
                raise DecisionRefusedError(f"the filter leaves {found.total:,} items: 1 to {MAX_LIMIT:,} at once")
            places = frozenset(item.service_point_id for item in found.items)
            async with acting(self._settings, person, look("worklist", places, f"{found.total} items for a decision")):
                zones = {p.id: zone_named(p.zone) for p in await rooms.registry.service_points(places)}
        return wish_of_items(found.items, zones, kind, reason)

    async def preview(self, person: Actor, wish: Wish) -> Proposal:
        """Return what a wish would do, a logged look. Raises as :meth:`page`, and DecisionRefusedError."""
        places = frozenset(p.service_point_id for p in wish.places)
        note = f"preview: {wish.kind.value} at {len(places)} places"
        async with acting(self._settings, person, look("worklist.preview", places, note)) as who, self.rooms() as rooms:
            return await rooms.editor.propose(wish, by=who.user_id, at=self.now())

    async def decide(self, person: Actor, proposal: Proposal) -> Kept:
        """Keep a decision that was previewed: in force at once, or waiting for a second person.

        Raises:
            As :meth:`preview`; OrderRefusedError, OrdersUnavailableError: the order was not kept.
        """
        decision = proposal.decision
        if not proposal.preview.effect.days and not proposal.preview.effect.settled and not decision.case_id:
            raise DecisionRefusedError("it would change nothing: no value, no state and no finding")
        act = change("worklist.decide", decision, decision.words())
        if proposal.second is None:
            async with acting(self._settings, person, act) as who, self.rooms() as rooms:
                mine = replace(decision, by=who.user_id, at=self.now())
                effect, real = proposal.preview.effect, real_now()
                if await rooms.editor.second(mine, effect, who.user_id, mine.at) is None:
                    await rooms.decisions.keep(mine, effect, proposal.affected, order_id=None, real=real)
                    return Kept(decision.id, DecisionState.IN_FORCE)
        subject = self._subject(decision, decision.words(), decision.reason)
        order = await make_order(self._settings, person, act, subject, sorted(set(decision.items())))
        async with self.rooms() as rooms:
            mine = replace(decision, by=order.requester, at=self.now())
            await rooms.decisions.keep(
                mine, proposal.preview.effect, proposal.affected, order_id=subject.order_id, real=real_now()
            )
        return Kept(decision.id, DecisionState.WAITING, order)

    async def approve(self, person: Actor, decision_id: UUID) -> DecisionHead:
        """Approve what waits of a decision: the decision itself, or its undoing.

        Raises:
            As :meth:`decide`; nothing waits, or this person has approved it before.
        """
        async with self.rooms() as rooms:
            order = await self.waiting_order(rooms, decision_id)
            places = (await rooms.decisions.whole(decision_id)).service_points
            order = await approve_or_resume(self._settings, person, Kind.VEE, "worklist.approve", order, places=places)
            if not good_approvals(order, now=real_now()):
                raise DecisionRefusedError("the approvals came too far apart: withdraw it and decide anew")
            await self._settle(rooms, decision_id, order)
            return await rooms.decisions.head(decision_id)

    async def withdraw(self, person: Actor, decision_id: UUID) -> None:
        """Take back a decision that waits. Raises as :meth:`approve`."""
        async with self.rooms() as rooms:
            head = await rooms.decisions.head(decision_id)
            if head.state is not DecisionState.WAITING or head.order_id is None:
                raise DecisionRefusedError(f"decision {decision_id} is {head.state.value}: undo it instead")
            await withdraw_order(self._settings, person, Kind.VEE, "worklist.withdraw", head.order_id)
            await rooms.decisions.withdrawn(decision_id, by=head.decision.by, at=self.now(), real=real_now())

    async def preview_undo(self, person: Actor, decision_id: UUID) -> Proposal:
        """Return what undoing would do, a logged look. Raises as :meth:`preview`."""
        async with self.rooms() as rooms:
            decision = await rooms.decisions.whole(decision_id)
            act = look("worklist.preview", decision.service_points, f"preview: undo decision {decision_id}")
            async with acting(self._settings, person, act) as who:
                return await rooms.editor.propose_undo(decision_id, by=who.user_id, at=self.now())

    async def undo(self, person: Actor, proposal: Proposal, *, reason: str) -> Kept:
        """Undo a decision that was previewed so: its days get another version. Raises as :meth:`decide`."""
        decision = proposal.decision
        act = change("worklist.undo", decision, f"undo decision {decision.id}: {reason}")
        if proposal.second is None:
            async with acting(self._settings, person, act) as who, self.rooms() as rooms:
                at, effect = self.now(), proposal.preview.effect
                if await rooms.editor.second(decision, effect, who.user_id, at) is None:
                    if not await rooms.decisions.undone(
                        decision.id, by=who.user_id, reason=reason, at=at, real=real_now()
                    ):
                        raise DecisionRefusedError(f"decision {decision.id} is not in force any more")
                    return Kept(decision.id, DecisionState.UNDONE)
        subject = self._subject(decision, f"undo: {decision.words()}", reason)
        order = await make_order(self._settings, person, act, subject, sorted(set(decision.items())))
        async with self.rooms() as rooms:
            waits = await rooms.decisions.ask_undo(
                decision.id, by=order.requester, reason=reason, order_id=subject.order_id, at=self.now(),
                real=real_now(),
            )  # fmt: skip
        if not waits:
            raise DecisionRefusedError(f"decision {decision.id} is not in force any more; its order asks for nothing")
        return Kept(decision.id, DecisionState.UNDOING, order)

    async def decisions(
        self, person: Actor, places: Collection[UUID] | None, *, state: DecisionState | None = None, limit: int = 100
    ) -> list[DecisionHead]:
        """Return decisions, newest first, a logged look. Raises as :meth:`page`."""
        act = look("worklist.decisions", frozenset(places or ()), "decisions")
        async with acting(self._settings, person, act), self.rooms() as rooms:
            return await rooms.decisions.heads(places, state=state, limit=limit)

    def now(self) -> datetime:
        """Return domain time, in whole seconds as tables of versions keep it."""
        return self._settings.clock().now().replace(microsecond=0)

    def today(self) -> date:
        """Return the utility's local day."""
        return local_date(self.now(), zone_named(self._settings.zone))

    @asynccontextmanager
    async def rooms(self) -> AsyncIterator[Rooms]:
        """Hold the rooms open."""
        store = SocketStore(self._settings.home.store_socket)
        try:
            async with room_database(self._settings, "openami_mdm") as engine:
                registry, book, decisions = PostgresRegistry(engine), PostgresBook(engine), PostgresDecisions(engine)
                editor = Editor(registry, store, book, decisions, self._limits)
                days = read_days_around(self._settings)
                worklist, cases = PostgresWorklist(engine, days), PostgresCases(engine)
                yield Rooms(registry, book, decisions, worklist, cases, store, editor)
        finally:
            await store.close()

    async def orders_of(self, heads: Collection[DecisionHead]) -> dict[UUID, Order]:
        """Return the orders of decisions that wait for a second person, by decision."""
        asked = {
            h.decision.id: h.order_id if h.state is DecisionState.WAITING else h.undo_order_id
            for h in heads
            if h.state in {DecisionState.WAITING, DecisionState.UNDOING}
        }
        found: dict[UUID, Order] = {}
        if any(asked.values()):
            async with room_database(self._settings, "openami_access") as engine:
                for decision_id, order_id in asked.items():
                    if order_id is not None:
                        found[decision_id] = await PostgresOrders(engine).order(order_id)
        return found

    async def waiting_order(self, rooms: Rooms, decision_id: UUID) -> Order:
        """Return the order that a decision, or its undoing, waits for.

        Raises:
            DecisionRefusedError: nothing waits, or the decision is not what the order was made for.
        """
        head = await rooms.decisions.head(decision_id)
        order_id = head.order_id if head.state is DecisionState.WAITING else head.undo_order_id
        if order_id is None or head.state not in {DecisionState.WAITING, DecisionState.UNDOING}:
            raise DecisionRefusedError(
                f"nothing of decision {decision_id} waits for approval: it is {head.state.value}"
            )
        async with room_database(self._settings, "openami_access") as engine:
            orders = PostgresOrders(engine)
            order, items = await orders.order(order_id), await orders.items(order_id)
        decision = await rooms.decisions.whole(decision_id)
        # What was approved is what stands in the tables, span by span.
        if digest_of_items(decision.items()) != order.subject.items_digest or digest_of_items(items) != (
            order.subject.items_digest
        ):
            raise DecisionRefusedError(f"decision {decision_id} is not what its order was made for")
        return order

    async def _settle(self, rooms: Rooms, decision_id: UUID, order: Order) -> None:
        """Bring into force what enough people have approved; safe to repeat after a crash between the two tables."""
        head, at, real = await rooms.decisions.head(decision_id), self.now(), real_now()
        second = next((a.user_id for a in order.approvals if a.user_id != order.requester), order.requester)
        if head.state is DecisionState.WAITING:
            await rooms.decisions.approved(decision_id, by=second, at=at, real=real)
        elif head.state is DecisionState.UNDOING:
            await rooms.decisions.undone(decision_id, by=second, reason=order.subject.reason, at=at, real=real)

    def _subject(self, decision: Decision, action: str, reason: str) -> OrderSubject:
        now = real_now().replace(microsecond=0)
        words = reason.encode("ascii", "replace").decode()[:MAX_TEXT_OCTETS]
        return OrderSubject(
            uuid4(), OrderKind.EDITS, action[:MAX_TEXT_OCTETS], "".join(c if c.isprintable() else " " for c in words),
            digest_of_items(decision.items()), Period(now, now + WINDOW),
        )  # fmt: skip


def look(query: str, places: frozenset[UUID], note: str) -> Act:
    """Return the act of a look at places."""
    return Act(Kind.VEE, query, note, action=Action.READ, service_points=places)


def change(query: str, decision: Decision, note: str) -> Act:
    """Return the act of a change by a decision."""
    return Act(Kind.VEE, query, f"decision {decision.id}: {note}", service_points=decision.service_points)


def wish_of_items(items: Sequence[WorkItem], zones: Mapping[UUID, ZoneInfo], kind: DecisionKind, reason: str) -> Wish:
    """Return the wish to decide one thing about items: the whole local days of each.

    Args:
        items: of the worklist.
        zones: of their places.
        kind: what is decided; an acceptance settles the items' own rules and no other.
        reason: why.
    """
    spans: dict[tuple[UUID, Channel], tuple[date, date]] = {}
    for item in items:
        key = (item.service_point_id, item.channel)
        first, last = spans.get(key, (item.first, item.last))
        spans[key] = (min(first, item.first), max(last, item.last))
    places = tuple(
        Place(
            point, channel,
            Period(local_midnight(first, zones[point]), local_midnight(last + timedelta(days=1), zones[point])),
        )
        for (point, channel), (first, last) in spans.items()
    )  # fmt: skip
    rules = tuple(sorted({item.rule for item in items})) if kind is DecisionKind.ACCEPT else ()
    return Wish(kind, reason, places, rules=rules)
