"""The head-end process: wires the vault, the two sides of the bus and the database to the head-end room.

Several may run beside each other and share the partitions: give each its own number in ``OPENAMI_HEADEND_INSTANCE``.
"""

from __future__ import annotations

import asyncio
import fcntl
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from random import SystemRandom
from secrets import token_bytes
from typing import Protocol
from uuid import uuid4

from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.billing.bill_calendar import billing_calendar
from openami.app.devices.fleet_roster import RegistryRoster
from openami.app.devices.shipment import root_key
from openami.app.engines.address import nats_url, postgres_url
from openami.app.engines.nats import connect_until
from openami.app.engines.rooms import room_engine
from openami.app.process import ready
from openami.app.process.command import client_title
from openami.app.settings import Settings, real_now
from openami.contracts.stream import DMZ_AIRTIME
from openami.headend.adapters.airtime_postgres import PostgresAirtime
from openami.headend.adapters.campaigns_postgres import PostgresCampaigns
from openami.headend.adapters.collector_words import JetStreamWords
from openami.headend.adapters.collectors_postgres import PostgresCollectors
from openami.headend.adapters.columns_postgres import PostgresColumnSheets
from openami.headend.adapters.command_process import NatsCommandProcess, listen_to_outcomes
from openami.headend.adapters.event_stream import JetStreamEvents
from openami.headend.adapters.events_postgres import PostgresEventBook
from openami.headend.adapters.jetstream import JetStreamFrames, JetStreamOutbox
from openami.headend.adapters.latest_messages import LatestMessages
from openami.headend.adapters.postgres import PostgresGroupStore
from openami.headend.adapters.rekeys_postgres import PostgresKeyAges, PostgresRekeys
from openami.headend.adapters.requests_postgres import PostgresRequests
from openami.headend.adapters.switch_turns import PostgresSwitchTurns
from openami.headend.adapters.threshold_words import JetStreamThresholdWords
from openami.headend.adapters.thresholds_postgres import PostgresThresholdBook
from openami.headend.collectors.airtime import AirtimeKeeper
from openami.headend.collectors.reports import ReportedStolen
from openami.headend.collectors.watch import CollectorWatch
from openami.headend.events.watch import EventWatch
from openami.headend.group import Engines
from openami.headend.keeping.budget import CellPolicy
from openami.headend.keeping.keeper import KeepingPolicy
from openami.headend.keeping.rekey import RekeyPolicy
from openami.headend.listening.alarm import LetterAlarm
from openami.headend.listening.columnfeed import ColumnFeed
from openami.headend.listening.keyfeed import KeyAlarm, KeyFeed
from openami.headend.service import Headend
from openami.headend.session.exchange import Exchanges
from openami.headend.session.group_work import AskingEngines
from openami.headend.session.rekey_group import RekeyEngines
from openami.headend.session.rollout import RolloutEngines
from openami.headend.session.sealing import SessionSealing
from openami.headend.session.session import Sessions
from openami.headend.session.switch_log import AuditSwitchLog
from openami.headend.session.switch_ports import SwitchEngines
from openami.headend.session.titles import new_keys_of
from openami.headend.thresholds.watch import ThresholdWatch
from openami.kernel.errors import MisuseError, OpenAmiError
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.approval_postgres import PostgresApprovals
from openami.security.adapters.audit_postgres import PostgresAuditLog
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.stolen_postgres import PostgresReports
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.table import KeyTable

INSTANCE = "OPENAMI_HEADEND_INSTANCE"
CELL_RATE = "OPENAMI_CELL_EXCHANGES_PER_S"
"""How many questions and answers a second one radio cell bears, 0.01 to 1,000; see :mod:`openami.headend.keeping`."""


KEYS_PER_HOUR = "OPENAMI_KEYS_PER_HOUR"
"""How many meters an hour begin to change their keys, 1 to 3,600,000."""
KEYS_PAUSE = "OPENAMI_KEYS_PAUSE_S"
"""Pause before a meter that did not answer is tried again, 0.1 s to six hours; it doubles with each try."""
MAX_COUNTS_A_LOOK = 200
"""Messages of up to 56 kB: 11 MB of counts at once; the others are read at the next look."""


