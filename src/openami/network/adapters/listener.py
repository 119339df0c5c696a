"""A TCP socket that counts its connections and can end them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import structlog

from openami.kernel.errors import OpenAmiError
from openami.network.adapters.wrapper_client import close_stream

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Speaks with one peer until the connection ends."""
_log = structlog.get_logger(__name__)


class TcpListener:
    """One listening socket. Made by :meth:`open`."""

    def __init__(self, talk: Talk, *, connections: int) -> None:
        self._talk = talk
        self._connections = connections
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = 0
        """Connections that were over a limit, since the start."""

    @classmethod
    async def open(cls, talk: Talk, *, connections: int, host: str, port: int) -> Self:
        """Listen.

        Args:
            talk: speaks with one peer.
            connections: open at once.
            host: where.
            port: 0 for any that is free.

        Raises:
            OSError: the port is taken.
        """
        listener = cls(talk, connections=connections)
        listener._server = await asyncio.start_server(listener._connected, host, port)
        return listener

    @property
    def port(self) -> int:
        """Where it listens."""
        sockets = self._server.sockets if self._server is not None else ()
        return int(sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= self._connections:
            self.refused += 1
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (OpenAmiError, OSError, TimeoutError) as error:
            _log.info("listener.connection_ended", cause=type(error).__name__)
        except asyncio.CancelledError:
            # Only :meth:`close` cancels; the stream's own callback would report it as an error.
            pass
        finally:
            self._tasks.discard(task)
            await close_stream(writer)
