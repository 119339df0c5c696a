"""A line that can be cut: TCP octets handed on between collectors and the gateway, until they are not."""

from __future__ import annotations

import asyncio
from contextlib import suppress

CHUNK_OCTETS = 64 * 1024


class Relay:
    """One line.

    Args:
        host, port: where it leads.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        """Take connections; the port stays the same."""
        self._server = await asyncio.start_server(self._hand_on, "127.0.0.1", self.port, backlog=4096)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def cut(self) -> None:
        """End every connection and take no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        while self._writers:  # noqa: ASYNC110 - its tasks end by themselves
            await asyncio.sleep(0.01)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(*self._target)
            self._writers.add(back)
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                back.transport.abort()
                self._writers.discard(back)
        except OSError:
            # Whoever was connected sees the end of it.
            return
        finally:
            writer.transport.abort()
            self._writers.discard(writer)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await source.read(CHUNK_OCTETS):
            sink.write(octets)
            await sink.drain()
    sink.transport.abort()
