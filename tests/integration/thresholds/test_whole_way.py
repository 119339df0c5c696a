"""From a storm at the gateway to people, and from two people back to the gateway, over the real bus and database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.network.support import RunningGateway, real_now_ms, running_gateway
from tests.unit.network.test_desk import PRIVATE, signed
from tests.unit.network.thresholds.made import switch

from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import PostgresEngine
from openami.contracts.command import CommandEffect
from openami.contracts.release_item import command_item
from openami.contracts.threshold import BUILT_IN, EffectLimits
from openami.contracts.threshold_word import ThresholdWord, WordKind
from openami.headend.adapters.directives import NatsDirectiveRoad
from openami.headend.adapters.threshold_words import JetStreamThresholdWords
from openami.headend.adapters.thresholds_postgres import PostgresThresholdBook
from openami.headend.command.ordered_facts import OrderedReleases, OrderedThresholds, thresholds_item
from openami.headend.command.standing import DirectiveOffice, StandingFact
from openami.headend.thresholds.watch import ThresholdWatch
from openami.kernel.clock import FixedClock
from openami.kernel.time import EPOCH, Period
from openami.security.access.account import NewUser
from openami.security.access.order import Order, OrderKind, OrderSubject, digest_of_items
from openami.security.access.password import PasswordBook
from openami.security.access.role import Role
from openami.security.adapters.access_postgres import PostgresAccounts
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.row_security import row_secured_engine
from openami.security.suites.ed25519 import public_key_of

pytestmark = pytest.mark.engines


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Site:
    """A gateway, the head-end's watch, the command process's office, and two people."""

    running: RunningGateway
    watch: ThresholdWatch
    book: PostgresThresholdBook
    alerts: PostgresAlerts
    office: DirectiveOffice
    orders: PostgresOrders
    anna: UUID
    ben: UUID

    def storm(self, meters: range) -> int:
        """Let good commands to these meters come; return how many went down."""
        desk = self.running.gateway.desk
        before = desk.counts["handed_down_switch"]
        for meter in meters:
            command = replace(switch(meter, feeder=meter % 50), expires_at_ms=real_now_ms() + 20_000)
            desk.book.heard(command.title.octets, 7)
            desk.take(signed(command), now_ms=real_now_ms())
        return desk.counts["handed_down_switch"] - before

    async def holds(self, count: int) -> list[ThresholdWord]:
        """Wait until so many commands are held as core knows it, and return the words about them."""
        async with asyncio.timeout(10):
            while len(held := await self.book.held(since=EPOCH)) != count:
                await self.watch.look()
        return held

    async def order(self, kind: OrderKind, items: Sequence[bytes], document: bytes = b"") -> OrderSubject:
        """Let Anna make an order, which is her approval of it."""
        window = Period(now() - timedelta(minutes=1), now() + timedelta(hours=1))
        subject = OrderSubject(uuid4(), kind, "as listed", "test", digest_of_items(items), window)
        order = Order(subject, self.anna, now() - timedelta(seconds=1), len(items), document=document)
        await self.orders.make(order, items, approval_id=uuid4())
        return subject

    async def approve(self, subject: OrderSubject, *, by: UUID) -> None:
        await self.orders.approve(subject, approval_id=uuid4(), user_id=by, at=now() - timedelta(seconds=1))


@pytest.fixture
async def site(nats_server: NatsEngine, postgres: PostgresEngine, short_tmp: Path) -> AsyncIterator[Site]:
    (short_tmp / "command_keys").write_text(public_key_of(PRIVATE).hex())
    async with AsyncExitStack() as stack:
        access = row_secured_engine(postgres.url("openami_access"))
        command = create_async_engine(postgres.url("openami_security"))
        headend = create_async_engine(postgres.url("openami_headend"))
        for engine in (access, command, headend):
            stack.push_async_callback(engine.dispose)
        accounts = PostgresAccounts(access, FixedClock(now()), b"k" * 32, PasswordBook(PasswordHasher(1, 8, 1)))
        anna, ben = await accounts.register_users([NewUser(n, frozenset({Role.SECADM})) for n in ("anna", "ben")])
        core = await connect(nats_server.url("headend_dmz"), name="test-headend")
        dmz = await connect(nats_server.url("command_dmz"), name="test-command")
        for client in (core, dmz):
            stack.push_async_callback(client.close)
        running = await stack.enter_async_context(
            running_gateway(nats_server, short_tmp, keys=short_tmp / "command_keys")
        )
        # A collector that takes everything: what lies behind it is other tests' affair.
        running.gateway.desk._send = lambda *_: True
        orders, book, alerts = PostgresOrders(command), PostgresThresholdBook(headend), PostgresAlerts(headend)
        facts: list[StandingFact] = [
            OrderedThresholds(orders, lambda: datetime.now(UTC)),
            OrderedReleases(orders, lambda: datetime.now(UTC)),
        ]
        office = DirectiveOffice(
            facts, road=NatsDirectiveRoad(dmz), signing_key=PRIVATE, real_now=lambda: datetime.now(UTC)
        )
        watch = ThresholdWatch(JetStreamThresholdWords(core), book, alerts=alerts)
        yield Site(running, watch, book, PostgresAlerts(command), office, PostgresOrders(access), anna, ben)


async def test_a14_people_hear_of_a_storm_and_two_of_them_release_what_it_held(site: Site) -> None:
    assert site.storm(range(20)) == 10
    guard = site.running.gateway.desk.guard
    held = await site.holds(10)
    words = await site.book.newest()
    assert {(w.kind, w.reached) for w in words} == {(WordKind.WARNED, 8), (WordKind.HELD, 11)}
    assert {a.rule for a in await site.alerts.newest(limit=9)} == {"threshold_warned", "threshold_held"}

    chosen = held[3].held_id
    assert chosen is not None
    release = await site.order(OrderKind.RELEASE, [command_item(chosen)])
    await site.office.publish_changed()
    assert site.storm(range(10, 20)) == 0, "one person's word"
    await site.approve(release, by=site.ben)
    await site.office.publish_changed()
    await eventually(lambda: guard.is_released(chosen))
    assert site.storm(range(10, 20)) == 1
    await site.holds(9)


async def test_thresholds_of_two_people_hold_and_those_of_one_or_of_another_document_do_not(site: Site) -> None:
    twelve = replace(
        BUILT_IN, version=7, effects={**BUILT_IN.effects, CommandEffect.DISCONNECT: EffectLimits(12, 50, 100)}
    ).encode()
    guard = site.running.gateway.desk.guard
    subject = await site.order(OrderKind.THRESHOLDS, [thresholds_item(twelve)], document=twelve)
    forged = await site.order(OrderKind.THRESHOLDS, [thresholds_item(b"{}")], document=twelve)
    await site.approve(forged, by=site.ben)
    await site.office.publish_changed()
    assert site.storm(range(20)) == 10
    assert guard.thresholds == BUILT_IN
    await site.approve(subject, by=site.ben)
    await site.office.publish_changed()
    await eventually(lambda: guard.thresholds.version == 7)
    assert site.storm(range(20, 30)) == 2
    await site.orders.withdraw(subject.order_id, at=now())
    await site.office.publish_changed()
    assert guard.thresholds.version == 7, "thresholds outlive their order"
