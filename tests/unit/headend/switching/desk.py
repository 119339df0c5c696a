"""Orders, facts and a witness in memory, and a customer information system that signs lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from openami.headend.command.ports import CommandUnavailableError
from openami.headend.state_ports import Lease
from openami.headend.switching.blocks import BlockCode, SwitchFacts
from openami.headend.switching.life import SwitchTurn
from openami.headend.switching.list_file import OrderList, written_list
from openami.headend.switching.order import SwitchItem, SwitchSubject
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.security.access.order import (
    Order,
    OrderApproval,
    OrderKind,
    OrderSubject,
    OrdersUnavailableError,
    digest_of_items,
)
from openami.security.audit.entry import AuditEntry
from openami.security.suites.ed25519 import public_key_of, sign
from openami.security.watch.alert import Alert

CIS_KEY = b"c" * 32
ANNA, BEN = UUID(int=0xA), UUID(int=0xB)
HOUR = timedelta(hours=1)


@dataclass
class MemoryOrders:
    """An order book in memory."""

    orders: dict[UUID, Order] = field(default_factory=dict)
    listed: dict[UUID, list[bytes]] = field(default_factory=dict)
    uses: dict[tuple[UUID, bytes], int] = field(default_factory=dict)
    ended: set[tuple[UUID, bytes]] = field(default_factory=set)
    is_away: bool = False

    async def standing(self, kind: OrderKind, *, now: datetime) -> Sequence[Order]:
        self._require()
        return [
            o for o in self.orders.values()
            if o.subject.kind is kind and o.withdrawn_at is None and o.subject.window.holds(now)
        ]  # fmt: skip

    async def order(self, order_id: UUID) -> Order:
        self._require()
        return self.orders[order_id]

    async def items(self, order_id: UUID) -> Sequence[bytes]:
        self._require()
        return sorted(self.listed[order_id])

    async def used(self, order_id: UUID, item: bytes, *, at: datetime, most: int) -> bool:
        self._require()
        if not await self.is_free(order_id, item, most=most):
            return False
        self.uses[order_id, item] = self.uses.get((order_id, item), 0) + 1
        return True

    async def is_free(self, order_id: UUID, item: bytes, *, most: int) -> bool:
        return (order_id, item) not in self.ended and self.uses.get((order_id, item), 0) < most

    async def given_back(self, order_id: UUID, item: bytes) -> None:
        self._require()
        self.uses[order_id, item] -= 1

    async def used_up(self, order_id: UUID, item: bytes, *, at: datetime) -> None:
        self._require()
        self.ended.add((order_id, item))

    def make(
        self,
        subject: SwitchSubject,
        items: Iterable[SwitchItem],
        *,
        now: datetime,
        people: Sequence[UUID] = (ANNA, BEN),
        document: bytes = b"",
        order_id: UUID | None = None,
        hours: int = 8,
    ) -> Order:
        """Keep an order that these people approved just now."""
        octets = [item.encode() for item in items]
        window = Period(now, now + hours * HOUR)
        ordered = OrderSubject(
            order_id or uuid4(), OrderKind.SWITCH, subject.text, subject.reason.value, digest_of_items(octets), window
        )
        order = Order(ordered, people[0] if people else ANNA, now, len(octets), document=document)
        self.orders[ordered.order_id], self.listed[ordered.order_id] = order, octets
        for who in people:
            order = self.approve(order, who, now=now)
        return order

    def approve(self, order: Order, who: UUID, *, now: datetime) -> Order:
        """Add an approval."""
        order_id = order.subject.order_id
        given = OrderApproval(uuid4(), order_id, order.subject.digest(), who, who, now)
        order = self.orders[order_id] = replace(self.orders[order_id], approvals=(*order.approvals, given))
        return order

    def _require(self) -> None:
        if self.is_away:
            raise OrdersUnavailableError("the orders cannot be read")


@dataclass
class MemoryFacts:
    """What is known of places; a place that nobody speaks of is free."""

    known: dict[UUID, SwitchFacts] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=lambda: [public_key_of(CIS_KEY)])
    is_away: bool = False

    async def facts(self, item: SwitchItem) -> SwitchFacts:
        if self.is_away:
            raise CommandUnavailableError("what came between cannot be read")
        return self.known.get(item.service_point_id, SwitchFacts(item.service_point_id))

    async def list_keys(self) -> Sequence[bytes]:
        return self.keys


@dataclass
class MemoryWitness:
    """Remembers what it was told."""

    told: list[tuple[UUID, SwitchItem, BlockCode | None]] = field(default_factory=list)
    is_away: bool = False

    async def switches(
        self, order: Order, _subject: SwitchSubject, item: SwitchItem, *, passed: BlockCode | None
    ) -> None:
        if self.is_away:
            raise CommandUnavailableError("nothing is switched that cannot be written down")
        self.told.append((order.subject.order_id, item, passed))


def signed_list(
    subject: SwitchSubject | None,
    items: Iterable[SwitchItem],
    *,
    list_id: UUID,
    now: datetime,
    hours: int = 8,
    key: bytes = CIS_KEY,
) -> bytes:
    """Return a list that the customer information system has signed."""
    places = tuple(sorted((item.title, item.service_point_id) for item in items))
    found = OrderList(list_id, subject, now, Period(now, now + hours * HOUR), places)
    return written_list(found, sign=lambda octets: sign(octets, private_key=key))


@dataclass
class MemoryTurns:
    """Where meters of orders stand, in memory; a :class:`~openami.headend.session.switch_ports.SwitchStore`."""

    rows: dict[tuple[UUID, SystemTitle], SwitchTurn] = field(default_factory=dict)

    async def adopted(self, orders: Collection[UUID], partitions: frozenset[int]) -> set[UUID]:
        del partitions
        return {order_id for order_id, _ in self.rows if order_id in orders}

    async def adopt(self, _lease: Lease, turns: Sequence[SwitchTurn]) -> None:
        for turn in turns:
            self.rows.setdefault((turn.order_id, turn.title), turn)

    async def due(self, partitions: frozenset[int], *, now_s: float, limit: int) -> list[SwitchTurn]:
        del partitions
        found = [t for t in self.rows.values() if t.ended_at_s is None and t.due_s <= now_s]
        return sorted(found, key=lambda turn: turn.due_s)[:limit]

    async def strays(self, partitions: frozenset[int], standing: Collection[UUID]) -> list[SwitchTurn]:
        del partitions
        return [t for t in self.rows.values() if t.ended_at_s is None and t.order_id not in standing]

    async def keep(self, _lease: Lease, turn: SwitchTurn) -> None:
        if self.rows[turn.order_id, turn.title].ended_at_s is None:
            self.rows[turn.order_id, turn.title] = turn

    def of(self, order_id: UUID) -> list[SwitchTurn]:
        """Return the meters of an order."""
        return [turn for (order, _), turn in self.rows.items() if order == order_id]


@dataclass
class MemoryLog:
    """What came of each meter."""

    ends: list[SwitchTurn] = field(default_factory=list)

    async def ended(self, turn: SwitchTurn, _subject: SwitchSubject | None) -> None:
        self.ends.append(turn)


@dataclass
class MemoryAudit:
    """An audit log in memory."""

    entries: list[AuditEntry] = field(default_factory=list)

    async def write(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


@dataclass
class MemoryAlerts:
    """Alerts in memory."""

    alerts: dict[UUID, Alert] = field(default_factory=dict)

    async def raise_alert(self, alert: Alert) -> None:
        self.alerts.setdefault(alert.alert_id, alert)

    async def newest(self, *, limit: int) -> Sequence[Alert]:
        return list(self.alerts.values())[:limit]

    async def seen(self, alert_id: UUID, *, by: UUID, at: datetime) -> bool:
        raise NotImplementedError
