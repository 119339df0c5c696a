"""Where meters with an address of their own (cellular) push to: wrapper, HDLC or M-Bus over TCP, wrapper over UDP.

The listener opens nothing and answers nothing. A push is never confirmed (DataNotification-Confirm): whether a meter
asks for it stands in the invoke id, which is sealed, and a collector has no key; what is lost is found as a gap and
read by pull. Whole frames go to ``take``, which returns when they are on disk.

Anybody who reaches the port can send, so everything is bounded: connections, those of one address, unfinished messages
in time and octets, and what waits for the disk. Over the last bound TCP is slowed down and datagrams are dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

import structlog

from openami.network.intake import OfferedFrame, PushIntake, datagram_frames
from openami.network.spool import SpoolFullError
from openami.protocol.errors import PeerError

TICK_S = 1.0
FULL_WAIT_S = 1.0
DRAIN_S = 10.0
"""How long a stop waits for the disk."""
_log = structlog.get_logger(__name__)
Take = Callable[[Sequence[OfferedFrame]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """What strangers may use.

    Args:
        connections: open at once; each may hold an unfinished frame and two block transfers of 64 KiB each, so 384 MiB
            where all of them mean harm; a meter's push is below 1 KiB.
        connections_of_address: open at once from one address; a carrier's gateway may stand before many meters.
        idle_s: a connection without a word ends [s]; twice the longest push period of the field.
        yields_s: silent for this long [s], a connection makes room for a new one where there is none: a meter that
            has more to say connects again, and strangers who hold their connections must keep talking.
        unfinished_s: a message that has begun must be whole after that [s]: a slow meter's radio needs 20 s.
        waiting_octets: frames that wait for the disk.
    """

    connections: int = 2_000
    connections_of_address: int = 200
    idle_s: float = 1_800.0
    yields_s: float = 60.0
    unfinished_s: float = 30.0
    waiting_octets: int = 8 * 1024 * 1024


class PushListener:
    """Takes pushes on one port, TCP and UDP.

    Args:
        take: takes frames and returns when they are safe; may raise SpoolFullError, then it is asked again.
        now_ms: the collector's clock, milliseconds since the epoch.
        limits: what strangers may use.
    """

    def __init__(self, take: Take, *, now_ms: Callable[[], int], limits: ListenerLimits | None = None) -> None:
        self.limits = limits or ListenerLimits()
        self.now_ms = now_ms
        self.counts: Counter[str] = Counter()
        self._take = take
        self._waiting: deque[OfferedFrame] = deque()
        self._waiting_octets = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._connections: set[_Connection] = set()
        self._of_address: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether no more waits for the disk now."""
        return self._waiting_octets >= self.limits.waiting_octets

    async def run(
        self, stop: asyncio.Event, *, host: str, port: int, ready: Callable[[int], None] = lambda _port: None
    ) -> None:
        """Listen until ``stop`` is set, then hand over what waits.

        Args:
            stop: ends it.
            host: address to listen at.
            port: of both TCP and UDP; 0 for any that is free.
            ready: called with the port once both are open.

        Raises:
            OSError: the port cannot be used.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), host, port)
        bound = int(server.sockets[0].getsockname()[1])
        tasks: list[asyncio.Task[None]] = []
        datagrams: asyncio.BaseTransport | None = None
        try:
            datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, bound))
            tasks = [asyncio.create_task(work) for work in (self._hand_over(), self._watch())]
            ready(bound)
            waiter = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            for task in done:
                task.result()
        finally:
            server.close()
            if datagrams is not None:
                datagrams.close()
            for connection in list(self._connections):
                connection.end("stopped")
            if tasks and not tasks[0].done():
                # Not taken from its hands: what is being written now would be written twice.
                tasks.append(asyncio.create_task(self._drained()))
                await asyncio.wait([tasks[0], tasks[-1]], timeout=DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def received(self, items: Sequence[OfferedFrame | PeerError]) -> None:
        """Take what octets have made."""
        for item in items:
            if isinstance(item, PeerError):
                self.counts[f"refused_{item.code}"] += 1
            else:
                self.counts["frames"] += 1
                self._waiting.append(item)
                self._waiting_octets += len(item[3])
        if self._waiting:
            self._idle.clear()
            self._wake.set()
        if self.is_full:
            for connection in self._connections:
                connection.pause()

    def admit(self, connection: _Connection) -> bool:
        """Count a new connection; False where there are too many."""
        limits, address = self.limits, connection.address
        if self._of_address[address] < limits.connections_of_address and len(self._connections) >= limits.connections:
            self._make_room(connection.heard_at_s)
        if len(self._connections) >= limits.connections or self._of_address[address] >= limits.connections_of_address:
            self.counts["refused_too_many"] += 1
            return False
        self._connections.add(connection)
        self._of_address[address] += 1
        return True

    def left(self, connection: _Connection) -> None:
        """Forget a connection that has ended."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._of_address[connection.address] -= 1
            if not self._of_address[connection.address]:
                del self._of_address[connection.address]

    def _make_room(self, now_s: float) -> None:
        """End the connection that has been silent for longest, if that is long enough."""
        silent = min(self._connections, key=lambda c: c.heard_at_s)
        if now_s - silent.heard_at_s >= self.limits.yields_s and not silent.is_paused:
            silent.end("made_room")
            self.left(silent)

    async def _drained(self) -> None:
        await self._idle.wait()

    async def _hand_over(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                frames = list(self._waiting)
                try:
                    await self._take(frames)
                except SpoolFullError:
                    # The gateway has been away for long. Who can wait is slowed down, and what cannot is lost here.
                    await asyncio.sleep(FULL_WAIT_S)
                    continue
                for _ in frames:
                    self._waiting_octets -= len(self._waiting.popleft()[3])
                if not self.is_full:
                    for connection in self._connections:
                        connection.go_on()
            self._idle.set()

    async def _watch(self) -> None:
        told: Counter[str] = Counter()
        loop = asyncio.get_running_loop()
        told_at_s = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            for connection in list(self._connections):
                connection.check(now_s)
            if now_s - told_at_s >= 60 and self.counts != told:
                told, told_at_s = Counter(self.counts), now_s
                _log.info("listener.counts", connections=len(self._connections), **told)


class _Connection(asyncio.Protocol):
    """One meter's connection."""

    def __init__(self, listener: PushListener) -> None:
        self.address = ""
        self._listener = listener
        self._intake = PushIntake()
        self._loop = asyncio.get_running_loop()
        self.heard_at_s = self._loop.time()
        self._unfinished_since_s: float | None = None
        self._transport: asyncio.Transport | None = None
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if not self._listener.admit(self):
            self._transport.abort()
        elif self._listener.is_full:
            self.pause()

    def data_received(self, data: bytes) -> None:
        self.heard_at_s = self._loop.time()
        items = self._intake.receive(data, collected_at_ms=self._listener.now_ms())
        if items:
            self._unfinished_since_s = None
        elif self._unfinished_since_s is None:
            self._unfinished_since_s = self.heard_at_s
        self._listener.received(items)
        if self._intake.is_lost:
            self.end("lost")

    def eof_received(self) -> None:
        self._listener.received(self._intake.finish(collected_at_ms=self._listener.now_ms()))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._listener.left(self)

    def check(self, now_s: float) -> None:
        """End a connection that has been silent or unfinished for too long; time that we made it wait counts not."""
        if self.is_paused:
            return
        limits, since_s = self._listener.limits, self._unfinished_since_s
        if since_s is not None and now_s - since_s > limits.unfinished_s:
            self.end("unfinished")
        elif now_s - self.heard_at_s > limits.idle_s:
            self.end("idle")

    def pause(self) -> None:
        """Take no more octets for now."""
        if self._transport is not None and not self.is_paused:
            self.is_paused = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Take octets again."""
        if self._transport is not None and self.is_paused:
            self.is_paused = False
            self.heard_at_s = self._loop.time()
            self._unfinished_since_s = None
            self._transport.resume_reading()

    def end(self, cause: str) -> None:
        """Drop the connection and count why."""
        if self._transport is not None:
            self._listener.counts[f"ended_{cause}"] += 1
            self._transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP side."""

    def __init__(self, listener: PushListener) -> None:
        self._listener = listener

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        if self._listener.is_full:
            self._listener.counts["dropped_datagrams"] += 1
            return
        self._listener.received(datagram_frames(data, collected_at_ms=self._listener.now_ms()))
