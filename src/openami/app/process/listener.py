"""The listener process: a collector for meters that push over a network of their own (cellular), off by default.

It is a collector like any other: a spool on its disk, link v1 to the gateway, no key. `openami up --listen PORT` or
``listener_port`` of the settings starts it. Put it on the address of the carrier's private network, never on one that
anybody can reach.
"""

from __future__ import annotations

import asyncio

from openami.app.devices.collector_health import Housing
from openami.app.process import ready
from openami.app.settings import Settings, real_now
from openami.kernel.time import EPOCH
from openami.network.adapters.push_listener import PushListener
from openami.network.collector import Collector
from openami.security.pki import Role, client_context, ensure_identity

COLLECTOR_NUMBER = 2**31
"""Far above the numbers of collectors in the field, which count from 1."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Take pushes until ``stop``; what is not handed on yet stays on disk.

    Raises:
        OSError: the port cannot be used.
        SpoolError: the disk under the spool failed.
    """
    collector = _collector(settings)
    clock = settings.clock()
    listener = PushListener(collector.offer, now_ms=lambda: int((clock.now() - EPOCH).total_seconds() * 1000))
    ended = asyncio.Event()
    link = asyncio.create_task(collector.run(ended))
    listening = asyncio.create_task(
        listener.run(stop, host=settings.listener_host, port=settings.listener_port or 0, ready=lambda _port: ready())
    )
    try:
        done, _ = await asyncio.wait([listening, link], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stop.set()
        await asyncio.gather(listening, return_exceptions=True)
        ended.set()
        await asyncio.gather(link, return_exceptions=True)


def _collector(settings: Settings) -> Collector:
    home = settings.home
    identity = ensure_identity(home.folder("pki"), role=Role.COLLECTOR, number=COLLECTOR_NUMBER, now=real_now())
    context = client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority)
    return Collector(
        COLLECTOR_NUMBER,
        spool_folder=home.folder("listener") / "spool",
        host=settings.gateway_address,
        port=settings.gateway_port,
        ssl_context=context,
        health=Housing(identity.certificate).report,
    )
