"""Switching orders over the whole road: people at the desk, three processes, a collector, virtual meters."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.conftest import free_port
from tests.integration.downlink.conftest import COLLECTOR, Process
from tests.integration.firmware.conftest import Village
from tests.integration.network.support import pki_contexts
from tests.unit.headend.switching.desk import signed_list
from typer.testing import CliRunner

from openami.app.bench.pushes import PushFactory
from openami.app.commands.orders import app as orders_app
from openami.app.engines.nats import NatsEngine
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.orders.switch_desk import SwitchDesk
from openami.app.orders.switch_orders import SwitchRefusedError
from openami.app.orders.switch_standing import OrderHead, OrderState
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person, SignInRefusedError
from openami.app.settings import Home, Settings, real_now
from openami.app.web.audit import audit_log
from openami.contracts.frame import FrameClass
from openami.customer.supply import HoldKind
from openami.headend.switching.life import ItemCode, SwitchTurn
from openami.headend.switching.order import SwitchAction, SwitchItem, SwitchOrderError, SwitchReason, SwitchSubject
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.meter.sealing import MeterIdentity
from openami.network.collector import Collector
from openami.network.delivery import Deliveries
from openami.security.access.account import NewUser
from openami.security.access.gate import AccessDeniedError
from openami.security.access.order import OrderRefusedError
from openami.security.access.role import Role
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.row_security import row_secured_engine
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.context import KeySet
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import parse_shipment
from openami.security.suites.ed25519 import public_key_of
from openami.sim.maker import make_maker

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]
TUESDAY = datetime(2026, 4, 14, 15, tzinfo=UTC)
"""Ten in the morning in St. Louis, in spring."""
HOUR = timedelta(hours=1)
ANNA = Person("anna@utility.example", "a long enough password of Anna")
BEN = Person("ben@utility.example", "a long enough password of Ben")
VERA = Person("vera@utility.example", "a long enough password of Vera")
SAM = Person("sam@utility.example", "a long enough password of Sam")
CIS = b"i" * 32
OWES = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT)
PAID = SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID)
SAFETY = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.SAFETY)


@dataclass
class Site:
    """An installation with four meters that hold keys of ours."""

    settings: Settings
    village: Village
    places: dict[SystemTitle, UUID]
    headend_role: AsyncEngine

    @property
    def desk(self) -> SwitchDesk:
        return SwitchDesk(self.settings)

    @property
    def titles(self) -> list[SystemTitle]:
        return list(self.village.meters)

    def items(self, *numbers: int) -> list[SwitchItem]:
        return [SwitchItem(self.titles[n], self.places[self.titles[n]]) for n in numbers]

    def list_of(self, subject: SwitchSubject | None, *numbers: int) -> bytes:
        now = real_now().replace(microsecond=0)
        return signed_list(subject, self.items(*numbers), list_id=uuid4(), now=now, key=CIS)

    def window(self) -> Period:
        return Period(real_now(), real_now() + HOUR)

    def is_on(self, number: int) -> bool:
        return self.village.meters[self.titles[number]].state.switch.is_closed

    async def ended(self, order_id: UUID, *, wait_s: float = 40.0) -> tuple[OrderHead, dict[SystemTitle, SwitchTurn]]:
        """Wait until every meter of an order has ended."""
        for _ in range(int(wait_s / 0.2)):
            head, turns = await self.desk.one(order_id)
            if all(turn.code is not None for turn in turns):
                return head, {turn.title: turn for turn in turns}
            await asyncio.sleep(0.2)
        raise AssertionError([(turn.title, turn.state, turn.words) for turn in turns])

    async def looks(self) -> list[dict[str, object]]:
        async with audit_log(self.settings.home.path) as log, log.engine.begin() as connection:
            rows = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).all()
        return [json.loads(bytes(row.body)) for row in rows]


@pytest.fixture
async def site(
    nats_server: NatsEngine, postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    monkeypatch.setenv("OPENAMI_CELL_EXCHANGES_PER_S", "50")
    settings = Settings(
        home=Home(short_tmp), gateway_port=free_port(), nats_port=nats_server.port, partition_groups=4,
        real_origin=datetime.now(UTC), domain_origin=TUESDAY,
    )  # fmt: skip
    settings.save()
    settings = Settings.load(short_tmp)
    village = Village(PushFactory(meters=4), make_maker(os.urandom))
    async with AsyncExitStack() as stack:
        engines = {
            role: create_async_engine(postgres.url(f"openami_{role}"), hide_parameters=True)
            for role in ("headend", "security", "mdm")
        }
        access = row_secured_engine(postgres.url("openami_access"))
        for engine in (*engines.values(), access):
            stack.push_async_callback(engine.dispose)
        await _give_keys(short_tmp, engines["security"], village)
        places = await _hang(engines["mdm"], village)
        people = [
            NewUser(who.login, frozenset({role}), who.password)
            for who, role in (
                (ANNA, Role.OPERATOR), (BEN, Role.ENGINEER), (VERA, Role.VIEWER), (SAM, Role.SECADM),
            )
        ]  # fmt: skip
        await accounts_of(settings, access, RealClock()).register_users(people)
        processes = [Process(name, short_tmp, dict(os.environ)) for name in ("gateway", "command", "headend")]
        for process in processes:
            stack.push_async_callback(process.kill)
        await asyncio.gather(*(process.start() for process in processes))
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
            yield Site(settings, village, places, engines["headend"])
        finally:
            await deliveries.close()
            stop.set()
            await asyncio.wait_for(task, 20)


async def _give_keys(home: Path, security: AsyncEngine, village: Village) -> None:
    """Give every meter keys that were made here; the last one keeps its maker's."""
    root = FileRootKey(home / "keys" / "root.key")
    root.ensure()
    vault = PostgresVault(security, root)
    await vault.import_shipment(parse_shipment(json.dumps(village.factory.shipment("made-up")).encode()), at=TUESDAY)
    for made in village.factory.meters[:-1]:
        key, auth_key = os.urandom(16), os.urandom(16)
        generation = await vault.keep_new_pair(
            made.meter_id, encryption_key=Secret(key), authentication_key=Secret(auth_key), at=TUESDAY
        )
        await vault.activate(made.meter_id, KeySet.PAIR, generation, at=TUESDAY)
        meter = village.meters[SystemTitle(made.title)]
        meter.identity = MeterIdentity(SystemTitle(made.title), key, auth_key)


