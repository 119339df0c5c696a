"""The gateway's door: takes TCP connections, turns hasty sources away before any handshake, and bounds handshakes.

A handshake costs a millisecond of this process; without a bound whoever can reach the port could spend them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

import structlog

from openami.network.gateway.flow import SourceRates
from openami.network.gateway.tls import TlsEnd, TlsServer

BACKLOG = 4096
MAX_HANDSHAKES = 512
"""Under way at once; more wait in the backlog."""
RETRY_S = 0.2
_log = structlog.get_logger(__name__)


class Door:
    """One listening socket.

    Args:
        make: makes the protocol of a connection.
        ssl_context: the gateway's.
        handshake_s: a handshake that takes longer is given up.
        rates: how often a source may come.
        count: counts what became of a connection.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        *,
        ssl_context: ssl.SSLContext,
        handshake_s: float,
        rates: SourceRates,
        count: Callable[[str], None],
    ) -> None:
        self._tls = TlsServer(ssl_context, make)
        self._handshake_s = handshake_s
        self._rates = rates
        self._count = count
        self._turns = asyncio.Semaphore(MAX_HANDSHAKES)
        self._shaking: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Args:
            host: address; one with a colon is of IPv6.
            port: TCP port; 0 takes any.

        Raises:
            OSError: the address is taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._listening.setblocking(False)
        return int(self._listening.getsockname()[1])

    async def run(self) -> None:
        """Take connections until cancelled."""
        loop = asyncio.get_running_loop()
        assert self._listening is not None, "opened before it runs"
        while True:
            await self._turns.acquire()
            try:
                connection, address = await loop.sock_accept(self._listening)
            except OSError as error:
                # No descriptor is left, or the peer is gone again.
                self._turns.release()
                self._count("not_accepted")
                _log.warning("gateway.not_accepted", cause=type(error).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            except BaseException:
                self._turns.release()
                raise
            if not self._rates.takes(str(address[0]), now_s=loop.time()):
                self._count("refused_hasty_source")
                connection.close()
                self._turns.release()
                continue
            task = asyncio.create_task(self._shake_hands(connection))
            self._shaking.add(task)
            task.add_done_callback(self._shaken)

    def _shaken(self, task: asyncio.Task[None]) -> None:
        self._shaking.discard(task)
        self._turns.release()

    async def _shake_hands(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        shaken: asyncio.Future[bool] = loop.create_future()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: TlsEnd(self._tls, shaken), connection)
        except OSError:
            self._count("handshakes_failed")
            connection.close()
            return
        is_shaken = False
        try:
            with contextlib.suppress(TimeoutError):
                is_shaken = await asyncio.wait_for(shaken, self._handshake_s)
        finally:
            if not is_shaken:
                # Strangers, and whoever shows no certificate of ours.
                self._count("handshakes_failed")
                transport.close()

    async def close(self) -> None:
        """Take no more, and end handshakes that are under way."""
        if self._listening is not None:
            self._listening.close()
        for task in self._shaking:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._shaking, return_exceptions=True)
