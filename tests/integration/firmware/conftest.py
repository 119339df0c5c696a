"""A campaign's whole road: command, gateway and head-end processes, a collector, virtual meters, two people."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.conftest import free_port
from tests.integration.downlink.conftest import COLLECTOR, Process
from tests.integration.network.support import pki_contexts

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.app.devices.firmware_desk import Choice, FirmwareDesk, Person, Wish
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.settings import Home, Settings, real_now
from openami.app.web.audit import audit_log
from openami.contracts.command import COMMAND_MAGIC, CommandClass, decode_command
from openami.contracts.frame import FrameClass
from openami.contracts.stream import CORE_COMMAND
from openami.headend.keeping.campaign import CampaignState, MeterStep
from openami.headend.session.rollout_ports import CampaignHead, Turn
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.meter import VirtualMeter
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.network.collector import Collector
from openami.network.delivery import Deliveries
from openami.network.ports import UnknownMeterError
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.security.access.account import NewUser
from openami.security.access.role import Role
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.row_security import row_secured_engine
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.shipment import parse_shipment
from openami.sim.maker import Maker, make_maker

ANNA = Person("anna@utility.example", "a long enough password of Anna")
BEN = Person("ben@utility.example", "a long enough password of Ben")
VERA = Person("vera@utility.example", "a long enough password of Vera")
NEW = b"OAM240-02.00.00"
OLD = b"OAM240-01.00.00"
CONTENT = bytes(range(256)) * 12
"""With its signature seven blocks of 512 octets."""


@dataclass
class Village:
    """Meters behind one collector. What is asked of them is counted; a test may hold or silence them."""

    factory: PushFactory
    maker: Maker
    meters: dict[SystemTitle, VirtualMeter] = field(default_factory=dict)
    served: dict[SystemTitle, MeterAssociations] = field(default_factory=dict)
    heard: Counter[SystemTitle] = field(default_factory=Counter)
    hold_at: int | None = None
    """Number of the message (over all meters) that is not answered until ``go``."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for number in range(len(self.factory.meters)):
            self._hang(number)

    def _hang(self, number: int) -> None:
        made = self.factory.meters[number]
        identity = MeterIdentity(SystemTitle(made.title), made.key, made.auth_key)
        bank = RegisterBank(np.array([MJ_PER_WH]), np.array([0]), np.array([DEFAULT_CAPACITY_WH], dtype=np.int64))
        counters = InvocationCounters(MemoryCounterStore(1))
        for _ in range(200):
            counters.take(0)
        begin = FIRST_END - timedelta(hours=1)
        one = VirtualMeter(identity, bank, counters, MeterClock(begin, 0), ZoneInfo("America/Chicago"), begin)
        one.state.image.verifier = self.maker.verifier()
        self.meters[identity.title] = one
        self.served[identity.title] = MeterAssociations(
            one.device,
            identity=lambda: one.identity,
            send=FleetSendCounter(one.counters, 0),
            received=one.state.received,
            dice=os.urandom,
        )

    async def deliver(self, title: SystemTitle, octets: bytes) -> list[bytes]:
        if title not in self.served:
            raise UnknownMeterError("another meter")
        self.heard[title] += 1
        header, apdu = parse_wrapper(octets)
        answers = self.served[title].answer(header.source_port, apdu)
        if self.hold_at is not None and self.heard.total() >= self.hold_at and not self.go.is_set():
            self.held.set()
            await self.go.wait()
        return [wrap(header.destination_port, header.source_port, a) for a in answers]

    def running(self) -> Counter[bytes]:
        """Return how many meters run which firmware."""
        return Counter(m.state.image.active for m in self.meters.values())