async def _hang(mdm: AsyncEngine, village: Village) -> dict[SystemTitle, UUID]:
    registry, since = PostgresRegistry(mdm), TUESDAY - 24 * HOUR
    places = {title: uuid4() for title in village.meters}
    await registry.add_service_points(
        [ServicePoint(place, "America/Chicago", since, feeder="one", cell="a") for place in places.values()]
    )
    meters = [
        Meter(made.meter_id, f"S{n}", since, system_title=made.title, profile="oam-1")
        for n, made in enumerate(village.factory.meters)
    ]
    await registry.add_meters(meters)
    rows = [Installation(uuid4(), places[SystemTitle(m.title)], m.meter_id, since) for m in village.factory.meters]
    await registry.install(rows, at=since)
    return places


async def by_command_line(site: Site, tmp_path: Path) -> None:
    """Sign a list, take it, approve it, look at it, and reconnect, as people type it."""
    runner, home = CliRunner(), str(site.settings.home.path)

    async def run(*words: str, who: Person | None = None) -> dict[str, object]:
        arguments = [*words, "--home", home, "--json"] + (["--as", who.login] if who else [])
        result = await asyncio.to_thread(
            runner.invoke, orders_app, arguments, input=f"{who.password}\n" if who else None
        )
        assert result.exit_code == 0, (words, result.output, result.exception)
        return json.loads(result.stdout.splitlines()[-1])  # type: ignore[no-any-return]

    meters, key, out = tmp_path / "meters", tmp_path / "cis.key", tmp_path / "list"
    meters.write_text(f"{site.titles[2]} {site.places[site.titles[2]]}\n")
    result = await asyncio.to_thread(
        runner.invoke, orders_app,
        ["sign", "disconnect", "--meters", str(meters), "--key", str(key), "--out", str(out), "--json"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    await run("trust-key", "customer system", f"{key}.pub", who=SAM)
    order = str((await run("take", str(out), who=ANNA))["order"])
    await run("approve", order, who=BEN)
    head, _ = await site.ended(UUID(order))
    assert head.counts == {"switched": 1}
    shown = await run("status", order)
    assert (shown["state"], shown["switched"], shown["approved_by"]) == ("ended", 1, 2)
    back = str((await run("plan", "reconnect", "--reason", "paid", "--meter", str(site.titles[2]), who=BEN))["order"])
    await site.ended(UUID(back))
    assert site.is_on(2)
    with pytest.raises(SwitchRefusedError, match="signed list"):
        await site.desk.plan(ANNA, OWES, [site.titles[2]], site.window())
    with pytest.raises(SwitchRefusedError, match="hangs nowhere"):
        await site.desk.plan(ANNA, SAFETY, [SystemTitle(b"OAM\x00\x00\x00\x00\x09")], site.window())
    with pytest.raises(SignInRefusedError):
        await site.desk.plan(Person("nobody", "x"), SAFETY, [site.titles[2]], site.window())


async def test_a_list_is_taken_approved_carried_out_and_paid_for(site: Site, tmp_path: Path) -> None:
    """One day: a key is trusted, a list cuts one of three, the rest is refused in words, and a payment reconnects."""
    desk = site.desk
    octets = site.list_of(OWES, 0, 1, 3)
    with pytest.raises(SwitchOrderError, match="no registered key"):
        await desk.take(ANNA, octets)
    with pytest.raises(AccessDeniedError):
        await desk.trust_key(ANNA, "customer system", public_key_of(CIS))
    await desk.trust_key(SAM, "customer system", public_key_of(CIS))
    with pytest.raises(SwitchOrderError, match="refused whole"):
        await desk.take(ANNA, octets.replace(b"meters 3", b"meters 2"))
    with pytest.raises(AccessDeniedError):
        await desk.take(VERA, octets)

    taken = await desk.take(ANNA, octets)
    assert taken.order is not None
    order_id = taken.order.subject.order_id
    with pytest.raises(OrderRefusedError, match="already"):
        await desk.take(BEN, octets)
    with pytest.raises(OrderRefusedError, match="another must"):
        await desk.approve(ANNA, order_id)
    await asyncio.sleep(2.5)
    head, _ = await desk.one(order_id)
    assert (head.state, site.is_on(0)) == (OrderState.WAITS_FOR_APPROVAL, True)

    held = await desk.hold(ANNA, site.places[site.titles[1]], HoldKind.MEDICAL, to_at=None)
    await desk.approve(BEN, order_id)
    head, turns = await site.ended(order_id)
    assert [turns[title].code for title in (site.titles[0], site.titles[1], site.titles[3])] == [
        ItemCode.SWITCHED,
        ItemCode.HOLD,
        ItemCode.LOW_SECURITY,
    ]
    assert [site.is_on(n) for n in range(4)] == [False, True, True, True]
    assert head.state is OrderState.ENDED

    # The medical home is in danger: two people cut it, and are called.
    place = site.places[site.titles[1]]
    danger = await desk.plan(ANNA, SAFETY, [site.titles[1]], site.window())
    await asyncio.sleep(2.5)
    assert site.is_on(1)
    await desk.approve(BEN, danger.subject.order_id)
    await site.ended(danger.subject.order_id)
    assert not site.is_on(1)
    rules = {alert.rule for alert in await desk.alerts()}
    assert rules == {"safety_ordered", "safety_passed_block"}
    # Because a bill was paid nobody closes what was cut for safety; for safety two people do.
    unsafe = await desk.plan(BEN, PAID, [site.titles[1]], site.window())
    _, turns = await site.ended(unsafe.subject.order_id)
    assert turns[site.titles[1]].code is ItemCode.CUT_FOR_SAFETY

    # A payment: the signed list alone reconnects, and is timed.
    paid = await desk.take(ANNA, site.list_of(PAID, 0))
    assert paid.order is not None
    _, turns = await site.ended(paid.order.subject.order_id)
    assert site.is_on(0)
    took_s = turns[site.titles[0]].took_s
    assert took_s is not None
    assert took_s < 300

    await by_command_line(site, tmp_path)
    await desk.end_hold(ANNA, place, held.hold_id)
    assert [hold.to_at is None for hold in await desk.holds(ANNA, place)] == [False]
    looks = await site.looks()
    acts = [(look["query"], look["reason"]) for look in looks if str(look["actor"]).startswith("process:")]
    assert acts.count(("switch.disconnect", "non_payment")) == 2
    assert ("switch.disconnect.ended", "hold") in acts
    assert ("switch.reconnect.ended", "cut_for_safety") in acts
    assert {str(place)} in [set(look["subjects"]) for look in looks if look["query"] == "orders.hold"]  # type: ignore[call-overload]  # JSON
    assert "medical" not in json.dumps(looks)
    for name in ("gateway", "command", "headend"):
        assert "medical" not in (site.settings.home.path / f"{name}.log").read_text()
