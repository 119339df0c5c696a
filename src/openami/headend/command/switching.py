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
from openami.headend.command.switch_items import OrderItems
from openami.headend.command.switch_step import asked_of
from openami.headend.switching.blocks import BlockCode, SwitchFacts, SwitchRules, block_of
from openami.headend.switching.order import (
    SwitchAction,
    SwitchItem,
    SwitchOrderError,
    SwitchReason,
    SwitchSubject,
    subject_of,
)
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.security.access.order import (
    Order,
    OrderBook,
    OrderKind,
    OrdersUnavailableError,
    good_approvals,
)
from openami.security.keys.level import SecurityLevel

LIST_CHANGED = "list_changed"
"""Said of an order whose items, or whose signed list, are not what was approved."""
BOOK_S = 1.0
"""Real time for which the orders that were read last are good: a withdrawn one stops within it."""
MAX_SENT = 20_000
"""Commands whose outcome is waited for."""


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
        self.items = OrderItems(engines.book, engines.facts.list_keys)
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
                items = await self.items.of(order, subject)
                if items is None:
                    is_changed = is_changed or await self.items.names(order, request.title)
                    continue
                item = items.get(request.title.octets)
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
        """Return the list's own voice where a signed list is enough; its signature is looked at with its items."""
        if subject.people > 1 or not order.document or order.withdrawn_at is not None:
            return ()
        return (order.subject.order_id,)

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
