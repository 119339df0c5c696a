"""A peer that is not what it should be gets nowhere, is counted, and disturbs nobody else."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.network.support import (
    RunningGateway,
    delivered,
    expect_exactly,
    offered,
    pki_contexts,
    running_gateway,
    sealed_frame,
    stream_frames,
    title_of,
)

from openami.app.engines.nats import NatsEngine
from openami.contracts.frame import MAX_FRAME_OCTETS, FrameClass
from openami.network.gateway import GatewayLimits, ListedTitles
from openami.network.gateway.refused import newest_refused, refused_counts
from openami.network.link import CollectorLink, Hello, MessageType, encode_message
from openami.security.pki import Role, ensure_identity, revoke

pytestmark = pytest.mark.engines
HELLO = CollectorLink().hello(Hello(9, 0, 1))


async def talk(port: int, context: ssl.SSLContext | None, octets: bytes, *, timeout: float = 5.0) -> bytes | None:
    """Connect, send, and return what came until the gateway closed; None if it did not close in time."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            try:
                writer.write(octets)
                return await reader.read()
            finally:
                writer.transport.abort()
    except TimeoutError:
        return None
    except (ssl.SSLError, OSError):
        return b""


async def still_serves(running: RunningGateway, engine: NatsEngine, folder: Path) -> None:
    """An honest collector beside all this gets its frames through."""
    rows, stop = offered(0, 100), asyncio.Event()
    collector = running.collector(folder / "honest")
    task = asyncio.create_task(collector.run(stop))
    await collector.offer(rows)
    await delivered(collector)
    stop.set()
    await asyncio.wait_for(task, 10)
    expect_exactly(await stream_frames(engine), rows)


def no_certificate(context: ssl.SSLContext) -> ssl.SSLContext:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.verify_mode = ssl.CERT_NONE
    bare.set_alpn_protocols(["openami-link/1"])
    return bare


