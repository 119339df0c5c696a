"""The worker: validation by the domain clock, re-runs for late data, and other rooms' jobs.

Progress is in PostgreSQL, so a killed worker's successor goes on; two workers take turns by an advisory lock. Nothing
here keeps state that matters: what is not marked done is done again, and doing it again writes nothing new.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.ledger_jobs import ledger_jobs
from openami.app.billing.rate_files import home_rates
from openami.app.billing.rate_wiring import rate_work
from openami.app.engines.address import nats_url
from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import connect
from openami.app.engines.rooms import room_engine
from openami.app.exchange.exchange_job import ExchangeJob
from openami.app.process import ready
from openami.app.settings import Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.editions_postgres import PostgresEditions
from openami.billing.adapters.foresight_postgres import PostgresForesight
from openami.billing.api import Billing, BillingJob
from openami.billing.cycle.foresight_job import ForesightJob
from openami.billing.edition.job import EditionJob
from openami.contracts.changed import DaysChanged
from openami.contracts.errors import ContractError
from openami.contracts.stream import CORE_CHANGED, changed_subject
from openami.kernel.clock import Clock
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import zone_named
from openami.mdm.adapters.case_postgres import PostgresCases
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.retention_postgres import PostgresRetention
from openami.mdm.adapters.store_fleet import SocketFleetStore
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData
from openami.mdm.editing.casebook import CaseJob
from openami.mdm.validation.arrival import Arrival, parse_arrival
from openami.mdm.validation.run import Validation
from openami.mdm.validation.schedule import Schedule, Work

_LOG = structlog.get_logger()
DURABLE = "worker-validation"
DURABLE_DAYS = "worker-days"
TICK_S = 1.0
BACKLOG_EVERY_S = 120.0
"""How often (real time) all open days are looked at; requests and the day just ended are looked at every tick."""
ARRIVALS_AT_ONCE = 256


class Job(Protocol):
    """Work of another room that is due by the domain clock. Running it twice, or killing it, does no harm."""

    name: str

    async def run_due(self, now: datetime) -> None:
        """Do what is due at ``now`` (domain time) and return; raise an anticipated error to be tried again."""
        ...

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Take note of days that have another version; the same news may come twice."""
        ...


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a job may be built from.

    Args:
        engine_for: gives an async engine for a database role, made once and closed by the worker.
        bus: connection to the core bus.
    """

    settings: Settings
    clock: Clock
    meter_data: MeterData
    engine_for: Callable[[str], AsyncEngine]
    bus: Client


def jobs_of(wiring: Wiring) -> Sequence[Job]:
    """Return the jobs of other rooms; each is added here and nowhere else."""
    book = PostgresBillBook(wiring.engine_for("openami_billing"))
    rates = home_rates(wiring.settings.home)
    cases = PostgresCases(wiring.engine_for("openami_mdm"))
    setting = bill_setting(wiring.settings)
    face = Billing(meters=wiring.meter_data, book=book, rates=rates, setting=setting)
    foresight = PostgresForesight(wiring.engine_for("openami_billing"))
    billing = BillingJob(face)
    true_ups, ledger, corrections = ledger_jobs(wiring.settings, wiring.meter_data, wiring.engine_for, rates)
    return (
        EditionJob(PostgresEditions(wiring.engine_for("openami_billing")), rates),
        true_ups,
        billing,
        ForesightJob(face.run, foresight, zone_named(wiring.settings.zone)),
        rate_work(wiring.meter_data, wiring.engine_for("openami_billing"), rates, setting),
        ledger,
        corrections,
        CaseJob(cases),
        ExchangeJob(wiring.settings),
    )


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Validate and run jobs until ``stop``; the piece of work under way is finished."""
    async with AsyncExitStack() as stack:
        engines: dict[str, AsyncEngine] = {}

        def engine_for(role: str) -> AsyncEngine:
            if role not in engines:
                engines[role] = room_engine(settings, role)
                stack.push_async_callback(engines[role].dispose)
            return engines[role]

        store = SocketStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        bus = await _bus(settings, stop)
        if bus is None:
            return
        stack.push_async_callback(bus.close)
        registry = PostgresRegistry(engine_for("openami_mdm"))
        book = PostgresBook(engine_for("openami_mdm"))
        data = MeterData(registry=registry, store=store, book=book)
        decisions = PostgresDecisions(engine_for("openami_mdm"))
        fleet = SocketFleetStore(store)
        horizon = PostgresRetention(engine_for("openami_mdm")).horizon
        validation = Validation(
            registry=registry, store=store, book=book, decisions=decisions, fleet=fleet, horizon=horizon
        )
        schedule = Schedule(registry=registry, store=store, book=book, validation=validation, new_id=uuid4)
        wiring = Wiring(settings, settings.clock(), data, engine_for, bus)
        ready()
        _LOG.info("worker.serves")
        worker = Worker(wiring, schedule, book, jobs_of(wiring))
        await asyncio.gather(worker.serve(stop), worker.listen(stop), worker.listen_to_days(stop))


