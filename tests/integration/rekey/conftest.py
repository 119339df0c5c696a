"""Keys change over the whole road: command, gateway and head-end processes, a collector, virtual meters on disks."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.conftest import free_port
from tests.integration.downlink.conftest import COLLECTOR, Process
from tests.integration.network.support import pki_contexts

from openami.app.bench.pushes import FIRST_END, MadeUpMeter, PushFactory
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.process.command import client_title
from openami.app.settings import Home, Settings, real_now
from openami.contracts.command import decode_command
from openami.contracts.frame import FrameClass
from openami.contracts.stream import DMZ_COMMAND_SUBJECT
from openami.headend.adapters.rekeys_postgres import PostgresRekeys
from openami.headend.command.key_orders import EVERY_METER, NAMED_METERS
from openami.headend.keeping.rekey import Cause, RekeyPolicy, RekeyProgress
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters
from openami.meter.kept import restore_state, state_document
from openami.meter.meter import VirtualMeter
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.meter.state import DeviceState
from openami.network.collector import Collector
from openami.network.delivery import Deliveries
from openami.network.ports import DeliveryError, UnknownMeterError
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.security.access.account import NewUser
from openami.security.access.order import Order, OrderKind, OrderSubject, digest_of_items
from openami.security.access.role import Role
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.row_security import row_secured_engine
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.shipment import parse_shipment

PEOPLE = ("anna@utility.example", "ben@utility.example")
PASSWORD = "a long enough password of theirs"


@dataclass
class Disk:
    """What a meter has when its supply is back."""

    identity: MeterIdentity
    ceilings_kept: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    memory: dict[str, object] | None = None

    def ceilings(self) -> npt.NDArray[np.int64]:
        return self.ceilings_kept.copy()

    def keep(self, ceilings: npt.NDArray[np.int64]) -> None:
        self.ceilings_kept = ceilings.copy()

    def keep_keys(self, identity: MeterIdentity) -> None:
        self.identity = identity


def _made(made: MadeUpMeter) -> tuple[SystemTitle, MeterIdentity]:
    title = SystemTitle(made.title)
    return title, MeterIdentity(title, made.key, made.auth_key, os.urandom(16))


class Village:
    """Meters behind one collector. Everything that they seal is written down; their supply may fail at any message.

    Args:
        meters: how many.
        dice: when supply fails.
    """

    def __init__(self, meters: int, dice: Random) -> None:
        self.factory = PushFactory(meters=meters)
        self.dice = dice
        self.cut_share = 0.0
        self.lose_share = 0.0
        self.deaf: set[SystemTitle] = set()
        self.disks = {title: Disk(identity) for title, identity in map(_made, self.factory.meters)}
        self.sealed: list[tuple[SystemTitle, bytes]] = []
        self.power_ups = 0
        self._on: dict[SystemTitle, tuple[VirtualMeter, MeterAssociations]] = {}

    def shipment(self) -> dict[str, Any]:
        """Return the shipment, with master keys."""
        made: dict[str, Any] = self.factory.shipment("made-up")
        for row in made["meters"]:
            row["master_key"] = (self.disks[SystemTitle.from_hex(row["system_title"])].identity.master_key or b"").hex()
        return made

    def meter(self, title: SystemTitle) -> tuple[VirtualMeter, MeterAssociations]:
        """Return a meter that is at work, begun from its disk."""
        if title not in self._on:
            disk, state = self.disks[title], DeviceState()
            if disk.memory is not None:
                restore_state(state, disk.memory)
            state.take_keys(disk.identity)
            bank = RegisterBank(np.array([MJ_PER_WH]), np.array([0]), np.array([DEFAULT_CAPACITY_WH], dtype=np.int64))
            begin, counters = FIRST_END - timedelta(hours=1), InvocationCounters(disk)
            zone = ZoneInfo("America/Chicago")
            one = VirtualMeter(
                disk.identity, bank, counters, MeterClock(begin, 0), zone, begin, state=state, keep_keys=disk.keep_keys
            )
            served = MeterAssociations(
                one.device,
                identity=lambda: one.identity,
                send=FleetSendCounter(counters, 0),
                received=state.received,
                dice=os.urandom,
            )
            self._on[title] = one, served
        return self._on[title]

    async def deliver(self, title: SystemTitle, octets: bytes) -> list[bytes]:
        """Be the radio and the meter."""
        if title not in self.disks:
            raise UnknownMeterError("another meter")
        if title in self.deaf:
            return self._lost()
        header, apdu = parse_wrapper(octets)
        one, served = self.meter(title)
        fails_at = self.dice.randrange(3) if self.dice.random() < self.cut_share else -1
        if fails_at == 0:
            return self._dark(title)
        answers = served.answer(header.source_port, apdu)
        self.sealed += [(title, answer) for answer in answers]
        if fails_at == 1:
            # After its keys are on the disk, before its memory is.
            return self._dark(title)
        self.disks[title].memory = state_document(one.state)
        if fails_at == 2 or self.dice.random() < self.lose_share:
            return self._dark(title) if fails_at == 2 else self._lost()
        return [wrap(header.destination_port, header.source_port, a) for a in answers]

    def push(self, title: SystemTitle) -> list[bytes]:
        """Return pushes of a meter: its registers, and what it noticed meanwhile."""
        frames = self.meter(title)[0].install()
        self.sealed += [(title, parse_wrapper(frame)[1]) for frame in frames]
        return frames

    def _dark(self, title: SystemTitle) -> list[bytes]:
        self._on.pop(title, None)
        self.power_ups += 1
        return self._lost()

    def _lost(self) -> list[bytes]:
        raise DeliveryError("nothing came back")


@dataclass
class Site:
    """An installation whose meters may change keys."""

    settings: Settings
    nats: NatsEngine
    village: Village
    processes: dict[str, Process]
    collector: Collector
    vault: PostgresVault
    state: AsyncEngine
    rekeys: PostgresRekeys
    orders: PostgresOrders
    accounts: AsyncEngine
    people: tuple[UUID, UUID]
    commands: list[tuple[SystemTitle, bytes]] = field(default_factory=list)

    @property
    def own_title(self) -> bytes:
        return client_title(self.settings.home).octets

    async def offer(self, titles: Sequence[SystemTitle]) -> None:
        """Let meters push once."""
        frames = [(FrameClass.PROFILE, t, 1, frame) for t in titles for frame in self.village.push(t)]
        await asyncio.wait_for(self.collector.offer(frames), 10)

    async def heard(self, titles: Sequence[SystemTitle] | None = None) -> None:
        """Let meters push once and wait until the stream has it."""
        await self.offer(titles or list(self.village.disks))
        await asyncio.wait_for(self.collector.drained(), 60)

    async def order(self, titles: Sequence[SystemTitle] = (), *, people: int = 2) -> UUID:
        """Order by that many people that keys change: of named meters, or a standing order."""
        now = real_now().replace(microsecond=0)
        items = sorted(title.octets for title in titles)
        window = Period(now - timedelta(minutes=5), now + timedelta(hours=12))
        action = NAMED_METERS if items else EVERY_METER
        subject = OrderSubject(uuid4(), OrderKind.KEYS, action, "a test", digest_of_items(items), window)
        made = Order(subject, self.people[0], now, len(items))
        await self.orders.make(made, items, approval_id=uuid4())
        if people > 1:
            await self.orders.approve(subject, approval_id=uuid4(), user_id=self.people[1], at=now)
        return subject.order_id

    async def progress(self) -> dict[Cause, RekeyProgress]:
        return await self.rekeys.progress(RekeyPolicy())

    async def every_job(self) -> list[tuple[str, ...]]:
        """Return how each job stands, for whoever wonders."""
        query = text("select system_title, cause, step, generation, tries, words, order_id from headend.key_change")
        async with self.state.begin() as connection:
            return [tuple(str(v) for v in row) for row in (await connection.execute(query)).all()]

    async def until(self, done: int, *, cause: Cause = Cause.FACTORY, wait_s: float = 120.0) -> None:
        """Wait until that many meters have new keys."""
        async with asyncio.timeout(wait_s):
            while (found := (await self.progress()).get(cause)) is None or found.done < done:
                await asyncio.sleep(0.2)

    async def hear_commands(self, client: Client) -> None:
        """Write down every command that goes to the gateway."""

        async def hear(message: Msg) -> None:
            command = decode_command(message.data)
            self.commands.append((command.title, command.apdu))

        await client.subscribe(DMZ_COMMAND_SUBJECT, cb=hear)
        await client.flush()


async def _people(settings: Settings, access: AsyncEngine) -> tuple[UUID, UUID]:
    accounts = accounts_of(settings, access, RealClock())
    made = [NewUser(login, frozenset({Role.ENGINEER}), PASSWORD, display_name=login[:3]) for login in PEOPLE]
    first, second = await accounts.register_users(made)
    return first, second


@pytest.fixture
def meters() -> int:
    """How many meters there are; a test may say otherwise."""
    return 6


@pytest.fixture
async def site(
    nats_server: NatsEngine,
    postgres: PostgresEngine,
    short_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    meters: int,
) -> AsyncIterator[Site]:
    """Gateway and command process run and the collector is connected; no meter was heard and no head-end runs."""
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    monkeypatch.setenv("OPENAMI_CELL_EXCHANGES_PER_S", "500")
    monkeypatch.setenv("OPENAMI_KEYS_PER_HOUR", "360000")
    monkeypatch.setenv("OPENAMI_KEYS_PAUSE_S", "0.5")
    Settings(
        home=Home(short_tmp), gateway_port=free_port(), nats_port=nats_server.port, partition_groups=4,
        real_origin=datetime.now(UTC), domain_origin=FIRST_END,
    ).save()  # fmt: skip
    settings = Settings.load(short_tmp)
    village = Village(meters, Random(1))
    async with AsyncExitStack() as stack:
        state = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
        security = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
        access = row_secured_engine(postgres.url("openami_access"))
        for engine in (state, security, access):
            stack.push_async_callback(engine.dispose)
        root = FileRootKey(short_tmp / "keys" / "root.key")
        root.ensure()
        vault = PostgresVault(security, root)
        await vault.import_shipment(parse_shipment(json.dumps(village.shipment()).encode()), at=FIRST_END)
        processes = {n: Process(n, short_tmp, dict(os.environ)) for n in ("gateway", "command", "headend")}
        for process in processes.values():
            stack.push_async_callback(process.kill)
        await asyncio.gather(processes["gateway"].start(), processes["command"].start())
        _, context = pki_contexts(short_tmp / "pki", collector_id=COLLECTOR)
        collector = Collector(
            COLLECTOR, spool_folder=short_tmp / "spool", host="127.0.0.1", port=settings.gateway_port,
            ssl_context=context, dice=lambda: 0.0,
        )  # fmt: skip
        deliveries = Deliveries(deliver=village.deliver, offer=collector.offer, tell=collector.tell, stamp_ms=lambda: 1)
        collector.on_down(deliveries.take)
        stop = asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        made = Site(
            settings, nats_server, village, processes, collector, vault, state, PostgresRekeys(state),
            PostgresOrders(access), access, await _people(settings, access),
        )  # fmt: skip
        listener = await connect(nats_server.url("gateway"), name="test")
        stack.push_async_callback(listener.close)
        await made.hear_commands(listener)
        try:
            yield made
        finally:
            await deliveries.close()
            stop.set()
            await asyncio.wait_for(task, 20)
