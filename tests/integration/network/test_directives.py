"""Directives over the real bus: from the command process's signature to a gateway that starts without core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.network.support import running_gateway

from openami.app.engines.nats import NatsEngine, connect
from openami.contracts.directive import Directive, DirectiveKind
from openami.contracts.directive_body import Revoked
from openami.contracts.stream import directive_subject
from openami.headend.adapters.directives import NatsDirectiveRoad
from openami.headend.command.ports import CommandUnavailableError
from openami.headend.command.standing import LOOK_AGAIN_EVERY, DirectiveOffice
from openami.network.adapters.directives import NatsDirectives
from openami.security.suites.ed25519 import public_key_of, sign

KEY = bytes(range(32))
pytestmark = pytest.mark.engines


class Stolen:
    """Collectors that a test reports stolen."""

    kind = DirectiveKind.REVOKED

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}

    async def bodies(self) -> Mapping[int, bytes]:
        return {0: Revoked(stolen=self.numbers).encode()}


async def eventually(holds: Callable[[], object], *, timeout: float = 10.0) -> None:
    async with asyncio.timeout(timeout):
        while not holds():
            await asyncio.sleep(0.02)


async def test_what_core_says_reaches_a_running_gateway_and_one_that_starts_later(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    (short_tmp / "command_keys").write_text(public_key_of(KEY).hex())
    dmz = await connect(nats_server.url("command_dmz"), name="test-command")
    fact, road = Stolen(), NatsDirectiveRoad(dmz)
    office = DirectiveOffice([fact], road=road, signing_key=KEY, real_now=lambda: datetime.now(UTC))
    async with running_gateway(nats_server, short_tmp, keys=short_tmp / "command_keys") as running:
        fact.numbers = {7: 1_000}
        await office.publish_changed()
        await eventually(lambda: running.gateway.directives.number(DirectiveKind.REVOKED))
        number = running.gateway.directives.number(DirectiveKind.REVOKED)
    async with running_gateway(nats_server, short_tmp / "later", keys=short_tmp / "command_keys") as running:
        # It was read before the first collector could come in.
        assert running.gateway.directives.number(DirectiveKind.REVOKED) == number
    # Without news nothing is read again; a stream that was emptied is filled again.
    heard: list[bytes] = []
    gateway_client = await connect(nats_server.url("gateway"), name="test-gateway")
    bus = NatsDirectives(gateway_client)
    for _ in range(3):
        await bus.read(heard.append)
    assert len(heard) == 1
    admin = await connect(nats_server.url("dmz_admin"), name="test")
    await admin.jetstream().purge_stream("DMZ_DIRECTIVE")
    late = datetime.now(UTC) + 2 * LOOK_AGAIN_EVERY
    again = DirectiveOffice([fact], road=road, signing_key=KEY, real_now=lambda: late)
    await again.publish_changed()
    await bus.read(heard.append)
    assert len(heard) == 2
    await admin.close()
    await gateway_client.close()
    newest = await road.newest(DirectiveKind.REVOKED, 0)
    assert newest is not None
    with pytest.raises(CommandUnavailableError):
        await road.publish(newest.directive, after=newest.sequence + 5)
    await dmz.close()


async def test_a17_nobody_but_the_command_process_publishes_directives(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    (short_tmp / "command_keys").write_text(public_key_of(KEY).hex())
    forged = Directive(DirectiveKind.REVOKED, 0, 2**62, 1, Revoked().encode())
    subject = directive_subject(DirectiveKind.REVOKED, 0)
    for user in ("gateway", "headend_dmz"):
        client = await connect(nats_server.url(user), name="test")
        await client.publish(subject, forged.signed_with(sign(forged.signed_octets(), private_key=KEY)).encode())
        await client.flush()
        await client.close()
    admin = await connect(nats_server.url("dmz_admin"), name="test")
    assert (await admin.jetstream().stream_info("DMZ_DIRECTIVE")).state.messages == 0
    # Even whoever rules the bus cannot say what counts: the key is not there.
    await admin.jetstream().publish(subject, forged.signed_with(bytes(64)).encode())
    async with running_gateway(nats_server, short_tmp, keys=short_tmp / "command_keys") as running:
        await eventually(lambda: running.gateway.directives.counts["directives_not_signed"])
        assert running.gateway.directives.number(DirectiveKind.REVOKED) == 0
    heard: list[bytes] = []
    await NatsDirectives(admin).read(heard.append)
    assert len(heard) == 1
    await admin.close()