@dataclass(slots=True)
class Worker:
    """The loops of one worker process."""

    wiring: Wiring
    schedule: Schedule
    book: PostgresBook
    jobs: Sequence[Job]
    _backlog_at: float = 0.0

    async def serve(self, stop: asyncio.Event) -> None:
        """Do what is due, tick by tick, until told to stop."""
        while not stop.is_set():
            await self._guarded("validation", self._validate(stop))
            for job in self.jobs:
                if not stop.is_set():
                    await self._guarded(job.name, job.run_due(self.wiring.clock.now()))
            await _pause(stop, TICK_S)

    async def listen(self, stop: asyncio.Event) -> None:
        """Turn announcements of raw rows into requests; an announcement is acknowledged when they are kept."""
        await self._listen(stop, "raw", DURABLE, self._note)

    async def listen_to_days(self, stop: asyncio.Event) -> None:
        """Tell the jobs of other rooms which validated days changed."""
        await self._listen(stop, "day", DURABLE_DAYS, self._tell)

    async def _listen(
        self, stop: asyncio.Event, kind: str, durable: str, take: Callable[[list[Msg]], Awaitable[None]]
    ) -> None:
        subscription: JetStreamContext.PullSubscription | None = None
        while not stop.is_set():
            try:
                if subscription is None:
                    subscription = await _subscribe(self.wiring.bus, kind, durable)
                messages = await subscription.fetch(ARRIVALS_AT_ONCE, timeout=2)
                await take(messages)
                # Announcements come with every push; a breath between fetches lets many become one request.
                await _pause(stop, TICK_S)
            except TimeoutError:
                continue
            except (NatsError, SQLAlchemyError, OpenAmiError, OSError) as error:
                _LOG.warning("worker.listen", kind=kind, problem=type(error).__name__)
                subscription = None
                await _pause(stop, TICK_S)

    async def _tell(self, messages: list[Msg]) -> None:
        for message in messages:
            try:
                news = DaysChanged.from_octets(message.data)
            except ContractError:
                _LOG.warning("worker.bad_news")
            else:
                for job in self.jobs:
                    await job.days_changed(news, self.wiring.clock.now())
            await message.ack()

    async def _note(self, messages: list[Msg]) -> None:
        arrivals: list[Arrival] = []
        for message in messages:
            try:
                arrival = parse_arrival(message.data)
            except ContractError:
                _LOG.warning("worker.bad_announcement")
                continue
            if arrival is not None:
                arrivals.append(arrival)
        count = await self.schedule.note_arrivals(arrivals, self.wiring.clock.now())
        for message in messages:
            await message.ack()
        if count:
            _LOG.info("worker.late_data", requests=count)

    async def _validate(self, stop: asyncio.Event) -> None:
        """Carry out what is due, if no other worker does."""
        async with self.book.turn() as is_mine:
            if not is_mine:
                return
            for news in await self.schedule.unsaid():
                await self._publish(news)
                await self.schedule.said(news.run_id)
            now = self.wiring.clock.now()
            work, settled = await self.schedule.requested(now)
            for piece in work:
                if stop.is_set():
                    return
                await self._carry_out(piece)
            if settled:
                await self.book.settle(settled)
            for piece in await self._due(now):
                if stop.is_set():
                    return
                await self._carry_out(piece)

    async def _due(self, now: datetime) -> list[Work]:
        """Return first runs that are due: of the day just ended at each change of day, of all days now and then."""
        zone = zone_named(self.wiring.settings.zone)
        yesterday = (now.astimezone(zone) - timedelta(days=1)).date()
        if history_is_loading(self.wiring.settings):
            # Its loader asks for each stretch of days when it is in.
            return []
        clock_s = asyncio.get_running_loop().time()
        if self._backlog_at and clock_s - self._backlog_at < BACKLOG_EVERY_S:
            return await self.schedule.due_days(now, since=yesterday - timedelta(days=1))
        self._backlog_at = clock_s
        return await self.schedule.due_days(now)

    async def _carry_out(self, work: Work) -> None:
        done = await self.schedule.carry_out(work, self.wiring.clock.now())
        if done.versions:
            _LOG.info("worker.validated", versions=done.versions, findings=done.findings)
            await self._publish(done.news)
        await self.schedule.said(done.news.run_id)

    async def _publish(self, news: DaysChanged) -> None:
        """Say which days changed; whoever bills them listens."""
        await self.wiring.bus.jetstream().publish(changed_subject("day"), news.to_octets(), timeout=10)

    async def _guarded(self, name: str, work: Awaitable[None]) -> None:
        """Run one piece; an anticipated failure is logged and tried again at the next tick."""
        try:
            await work
        except (OpenAmiError, SQLAlchemyError, NatsError, OSError, TimeoutError) as error:
            _LOG.warning("worker.retry", job=name, problem=type(error).__name__)


def history_is_loading(settings: Settings) -> bool:
    """Tell whether a demonstration's history is still being loaded into this home."""
    from openami.app.readings.history import PROGRESS_FILE

    try:
        return not json.loads((settings.home.path / PROGRESS_FILE).read_text()).get("done", False)
    except (OSError, ValueError):
        return False


async def _subscribe(bus: Client, kind: str, durable: str) -> JetStreamContext.PullSubscription:
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=60, max_ack_pending=4 * ARRIVALS_AT_ONCE)
    return await bus.jetstream().pull_subscribe(
        changed_subject(kind), durable=durable, stream=CORE_CHANGED.name, config=config
    )


async def _bus(settings: Settings, stop: asyncio.Event) -> Client | None:
    """Connect to the core bus, waiting for it; None when told to stop first."""
    while not stop.is_set():
        try:
            return await connect(nats_url(settings, "core"), name="openami-worker")
        except (BusError, FileNotFoundError):
            await _pause(stop, TICK_S)
    return None


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
