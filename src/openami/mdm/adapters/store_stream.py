"""Frames of the store's protocol over a connected Unix socket, without copying what is large."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from openami.mdm.store.wire import HEAD, FrameKind, frame_head, parse_frame_head

_SOCKET_BUFFER_OCTETS = 1024 * 1024


class ConnectionEndedError(ConnectionError):
    """The peer closed the socket."""


@dataclass(slots=True)
class FrameStream:
    """One connected, non-blocking socket. Whoever owns it closes it."""

    connection: socket.socket

    def __post_init__(self) -> None:
        self.connection.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self.connection.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_OCTETS)

    async def send(self, kind: FrameKind, content: bytes | memoryview | pa.Buffer = b"") -> None:
        """Send one frame.

        Raises:
            OSError: the peer is gone.
        """
        loop = asyncio.get_running_loop()
        view = memoryview(content)
        head = frame_head(kind, view.nbytes)
        if view.nbytes <= 65_536:
            await loop.sock_sendall(self.connection, head + view.tobytes())
            return
        await loop.sock_sendall(self.connection, head)
        await loop.sock_sendall(self.connection, view)

    async def receive(self) -> tuple[FrameKind, memoryview]:
        """Receive one frame.

        Raises:
            ConnectionEndedError: the peer closed the socket, between frames or inside one.
            WireError: not a frame.
            OSError: the socket failed.
        """
        kind, length = parse_frame_head(bytes(await self._exactly(HEAD.size)))
        return kind, await self._exactly(length)

    def close(self) -> None:
        """Close the socket."""
        self.connection.close()

    async def _exactly(self, count: int) -> memoryview:
        # An empty array takes address space; memory follows page by page as octets arrive, so what a frame merely
        # announces costs nothing, and nothing is copied as it grows.
        loop = asyncio.get_running_loop()
        octets = np.empty(count, np.uint8).data
        got = 0
        while got < count:
            received = await loop.sock_recv_into(self.connection, octets[got:])
            if not received:
                raise ConnectionEndedError("the peer closed the socket")
            got += received
        return octets
