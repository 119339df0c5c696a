"""The child that loads the demonstration's history and exits. A killed one is started again and goes on."""

from __future__ import annotations

import asyncio

import structlog

from openami.app.engines.rooms import room_database
from openami.app.people.demo_people import DemoHooks
from openami.app.readings.history import load_history
from openami.app.settings import Settings
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore

_LOG = structlog.get_logger()


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Load what is not loaded yet."""
    store = SocketStore(settings.home.store_socket)
    try:
        async with room_database(settings, "openami_mdm") as engine:
            done = await load_history(
                settings, registry=PostgresRegistry(engine), store=store, hooks=DemoHooks(settings), stop=stop
            )
    finally:
        await store.close()
    _LOG.info("history.ended", done=done)
