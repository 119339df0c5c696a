"""Collectors that lie about commands, and commands that nobody signed: refused, counted, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from nats.aio.client import Client
from tests.integration.network.support import NOW, pki_contexts, sealed_frame, stream_frames
from tests.unit.network.test_desk import SEALED_INITIATE, OneKey, aarq, command, signed

from openami.app.engines.nats import NatsEngine, connect
from openami.contracts.command import COMMAND_MAGIC, Command, CommandClass, CommandOutcome, OutcomeKind, Refusal
from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import FrameClass
from openami.kernel.clock import FixedClock
from openami.network.adapters.commands import NatsCommandBus
from openami.network.adapters.jetstream import JetStreamFrames
from openami.network.downlink import Result, encode_result
from openami.network.gateway import Commanding, Gateway
from openami.network.gateway.refused import refused_counts
from openami.network.link import CollectorLink, Hello, LinkMessage, MessageType, encode_message
from openami.protocol.envelope.wrapper import wrap
from openami.security.pki import RevocationList

METER = b"OAM\0\0\0\0\1"
AARE = wrap(1, 2, bytes.fromhex("61 14 a1 09 06 07 60 85 74 05 08 01 03 a2 03 02 01 01 a3 02 a1 00".replace(" ", "")))
pytestmark = pytest.mark.engines


@dataclass
class Liar:
    """A collector that says what the test wants."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    link: CollectorLink = field(default_factory=CollectorLink)
    seq: int = 0

    def frame(self, octets: bytes, *, frame_class: FrameClass = FrameClass.RESPONSE) -> None:
        self.seq += 1
        self.link.sent(self.seq)
        message = encode_message(
            MessageType.FRAME, frame_class=frame_class, seq=self.seq, title=METER, collected_at_ms=1, body=octets
        )
        self.writer.write(message)

    def result(self, number: int, result: Result) -> None:
        self.writer.write(encode_result(number, METER, result))

    async def until(self, kind: MessageType, seq: int = 0) -> LinkMessage | None:
        """Return the next message of this kind (and at least this sequence); None where the gateway has ended it."""
        async with asyncio.timeout(10):
            while octets := await self.reader.read(65_536):
                for message in self.link.receive(octets):
                    if message.type == kind and message.seq >= seq:
                        return message
        return None


