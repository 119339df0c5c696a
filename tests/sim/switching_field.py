"""A street of real meters, a real gateway desk with its thresholds, the real command service and a head-end's share.

Everything between them is called, not sent: no socket, no disk, and the time is the test's.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
from tests.unit.headend.switching.desk import (
    ANNA,
    BEN,
    MemoryAlerts,
    MemoryAudit,
    MemoryFacts,
    MemoryLog,
    MemoryOrders,
    MemoryTurns,
    signed_list,
)

from openami.app.bench.pushes import PushFactory
from openami.contracts.command import Command, CommandClass, CommandEffect, CommandOutcome, OutcomeKind
from openami.contracts.threshold import EffectLimits, Thresholds
from openami.headend.command.approvals import CompositeApprovals
from openami.headend.command.counters import SendCounters
from openami.headend.command.ports import CommandRefusedError
from openami.headend.command.service import CommandEngines, CommandService
from openami.headend.command.switching import SwitchApprovals
from openami.headend.command.switching import SwitchEngines as JudgeEngines
from openami.headend.command.witness import AuditWitness
from openami.headend.keeping.budget import CellBudget, CellPolicy
from openami.headend.listening.intake import Answer
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.ports import SealingRefusedError
from openami.headend.profiles import profile_of
from openami.headend.session.exchange import Exchanges
from openami.headend.session.session import Sessions
from openami.headend.session.switch_ports import SwitchEngines, SwitchWay
from openami.headend.session.switch_work import GroupSwitching
from openami.headend.state_ports import Lease
from openami.headend.switching.life import ItemCode, SwitchTurn
from openami.headend.switching.order import SwitchAction, SwitchItem, SwitchReason, SwitchSubject, feeder_number
from openami.headend.switching.rules_file import rules_of
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import EPOCH
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.meter import VirtualMeter
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.network.downlink import Result, decode_down, encode_result
from openami.network.gateway.desk import CommandDesk
from openami.network.gateway.thresholds import SwitchingGuard
from openami.network.link import LinkMessage, MessageType
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.security.access.order import Order
from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyColumns, KeyTable
from openami.security.suites.ed25519 import public_key_of, verifies
from openami.security.suites.gcm import open_sealed, verify_gmac_answer

OWN = SystemTitle(b"OAMhome1")
SIGNING_KEY = bytes(range(32))
COLLECTOR = 7
EXCHANGE_S = 1.0
"""Simulated time that a question and its answer take on the radio."""
NON_PAYMENT = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT)
PAID = SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID)
SAFETY = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.SAFETY)
OF_A_WORKING_DAY = Thresholds(
    version=1,
    effects={
        CommandEffect.DISCONNECT: EffectLimits(requester_hour=50, utility_hour=50, utility_day=250),
        CommandEffect.LIMIT: EffectLimits(requester_hour=10, utility_hour=50, utility_day=100),
        CommandEffect.OTHER: EffectLimits(requester_hour=2, utility_hour=5, utility_day=10),
    },
)
"""What a utility signs that disconnects some two hundred customers a working day."""


class Reserve:
    """Counters in memory."""

    def __init__(self) -> None:
        self.next: dict[tuple[UUID, int], int] = {}

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        first = self.next.get((meter_id, generation), 1)
        self.next[meter_id, generation] = first + count
        return first


class Vault:
    """Only what a key feed asks."""

    def __init__(self, columns: KeyColumns) -> None:
        self._columns = columns

    async def revision(self) -> int:
        return 1

    async def load(self, **_after: int) -> KeyColumns:
        return self._columns


class OneKey:
    """The gateway knows one command process."""

    def verifies(self, signature: bytes, octets: bytes) -> bool:
        return verifies(signature, octets, public_key=public_key_of(SIGNING_KEY))

    def refresh(self) -> None:
        """There is nothing to refresh."""


@dataclass
class Field:
    """The street.

    Args:
        meters: how many.
        begin: when it begins.
        thresholds: of the gateway.
        generation: of the meters' keys; 1 are their maker's.
    """

    meters: int
    begin: datetime
    thresholds: Thresholds = OF_A_WORKING_DAY
    generation: int = 2
    silent: set[SystemTitle] = field(default_factory=set)
    deaf_after: dict[SystemTitle, int] = field(default_factory=dict)
    """Meters whose answers are lost from this question on."""
    dies_after: int = 1_000_000
    """The head-end is killed when this many questions have been asked."""
    sent: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FixedClock(self.begin)
        self.book, self.facts, self.turns = MemoryOrders(), MemoryFacts(), MemoryTurns()
        self.audit, self.alerts, self.log = MemoryAudit(), MemoryAlerts(), MemoryLog()
        self.factory = PushFactory(meters=self.meters)
        self.titles = [SystemTitle(m.title) for m in self.factory.meters]
        self.keys = {SystemTitle(m.title): (m.key, m.auth_key) for m in self.factory.meters}
        self.asked: Counter[SystemTitle] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._begin_meters()
        self._begin_gateway()
        self._begin_command()
        self._begin_headend()

    def items(self, *places: int) -> list[SwitchItem]:
        """Return the meters of these places of the street, or all; six feeders share them."""
        numbers = places or range(self.meters)
        return [
            SwitchItem(self.titles[n], UUID(int=n + 1), feeder_number(f"feeder {n % 6}"), load_w=1_500) for n in numbers
        ]

    def list_of(
        self, subject: SwitchSubject, items: list[SwitchItem], *, people: tuple[UUID, ...] = (ANNA, BEN)
    ) -> Order:
        """Keep an order that the customer information system has signed."""
        list_id = uuid4()
        document = signed_list(subject, items, list_id=list_id, now=self.now)
        return self.book.make(subject, items, now=self.now, people=people, document=document, order_id=list_id)

    async def run(self, span: timedelta, *, step_s: float = 60.0) -> None:
        """Let time go by."""
        end = self.now + span
        while self.now < end:
            self.clock.advance(step_s)
            self.desk.end_overdue(now_ms=self.now_ms)
            await self.work.turn()
            await asyncio.gather(*self.work._tasks.values(), return_exceptions=True)
            await asyncio.gather(*self._tasks)
            if self.asked.total() >= self.dies_after:
                return

    def new_owner(self) -> None:
        """The head-end is started anew: what it had in memory is gone."""
        self._begin_headend()

    @property
    def now(self) -> datetime:
        return self.clock.instant

    @property
    def now_ms(self) -> int:
        return (self.now - EPOCH) // timedelta(milliseconds=1)

    def is_on(self, title: SystemTitle) -> bool:
        """Whether a meter lets current through."""
        return self.devices[title].state.switch.is_closed

    def codes(self, order: Order) -> Counter[ItemCode | None]:
        """Return what became of the meters of an order."""
        return Counter(turn.code for turn in self.turns.of(order.subject.order_id))

    def one(self, order: Order) -> SwitchTurn:
        """Return the only meter of an order."""
        (turn,) = self.turns.of(order.subject.order_id)
        return turn

    def _begin_meters(self) -> None:
        self.devices: dict[SystemTitle, VirtualMeter] = {}
        self.served: dict[SystemTitle, MeterAssociations] = {}
        for made in self.factory.meters:
            identity = MeterIdentity(SystemTitle(made.title), made.key, made.auth_key)
            bank = RegisterBank(np.array([MJ_PER_WH]), np.array([0]), np.array([DEFAULT_CAPACITY_WH], dtype=np.int64))
            counters = InvocationCounters(MemoryCounterStore(1))
            begin = self.now - timedelta(hours=1)
            one = VirtualMeter(identity, bank, counters, MeterClock(begin, 0), ZoneInfo("America/Chicago"), begin)
            one.advance(self.now, power_mw=1_500_000, voltage_dv=2_400)
            self.devices[identity.title] = one
            self.served[identity.title] = MeterAssociations(
                one.device,
                identity=partial(getattr, one, "identity"),
                send=FleetSendCounter(counters, 0),
                received=one.state.received,
                dice=os.urandom,
            )

    def _begin_gateway(self) -> None:
        self.words: list[object] = []
        guard = SwitchingGuard(thresholds=self.thresholds, now_ms=self.now_ms, tell=self.words.append)
        self.desk = CommandDesk(keys=OneKey(), send=self._hand_over, tell=self._told, guard=guard)
        for title in self.titles:
            self.desk.book.heard(title.octets, COLLECTOR)

    def _begin_command(self) -> None:
        columns = replace(self.factory.key_columns(), generation=np.full(self.meters, self.generation, np.uint32))
        table = KeyTable()
        vault: KeyVault = Vault(columns)  # type: ignore[assignment]  # only what a feed asks
        witness = AuditWitness(self.audit, self.alerts, self._real_now, self.clock)
        judge = JudgeEngines(self.book, self.facts, witness, table.level_of)
        zone = ZoneInfo("America/Chicago")
        self.approvals = SwitchApprovals(judge, rules_of(), zone, real_now=self._real_now, clock=self.clock)
        table.merge(columns)
        self.service = CommandService(
            own_title=OWN.octets,
            table=table,
            counters=SendCounters(Reserve()),
            signing_key=SIGNING_KEY,
            engines=CommandEngines(
                KeyFeed(vault, table),
                CompositeApprovals({CommandClass.SWITCH: self.approvals}),
                self,
                self.clock,
                self._real_now,
            ),
        )

    def _begin_headend(self) -> None:
        self.exchanges = Exchanges(_Sender(self), new_id=uuid4)
        sealing = _Sealing(self)
        sessions = Sessions(
            sealing=sealing,
            downlink=self.exchanges,
            own_title=OWN,
            secret=os.urandom,
            monotonic=self._monotonic,
        )
        air = CellBudget(CellPolicy(exchanges_per_s=1000.0, burst=100_000.0))
        profile = profile_of("oam-1")
        way = SwitchWay(sessions, lambda _: profile, lambda _: (air, 1), Random(4).random, self._real_now)
        engines = SwitchEngines(self.book, self.turns, self.log, sealing)
        self.work = GroupSwitching(Lease(0, 1, 0), frozenset(range(64)), engines, way)

    def _real_now(self) -> datetime:
        return self.now

    def _monotonic(self) -> float:
        return self.now.timestamp()

    # The road of the command process.

    async def record(self, command: Command) -> None:
        """Everything that goes is in ``sent``."""

    async def send(self, command: Command) -> None:
        self.sent.append(command)
        self.desk.take(command.encode(), now_ms=self.now_ms)

    async def listen(self, heard: Callable[[CommandOutcome], None]) -> None:
        raise NotImplementedError

    def _told(self, outcome: CommandOutcome) -> None:
        self.exchanges.told(outcome)
        self._soon(self.approvals.heard(outcome))

    # The collector and the radio behind it.

    def _hand_over(self, _collector_id: int, octets: bytes) -> bool:
        number, title = int.from_bytes(octets[6:14]), SystemTitle(octets[14:22])
        if title in self.silent:
            return False
        _, frame = decode_down(octets[30:])
        self._soon(self._call(number, title, frame))
        return True

    async def _call(self, number: int, title: SystemTitle, frame: bytes) -> None:
        self.clock.advance(EXCHANGE_S)
        self.asked[title] += 1
        if self.asked.total() >= self.dies_after:
            for task in self.work._tasks.values():
                task.cancel()
        header, apdu = parse_wrapper(frame)
        answers = self.served[title].answer(header.source_port, apdu)
        result = Result(OutcomeKind.NO_ANSWER)
        if answers and self.asked[title] < self.deaf_after.get(title, 1_000_000):
            answer = wrap(header.destination_port, header.source_port, answers[0])
            result = Result(OutcomeKind.ANSWERED, answer=sha256(answer).digest())
            self.exchanges.answered([Answer(title.octets, answer)])
        octets = encode_result(number, title.octets, result)
        message = LinkMessage(MessageType.RESULT, 0, number, title.octets, 0, octets[30:])
        self.desk.result(COLLECTOR, message, now_ms=self.now_ms)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True)
class _Sealing:
    """The command service as sessions see it; what a meter says is opened with its own keys."""

    field: Field

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        del generation
        try:
            return await self.field.service.seal(title, plaintext, control=control)
        except CommandRefusedError as error:
            raise SealingRefusedError(str(error), error.refusal) from error

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        del generation
        return await self.field.service.prove(title, challenge)

    async def open(self, title: SystemTitle, sealed: bytes) -> bytes:
        key, auth_key = self.field.keys[title]
        return open_sealed(title.octets, sealed, key=key, auth_key=auth_key)

    async def verify(self, title: SystemTitle, challenge: bytes, proof: bytes) -> bool:
        key, auth_key = self.field.keys[title]
        return verify_gmac_answer(title.octets, proof, challenge, key=key, auth_key=auth_key)


@dataclass(frozen=True)
class _Sender:
    """The command service as exchanges see it."""

    field: Field

    async def send(self, title: SystemTitle, frame: bytes, *, request_id: UUID, time_left_s: float) -> None:
        expires_at_ms = self.field.now_ms + int(time_left_s * 1_000)
        try:
            await self.field.service.send(title, frame, request_id=request_id, expires_at_ms=expires_at_ms)
        except CommandRefusedError as error:
            raise SealingRefusedError(str(error), error.refusal) from error
