"""Attack A32: a stolen collector comes back and brings late data. The real road from a person's word to the gateway."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.conftest import free_port
from tests.integration.downlink.conftest import Process
from tests.integration.network.support import pki_contexts, sealed_frame, stream_frames, title_of

from openami.app.devices.collector_desk import CollectorDesk
from openami.app.devices.quarantine_desk import QuarantineDesk, ReleaseRefusedError
from openami.app.devices.shipment import root_key
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person, SignInRefusedError
from openami.app.settings import Home, Settings, real_now
from openami.app.web.audit import audit_log
from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import FrameClass
from openami.headend.adapters.collector_words import JetStreamWords
from openami.headend.adapters.collectors_postgres import PostgresCollectors
from openami.headend.collectors.finding import CollectorRule
from openami.headend.collectors.reports import ReportedStolen
from openami.headend.collectors.watch import CollectorWatch
from openami.network.collector import Collector, OfferedFrame
from openami.network.gateway.refused import newest_refused
from openami.security.access.account import NewUser
from openami.security.access.gate import AccessDeniedError
from openami.security.access.order import OrderRefusedError
from openami.security.access.role import Role
from openami.security.access.stolen import ReportRefusedError, Whereabouts
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.row_security import row_secured_engine
from openami.security.adapters.stolen_postgres import PostgresReports
from openami.security.adapters.vault_postgres import PostgresVault

pytestmark = [pytest.mark.engines, pytest.mark.attack("A32")]
ANNA = Person("anna@utility.example", "a long enough password of Anna")
BEN = Person("ben@utility.example", "a long enough password of Ben")
VERA = Person("vera@utility.example", "a long enough password of Vera")
PROMISE_S = 60.0
"""The promise is fifteen minutes; whoever waits for longer than this here has found that it hangs."""


@dataclass
class Site:
    """An installation whose gateway and command processes run."""

    settings: Settings
    nats: NatsEngine
    postgres: PostgresEngine
    gateway: Process
    command: Process
    vault: PostgresVault

    def counts(self) -> Counter[str]:
        try:
            return Counter(json.loads((self.settings.home.path / "gateway" / "status.json").read_text())["counts"])
        except (OSError, ValueError):
            return Counter()

    def stamp_ms(self, ago: timedelta = timedelta(0)) -> int:
        return int((self.settings.clock().now() - ago).timestamp() * 1000)

    @asynccontextmanager
    async def collector(self, number: int, spool: str) -> AsyncIterator[Collector]:
        """A collector that runs, with a certificate as the authority gives it now."""
        home = self.settings.home.path
        _, client = pki_contexts(home / "pki", collector_id=number)
        running = Collector(
            number, spool_folder=home / spool, host="127.0.0.1", port=self.settings.gateway_port,
            ssl_context=client, dice=lambda: 0.0,
        )  # fmt: skip
        stop = asyncio.Event()
        task = asyncio.create_task(running.run(stop))
        try:
            yield running
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)


@pytest.fixture
async def site(
    nats_server: NatsEngine, postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    now = real_now()
    Settings(
        home=Home(short_tmp), gateway_port=free_port(), nats_port=nats_server.port, real_origin=now, domain_origin=now
    ).save()
    settings = Settings.load(short_tmp)
    async with AsyncExitStack() as stack:
        access = row_secured_engine(postgres.url("openami_access"))
        stack.push_async_callback(access.dispose)
        people = [
            NewUser(ANNA.login, frozenset({Role.OPERATOR}), ANNA.password, display_name="Anna"),
            NewUser(BEN.login, frozenset({Role.ENGINEER}), BEN.password, display_name="Ben"),
            NewUser(VERA.login, frozenset({Role.VIEWER}), VERA.password, display_name="Vera"),
        ]
        await accounts_of(settings, access, RealClock()).register_users(people)
        gateway, command = (Process(name, short_tmp, dict(os.environ)) for name in ("gateway", "command"))
        for process in (gateway, command):
            stack.push_async_callback(process.kill)
        await asyncio.gather(gateway.start(), command.start())
        security = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
        stack.push_async_callback(security.dispose)
        vault = PostgresVault(security, root_key(settings))
        yield Site(settings, nats_server, postgres, gateway, command, vault)


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PROMISE_S):
        while not holds():
            await asyncio.sleep(0.05)


def frame(number: int, stamp_ms: int) -> OfferedFrame:
    title = title_of(number)
    return FrameClass.PROFILE, title, stamp_ms, sealed_frame(title.octets, number)


async def acts(settings: Settings) -> list[tuple[str, bool]]:
    async with audit_log(settings.home.path) as log, log.engine.begin() as connection:
        rows = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).all()
    return [(body["query"], body["allowed"]) for body in (json.loads(bytes(row.body)) for row in rows)]


async def test_a32_a_stolen_collector_is_put_out_stays_out_and_what_it_brings_later_is_kept_aside(site: Site) -> None:
    desk = CollectorDesk(site.settings)
    with pytest.raises(AccessDeniedError):
        await desk.report(VERA, 7, Whereabouts.STOLEN, from_at=None, note="its box is empty")
    with pytest.raises(SignInRefusedError):
        await desk.report(Person(ANNA.login, "guessed"), 7, Whereabouts.STOLEN, from_at=None, note="guessed")
    with pytest.raises(ReportRefusedError, match="was not reported stolen"):
        await desk.report(ANNA, 7, Whereabouts.BACK, from_at=None, note="never gone")
    async with site.collector(7, "spool") as thiefs, site.collector(8, "other") as honest:
        await thiefs.offer([frame(1, site.stamp_ms())])
        await asyncio.wait_for(thiefs.drained(), 30)
        # Since an hour ago, as somebody found out just now.
        since = site.settings.clock().now() - timedelta(hours=1)
        await site.vault.make_group("yard", [7], at=since)
        await site.vault.make_group("elsewhere", [8], at=since)
        reported_at = real_now()
        await desk.report(ANNA, 7, Whereabouts.STOLEN, from_at=since, note="its box on Elm Street is empty")
        # On one machine the authority's own list may be quicker than the word from core.
        await eventually(lambda: site.counts()["ended_stolen"] + site.counts()["ended_revoked"])
        took_s = (real_now() - reported_at).total_seconds()
        print(f"the session ended {took_s:.1f} s after the report; 900 s are promised")  # noqa: T201 - the measure
        await thiefs.offer([frame(2, site.stamp_ms()), frame(3, site.stamp_ms(timedelta(minutes=30)))])
        await eventually(lambda: site.counts()["refused_stolen"])
        told_s = (real_now() - reported_at).total_seconds()
        print(f"turned away on core's word {told_s:.1f} s after the report")  # noqa: T201 - the measure
        assert not thiefs.status().connected
        # What the collector may have held of its groups' keys is worth nothing any more.
        async with asyncio.timeout(PROMISE_S):
            while {g.name: g.generation for g in await site.vault.groups()} != {"yard": 2, "elsewhere": 1}:
                await asyncio.sleep(0.1)
        await honest.offer([frame(4, site.stamp_ms())])
        await asyncio.wait_for(honest.drained(), 30)
    # The home's authority would give it another certificate; without core, and after a restart, it is no use.
    await site.command.kill()
    await site.gateway.kill()
    await site.gateway.start()
    before = site.counts()["refused_stolen"]
    async with site.collector(7, "spool") as thiefs:
        await eventually(lambda: site.counts()["refused_stolen"] > before)
    assert {f.system_title for f in await stream_frames(site.nats)} == {title_of(1), title_of(4)}
    await told_to_people(site)
    await site.command.start()
    await asyncio.sleep(0.01)
    await desk.report(ANNA, 7, Whereabouts.BACK, from_at=None, note="found in a ditch, emptied and set up again")
    async with site.collector(7, "spool") as ours:
        await asyncio.wait_for(ours.drained(), PROMISE_S)
        await ours.offer([frame(5, site.stamp_ms() + 1_000)])
        await asyncio.wait_for(ours.drained(), 30)
    aside = newest_refused(site.settings.home.path / "gateway", limit=10)
    assert {(f.system_title, f.reason) for f in aside} == {
        (str(title_of(2)), RefusalReason.STOLEN_COLLECTOR),
        (str(title_of(3)), RefusalReason.STOLEN_COLLECTOR),
    }
    assert {f.system_title for f in await stream_frames(site.nats)} == {title_of(n) for n in (1, 4, 5)}
    await let_out_by_two(site, {bytes.fromhex(f.frame_id) for f in aside})
    assert (await acts(site.settings))[:4] == [
        ("collector.stolen", False),
        ("collector.back", True),
        ("collector.stolen", True),
        ("collector.back", True),
    ]


async def told_to_people(site: Site) -> None:
    """A finding stands open, and says that the collector is out and tried to come in."""
    engine = create_async_engine(site.postgres.url("openami_headend"), hide_parameters=True)
    dmz = await connect(site.nats.url("headend_dmz"), name="test")
    try:
        book = PostgresCollectors(engine)
        watch = CollectorWatch(
            JetStreamWords(dmz),
            book,
            real_now=lambda: datetime.now(UTC),
            reports=ReportedStolen(PostgresReports(engine)),
            alerts=PostgresAlerts(engine),
        )
        async with asyncio.timeout(PROMISE_S):
            while True:
                await watch.look()
                found = [f.condition for f in await book.findings(open_only=True)]
                (stolen,) = [c for c in found if c.rule is CollectorRule.STOLEN]
                if "turned_away_ms" in stolen.evidence:
                    break
                await asyncio.sleep(0.2)
        assert (stolen.collector_id, stolen.evidence["is_in"]) == (7, 0)
        async with room_database(site.settings, "openami_security") as security:
            alerts = await PostgresAlerts(security).newest(limit=10)
        assert [a.rule for a in alerts if a.rule == CollectorRule.STOLEN] == [CollectorRule.STOLEN.value]
    finally:
        await dmz.close()
        await engine.dispose()


async def let_out_by_two(site: Site, ids: set[bytes]) -> None:
    """Both late frames go to the head-end after all: once, and not on one person's word."""
    desk = QuarantineDesk(site.settings)
    with pytest.raises(ReleaseRefusedError, match="is not in the quarantine"):
        await desk.release(ANNA, [bytes(16)], reason="made up")
    with pytest.raises(AccessDeniedError):
        await desk.release(VERA, ids, reason="looks genuine")
    order = await desk.release(ANNA, ids, reason="looks genuine")
    with pytest.raises(OrderRefusedError):
        await desk.approve(ANNA, order.subject.order_id)
    await asyncio.sleep(3)
    assert len(await stream_frames(site.nats)) == 3
    await desk.approve(BEN, order.subject.order_id)
    await eventually(lambda: site.counts()["released_by_people"] == len(ids))
    async with asyncio.timeout(PROMISE_S):
        while len(await stream_frames(site.nats)) < 5:
            await asyncio.sleep(0.1)
    frames = await stream_frames(site.nats)
    assert sorted(f.system_title for f in frames) == sorted(title_of(n) for n in (1, 2, 3, 4, 5))
    assert [f.collector_id for f in frames if f.system_title == title_of(2)] == [7]
    with pytest.raises(ReleaseRefusedError, match="was released before"):
        await desk.release(ANNA, ids, reason="again")
