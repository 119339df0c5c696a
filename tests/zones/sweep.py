"""Send one packet to each port of a host: ``python -m tests.zones.sweep``, run inside a namespace by the test.

A JSON document on standard input says from which address, to which, over what, to which ports, from which port. The
packets are made whole, checksums too, because a firewall that follows connections drops broken ones for that reason.

Source: RFC 791, RFC 9293 section 3.1, RFC 768.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Iterable, Sequence

SYN, ACK = 0x02, 0x10
SOURCE_PORT = 40_001
HOPS = 33
"""How far a packet of the sweep may go; unlike any packet that a host sends by itself."""
MARK = 0x5EED
"""Which packets of a host are the sweep's, for rules of the test's own."""


def checksum(octets: bytes) -> int:
    """Return the internet checksum (RFC 1071) of octets.

    >>> hex(checksum(bytes.fromhex("0001f203f4f5f6f7")))
    '0x220d'
    """
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp(source: bytes, target: bytes, port: int, *, source_port: int, flags: int) -> bytes:
    """Return a TCP segment without data."""
    head = struct.pack(">HHIIBBHHH", source_port, port, 1, 1 if flags & ACK else 0, 5 << 4, flags, 1024, 0, 0)
    whole = checksum(source + target + struct.pack(">BBH", 0, socket.IPPROTO_TCP, len(head)) + head)
    return head[:16] + struct.pack(">H", whole) + head[18:]


def udp(port: int, *, source_port: int) -> bytes:
    """Return a UDP datagram with four octets in it; its checksum is left out, as IPv4 permits."""
    return struct.pack(">HHHH", source_port, port, 12, 0) + b"test"


def packets(task: dict[str, object], source: bytes, target: bytes) -> Iterable[bytes]:
    """Yield what the task asks for, each with its IP header."""
    protocol, ports = str(task["protocol"]), task["ports"]
    assert isinstance(ports, Sequence)
    source_port, flags = int(str(task.get("source_port", SOURCE_PORT))), int(str(task.get("flags", SYN)))
    for port in ports:
        if protocol == "tcp":
            number, body = socket.IPPROTO_TCP, tcp(source, target, port, source_port=source_port, flags=flags)
        elif protocol == "udp":
            number, body = socket.IPPROTO_UDP, udp(port, source_port=source_port)
        else:
            # Each "port" is the number of a protocol; an echo request for ICMP.
            number = port
            body = struct.pack(">BBHHH", 8, 0, 0xF7FE, 1, 0) if port == 1 else b"\0" * 20
        yield struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, HOPS, number, 0, source, target) + body


def main() -> None:
    """Send what standard input asks for."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        for task in json.load(sys.stdin):
            source, target = (socket.inet_aton(str(task[end])) for end in ("source", "target"))
            for packet in packets(task, source, target):
                try:
                    raw.sendto(packet, (str(task["target"]), 0))
                except PermissionError:
                    # Our own zone's rules would not let it out.
                    continue


if __name__ == "__main__":
    main()
