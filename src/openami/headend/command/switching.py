"""Whether a customer's supply may be switched: people approved exactly this, and nothing has come between since.

The head-end is not believed. Its APDU must be the one plain step that an approved order asks for, of a meter that the
approved list names; the list must be the one whose digest people signed, and where a customer information system
ordered it, the one that its registered key signed. Then, each time anew: the meter's security level, where it hangs,
who has paid, who is held, the weather. What forbids it is told as a code: this process hears that a place is held, not
why, and tells no more.

An item serves once: it is used up by the meter's answer, and until then a few more commands may go for it.

Source: requirements R3.4, R3.8; research on utility practice (disconnect and reconnect).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.contracts.command import CommandClass, CommandOutcome, OutcomeKind, Refusal
from openami.headend.command.ports import ApprovalRequest, CommandRefusedError, CommandUnavailableError, Warrant
from openami.headend.switching.blocks import BlockCode, SwitchFacts, SwitchRules, block_of
from openami.headend.switching.list_file import OrderList, read_list
from openami.headend.switching.order import (
    SwitchAction,
    SwitchItem,
    SwitchOrderError,
    SwitchReason,
    SwitchSubject,
    decode_item,
    subject_of,
)
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest, SetRequest
from openami.protocol.axdr import Data, Tag
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.protocol.errors import PeerError
from openami.security.access.order import (
    Order,
    OrderBook,
    OrderKind,
    OrdersUnavailableError,
    digest_of_items,
    good_approvals,
)
from openami.security.keys.level import SecurityLevel

SWITCH, LIMITER = Obis.from_text("0.0.96.3.10.255"), Obis.from_text("0.0.17.0.0.255")
OPEN, CLOSE = MethodRef(70, SWITCH, 1), MethodRef(70, SWITCH, 2)
THRESHOLD = AttributeRef(71, LIMITER, 4)
LIST_CHANGED = "list_changed"
"""Said of an order whose items, or whose signed list, are not what was approved."""
BOOK_S = 1.0
"""Real time for which the orders that were read last are good: a withdrawn one stops within it."""
MAX_ORDERS_HELD = 64
MAX_SENT = 20_000
"""Commands whose outcome is waited for."""
_ZERO = Data(Tag.INTEGER, 0)


class SwitchFactSource(Protocol):
    """What is known outside of a meter of an order. Raises :class:`CommandUnavailableError`."""

    async def facts(self, item: SwitchItem) -> SwitchFacts:
        """Return what is known of a meter and its place now."""
        ...

    async def list_keys(self) -> Sequence[bytes]:
        """Return the registered public keys of customer information systems, Ed25519."""
        ...


class SwitchWitness(Protocol):
    """Writes down what is switched, before it is. Raises :class:`CommandUnavailableError`: then it is not done."""

    async def switches(
        self, order: Order, subject: SwitchSubject, item: SwitchItem, *, passed: BlockCode | None
    ) -> None:
        """Keep that a command goes out for a meter of an order, and raise the alarm where the reason asks for it.

        Args:
            order: the order.
            subject: its action and reason.
            item: the meter.
            passed: the block that a safety disconnection passes; None where none binds.
        """
        ...


@dataclass(frozen=True, slots=True)
class SwitchEngines:
    """What the rule asks.

    Args:
        book: orders.
        facts: what came between.
        witness: writes down.
        level_of: security level of a system title of eight octets.
    """

    book: OrderBook
    facts: SwitchFactSource
    witness: SwitchWitness
    level_of: Callable[[bytes], SecurityLevel]


@dataclass(frozen=True, slots=True)
class _Held:
    """The items of an order by title, once their digest agreed; None where they are not what was approved."""

    items: dict[bytes, SwitchItem] | None


@dataclass(frozen=True, slots=True)
class _Found:
    order: Order
    subject: SwitchSubject
    item: SwitchItem
    approvals: tuple[UUID, ...]


class SwitchApprovals:
    """:class:`openami.headend.command.ports.Approvals` of the class SWITCH.

    Args:
        engines: what it asks.
        rules: of the jurisdiction.
        zone: of the installation.
        real_now: the host's clock: windows are real time.
        clock: domain time: weather and office hours are by it.
    """

    def __init__(
        self,
        engines: SwitchEngines,
        rules: SwitchRules,
        zone: ZoneInfo,
        *,
        real_now: Callable[[], datetime],
        clock: Clock,
    ) -> None:
        self._engines, self._rules, self._zone = engines, rules, zone
        self._real_now, self._clock = real_now, clock
        self._read: tuple[datetime, tuple[Order, ...]] | None = None
        self._held: OrderedDict[tuple[UUID, bytes, tuple[bytes, ...]], _Held] = OrderedDict()
        self._sent: OrderedDict[UUID, tuple[UUID, bytes]] = OrderedDict()

    async def find(self, request: ApprovalRequest) -> Warrant | None:
        """Return what a switching command rests on; None where nobody approved it.

        Raises:
            CommandUnavailableError: the orders or what came between cannot be read.
            CommandRefusedError: it is approved, and the list is another, the meter below its level, or a block binds.
        """
        chosen = await self._chosen(request)
        return _warrant(chosen[0]) if chosen is not None else None

    async def spend(self, request: ApprovalRequest) -> Warrant | None:
        """As :meth:`find`; the item is used, and what goes out is written down first."""
        chosen = await self._chosen(request)
        if chosen is None:
            return None
        found, passed = chosen
        engines, octets, order_id = self._engines, found.item.encode(), found.order.subject.order_id
        await engines.witness.switches(found.order, found.subject, found.item, passed=passed)
        try:
            if not await engines.book.used(order_id, octets, at=self._real_now(), most=found.subject.most_uses):
                return None
        except OrdersUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        self._sent[request.request_id] = order_id, octets
        while len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)
        return _warrant(found)

    async def heard(self, outcome: CommandOutcome) -> None:
        """Take the network's word: a meter that answered has used its item up, and what the gateway refused was no use.

        Raises:
            OrdersUnavailableError: it could not be kept; the item may be used as often as its order lets it.
        """
        found = self._sent.pop(outcome.request_id, None)
        if found is None:
            return
        if outcome.kind is OutcomeKind.ANSWERED:
            await self._engines.book.used_up(*found, at=self._real_now())
        elif outcome.kind is OutcomeKind.REFUSED:
            await self._engines.book.given_back(*found)

    async def _chosen(self, request: ApprovalRequest) -> tuple[_Found, BlockCode | None] | None:
        """Return the oldest good order that asks for exactly this and that nothing blocks, and what it passes."""
        candidates = await self._good(request)
        if not candidates:
            return None
        self._require_level(request.title)
        refusal: CommandRefusedError | None = None
        for found in candidates:
            try:
                return found, await self._passed(found)
            except CommandRefusedError as error:
                # What stops a list for non-payment does not stop an order for safety of the same meter.
                refusal = refusal or error
        if refusal is not None:
            raise refusal
        return None

    async def _good(self, request: ApprovalRequest) -> list[_Found]:
        """Return the good orders that ask for exactly this, the oldest first."""
        asked = asked_of(request.plaintext)
        if request.command_class is not CommandClass.SWITCH or asked is None:
            return []
        now, is_changed = self._real_now(), False
        good: list[_Found] = []
        try:
            for order in await self._standing(now):
                subject = _subject(order)
                if subject is None or (subject.action, subject.limit_w) != asked:
                    continue
                approvals = good_approvals(order, now=now, people=subject.people) or await self._by_list(order, subject)
                if not approvals:
                    continue
                held = await self._items(order, subject)
                if held.items is None:
                    is_changed = is_changed or await self._names(order, request.title)
                    continue
                item = held.items.get(request.title.octets)
                if item is not None and await self._is_free(order, subject, item):
                    good.append(_Found(order, subject, item, approvals))
        except OrdersUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        if is_changed and not good:
            raise CommandRefusedError(Refusal.NEEDS_APPROVAL, LIST_CHANGED)
        return good

    async def _standing(self, now: datetime) -> tuple[Order, ...]:
        if self._read is None or abs((now - self._read[0]).total_seconds()) >= BOOK_S:
            self._read = now, tuple(await self._engines.book.standing(OrderKind.SWITCH, now=now))
        return self._read[1]

    async def _is_free(self, order: Order, subject: SwitchSubject, item: SwitchItem) -> bool:
        order_id = order.subject.order_id
        return await self._engines.book.is_free(order_id, item.encode(), most=subject.most_uses)

    async def _by_list(self, order: Order, subject: SwitchSubject) -> tuple[UUID, ...]:
        """Return the list's own voice where a signed list is enough; :meth:`_items` looks at its signature."""
        if subject.people > 1 or not order.document or order.withdrawn_at is not None:
            return ()
        return (order.subject.order_id,)

    async def _names(self, order: Order, title: SystemTitle) -> bool:
        items = await self._engines.book.items(order.subject.order_id)
        return any(octets.startswith(title.octets) for octets in items)

    async def _items(self, order: Order, subject: SwitchSubject) -> _Held:
        """Return the items of an order, believed once they are what was approved."""
        # A key that may sign no more voids what it has signed, also what was believed before.
        keys = tuple(await self._engines.facts.list_keys()) if order.document else ()
        key = order.subject.order_id, order.subject.digest(), keys
        held = self._held.get(key)
        if held is None:
            held = _Held(await self._believed(order, subject, keys))
            if held.items is None:
                # Looked at anew each time: whoever mends it shall not have to wait.
                return held
            self._held[key] = held
            while len(self._held) > MAX_ORDERS_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return held

    async def _believed(
        self, order: Order, subject: SwitchSubject, keys: Sequence[bytes]
    ) -> dict[bytes, SwitchItem] | None:
        octets = await self._engines.book.items(order.subject.order_id)
        if digest_of_items(octets) != order.subject.items_digest:
            return None
        try:
            items = {item.title.octets: item for item in map(decode_item, octets)}
            if len(items) != len(octets):
                return None
            if subject.needs_list or order.document:
                signed = read_list(order.document, public_keys=keys)
                if not _is_of(signed, order, subject, items):
                    return None
        except SwitchOrderError:
            return None
        return items

    def _require_level(self, title: SystemTitle) -> None:
        level = self._engines.level_of(title.octets)
        if level < SecurityLevel.SECURED:
            raise CommandRefusedError(Refusal.BELOW_SECURITY_LEVEL, level.name.lower())

    async def _passed(self, found: _Found) -> BlockCode | None:
        """Return the block that a safety disconnection passes.

        Raises:
            CommandRefusedError: a block binds.
        """
        facts = await self._engines.facts.facts(found.item)
        code = self._block(found.item, found.subject, facts, found.order.made_at)
        if code is not None:
            raise CommandRefusedError(Refusal.BLOCKED, code.value)
        if found.subject.reason is not SwitchReason.SAFETY or found.subject.action is SwitchAction.RECONNECT:
            return None
        as_any = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT)
        return self._block(found.item, as_any, facts, found.order.made_at)

    def _block(
        self, item: SwitchItem, subject: SwitchSubject, facts: SwitchFacts, made_at: datetime
    ) -> BlockCode | None:
        return block_of(
            item,
            subject,
            facts,
            rules=self._rules,
            zone=self._zone,
            made_at=made_at,
            now=self._real_now(),
            domain_now=self._clock.now(),
        )


