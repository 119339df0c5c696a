"""A meter, a vault and everything between them that changes keys, with something going wrong at any step.

What is real: the command process's service (judging, sealing, signing), its key rotation, sessions, the client and
server associations, a virtual meter. What is a stand-in: disks (what is in ``Disks`` survives everything), the network
(it loses, doubles, holds back and replays) and the vault's database, by its contract.

A *power cut* is an exception that unwinds everything in hand: of our processes, or of the meter. All of it is built
anew from what is on the disks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from tests.contract.keys.fake_vault import FakeVault

from openami.contracts.command import Command, CommandOutcome
from openami.headend.command.counters import SendCounters
from openami.headend.command.pairs import Pairs
from openami.headend.command.ports import CommandRefusedError, CommandUnavailableError, Warrant
from openami.headend.command.rekey import KeyApprovals, KeyRotation
from openami.headend.command.service import CommandEngines, CommandService
from openami.headend.keeping.rekey import Tried
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.listening.window import CounterWindows, Verdict
from openami.headend.ports import (
    ForgedAnswerError,
    NoAnswerError,
    SealingRefusedError,
    SealingUnavailableError,
)
from openami.headend.session.rekey import CLOCK, KeyWay, change_keys
from openami.headend.session.session import SessionFailedError, SessionPolicy, Sessions
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters
from openami.meter.kept import restore_state, state_document
from openami.meter.meter import VirtualMeter
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.meter.state import DeviceState
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.envelope.association import parse_association
from openami.protocol.envelope.sealed import parse_sealed_header, parse_service_sealed
from openami.protocol.envelope.wrapper import wrap
from openami.protocol.errors import PeerError
from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyTable, title_number
from openami.security.keys.weak import KEY_OCTETS
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import open_sealed, verify_gmac_answer

T = TypeVar("T")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
METER = UUID(int=7)
TITLE = SystemTitle(b"OAM\x00\x00\x00\x00\x07")
OWN = b"OAMhome1"
SIGNING_KEY = bytes(range(32))
PORT = 1
ORDER = Warrant((UUID(int=1), UUID(int=2)), UUID(int=3))


class OurCutError(BaseException):
    """Our processes die."""


class MeterCutError(Exception):
    """The meter loses its supply, here of all places."""


@dataclass(slots=True)
class Disks:
    """What survives. Of the meter: ceilings, keys and memory, each written by itself."""

    identity: MeterIdentity
    vault: FakeVault
    ceilings: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    memory: dict[str, object] | None = None
    reserved: dict[tuple[UUID, int], int] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Faults:
    """What goes wrong, how often. Every share is of 1."""

    lose_request: float = 0.0
    lose_answer: float = 0.0
    hold_answer: float = 0.0
    replay: float = 0.0
    double: float = 0.0
    our_cut: float = 0.0
    meter_cut: float = 0.0

    @classmethod
    def drawn(cls, dice: Random) -> Faults:
        """Return faults of one run: most kinds do not occur in it, those that do occur often."""
        return cls(*(dice.uniform(0.02, 0.35) if dice.random() < 0.5 else 0.0 for _ in range(7)))


class World:
    """One meter and us.

    Args:
        dice: everything that is random here.
        faults: what goes wrong.
        wrong_master: the vault has another master key than the meter.
    """

    def __init__(self, dice: Random, faults: Faults, *, wrong_master: bool = False) -> None:
        self.dice, self.faults = dice, faults
        keys = [dice.randbytes(KEY_OCTETS) for _ in range(3)]
        vault = FakeVault()
        master = dice.randbytes(KEY_OCTETS) if wrong_master else keys[2]
        vault.ship(METER, TITLE, keys[:2], master=master, at=NOW)
        self.disks = Disks(MeterIdentity(TITLE, keys[0], keys[1], keys[2]), vault)
        self.used: set[tuple[bytes, bytes, int]] = set()
        self.seen: list[tuple[int, bytes]] = []
        self.steps = 0
        self.cut_at: tuple[int, bool] | None = None
        self.power_up_meter()
        self.start()

    # Our side.

    def start(self) -> None:
        """Build our processes from the disks."""
        vault: KeyVault = Vault(self)  # type: ignore[assignment]  # only what key feeds and rotation ask
        self.table, self.windows = KeyTable(), CounterWindows()
        self.commands_table = KeyTable()
        feed = KeyFeed(vault, self.commands_table)
        pairs = Pairs(self.commands_table, feed)
        self.rotation = KeyRotation(pairs, vault, self, dice=self.dice.randbytes, now=lambda: NOW)  # type: ignore[arg-type]
        approvals = KeyApprovals(self.rotation, self)
        self.service = CommandService(
            own_title=OWN,
            table=self.commands_table,
            counters=SendCounters(self),
            signing_key=SIGNING_KEY,
            engines=CommandEngines(feed, approvals, self, FixedClock(NOW), lambda: NOW),
        )
        self.feed = KeyFeed(vault, self.table)
        self.opened: dict[bytes, bytes] = {}
        self.sessions = Sessions(
            sealing=self,
            downlink=self,
            own_title=SystemTitle(OWN),
            secret=self.dice.randbytes,
            monotonic=lambda: 0.0,
            policy=SessionPolicy(),
        )

    def step(self) -> None:
        """Come to a place where our processes may die."""
        self.steps += 1
        if self.cut_at == (self.steps, True) or self.dice.random() < self.faults.our_cut / 8:
            raise OurCutError

    async def warrant(self, _title: SystemTitle) -> Warrant | None:
        return ORDER

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        first = self.disks.reserved.get((meter_id, generation), 1)
        self.disks.reserved[meter_id, generation] = first + count
        return first

    async def record(self, _command: Command) -> None:
        self.step()

    async def listen(self, heard: Callable[[CommandOutcome], None]) -> None:
        raise NotImplementedError

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        return await self._asked(lambda: self.service.seal(title, plaintext, control=control, generation=generation))

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        return await self._asked(lambda: self.service.prove(title, challenge, generation=generation))

    async def open(self, _title: SystemTitle, sealed: bytes) -> bytes:
        plaintext = self.opened.pop(sealed, None)
        if plaintext is None:
            raise ForgedAnswerError("nothing that was opened")
        return plaintext

    async def verify(self, title: SystemTitle, challenge: bytes, proof: bytes) -> bool:
        return any(
            verify_gmac_answer(title.octets, proof, challenge, key=p[:KEY_OCTETS], auth_key=p[KEY_OCTETS:])
            for p in self._pairs()
        )

    async def begin_keys(self, title: SystemTitle) -> tuple[int, bool]:
        begun = await self._asked(lambda: self.rotation.begin(title))
        return begun.generation, begun.is_fresh

    async def keys_parameter(self, title: SystemTitle, generation: int) -> bytes:
        return await self._asked(lambda: self.rotation.parameter(title, generation))

    async def keys_proved(self, title: SystemTitle, generation: int, sealed: bytes) -> None:
        await self._asked(lambda: self.rotation.proved(title, generation, sealed))

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the command process; either end may die before or after it did what it was asked."""
        self.step()
        try:
            answer = await ask()
        except CommandRefusedError as error:
            raise SealingRefusedError(str(error), error.refusal) from error
        except CommandUnavailableError as error:
            raise SealingUnavailableError(str(error)) from error
        self.step()
        return answer

    async def note_sent(self, generation: int) -> None:
        self.step()
        self.disks.sent.append(generation)
        self.step()

    # The way.

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        """Be the downlink."""
        self.step()
        self._sent: list[Command] = []
        await self.service.send(title, octets, request_id=UUID(int=9), expires_at_ms=NOW_MS + int(timeout_s * 1000))
        (command,) = self._sent
        self._note(command.apdu, OWN)
        self.step()
        faults, dice = self.faults, self.dice
        if self.seen and dice.random() < faults.replay:
            self._deliver(*dice.choice(self.seen))
        self.seen.append((command.client_port, command.apdu))
        if dice.random() < faults.lose_request:
            raise NoAnswerError("lost on the way down")
        said = self._deliver(command.client_port, command.apdu)
        if dice.random() < faults.double:
            self._deliver(command.client_port, command.apdu)
        self.step()
        if said is None or dice.random() < faults.lose_answer:
            raise NoAnswerError("nothing came")
        self._take_up(said)
        if dice.random() < faults.hold_answer:
            raise NoAnswerError("it came too late")
        return wrap(command.server_port, command.client_port, said)

    async def send(self, command: Command) -> None:
        self._sent.append(command)

    def _deliver(self, client: int, apdu: bytes) -> bytes | None:
        """Return what the meter says; None where its supply fails."""
        try:
            self._meter_step()
            answers = self.associations.answer(client, apdu)
            for answer in answers:
                self._note(answer, TITLE.octets)
            # An order is on the disk before it is acknowledged.
            self._meter_step()
            self.disks.memory = state_document(self.meter.state)
            self._meter_step()
        except MeterCutError:
            self.power_up_meter()
            return None
        return answers[0] if answers else None

    def _take_up(self, apdu: bytes) -> None:
        """Open an answer as the head-end's intake does."""
        body = sealed_in(apdu)
        if body is None:
            return
        first, count = self.table.candidates(np.array([title_number(TITLE.octets)], np.uint64))
        rows = self.table.row_at(np.arange(first[0], first[0] + count[0]))
        self.windows.grow(len(self.table))
        for row, pair in zip(rows, self.table.key_pairs(rows), strict=True):
            try:
                plaintext = open_sealed(TITLE.octets, body, key=pair[:KEY_OCTETS], auth_key=pair[KEY_OCTETS:])
            except SuiteError:
                continue
            counter = np.array([int.from_bytes(body[1:5])], np.int64)
            if self.windows.accept(row.reshape(1), counter)[0] == Verdict.ACCEPTED:
                self.opened[body] = plaintext
            return

    def _pairs(self) -> list[bytes]:
        first, count = self.table.candidates(np.array([title_number(TITLE.octets)], np.uint64))
        return self.table.key_pairs(self.table.row_at(np.arange(first[0], first[0] + count[0])))

    def _note(self, apdu: bytes, title: bytes) -> None:
        """Write down under which key and vector something was sealed; twice is the end of that key."""
        body = sealed_in(apdu)
        if body is None:
            return
        for key in self.every_key():
            for auth_key in self.every_key():
                try:
                    open_sealed(title, body, key=key, auth_key=auth_key)
                except SuiteError:
                    continue
                used = (key, title, int.from_bytes(body[1:5]))
                assert used not in self.used, f"counter {used[2]} came twice under one key"
                self.used.add(used)
                return

    def every_key(self) -> list[bytes]:
        held = [h.keys for h in self.disks.vault.pairs[METER].values()]
        return [key.reveal() for keys in held for key in keys]

    # The meter.

    def ceilings(self) -> npt.NDArray[np.int64]:
        return self.disks.ceilings.copy()

    def keep(self, ceilings: npt.NDArray[np.int64]) -> None:
        self._meter_step()
        self.disks.ceilings = ceilings.copy()
        self._meter_step()

    def keep_keys(self, identity: MeterIdentity) -> None:
        self._meter_step()
        self.disks.identity = identity
        self._meter_step()

    def power_up_meter(self) -> None:
        """Build the meter from its disk."""
        disks = self.disks
        state = DeviceState()
        if disks.memory is not None:
            restore_state(state, disks.memory)
        state.take_keys(disks.identity)
        bank = RegisterBank(np.array([MJ_PER_WH]), np.array([0]), np.array([DEFAULT_CAPACITY_WH], dtype=np.int64))
        counters = InvocationCounters(self)
        zone = ZoneInfo("America/Chicago")
        self.meter = VirtualMeter(
            disks.identity, bank, counters, MeterClock(NOW), zone, NOW, state=state, keep_keys=self.keep_keys
        )
        self.associations = MeterAssociations(
            self.meter.device,
            identity=lambda: self.meter.identity,
            send=FleetSendCounter(counters, 0),
            received=state.received,
            dice=self.dice.randbytes,
        )

    def _meter_step(self) -> None:
        self.steps += 1
        if self.cut_at == (self.steps, False) or self.dice.random() < self.faults.meter_cut / 8:
            raise MeterCutError

    # What is done.

    async def try_once(self) -> Tried | None:
        """Try to change the keys once; None where our processes died of it and stand again."""
        try:
            await self.feed.refresh()
            way = KeyWay(self.sessions, self, self.feed.refresh)
            return await change_keys(way, TITLE, port=PORT, note_sent=self.note_sent)
        except OurCutError:
            self.start()
            return None

    async def read(self, *, tries: int = 1) -> Data:
        """Read the meter with the keys that are in use."""
        await self.feed.refresh()
        for left in reversed(range(tries)):
            try:
                return await self.sessions.run_with_keys(TITLE, _clock, port=PORT)
            except SessionFailedError:
                if not left:
                    raise
        raise AssertionError("not tried")


class Vault:
    """The vault's database from a process that may die around each call."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> object:
        call = getattr(self._world.disks.vault, name)

        async def called(*arguments: object, **words: object) -> object:
            self._world.step()
            result = await call(*arguments, **words)
            self._world.step()
            return result

        return called


def _clock(client: ClientAssociation) -> Steps[Data]:
    return client.read(CLOCK)


def sealed_in(apdu: bytes) -> bytes | None:
    """Return the sealed part of a message from its security control on; None where nothing is sealed."""
    try:
        if apdu[0] in {0x60, 0x61, 0x62, 0x63}:
            at = parse_association(apdu).sealed_at
            return apdu[at:] if at is not None else None
        if apdu[0] == 0xDB:
            return apdu[parse_sealed_header(apdu).body_offset :]
        return apdu[parse_service_sealed(apdu, title=TITLE.octets).body_offset :]
    except PeerError:
        return None


def quiet(world: World) -> None:
    """Let nothing go wrong any more."""
    world.faults = Faults()
    world.cut_at = None
