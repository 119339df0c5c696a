"""Conversations out of a capture: TCP streams put together again, and datagrams.

Source: RFC 791, RFC 9293 section 3.4 (sequence numbers), RFC 768.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.canary.capture import FILE_HEAD, MAGIC, PACKET_HEAD

ETHERNET_OCTETS = 14
_IPV4 = 0x0800
_TCP, _UDP = 6, 17
_SYN = 0x02


@dataclass(frozen=True, order=True, slots=True)
class Way:
    """One direction of a conversation."""

    protocol: str
    source: str
    source_port: int
    target: str
    target_port: int

    @property
    def back(self) -> Way:
        """The other direction."""
        return Way(self.protocol, self.target, self.target_port, self.source, self.source_port)

    def __str__(self) -> str:
        return f"{self.source}:{self.source_port} -> {self.target}:{self.target_port}"


@dataclass(slots=True)
class Stream:
    """What one side said.

    Args:
        first: sequence number of its first octet; None until one was seen.
        pieces: octets by their distance from it.
    """

    first: int | None = None
    pieces: dict[int, bytes] = field(default_factory=dict)

    def add(self, number: int, octets: bytes, *, is_first: bool) -> None:
        """Take a segment."""
        if is_first:
            self.first = (number + 1) & 0xFFFF_FFFF
        elif octets:
            if self.first is None:
                self.first = number
            at = (number - self.first + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
            if len(octets) > len(self.pieces.get(at, b"")):
                self.pieces[at] = octets

    def joined(self) -> tuple[bytes, int]:
        """Return the octets in order, and how many are missing between them."""
        out, missing = bytearray(), 0
        for at in sorted(self.pieces):
            if at > len(out):
                # A keep-alive or a segment that never came: zeros stand for it.
                missing += at - len(out)
                out += bytes(at - len(out))
            if at >= 0:
                out += self.pieces[at][max(0, len(out) - at) :]
        return bytes(out), missing


@dataclass(slots=True)
class Conversations:
    """A capture, taken apart.

    Args:
        streams: TCP by direction; a port that was used again begins a new one with its own number.
        datagrams: UDP and whatever else came, by direction.
        packets, octets: how much there was on the wire.
    """

    streams: dict[tuple[Way, int], Stream] = field(default_factory=dict)
    datagrams: dict[Way, list[bytes]] = field(default_factory=dict)
    packets: int = 0
    octets: int = 0


def read(file: Path) -> Conversations:
    """Take a capture apart."""
    found, turns = Conversations(), dict[Way, int]()
    for frame in _frames(file):
        found.packets += 1
        found.octets += len(frame)
        if len(frame) < ETHERNET_OCTETS + 20 or struct.unpack_from(">H", frame, 12)[0] != _IPV4:
            found.datagrams.setdefault(Way("ethernet", "", 0, "", 0), []).append(frame)
            continue
        _take(found, turns, frame[ETHERNET_OCTETS:])
    return found


def _take(found: Conversations, turns: dict[Way, int], packet: bytes) -> None:
    head, whole = (packet[0] & 0x0F) * 4, struct.unpack_from(">H", packet, 2)[0]
    protocol, ends = packet[9], [socket.inet_ntoa(packet[at : at + 4]) for at in (12, 16)]
    # Offloaded packets on these virtual cables may say length 0.
    body = packet[head : whole or None]
    if protocol == _TCP:
        source_port, target_port, number = struct.unpack_from(">HHI", body)
        way = Way("tcp", ends[0], source_port, ends[1], target_port)
        flags, offset = body[13], (body[12] >> 4) * 4
        if flags & _SYN:
            turns[way] = turns.get(way, -1) + 1
        stream = found.streams.setdefault((way, turns.get(way, 0)), Stream())
        stream.add(number, body[offset:], is_first=bool(flags & _SYN))
    elif protocol == _UDP:
        source_port, target_port = struct.unpack_from(">HH", body)
        found.datagrams.setdefault(Way("udp", ends[0], source_port, ends[1], target_port), []).append(body[8:])
    else:
        found.datagrams.setdefault(Way(str(protocol), ends[0], 0, ends[1], 0), []).append(body)


def _frames(file: Path) -> Iterator[bytes]:
    octets = memoryview(file.read_bytes())
    assert FILE_HEAD.unpack_from(octets)[0] == MAGIC
    at = FILE_HEAD.size
    while at + PACKET_HEAD.size <= len(octets):
        _, _, length, _ = PACKET_HEAD.unpack_from(octets, at)
        at += PACKET_HEAD.size
        yield bytes(octets[at : at + length])
        at += length
