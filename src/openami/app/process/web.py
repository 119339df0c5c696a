"""The web process: wires every room's face to the portal and serves it; seals the audit log beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.correction_desk import CorrectionDesk
from openami.app.billing.hold_desk import HoldDesk
from openami.app.billing.rate_files import home_rates
from openami.app.billing.rate_wiring import portal_rates
from openami.app.devices.collector_reports import CollectorReports
from openami.app.engines.address import nats_url, postgres_url
from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import connect
from openami.app.keys.key_desk import KeyDesk
from openami.app.keys.rekey_desk import RekeyDesk
from openami.app.orders.switch_desk import SwitchDesk
from openami.app.orders.threshold_desk import ThresholdDesk
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.case_desk import CaseDesk
from openami.app.process import ready
from openami.app.readings.editing_desk import EditingDesk
from openami.app.settings import Settings
from openami.app.web.billing import BillingPages
from openami.app.web.bills import PortalBills
from openami.app.web.collectors import WatchedCollectors
from openami.app.web.fleet import FleetDesk
from openami.app.web.gateway import GatewayPages
from openami.app.web.keys import KeyPages
from openami.app.web.letters import Letters
from openami.app.web.live import LiveFeed
from openami.app.web.operations import Operations
from openami.app.web.own_reads import OwnReadPages, read_room
from openami.app.web.people import PortalCustomers
from openami.app.web.radio import RADIO_FOLDER, RadioDesk, known_radios
from openami.app.web.readings import ReadingPages
from openami.app.web.readings_why import WhyDesk
from openami.app.web.recall import RecallingStore
from openami.app.web.switching import SwitchingPages
from openami.app.web.usage import MeterUsage
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.correction_postgres import PostgresCorrections
from openami.billing.adapters.editions_postgres import PostgresEditions
from openami.billing.api import Billing
from openami.contracts.stream import changed_subject
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.headend.adapters.airtime_postgres import PostgresAirtime
from openami.headend.adapters.books_postgres import PostgresFleetBooks
from openami.headend.adapters.collectors_postgres import PostgresCollectors
from openami.headend.adapters.postgres import PostgresHeadendStatus
from openami.kernel.errors import OpenAmiError
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.weather_postgres import PostgresWeather
from openami.mdm.api import MeterData
from openami.portal.application import create_app
from openami.portal.config import PortalConfig, Ports
from openami.portal.live import LiveHub
from openami.security.access.gate import Gate
from openami.security.adapters.audit_postgres import AuditSequencer, PostgresAuditLog
from openami.security.adapters.row_security import row_secured_engine
from openami.security.adapters.secret_file import secret_in
from openami.security.audit.head import public_key_of, verifier_key

STATIC = Path(__file__).parent.parent.parent / "portal" / "static"
SEAL_EVERY_S = 30.0
"""Real time; the promise is a signed tree head within 60 s of a look."""
SAMPLE_EVERY_S = 5.0
BUS_RETRY_S = 1.0
DRAIN_S = 5.0
log = structlog.get_logger("openami.web")


class WebServerError(OpenAmiError):
    """The HTTP server ended by itself; the supervisor starts the process again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the process runs: the application and the work beside it."""

    app: FastAPI
    hub: LiveHub
    feed: LiveFeed
    operations: Operations
    sequencer: AuditSequencer


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve the portal until ``stop`` is set; then end streams, finish answers, and seal the log once more.

    Raises:
        WebServerError: the server ended by itself, for example because the port is taken.
    """
    async with wired(settings) as parts:
        server = Server(
            parts.app,
            settings.host,
            settings.web_port,
            interface=Interfaces.ASGINL,
            websockets=False,
            log_enabled=False,
            ssl_cert=Path(settings.web_certificate) if settings.web_certificate else None,
            ssl_key=Path(settings.web_key) if settings.web_key else None,
        )
        beside = [
            asyncio.create_task(_listen(settings, parts.feed)),
            asyncio.create_task(_every(SEAL_EVERY_S, parts.sequencer.seal, "seal")),
            asyncio.create_task(_every(SAMPLE_EVERY_S, parts.operations.sample, "sample")),
            asyncio.create_task(_announce(settings)),
        ]
        serving, stopping = asyncio.create_task(server.serve()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                raise WebServerError(f"the HTTP server on {settings.host}:{settings.web_port} ended")
            parts.hub.close()
            server.stop()  # type: ignore[no-untyped-call]  # granian types nothing here
            await asyncio.wait({serving}, timeout=DRAIN_S)
        finally:
            for task in (*beside, serving, stopping):
                task.cancel()
            await asyncio.gather(*beside, serving, stopping, return_exceptions=True)
            await _once(parts.sequencer.seal, "seal")


@asynccontextmanager
async def wired(settings: Settings) -> AsyncIterator[Parts]:
    """Yield the application over the real rooms, and close what was opened."""
    async with AsyncExitStack() as stack:

        def secured(role: str) -> AsyncEngine:
            engine = row_secured_engine(postgres_url(settings, role))
            stack.push_async_callback(engine.dispose)
            return engine

        real, domain = RealClock(), settings.clock()
        portal, registry = secured("openami_portal"), secured("openami_mdm")
        audit = PostgresAuditLog(secured("openami_audit"))
        store = RecallingStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        data = MeterData(
            registry=PostgresRegistry(registry),
            store=store,
            book=PostgresBook(registry),
            weather=PostgresWeather(registry),
        )
        status_file = settings.home.folder("run") / "status.json"
        headend = PostgresHeadendStatus(portal)
        letters = Letters(headend, settings.home.path / "gateway", real)
        operations = Operations(headend, letters, data, portal, status_file, real, domain)
        rates = home_rates(settings.home)
        hub, usage = LiveHub(), MeterUsage(data, domain)
        radios = known_radios(settings.home.path / RADIO_FOLDER)
        billing = Billing(
            meters=data,
            book=PostgresBillBook(portal),
            rates=rates,
            setting=bill_setting(settings),
            editions=PostgresEditions(portal),
        )
        bills = PortalBills(billing, domain, PostgresCorrections(portal))
        ports = Ports(
            sessions=accounts_of(settings, secured("openami_access"), real),
            gate=Gate(audit, real, domain),
            usage=usage,
            bills=bills,
            own_reads=OwnReadPages(partial(read_room, registry, store), bills, domain),
            rates=portal_rates(data, portal, domain, rates, bill_setting(settings)),
            customers=PortalCustomers(PostgresCustomers(portal), usage.has_received),
            access_log=audit,
            operations=operations,
            fleet=FleetDesk(PostgresFleetBooks(portal), headend, operations, data, real, domain, settings.zone),
            radios=RadioDesk(data, PostgresAirtime(portal), radios, domain),
            collectors=WatchedCollectors(PostgresCollectors(portal), CollectorReports(settings), real, domain),
            switching=SwitchingPages(SwitchDesk(settings), real),
            gateway=GatewayPages(ThresholdDesk(settings), real),
            billing=BillingPages(settings, HoldDesk(settings), CorrectionDesk(settings)),
            readings=ReadingPages(EditingDesk(settings), CaseDesk(settings), WhyDesk(domain), real),
            keys=KeyPages(portal, RekeyDesk(settings), KeyDesk(settings), real),
            live=hub,
            real=real,
            domain=domain,
        )
        config = PortalConfig(
            zone=settings.zone,
            speed=settings.speed,
            is_https=settings.web_certificate is not None,
            static=STATIC if STATIC.is_dir() else None,
        )
        sequencer = AuditSequencer(audit.engine, real, audit_key_of(settings))
        yield Parts(create_app(config, ports), hub, LiveFeed(hub, data, domain), operations, sequencer)


def audit_key_of(settings: Settings) -> bytes:
    """Return the key that signs the audit log, made at the first call, and publish its public half beside it."""
    folder = settings.home.folder("keys")
    key = secret_in(folder, "audit.key")
    (folder / "audit.pub").write_text(verifier_key(public_key_of(key)) + "\n")
    return key


async def _listen(settings: Settings, feed: LiveFeed) -> None:
    """Hear what has been stored; the bus may come up after us and go away for a while."""
    while True:
        try:
            client = await connect(nats_url(settings, "core"), name="openami-web")
        except (BusError, OSError) as error:
            log.warning("bus unavailable", error=type(error).__name__)
            await asyncio.sleep(BUS_RETRY_S)
            continue
        try:
            # A plain subscription: a browser wants what happens now, and looks again when it has missed something.
            await client.subscribe(changed_subject("raw"), cb=feed.take)
            await asyncio.Event().wait()
        finally:
            await client.close()


async def _announce(settings: Settings) -> None:
    """Tell the supervisor once the port answers."""
    while True:
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.web_port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        ready()
        log.info("web serves", port=settings.web_port)
        return


async def _every(seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
    while True:
        await _once(work, name)
        await asyncio.sleep(seconds)


async def _once(work: Callable[[], Awaitable[object]], name: str) -> None:
    """Do a piece of work beside the requests; it is tried again next time."""
    try:
        await work()
    except (OpenAmiError, SQLAlchemyError, OSError) as error:
        log.warning("work beside requests failed", work=name, error=type(error).__name__)
