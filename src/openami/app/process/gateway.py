"""The gateway process: wires certificates, the DMZ's bus and the network room's gateway."""

from __future__ import annotations

import asyncio
from datetime import date

from openami.app.engines.address import nats_url
from openami.app.engines.nats import connect_until
from openami.app.process import ready, take_all_descriptors
from openami.app.settings import Settings, real_now
from openami.network.adapters.airtime import JetStreamAirtime
from openami.network.adapters.commands import NatsCommandBus
from openami.network.adapters.directives import NatsDirectives
from openami.network.adapters.health import JetStreamHealth
from openami.network.adapters.jetstream import JetStreamFrames
from openami.network.adapters.thresholds import JetStreamThresholds
from openami.network.gateway import Commanding, Gateway, HealthTelling, ListedSigningKeys, ListedTitles
from openami.network.gateway.flow import CellRates, Flow, MeterRates
from openami.security.pki import RevocationList, Role, ensure_identity, server_context


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve collectors until ``stop`` is set."""
    take_all_descriptors()
    home = settings.home
    pki = home.folder("pki")
    identity = ensure_identity(pki, role=Role.GATEWAY, number=settings.gateway_id, now=real_now())
    client = await connect_until(stop, nats_url(settings, "gateway"), name=f"openami-gateway-{settings.gateway_id}")
    if client is None:
        return
    try:
        gateway = Gateway(
            gateway_id=settings.gateway_id,
            folder=home.folder("gateway"),
            stream=JetStreamFrames(client),
            ssl_context=server_context(
                certificate=identity.certificate, key=identity.key, authority=identity.authority
            ),
            clock=settings.clock(),
            real_today=_real_today,
            run_name=f"g{settings.gateway_id}-{int(real_now().timestamp() * 1e6):x}",
            revoked=RevocationList(pki / "revoked"),
            titles=ListedTitles(home.folder("dmz") / "known_titles"),
            commanding=Commanding(
                bus=NatsCommandBus(client),
                keys=ListedSigningKeys(home.folder("dmz") / "command_keys"),
                real_now_ms=_real_now_ms,
            ),
            telling=HealthTelling(JetStreamHealth(client), _real_now_ms),
            directive_bus=NatsDirectives(client),
            airtime_bus=JetStreamAirtime(client),
            flow=Flow(MeterRates(), CellRates()),
            threshold_bus=JetStreamThresholds(client),
        )
        await gateway.run(stop, host=settings.gateway_address, port=settings.gateway_port, ready=lambda _port: ready())
    finally:
        await client.close()


def _real_today() -> date:
    return real_now().date()


def _real_now_ms() -> int:
    return int(real_now().timestamp() * 1000)