class Overheard(NatsCommandBus):
    """The bus, whose words stay with the test."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.said: list[CommandOutcome] = []

    def tell(self, outcome: CommandOutcome) -> None:
        self.said.append(outcome)


@dataclass
class Scene:
    gateway: Gateway
    liar: Liar
    said: list[CommandOutcome]

    def take(self, given: Command) -> None:
        self.gateway.desk.take(signed(given), now_ms=now_ms())


def now_ms() -> int:
    return int(time.time() * 1000)


def live(number: int = 1, **changes: object) -> Command:
    return command(number, expires_at_ms=now_ms() + 20_000, **changes)


@asynccontextmanager
async def scene(engine: NatsEngine, folder: Path) -> AsyncIterator[Scene]:
    client = await connect(engine.url("gateway"), name="test-gateway")
    server, context = pki_contexts(folder / "pki", collector_id=9)
    bus = Overheard(client)
    gateway = Gateway(
        gateway_id=1,
        folder=folder / "gateway",
        stream=JetStreamFrames(client),
        ssl_context=server,
        clock=FixedClock(NOW),
        real_today=lambda: date(2026, 7, 1),
        run_name=f"t-{time.time_ns():x}",
        revoked=RevocationList(folder / "pki" / "revoked"),
        commanding=Commanding(bus=bus, keys=OneKey(), real_now_ms=now_ms),
    )
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(gateway.run(stop, host="127.0.0.1", port=0, ready=listening.set_result))
    liar = await _introduced(await asyncio.wait_for(listening, 10), context)
    try:
        yield Scene(gateway, liar, bus.said)
    finally:
        liar.writer.transport.abort()
        stop.set()
        await asyncio.wait_for(task, 20)
        await client.close()


async def _introduced(port: int, context: ssl.SSLContext) -> Liar:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    liar = Liar(reader, writer)
    writer.write(liar.link.hello(Hello(9, 0, 1)))
    assert await liar.until(MessageType.ACK) is not None
    liar.frame(sealed_frame(METER, 1), frame_class=FrameClass.PROFILE)
    assert await liar.until(MessageType.ACK, 1) is not None
    return liar


async def test_a5_an_answer_in_the_clear_passes_once_where_one_is_waited_for(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    async with scene(nats_server, short_tmp) as s:
        s.liar.frame(AARE)
        assert await s.liar.until(MessageType.ACK, 2) is not None
        assert refused_counts(short_tmp / "gateway")[RefusalReason.DOWNGRADE] == 1
        s.take(live(apdu=aarq(SEALED_INITIATE), command_class=CommandClass.ASSOCIATION))
        down = await s.liar.until(MessageType.DOWN)
        assert down is not None
        for _ in range(3):
            s.liar.frame(AARE)
        assert await s.liar.until(MessageType.ACK, 5) is not None
        assert refused_counts(short_tmp / "gateway")[RefusalReason.DOWNGRADE] == 3
        assert [f.octets for f in await stream_frames(nats_server)].count(AARE) == 1


@pytest.mark.attack("A1")
async def test_a_collector_that_lies_about_results_gains_nothing(nats_server: NatsEngine, short_tmp: Path) -> None:
    async with scene(nats_server, short_tmp) as s:
        s.take(live(7))
        down = await s.liar.until(MessageType.DOWN)
        assert down is not None
        for number in (0, 1, down.seq + 1, 2**62):
            s.liar.result(number, Result(OutcomeKind.ANSWERED, answer=b"\1" * 32))
        s.liar.result(down.seq, Result(OutcomeKind.NO_ANSWER))
        s.liar.result(down.seq, Result(OutcomeKind.ANSWERED, answer=b"\1" * 32))
        s.liar.frame(sealed_frame(METER, 2))
        assert await s.liar.until(MessageType.ACK, 2) is not None
        assert [(o.request_id, o.kind) for o in s.said] == [(UUID(int=7), OutcomeKind.NO_ANSWER)]
        s.take(live(8))
        s.liar.writer.write(encode_message(MessageType.RESULT, seq=down.seq + 1, title=METER, body=b"nonsense"))
        assert await s.liar.until(MessageType.ACK, 99) is None
        await asyncio.sleep(0.05)
        assert [(o.request_id, o.kind) for o in s.said[1:]] == [(UUID(int=8), OutcomeKind.NO_ANSWER)]
        assert s.gateway.counts["ended_link_result"] == 1


async def test_a17_what_nobody_signed_reaches_no_collector_through_the_bus(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    async with scene(nats_server, short_tmp) as s:
        intruder = await connect(nats_server.url("dmz_admin"), name="intruder")
        for octets in (b"", COMMAND_MAGIC, live(1).encode(), signed(live(2), private_key=bytes(range(1, 33)))):
            await intruder.publish("dmz.command.v1", octets)
        await intruder.publish("dmz.command.v1", signed(live(3)))
        await intruder.flush()
        down = await s.liar.until(MessageType.DOWN)
        assert down is not None
        assert [(o.request_id.int, o.refusal) for o in s.said] == [
            (1, Refusal.BAD_SIGNATURE),
            (2, Refusal.BAD_SIGNATURE),
        ]
        assert s.gateway.desk.counts["commands_unreadable"] == 2
        await intruder.close()
        await asyncio.sleep(1.1)
        status = json.loads((short_tmp / "gateway" / "status.json").read_text())
        assert status["counts"]["command_bad_signature"] == 2
        assert status["routes"] == 1
