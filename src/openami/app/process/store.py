"""The store process: owns the interval engine, ingests from the bus, answers named queries on its socket."""

from __future__ import annotations

import asyncio
import os

import structlog
from nats.aio.client import Client

from openami.app.engines.address import nats_url
from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import connect
from openami.app.process import ready
from openami.app.settings import Settings
from openami.mdm.adapters.store_engine import StoreEngine
from openami.mdm.adapters.store_ingest import Ingest
from openami.mdm.adapters.store_server import StoreServer
from openami.mdm.adapters.store_service import StoreService

_LOG = structlog.get_logger()
BUS_RETRY_SECONDS = 1.0


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop``; then drain: rows fetched are kept, answers under way are finished.

    Raises:
        StoreOwnedError: another process owns this home's store.
        StoreError: the engine does not open.
    """
    folder = settings.home.folder("store")
    # The engine's own libraries look here too, so it is set before they load.
    os.environ["TMPDIR"] = str(folder.resolve() / "tmp")
    engine = await asyncio.to_thread(_open, settings)
    service = StoreService(engine, settings.clock())
    server = StoreServer(service, settings.home.store_socket)
    try:
        await server.start()
        ready()
        _LOG.info("store.serves")
        client = await _bus(settings, stop)
        if client is not None:
            ingest = Ingest(client, service)
            try:
                await ingest.run(stop)
            finally:
                await client.close()
            _LOG.info("store.ingested", messages=ingest.counts.messages, rows=ingest.counts.rows)
    finally:
        await server.close()
        await asyncio.to_thread(engine.close)


def _open(settings: Settings) -> StoreEngine:
    if settings.clickhouse_url:
        return StoreEngine.by_url(settings.clickhouse_url)
    return StoreEngine.embedded(settings.home.folder("store"))


async def _bus(settings: Settings, stop: asyncio.Event) -> Client | None:
    """Connect to the core bus, waiting for it as long as it takes; None when told to stop first."""
    connecting, stopping = asyncio.create_task(_connected(settings)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return connecting.result() if connecting.done() else None
    finally:
        connecting.cancel()
        stopping.cancel()


async def _connected(settings: Settings) -> Client:
    while True:
        try:
            # Read anew at each attempt: the supervisor may write the passwords after this process has started.
            return await connect(nats_url(settings, "core"), name="openami-store")
        except (BusError, FileNotFoundError):
            await asyncio.sleep(BUS_RETRY_SECONDS)