class HeadendRunningError(OpenAmiError):
    """Another head-end of the same number runs on this home."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work this head-end's share of the partitions until ``stop`` is set.

    Raises:
        HeadendRunningError: another process has this number.
    """
    instance = os.environ.get(INSTANCE, "1")
    with _only_one(settings, instance):
        async with AsyncExitStack() as stack:
            wired = await _wired(settings, stop, stack)
            if wired is None:
                return
            headend = Headend(
                owner=f"{socket.gethostname()}/{instance}",
                groups=settings.partition_groups,
                zone=settings.zone,
                table=wired.table,
                engines=_engines(settings, wired),
            )
            watching = [asyncio.create_task(one.run(stop)) for one in _watches(settings, wired)]
            for task in watching:
                # It ends before it is told to by a bug alone; then nobody would watch.
                task.add_done_callback(lambda _: stop.set())
            try:
                await headend.run(stop, on_ready=ready)
            finally:
                stop.set()
                await asyncio.gather(*watching)


@dataclass(frozen=True, slots=True)
class _Wired:
    """What this process is wired to: the two sides of the bus, keys and databases."""

    dmz: Client
    core: Client
    exchanges: Exchanges
    table: KeyTable
    keys: KeyFeed
    state: AsyncEngine
    security: AsyncEngine
    registry: AsyncEngine
    audit: AsyncEngine


class _Watch(Protocol):
    """A loop beside the partitions, which ends when told to."""

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set."""
        ...


async def _wired(settings: Settings, stop: asyncio.Event, stack: AsyncExitStack) -> _Wired | None:
    """Connect to everything, and let the stack close it; None when told to stop before both buses answered."""
    dmz = await connect_until(stop, nats_url(settings, "headend_dmz"), name="openami-headend-dmz")
    if dmz is not None:
        stack.push_async_callback(dmz.close)
    core = await connect_until(stop, nats_url(settings, "core_headend"), name="openami-headend")
    if core is not None:
        stack.push_async_callback(core.close)
    if dmz is None or core is None:
        return None

    def database(role: str, pool_size: int) -> AsyncEngine:
        engine = create_async_engine(
            postgres_url(settings, role), pool_size=pool_size, hide_parameters=True, pool_pre_ping=True
        )
        stack.push_async_callback(engine.dispose)
        return engine

    state, security, registry = (
        database("openami_headend", 4), database("openami_keyreader", 1), database("openami_mdm", 1)
    )  # fmt: skip
    # What was switched is written down here, and nothing else of this process.
    audit = room_engine(settings, "openami_audit", pool_size=1)
    stack.push_async_callback(audit.dispose)
    table, vault = KeyTable(), PostgresVault(security, root_key(settings))
    exchanges = Exchanges(NatsCommandProcess(core, real_now), new_id=uuid4)
    await listen_to_outcomes(core, exchanges.told)
    keys = KeyFeed(vault, table, KeyAlarm(vault, "headend", real_now))
    return _Wired(dmz, core, exchanges, table, keys, state, security, registry, audit)


def _engines(settings: Settings, wired: _Wired) -> Engines:
    """Return what the head-end takes frames from and gives readings to."""
    return Engines(
        source=JetStreamFrames(wired.dmz),
        outbox=JetStreamOutbox(wired.core),
        store=PostgresGroupStore(wired.state),
        keys=wired.keys,
        clock=settings.clock(),
        real_now=real_now,
        monotonic=time.monotonic,
        columns=ColumnFeed(PostgresColumnSheets(wired.state)),
        on_answers=wired.exchanges.answered,
        on_letters=LetterAlarm(PostgresAlerts(wired.state), real_now).take,
        asking=_asking(settings, wired),
    )


def _watches(settings: Settings, wired: _Wired) -> Sequence[_Watch]:
    """Return what watches collectors, thresholds, airtime and meters' events."""
    state, alerts = wired.state, PostgresAlerts(wired.state)
    counts = LatestMessages(wired.dmz, DMZ_AIRTIME, most=MAX_COUNTS_A_LOOK)
    return (
        CollectorWatch(
            JetStreamWords(wired.dmz),
            PostgresCollectors(state),
            real_now=real_now,
            reports=ReportedStolen(PostgresReports(state)),
            alerts=alerts,
        ),
        ThresholdWatch(JetStreamThresholdWords(wired.dmz), PostgresThresholdBook(state), alerts),
        AirtimeKeeper(counts, PostgresAirtime(state), domain=settings.clock()),
        EventWatch(
            JetStreamEvents(wired.core, real_now),
            PostgresEventBook(state),
            alerts,
            real_now=real_now,
            title_of=wired.table.title_of,
        ),
    )