@dataclass
class Site:
    """An installation with meters."""

    settings: Settings
    nats: NatsEngine
    state: AsyncEngine
    village: Village
    gateway: Process
    command: Process
    headend: Process

    @property
    def desk(self) -> FirmwareDesk:
        return FirmwareDesk(self.settings)

    def wish(self, image: bytes | None = None, *, waves: str = "1,3,rest", meters: int | None = None) -> Wish:
        titles = frozenset(list(self.village.meters)[:meters])
        now = real_now()
        return Wish(
            NEW,
            self.village.maker.signed_image(NEW, CONTENT) if image is None else image,
            Choice(titles=titles),
            waves,
            abort_share=0.05,
            watch_s=0.0,
            window=Period(now - timedelta(minutes=1), now + timedelta(hours=1)),
            first_pause_s=0.5,
        )

    async def planned(self, wish: Wish) -> UUID:
        return await self.desk.plan(ANNA, wish)

    async def until(self, campaign: UUID, state: CampaignState, *, wait_s: float = 60.0) -> CampaignHead:
        """Wait until a campaign stands so."""
        async with asyncio.timeout(wait_s):
            while (found := await self.one(campaign))[0].state is not state:
                await asyncio.sleep(0.2)
        return found[0]

    async def until_words(self, campaign: UUID, words: str, *, wait_s: float = 20.0) -> None:
        async with asyncio.timeout(wait_s):
            while words not in (await self.one(campaign))[0].words:
                await asyncio.sleep(0.1)

    async def one(self, campaign: UUID) -> tuple[CampaignHead, list[Turn], int]:
        return await self.desk.one(campaign)

    async def steps(self, campaign: UUID) -> Counter[MeterStep]:
        return Counter(t.meter.step for t in (await self.one(campaign))[1])

    async def recorded(self) -> Counter[CommandClass]:
        """Count the commands on record that change a meter, by class."""
        client = await connect(self.nats.url("core"), name="test")
        try:
            stream = client.jetstream()
            info = await stream.stream_info(CORE_COMMAND.name)
            found: Counter[CommandClass] = Counter()
            for seq in range(info.state.first_seq or 1, info.state.last_seq + 1):
                data = (await stream.get_msg(CORE_COMMAND.name, seq)).data or b""
                if data.startswith(COMMAND_MAGIC):
                    command = decode_command(data)
                    found[command.command_class] += 1
                    assert len(set(command.approvals)) == 2
            return found
        finally:
            await client.close()

    async def looks(self) -> list[tuple[str, bool]]:
        """Return the acts that the audit log has, in order, and whether they were allowed."""
        async with audit_log(self.settings.home.path) as log, log.engine.begin() as connection:
            rows = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).all()
        return [(body["query"], body["allowed"]) for body in (json.loads(bytes(row.body)) for row in rows)]

    async def sql(self, statement: str, **values: object) -> None:
        """Do what a hostile head-end could: its own role's statements."""
        async with self.state.begin() as connection:
            await connection.execute(text(statement), values)


@pytest.fixture
async def site(
    nats_server: NatsEngine, postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """Gateway and command run, ten meters were heard, Anna and Ben may act, and Vera may only look."""
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    # The simulated air has no limit here; what keeps within it is tested by itself.
    monkeypatch.setenv("OPENAMI_CELL_EXCHANGES_PER_S", "50")
    settings = Settings(
        home=Home(short_tmp), gateway_port=free_port(), nats_port=nats_server.port, partition_groups=4,
        real_origin=datetime.now(UTC), domain_origin=FIRST_END,
    )  # fmt: skip
    settings.save()
    settings = Settings.load(short_tmp)
    village = Village(PushFactory(meters=10), make_maker(os.urandom))
    async with AsyncExitStack() as stack:
        state = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
        security = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
        access = row_secured_engine(postgres.url("openami_access"))
        for engine in (state, security, access):
            stack.push_async_callback(engine.dispose)
        root = FileRootKey(short_tmp / "keys" / "root.key")
        root.ensure()
        shipment = parse_shipment(json.dumps(village.factory.shipment("made-up")).encode())
        await PostgresVault(security, root).import_shipment(shipment, at=FIRST_END)
        people = [
            NewUser(ANNA.login, frozenset({Role.ENGINEER}), ANNA.password, display_name="Anna"),
            NewUser(BEN.login, frozenset({Role.OPERATOR}), BEN.password, display_name="Ben"),
            NewUser(VERA.login, frozenset({Role.VIEWER}), VERA.password, display_name="Vera"),
        ]
        await accounts_of(settings, access, RealClock()).register_users(people)
        gateway, command, headend = (
            Process(name, short_tmp, dict(os.environ)) for name in ("gateway", "command", "headend")
        )
        for process in (gateway, command, headend):
            stack.push_async_callback(process.kill)
        await asyncio.gather(gateway.start(), command.start())
        _, client = pki_contexts(short_tmp / "pki", collector_id=COLLECTOR)
        collector = Collector(
            COLLECTOR, spool_folder=short_tmp / "spool", host="127.0.0.1", port=settings.gateway_port,
            ssl_context=client, dice=lambda: 0.0,
        )  # fmt: skip
        deliveries = Deliveries(deliver=village.deliver, offer=collector.offer, tell=collector.tell, stamp_ms=lambda: 1)
        collector.on_down(deliveries.take)
        stop = asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        pushes = [
            (FrameClass.PROFILE, SystemTitle(m.title), 1, village.factory.profile_push(n, 101))
            for n, m in enumerate(village.factory.meters)
        ]
        await asyncio.wait_for(collector.offer(pushes), 10)
        await asyncio.wait_for(collector.drained(), 30)
        try:
            yield Site(settings, nats_server, state, village, gateway, command, headend)
        finally:
            await deliveries.close()
            stop.set()
            await asyncio.wait_for(task, 20)
