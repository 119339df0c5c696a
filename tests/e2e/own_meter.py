"""A meter, a place and a customer of the test's own beside the demonstration's: each watt-hour it sends is known.

Nothing of the demonstration is touched, so each figure that changes was changed by a frame that the test has sealed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from tests.e2e.conftest import Demo

from openami.app.devices.shipment import take_shipment
from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.settings import Settings, real_now
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.bill.record import Assignment
from openami.contracts.channel import Channel
from openami.contracts.frame import FrameClass
from openami.contracts.reading import ReadingBatch
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.customer.api import CustomerBook, NewCustomer
from openami.kernel.ids import SystemTitle
from openami.kernel.time import EPOCH, Period, local_date, zone_named
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.mdm.registry.records import Installation, ServicePoint
from openami.meter.sealing import MeterIdentity, sealed_push
from openami.network.collector import Collector, OfferedFrame
from openami.protocol.envelope.ports import PushPort
from openami.protocol.push import LoadProfileRow, load_profile_body
from openami.security.access.scope import Purpose, system_scope
from openami.security.pki import Role, client_context, ensure_identity

QUARTER = timedelta(minutes=15)
ZONES = ("America/Chicago", "Europe/Berlin", "Asia/Tokyo")
Found = TypeVar("Found")


@dataclass(slots=True)
class OwnMeter:
    """A meter whose keys are in the vault.

    Args:
        identity: name and keys.
        meter_id: its id in the vault.
        counter: the last one used.
    """

    identity: MeterIdentity
    meter_id: UUID
    counter: int = 0

    def push(self, rows: Sequence[LoadProfileRow]) -> OfferedFrame:
        """Return the next sealed push as a collector is offered it."""
        self.counter += 1
        at = rows[-1].end
        octets = sealed_push(
            self.identity, counter=self.counter, at=at, body=load_profile_body(rows), port=PushPort.LOAD_PROFILE
        )
        return FrameClass.PROFILE, self.identity.title, int(real_now().timestamp() * 1000), octets


@dataclass(frozen=True, slots=True)
class Place:
    """Where a customer lives and how the customer signs in."""

    service_point_id: UUID
    zone: str
    cell: str
    person: dict[str, str] = field(default_factory=dict)


def row(end: datetime, delivered_wh: int) -> LoadProfileRow:
    """Return one captured interval of a home without a roof at 240 V."""
    return LoadProfileRow(end, 0, delivered_wh, 0, 2400)


def last_quarters(count: int, *, back: int = 0) -> list[datetime]:
    """Return the ends of the newest quarter-hours that are over, oldest first, ``back`` quarter-hours ago."""
    newest = EPOCH + (real_now() - EPOCH) // QUARTER * QUARTER - back * QUARTER
    return [newest - QUARTER * k for k in reversed(range(count))]


def zone_in_daytime() -> str:
    """Return a zone where the day began at least four hours ago, so that today has readings."""
    return next(z for z in ZONES if 4 <= real_now().astimezone(zone_named(z)).hour < 23)


async def shipped(settings: Settings, **wishes: Any) -> OwnMeter:
    """Make a meter with random keys and take its shipment, as the command line does.

    Args:
        settings: of the platform; the shipment file is laid where the territory's lies.
        wishes: ``title``, ``encryption_key``, ``authentication_key``, ``profile`` and ``zone`` instead of our own.
    """
    title = SystemTitle(wishes.get("title") or b"OAM" + secrets.token_bytes(5))
    keys = [wishes.get(f"{use}_key") or secrets.token_bytes(16) for use in ("encryption", "authentication")]
    meter = {
        "system_title": str(title), "serial": f"own-{title}", "encryption_key": keys[0].hex(),
        "authentication_key": keys[1].hex(), **({"zone": wishes["zone"]} if "zone" in wishes else {}),
    }  # fmt: skip
    document = {
        "shipment_id": f"own-{title}", "made_at": "2022-01-01T00:00:00Z", "maker": title.manufacturer,
        "profile": wishes.get("profile", "oam-1"), "meters": [meter],
    }  # fmt: skip
    place = settings.home.folder("shipments") / f"{title}.json"
    place.touch(mode=0o600)
    place.write_text(json.dumps(document))
    report = await take_shipment(settings, place, plain=True)
    return OwnMeter(MeterIdentity(title, keys[0], keys[1]), report.meters[0].meter_id)


async def place_made(settings: Settings, *, zone: str, cell: str) -> Place:
    """Enter a service point that nothing hangs at."""
    now = settings.clock().now()
    place = Place(uuid4(), zone, cell)
    async with room_database(settings, "openami_mdm") as engine:
        registry = PostgresRegistry(engine)
        await registry.add_service_points(
            [ServicePoint(place.service_point_id, zone, now - timedelta(days=2), cell=cell)]
        )
    return place


async def installed(settings: Settings, meter: OwnMeter, place: Place, *, since: datetime) -> None:
    """Enter that the meter hangs there."""
    async with room_database(settings, "openami_mdm") as engine:
        rows = [Installation(uuid4(), place.service_point_id, meter.meter_id, since, in_reads={Channel.DELIVERED: 0})]
        await PostgresRegistry(engine).install(rows, at=settings.clock().now())


async def moved_in(settings: Settings, place: Place, *, since: datetime) -> None:
    """Make a customer who lives there, on a rate."""
    person = {"login": f"own.{place.service_point_id.hex[:12]}@example.org", "password": secrets.token_urlsafe(12)}
    async with (
        room_database(settings, "openami_access") as access,
        room_database(settings, "openami_customer") as identity,
        room_database(settings, "openami_billing") as billing,
    ):
        book = CustomerBook(PostgresCustomers(identity), accounts_of(settings, access, RealClock()), settings.clock())
        home = NewCustomer(
            name="Own Customer", email=person["login"], service_point_id=place.service_point_id,
            address="1 Own Street", since=since, password=person["password"],
        )  # fmt: skip
        await book.create([home])
        first = local_date(since, zone_named(place.zone))
        rates = [Assignment(place.service_point_id, "ameren-mo-anytime", first)]
        await PostgresBillBook(billing).assign(rates, at=settings.clock().now())
    place.person.update(person)


@contextlib.asynccontextmanager
async def own_collector(settings: Settings, folder: Path, *, number: int = 40) -> AsyncIterator[Collector]:
    """Run a collector of the test's own against the demonstration's gateway."""
    identity = ensure_identity(settings.home.folder("pki"), role=Role.COLLECTOR, number=number, now=real_now())
    context = client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority)
    collector = Collector(
        number, spool_folder=folder / f"spool-{number}", host=settings.gateway_address, port=settings.gateway_port,
        ssl_context=context,
    )  # fmt: skip
    stop = asyncio.Event()
    running = asyncio.create_task(collector.run(stop))
    try:
        await until(lambda: _ready(collector), what="the collector is connected")
        yield collector
        await asyncio.wait_for(collector.drained(), 30)
    finally:
        stop.set()
        await running


async def _ready(collector: Collector) -> bool:
    return collector.status().connected


async def until(ask: Callable[[], Awaitable[Found | None]], *, what: str, timeout_s: float = 60) -> Found:
    """Ask until the answer is true; return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := await ask()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        await asyncio.sleep(0.1)
    return found


async def stored(settings: Settings, meter: OwnMeter, channel: Channel = Channel.DELIVERED) -> ReadingBatch:
    """Return what the store holds of a meter, asked by its named query."""
    store = SocketStore(settings.home.store_socket)
    everything = Period(real_now() - timedelta(days=30), real_now() + timedelta(days=1))
    scope = system_scope(process="e2e", purpose=Purpose.OPERATIONS)
    try:
        return await store.readings(scope, [MeterSpan(meter.meter_id, meter.meter_id, everything)], channel, everything)
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def signed_in(demo: Demo, person: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the portal's API on which that person has signed in."""
    async with httpx.AsyncClient(base_url=f"{demo.portal}/api/v1", timeout=30) as client:
        answer = await client.post("/session", json=person)
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield client
