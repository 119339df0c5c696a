"""A small utility to ask: database, bus, store and portal as they run for one, and customers who have signed in.

Homes are made as for ``bench compare``. The worker does not run: nothing but the questions is at work.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import numpy as np
import orjson

from openami.app.bench.charts.line import LineError, Lines
from openami.app.bench.compare import PRESENT, ZONE, made_days
from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.settings import Home, Settings, real_now
from openami.app.supervisor.platform import Platform
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.bill.record import Assignment
from openami.contracts.day import DayTable
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.customer.api import CustomerBook, NewCustomer
from openami.customer.invented import invented_customers
from openami.kernel.time import local_midnight, zone_named
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.registry.records import Installation, Meter, ServicePoint

SERVICES = ("store", "web")
HOMES_PER_WRITE = 10


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A customer.

    Args:
        place: their service point.
        cookie: of their session.
    """

    place: UUID
    cookie: str


@dataclass(frozen=True, slots=True)
class Utility:
    """What is asked.

    Args:
        customers: who may ask, each of their own place.
        lines: to the portal.
        store: the same store, without a portal.
        platform: the processes, for what they spend.
    """

    customers: Sequence[SignedIn]
    lines: Lines
    store: SocketStore
    platform: Platform


@asynccontextmanager
async def utility(
    *, homes: int, first: date, last: date, connections: int, postgres_url: str | None = None
) -> AsyncIterator[Utility]:
    """Hold a utility up that has validated days of so many homes, from first to last (both included)."""
    folder = Path(tempfile.mkdtemp(prefix="oa-bench-"))
    ports = _free_ports(3)
    noon = datetime.combine(last + timedelta(days=1), time(18), UTC)
    settings = Settings(
        home=Home(folder / "home"),
        zone=ZONE,
        web_port=ports[0],
        gateway_port=ports[1],
        nats_port=ports[2],
        real_origin=real_now(),
        domain_origin=noon,
        postgres_url=postgres_url,
    )
    settings.save()
    places = [UUID(int=i + 1) for i in range(homes)]
    try:
        async with AsyncExitStack() as stack:
            platform = await stack.enter_async_context(Platform(settings, services=SERVICES).running())
            store = SocketStore(settings.home.store_socket)
            stack.push_async_callback(store.close)
            began = local_midnight(first, zone_named(ZONE))
            await _register(settings, places, began, noon)
            people = await _people(settings, places, began)
            await _fill(store, places, first, last)
            lines = await stack.enter_async_context(Lines(settings.web_port, connections).open())
            customers = [SignedIn(p.service_point_id, await _signed_in(lines, p)) for p in people]
            yield Utility(customers, lines, store, platform)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _register(settings: Settings, places: Sequence[UUID], began: datetime, now: datetime) -> None:
    meters = [UUID(int=2**64 + p.int) for p in places]
    async with room_database(settings, "openami_mdm") as engine:
        registry = PostgresRegistry(engine)
        await registry.add_service_points([ServicePoint(p, ZONE, began) for p in places])
        await registry.add_meters([Meter(m, f"B{n}", began) for n, m in enumerate(meters)])
        hung = [Installation(UUID(int=2**65 + p.int), p, m, began) for p, m in zip(places, meters, strict=True)]
        await registry.install(hung, at=now)
    async with room_database(settings, "openami_billing") as engine:
        rates = [Assignment(p, PRESENT, began.date() - timedelta(days=1)) for p in places]
        await PostgresBillBook(engine).assign(rates, at=now)


async def _people(settings: Settings, places: Sequence[UUID], began: datetime) -> list[NewCustomer]:
    """Make one customer for each place, each with a password of their own."""
    dice = Random(7)  # noqa: S311 - invents names, guards nothing
    people = [
        invented_customers([place], dice=dice, since=began, password=secrets.token_urlsafe(12))[0] for place in places
    ]
    people = [_named(person, number) for number, person in enumerate(people)]
    async with (
        room_database(settings, "openami_access") as access,
        room_database(settings, "openami_customer") as identity,
    ):
        accounts = accounts_of(settings, access, RealClock())
        await CustomerBook(PostgresCustomers(identity), accounts, settings.clock()).create(people)
    return people


def _named(person: NewCustomer, number: int) -> NewCustomer:
    """Return the person under a login that nobody else has."""
    return NewCustomer(
        person.name,
        f"customer.{number}@example.org",
        person.service_point_id,
        person.address,
        person.since,
        password=person.password,
    )


async def _fill(store: SocketStore, places: Sequence[UUID], first: date, last: date) -> None:
    dice = np.random.default_rng(7)
    for at in range(0, len(places), HOMES_PER_WRITE):
        rows = [row for place in places[at : at + HOMES_PER_WRITE] for row in made_days(place, dice, first, last)]
        await store.write_days(DayTable.from_rows(rows), token=f"bench-{at}")


async def _signed_in(lines: Lines, person: NewCustomer) -> str:
    """Return the cookie of a new session.

    Raises:
        LineError: the portal refuses.
    """
    answer = await lines.post("/api/v1/session", orjson.dumps({"login": person.email, "password": person.password}))
    if answer.status != 200 or not answer.cookie:
        raise LineError(f"the portal answered {answer.status} to a sign-in")
    return answer.cookie


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(p.getsockname()[1]) for p in probes]
    finally:
        for probe in probes:
            probe.close()