def old_tls(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def other_protocol(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.parametrize("alter", [no_certificate, old_tls, other_protocol])
async def test_a_peer_without_certificate_tls_1_3_or_our_protocol_gets_no_answer(
    nats_server: NatsEngine, short_tmp: Path, alter: Callable[[ssl.SSLContext], ssl.SSLContext]
) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(running.pki, collector_id=9)
        assert await talk(running.port, alter(context), HELLO) == b""
        await still_serves(running, nats_server, short_tmp)


async def test_a_certificate_of_another_authority_gets_no_answer(nats_server: NatsEngine, short_tmp: Path) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(short_tmp / "other-pki", collector_id=9)
        context.load_verify_locations(running.pki / "ca.pem")
        assert await talk(running.port, context, HELLO) == b""
        await still_serves(running, nats_server, short_tmp)


async def test_a_gateway_certificate_does_not_make_a_collector(nats_server: NatsEngine, short_tmp: Path) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(running.pki, collector_id=1, role=Role.GATEWAY)
        assert await talk(running.port, context, HELLO) == b""
        await still_serves(running, nats_server, short_tmp)


async def test_a_collector_certificate_does_not_make_a_gateway(short_tmp: Path) -> None:
    from openami.network.collector import Collector
    from openami.security.pki import server_context

    got = bytearray()

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.read())
        writer.close()

    pki = short_tmp / "pki"
    stolen = ensure_identity(pki, role=Role.COLLECTOR, number=8, now=datetime.now(UTC))
    context = server_context(certificate=stolen.certificate, key=stolen.key, authority=stolen.authority)
    server = await asyncio.start_server(impostor, "127.0.0.1", 0, ssl=context)
    _, client = pki_contexts(pki)
    port = server.sockets[0].getsockname()[1]
    collector = Collector(7, spool_folder=short_tmp / "spool", host="127.0.0.1", port=port, ssl_context=client)
    stop = asyncio.Event()
    task = asyncio.create_task(collector.run(stop))
    await collector.offer(offered(0, 5))
    await asyncio.sleep(1.0)
    stop.set()
    await asyncio.wait_for(task, 10)
    server.close()
    assert not got
    assert collector.status().acked_seq == 0


@pytest.mark.attack("A32")
async def test_a_revoked_collector_is_sent_away_and_stays_out(nats_server: NatsEngine, short_tmp: Path) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(running.pki, collector_id=9)
        talking = asyncio.create_task(talk(running.port, context, HELLO, timeout=10))
        await asyncio.sleep(0.3)
        assert not talking.done()
        revoke(running.pki, role=Role.COLLECTOR, number=9)
        assert await talking == encode_message(MessageType.ACK, seq=0)
        assert running.gateway.counts["ended_revoked"] == 1
        assert await talk(running.port, context, HELLO) == b""
        assert running.gateway.counts["refused_revoked"] == 1
        await still_serves(running, nats_server, short_tmp)


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    ("octets", "counted"),
    [
        pytest.param(CollectorLink().hello(Hello(8, 0, 1)), "ended_hello_of_another", id="another collector's number"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n" * 3, "ended_link_length", id="a web browser"),
        pytest.param((MAX_FRAME_OCTETS + 27).to_bytes(4), "ended_link_length", id="an oversize message"),
        pytest.param(b"\x00\x00\x00\x1a\x63" + bytes(25), "ended_link_header", id="an unknown type"),
        pytest.param(HELLO + encode_message(MessageType.FRAME, seq=1), "ended_link_turn", id="a frame too early"),
    ],
)
async def test_what_is_not_link_v1_ends_the_connection_and_is_counted(
    nats_server: NatsEngine, short_tmp: Path, octets: bytes, counted: str
) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(running.pki, collector_id=9)
        assert await talk(running.port, context, octets) == b""
        assert running.gateway.counts[counted] == 1
        await still_serves(running, nats_server, short_tmp)


@pytest.mark.parametrize(
    ("octets", "counted"),
    [
        pytest.param(b"", "ended_no_hello", id="silent after the handshake"),
        pytest.param(HELLO[:20], "ended_slow_frame", id="a message that never ends"),
    ],
)
async def test_a_peer_that_dawdles_is_sent_away(
    nats_server: NatsEngine, short_tmp: Path, octets: bytes, counted: str
) -> None:
    limits = GatewayLimits(hello_s=1.5 if not octets else 60, frame_s=1.0)
    async with running_gateway(nats_server, short_tmp, limits=limits) as running:
        _, context = pki_contexts(running.pki, collector_id=9)
        assert await talk(running.port, context, octets, timeout=8) == b""
        assert running.gateway.counts[counted] == 1
        await still_serves(running, nats_server, short_tmp)


async def test_a_plain_socket_that_never_says_hello_is_cut_off_by_the_handshake_limit(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    async with running_gateway(nats_server, short_tmp, limits=GatewayLimits(handshake_s=1.0)) as running:
        assert await talk(running.port, None, b"\x16", timeout=6) == b""
        await still_serves(running, nats_server, short_tmp)


@pytest.mark.attack("A5", "A21")
async def test_refused_frames_lie_in_the_quarantine_with_the_reason_and_the_good_ones_pass(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    title = title_of(1)
    listed = short_tmp / "known_titles"
    listed.write_text(f"{title}\n")
    frames = {
        "good": (title, sealed_frame(title.octets, 1)),
        "downgrade": (title, sealed_frame(title.octets, 2, control=0x20)),
        "bad_envelope": (title, b"garbage"),
        "unknown_title": (title_of(2), sealed_frame(title_of(2).octets, 3)),
    }
    async with running_gateway(nats_server, short_tmp, titles=ListedTitles(listed)) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        await collector.offer([(FrameClass.PROFILE, t, 5, octets) for t, octets in frames.values()])
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
    # Core hears who brought what nobody may take, and what may pass later.
    word = running.gateway.health.word_of(7)
    assert word is not None
    assert (word.refused, word.set_aside) == (2, 1)
    assert [f.octets for f in await stream_frames(nats_server)] == [frames["good"][1]]
    (file,) = (short_tmp / "gateway" / "quarantine").glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {r["reason"]: bytes.fromhex(r["frame"]) for r in rows} == {
        reason: octets for reason, (_, octets) in frames.items() if reason != "good"
    }
    status = json.loads((short_tmp / "gateway" / "status.json").read_text())
    assert {r: status["counts"][f"refused_{r}"] for r in frames if r != "good"} == dict.fromkeys(
        ["downgrade", "bad_envelope", "unknown_title"], 1
    )
    assert status["acked_seq"] == {"7": 4}
    folder = short_tmp / "gateway"
    assert {f.reason.value for f in newest_refused(folder, limit=10)} == set(frames) - {"good"}
    async with running_gateway(nats_server, short_tmp, titles=ListedTitles(listed)):
        assert sum(refused_counts(folder).values()) == 3, "a restart forgets nothing"


async def test_two_connections_of_one_collector_leave_the_newer(nats_server: NatsEngine, short_tmp: Path) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        _, context = pki_contexts(running.pki, collector_id=9)
        older = asyncio.create_task(talk(running.port, context, HELLO, timeout=10))
        await asyncio.sleep(0.3)
        newer = asyncio.create_task(talk(running.port, context, HELLO, timeout=1.0))
        assert await older == encode_message(MessageType.ACK, seq=0)
        assert await newer is None
        assert running.gateway.counts["ended_replaced"] == 1
