"""The head-end process: wires the vault, the two sides of the bus and the database to the head-end room.

Several may run beside each other and share the partitions: give each its own number in ``OPENAMI_HEADEND_INSTANCE``.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.address import nats_url, postgres_url
from openami.app.engines.nats import BusError, connect
from openami.app.process import ready
from openami.app.settings import Settings, real_now
from openami.app.shipment import root_key
from openami.headend.adapters.jetstream import JetStreamFrames, JetStreamOutbox
from openami.headend.adapters.postgres import PostgresGroupStore
from openami.headend.keyfeed import KeyFeed
from openami.headend.service import Engines, Headend
from openami.kernel.errors import OpenAmiError
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.table import KeyTable

INSTANCE = "OPENAMI_HEADEND_INSTANCE"
BUS_RETRY_S = 0.5
log = structlog.get_logger("openami.headend")


class HeadendRunningError(OpenAmiError):
    """Another head-end of the same number runs on this home."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work this head-end's share of the partitions until ``stop`` is set.

    Raises:
        HeadendRunningError: another process has this number.
    """
    instance = os.environ.get(INSTANCE, "1")
    with _only_one(settings, instance):
        dmz, core = await _connect(settings, "headend_dmz", stop), await _connect(settings, "core", stop)
        state = create_async_engine(
            postgres_url(settings, "openami_headend"), pool_size=4, hide_parameters=True, pool_pre_ping=True
        )
        security = create_async_engine(
            postgres_url(settings, "openami_security"), pool_size=1, hide_parameters=True, pool_pre_ping=True
        )
        try:
            if dmz is not None and core is not None:
                table = KeyTable()
                engines = Engines(
                    source=JetStreamFrames(dmz),
                    outbox=JetStreamOutbox(core),
                    store=PostgresGroupStore(state),
                    keys=KeyFeed(PostgresVault(security, root_key(settings)), table),
                    clock=settings.clock(),
                    real_now=real_now,
                    monotonic=time.monotonic,
                )
                headend = Headend(
                    owner=f"{socket.gethostname()}/{instance}",
                    groups=settings.partition_groups,
                    zone=settings.zone,
                    table=table,
                    engines=engines,
                )
                await headend.run(stop, on_ready=ready)
        finally:
            for client in (dmz, core):
                if client is not None:
                    await client.close()
            await state.dispose()
            await security.dispose()


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


async def _connect(settings: Settings, user: str, stop: asyncio.Event) -> Client | None:
    """Connect to the bus; None where we were stopped before it answered."""
    while not stop.is_set():
        try:
            return await connect(nats_url(settings, user), name=f"openami-headend-{user}")
        except BusError as error:
            log.warning("bus_unavailable", user=user, error=str(error))
            try:
                await asyncio.wait_for(stop.wait(), BUS_RETRY_S)
            except TimeoutError:
                continue
    return None