def asked_of(plaintext: bytes) -> tuple[SwitchAction, int] | None:
    """Return the action, and the limit [W], that a plain APDU asks for; None where it is none of our steps.

    Args:
        plaintext: the APDU before it is sealed.
    """
    try:
        request = messages.decode(plaintext)
    except PeerError:
        return None
    if isinstance(request, ActionRequest) and request.parameter == _ZERO:
        if request.method == OPEN:
            return SwitchAction.DISCONNECT, 0
        if request.method == CLOSE:
            return SwitchAction.RECONNECT, 0
    if isinstance(request, SetRequest) and request.attribute == THRESHOLD and request.selection is None:
        value = request.value
        if value.tag is Tag.DOUBLE_LONG_UNSIGNED and value.integer is not None:
            return SwitchAction.LIMIT, value.integer
    return None


def _is_of(signed: OrderList, order: Order, subject: SwitchSubject, items: dict[bytes, SwitchItem]) -> bool:
    """Tell whether an order is a signed list, all of it and nothing else. Its id is the list's: a list serves once."""
    return (
        (signed.list_id, signed.subject) == (order.subject.order_id, subject)
        and signed.window.intersection(order.subject.window) == order.subject.window
        and dict(signed.places) == {item.title: item.service_point_id for item in items.values()}
    )


def _subject(order: Order) -> SwitchSubject | None:
    try:
        return subject_of(order.subject.action, order.subject.reason)
    except SwitchOrderError:
        return None


def _warrant(found: _Found) -> Warrant:
    return Warrant(
        found.approvals,
        order_id=found.order.subject.order_id,
        requester=found.order.requester,
        feeder=found.item.feeder,
        load_w=found.item.load_w,
    )
