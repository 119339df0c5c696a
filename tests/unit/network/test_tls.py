"""The gateway's TLS end moves octets as any TLS end does, waits when told to, and hands up nothing altered."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.network.gateway.tls import PIECE_OCTETS, TlsEnd, TlsServer
from openami.security.pki import Role, client_context, ensure_identity, server_context


class Socket(asyncio.Transport):
    """A socket that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reads = True
        self.ended = ""

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.took = bytearray()
        self.waits_at = -1
        self.lost = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.took += data
        self.transport.write(data)
        if 0 <= self.waits_at <= len(self.took):
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1


class Pair:
    """A TLS end and a client, joined by hand."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.above = Echo()
        self.shaken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.into, self.out)
        self.end, self.socket = TlsEnd(TlsServer(server, lambda: self.above), self.shaken), Socket()
        self.end.connection_made(self.socket)

    def give(self, octets: bytes, chunk: int) -> None:
        for at in range(0, len(octets), chunk):
            piece = octets[at : at + chunk]
            self.end.get_buffer(-1)[: len(piece)] = piece
            self.end.buffer_updated(len(piece))

    def pump(self, chunk: int = 1_000) -> None:
        """Move octets both ways until nothing moves any more."""
        while self.out.pending or self.socket.written:
            self.give(self.out.read(), chunk)
            self.into.write(bytes(self.socket.written))
            self.socket.written.clear()
            with suppress(ssl.SSLWantReadError):
                self.client.do_handshake()

    def shake(self, chunk: int = 1_000) -> None:
        try:
            self.client.do_handshake()
        except ssl.SSLWantReadError:
            self.pump(chunk)
        self.pump(chunk)

    def heard(self) -> bytes:
        octets = bytearray()
        try:
            while piece := self.client.read(65_536):
                octets += piece
        except ssl.SSLWantReadError:
            pass
        return bytes(octets)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    folder: Path = tmp_path_factory.mktemp("pki")
    ours = ensure_identity(folder, role=Role.GATEWAY, number=1, now=datetime.now(UTC))
    theirs = ensure_identity(folder, role=Role.COLLECTOR, number=7, now=datetime.now(UTC))
    return (
        server_context(certificate=ours.certificate, key=ours.key, authority=ours.authority),
        client_context(certificate=theirs.certificate, key=theirs.key, authority=theirs.authority),
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chunk=st.integers(1, 20_000), sizes=st.lists(st.integers(0, 40_000), max_size=4))
def test_octets_come_back_as_they_were_sent_however_they_are_cut(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], chunk: int, sizes: list[int]
) -> None:
    async def talk() -> None:
        pair = Pair(*contexts)
        pair.shake(chunk)
        assert pair.shaken.result()
        sent = b"".join(bytes([n]) * size for n, size in enumerate(sizes, 1))
        if sent:
            pair.client.write(sent)
        pair.pump(chunk)
        assert bytes(pair.above.took) == sent
        assert pair.heard() == sent

    asyncio.run(talk())


async def test_what_comes_while_the_reader_waits_stays_here_and_is_read_on_when_it_goes_on(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    pair = Pair(*contexts)
    pair.shake()
    pair.above.waits_at = 1
    pair.client.write(b"a" * 5_000)
    pair.pump()
    assert bytes(pair.above.took) == b"a" * 5_000
    assert not pair.socket.reads
    # What was read from the socket before it knew.
    pair.client.write(b"b" * 20_000)
    pair.give(pair.out.read(), PIECE_OCTETS * 8)
    assert len(pair.above.took) == 5_000
    pair.above.waits_at = 5_001
    pair.end.resume_reading()
    assert bytes(pair.above.took) == b"a" * 5_000 + b"b" * 20_000
    assert not pair.socket.reads
    pair.above.waits_at = -1
    pair.end.resume_reading()
    assert pair.socket.reads


async def test_octets_that_are_no_tls_end_it(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    pair = Pair(*contexts)
    pair.give(b"GET / HTTP/1.1\r\n\r\n" * 20, 1_000)
    pair.end.connection_lost(None)
    assert (pair.socket.ended, pair.shaken.result()) == ("closed", False)
    assert pair.above.transport is None


async def test_altered_octets_after_the_handshake_end_it_and_nothing_of_them_is_handed_up(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    pair = Pair(*contexts)
    pair.shake()
    pair.client.write(b"a" * 500)
    record = bytearray(pair.out.read())
    record[100] ^= 1
    pair.give(bytes(record), 10_000)
    assert pair.socket.ended == "aborted"
    assert not pair.above.took


async def test_a_peer_that_says_goodbye_is_let_go_and_its_reader_is_told_once(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    pair = Pair(*contexts)
    pair.shake()
    try:
        pair.client.unwrap()
    except ssl.SSLWantReadError:
        pair.give(pair.out.read(), 1_000)
    assert pair.socket.ended == "closed"
    pair.end.connection_lost(None)
    pair.end.connection_lost(None)
    assert pair.above.lost == 1
    assert pair.end.is_closing()
    pair.end.write(b"too late")
