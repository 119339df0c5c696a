"""What a collector says of itself reaches core's side of the DMZ, and what it does not say any more as well."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.integration.network.support import RunningGateway, offered, pki_contexts, running_gateway

from openami.app.devices.collector_health import Housing
from openami.app.engines.nats import NatsEngine, connect
from openami.contracts.health import CollectorWord, LinkPresence
from openami.contracts.stream import DMZ_HEALTH, health_subject
from openami.network.collector import Collector
from openami.network.gateway import health as gateway_health
from openami.network.link import CollectorLink, Hello, MessageType, encode_message

pytestmark = pytest.mark.engines
Words = Callable[[Callable[[CollectorWord], bool]], "asyncio.Future[CollectorWord]"]


@pytest.fixture
async def told(nats_server: NatsEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Words]:
    """Wait for a word on collector 7 that is as it should be, read as the head-end may read."""
    monkeypatch.setattr(gateway_health, "CALM_S", 0)
    monkeypatch.setattr(gateway_health, "LOOK_EVERY_S", 0.02)
    client = await connect(nats_server.url("headend_dmz"), name="test-health")

    async def wait(fits: Callable[[CollectorWord], bool]) -> CollectorWord:
        deadline = time.monotonic() + 10
        while True:
            try:
                found = await client.jetstream().get_last_msg(DMZ_HEALTH.name, health_subject(7), direct=True)
                word = CollectorWord.decode(found.data or b"")
                if fits(word):
                    return word
            except Exception:  # noqa: BLE001 - there is none yet
                assert time.monotonic() < deadline
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    yield lambda fits: asyncio.ensure_future(wait(fits))
    await client.close()


def housed(running: RunningGateway, folder: Path) -> tuple[Collector, Housing]:
    pki_contexts(running.pki)
    housing = Housing(running.pki / "collector-7.pem", 387_000_000, -904_000_000, cell=4_101)
    collector = running.collector(folder / "spool", health=housing.report)
    housing.on_change = collector.health_changed
    return collector, housing


async def test_a_door_that_is_opened_is_told_and_then_the_silence(
    nats_server: NatsEngine, short_tmp: Path, told: Words
) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        collector, housing = housed(running, short_tmp)
        stop = asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        word = await told(lambda w: w.report is not None)
        assert word.report is not None
        assert (word.presence, word.gateway_id) == (LinkPresence.OPEN, 1)
        assert (word.report.cell, word.report.is_enclosure_open) == (4_101, False)
        assert word.report.certificate_days_left > 700
        assert abs(word.clock_offset_ms) < 5_000
        housing.open_door(is_open=True)
        opened = await told(lambda w: w.report is not None and w.report.is_enclosure_open)
        assert opened.opened_at_ms > 0
        stop.set()
        await asyncio.wait_for(task, 10)
        gone = await told(lambda w: w.presence is LinkPresence.GONE)
        assert gone.cause == "closed"
        assert gone.opened_at_ms == opened.opened_at_ms


async def test_frames_that_flow_do_not_keep_a_report_back(
    nats_server: NatsEngine, short_tmp: Path, told: Words
) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        collector, housing = housed(running, short_tmp)
        stop = asyncio.Event()
        await collector.offer(offered(0, 8_000, size=400))
        task = asyncio.create_task(collector.run(stop))
        await told(lambda w: w.report is not None and w.report.spool_frames > 0)
        housing.open_door(is_open=True)
        await told(lambda w: w.report is not None and w.report.is_enclosure_open)
        await asyncio.wait_for(collector.drained(), 30)
        stop.set()
        await asyncio.wait_for(task, 10)


@pytest.mark.parametrize("body", [b"\x01", b"\x00" * 40, b"\xff" * 300])
async def test_a_heartbeat_that_is_no_report_ends_the_connection(
    nats_server: NatsEngine, short_tmp: Path, body: bytes
) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(running.pki)
        octets = CollectorLink().hello(Hello(7, 0, 1)) + encode_message(MessageType.HEARTBEAT, body=body)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        writer.write(octets)
        try:
            await asyncio.wait_for(reader.read(), 5)
        except (ssl.SSLError, OSError):
            pass
        finally:
            writer.transport.abort()
        assert running.gateway.counts["ended_link_health"] == 1
        assert running.gateway.health.word_of(7) is not None
        assert running.gateway.health.word_of(7).report is None  # type: ignore[union-attr]
