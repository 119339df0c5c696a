"""Captures: streams are put together again, and TLS is opened by the secrets of one end."""

from __future__ import annotations

import contextlib
import ssl
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.canary.capture import FILE_HEAD, MAGIC, PACKET_HEAD
from tests.canary.packets import Way, read
from tests.canary.tls13 import is_tls, open_connection, secrets_of
from tests.zones.sweep import tcp

from openami.security.pki import Role, client_context, ensure_identity, server_context

A, B = b"\x0a\x50\x01\x0a", b"\x0a\x50\x02\x0a"
THERE = Way("tcp", "10.80.1.10", 40_001, "10.80.2.10", 8443)


def packet(number: int, octets: bytes, *, flags: int = 0x10) -> bytes:
    segment = bytearray(tcp(A, B, 8443, source_port=40_001, flags=flags) + octets)
    struct.pack_into(">I", segment, 4, number)
    return (
        b"\0" * 12
        + b"\x08\0"
        + struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, A, B)
        + segment
    )


def captured(file: Path, packets: list[bytes]) -> Path:
    head = FILE_HEAD.pack(MAGIC, 2, 4, 0, 0, 1 << 18, 1)
    file.write_bytes(head + b"".join(PACKET_HEAD.pack(0, 0, len(p), len(p)) + p for p in packets))
    return file


def test_segments_in_any_order_and_twice_are_one_stream_across_the_end_of_the_numbers(tmp_path: Path) -> None:
    first = 2**32 - 3
    packets = [
        packet(first - 1, b"", flags=0x02), packet(3, b"world"), packet(first, b"hello "), packet(first, b"hel"),
        packet(3, b"world"),
    ]  # fmt: skip
    found = read(captured(tmp_path / "c", packets))
    assert found.streams[THERE, 0].joined() == (b"hello world", 0)
    assert found.packets == 5


def test_a_segment_that_is_missing_is_counted(tmp_path: Path) -> None:
    packets = [packet(9, b"", flags=0x02), packet(10, b"ab"), packet(15, b"fg")]
    assert read(captured(tmp_path / "c", packets)).streams[THERE, 0].joined() == (b"ab\0\0\0fg", 3)


def test_a_port_that_is_used_again_begins_another_stream(tmp_path: Path) -> None:
    packets = [packet(9, b"", flags=0x02), packet(10, b"one"), packet(700, b"", flags=0x02), packet(701, b"two")]
    found = read(captured(tmp_path / "c", packets))
    assert [found.streams[THERE, turn].joined()[0] for turn in (0, 1)] == [b"one", b"two"]


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Those of the link, the client's with a key log."""
    made = []
    for role, make in ((Role.GATEWAY, server_context), (Role.COLLECTOR, client_context)):
        held = ensure_identity(tmp_path / "pki", role=role, number=1, now=datetime.now(UTC))
        made.append(make(certificate=held.certificate, key=held.key, authority=held.authority))
    made[1].keylog_filename = str(tmp_path / "keys")
    return made[0], made[1]


def talked(server: ssl.SSLContext, client: ssl.SSLContext, words: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Hold a conversation in memory and return what each side put on the wire."""
    bios = [ssl.MemoryBIO() for _ in range(4)]
    near, far = client.wrap_bio(bios[0], bios[1]), server.wrap_bio(bios[2], bios[3], server_side=True)
    wire = [bytearray(), bytearray()]

    def carry() -> None:
        for side, (out, to) in enumerate(((bios[1], bios[2]), (bios[3], bios[0]))):
            octets = out.read()
            wire[side] += octets
            to.write(octets)

    for _ in range(4):
        for end in (near, far):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            carry()
    for question, answer in words:
        near.write(question)
        carry()
        assert far.read(1 << 16) == question
        far.write(answer)
        carry()
        assert near.read(1 << 16) == answer
    return bytes(wire[0]), bytes(wire[1])


def test_a_captured_connection_opens_with_the_secrets_of_the_collector(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    words = [(b"question %d" % n, b"answer %d \0" % n) for n in range(3)]
    client, server = talked(*contexts, words)
    assert is_tls(client)
    assert b"question" not in client
    opened = open_connection(client, server, secrets_of(tmp_path / "keys"))
    assert opened is not None
    assert opened.client == b"".join(q for q, _ in words)
    assert opened.server == b"".join(a for _, a in words)


def test_a_connection_whose_secrets_are_not_known_stays_shut(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    client, server = talked(*contexts, [(b"question", b"answer")])
    assert open_connection(client, server, {}) is None
