"""Hear every message of an account of the bus: ``python -m tests.canary.tap FILE``, the address on standard input.

On SIGTERM one JSON line tells how many messages there were. A record is ``subject u16 | headers u32 | data u32`` and
the three, big-endian.
"""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog
from nats.aio.msg import Msg

from openami.app.engines.nats import connect_until

RECORD = struct.Struct(">HII")
_ROOM = 1 << 30


async def main(url: str, file: Path) -> None:
    """Listen until SIGTERM."""
    ended, heard = asyncio.Event(), 0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    client = await connect_until(ended, url, name="canary-tap")
    assert client is not None
    with file.open("wb") as out:

        async def take(message: Msg) -> None:
            nonlocal heard
            heard += 1
            subject, headers = message.subject.encode(), json.dumps(message.headers or {}).encode()
            out.write(RECORD.pack(len(subject), len(headers), len(message.data)) + subject + headers + message.data)

        await client.subscribe(">", cb=take, pending_msgs_limit=_ROOM, pending_bytes_limit=_ROOM)
        await client.flush()
        print("ready", flush=True)
        await ended.wait()
        await client.drain()
    print(json.dumps({"messages": heard}), flush=True)


def read(file: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield subject, headers and data of each message."""
    octets, at = file.read_bytes(), 0
    while at < len(octets):
        lengths = RECORD.unpack_from(octets, at)
        at += RECORD.size
        parts = []
        for length in lengths:
            parts.append(octets[at : at + length])
            at += length
        yield parts[0].decode(), parts[1], parts[2]


if __name__ == "__main__":
    # Standard output is for whoever waits for us.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    asyncio.run(main(sys.stdin.readline().strip(), Path(sys.argv[1])))