def _asking(settings: Settings, wired: _Wired) -> AskingEngines:
    """Return what it takes to ask meters: sessions over the command process and the road down."""
    state, clock, table = wired.state, settings.clock(), wired.table
    process = NatsCommandProcess(wired.core, real_now)
    sealing = SessionSealing(process, wired.exchanges, table)
    sessions = Sessions(
        sealing=sealing,
        downlink=wired.exchanges,
        own_title=client_title(settings.home),
        secret=token_bytes,
        monotonic=time.monotonic,
        new_keys_of=lambda title: new_keys_of(table, title),
    )
    return AskingEngines(
        PostgresRequests(state),
        RegistryRoster(
            PostgresRegistry(wired.registry), clock, monotonic=time.monotonic, calendar=billing_calendar(settings)
        ),
        sessions,
        JetStreamOutbox(wired.core),
        SystemRandom().random,
        columns=PostgresColumnSheets(state),
        policy=KeepingPolicy(cell=_cell_policy(os.environ).shared(settings.partition_groups)),
        firmware=RolloutEngines(PostgresCampaigns(state), PostgresApprovals(state)),
        switching=SwitchEngines(
            PostgresOrders(state),
            PostgresSwitchTurns(state),
            AuditSwitchLog(PostgresAuditLog(wired.audit), PostgresAlerts(state), real_now, clock),
            sealing,
        ),
        rekey=RekeyEngines(
            PostgresRekeys(state),
            process,
            wired.keys.refresh,
            PostgresOrders(state),
            now=clock.now,
            ages=PostgresKeyAges(wired.security),
            policy=_rekey_policy(os.environ).shared(settings.partition_groups),
        ),
    )


def _rekey_policy(environment: Mapping[str, str]) -> RekeyPolicy:
    """Return how fast keys change.

    Raises:
        MisuseError: the environment's word is no such number.
    """
    policy = RekeyPolicy()
    return replace(
        policy,
        per_hour=_number(environment, KEYS_PER_HOUR, policy.per_hour, least=1.0, most=3_600_000.0),
        first_pause_s=_number(environment, KEYS_PAUSE, policy.first_pause_s, least=0.1, most=policy.most_pause_s),
    )


def _number(environment: Mapping[str, str], name: str, default: float, *, least: float, most: float) -> float:
    said = environment.get(name)
    if said is None:
        return default
    try:
        number = float(said)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise MisuseError(f"{name} is {said!r}, expected {least:g} to {most:g}")
    return number


def _cell_policy(environment: Mapping[str, str]) -> CellPolicy:
    """Return what a cell bears.

    Raises:
        MisuseError: the environment's word is no such number.
    """
    rate = _number(environment, CELL_RATE, CellPolicy().exchanges_per_s, least=0.01, most=1_000.0)
    return CellPolicy(exchanges_per_s=rate)


@contextmanager
def _only_one(settings: Settings, instance: str) -> Iterator[None]:
    """Hold this number's lock, which a killed process gives back by dying."""
    place = settings.home.folder("run") / f"headend-{instance}.lock"
    with place.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeadendRunningError(f"head-end {instance} runs already: give this one another {INSTANCE}") from None
        yield
