"""Write down every packet that a namespace's interfaces carry: ``python -m tests.canary.capture FILE INTERFACE...``.

Without interfaces all of them. The file is a classic pcap, which Wireshark opens. A packet that passes through is
written once, where it comes in. On SIGTERM one JSON line tells how many packets there were and how many the kernel had
no room for; a claim about every octet holds only where that is none.

Source: packet(7); libpcap file format, draft-ietf-opsawg-pcap.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

ETH_P_ALL = 3
LINKTYPE_ETHERNET = 1
OUTGOING = 4
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
ROOM = 64 * 1024 * 1024
LARGEST = 1 << 18
FILE_HEAD = struct.Struct("<IHHiIII")
PACKET_HEAD = struct.Struct("<IIII")
MAGIC = 0xA1B2C3D4


def main(file: Path, interfaces: Sequence[str]) -> None:
    """Capture until SIGTERM."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as wire, file.open("wb") as out:
        try:
            wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        except PermissionError:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        wire.settimeout(0.2)
        ended: list[int] = []
        signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
        out.write(FILE_HEAD.pack(MAGIC, 2, 4, 0, 0, LARGEST, LINKTYPE_ETHERNET))
        print("ready", flush=True)
        packets = 0
        while True:
            try:
                octets, (interface, _, kind, *_) = wire.recvfrom(LARGEST)
            except TimeoutError:
                # What was there when we were told to end has been read.
                if ended:
                    break
                continue
            if kind == OUTGOING or (interfaces and interface not in interfaces):
                continue
            out.write(PACKET_HEAD.pack(0, 0, len(octets), len(octets)) + octets)
            packets += 1
        statistics = wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
    print(json.dumps({"packets": packets, "dropped": struct.unpack("II", statistics)[1]}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
