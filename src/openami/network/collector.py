"""A collector: takes sealed frames from meters, keeps them on disk, and hands them to the gateway.

It cannot open what it carries. :meth:`Collector.offer` returns when the frames are on this collector's disk; from
then on they reach the stream exactly once, whatever is killed when. Order and numbering are the spool's
(:mod:`openami.network.spool`), the conversation is link v1's (:mod:`openami.network.link`); this module moves octets
between them and connects again, with growing and jittered waits, for as long as it runs.

A frame gets its link sequence when it is planned for sending, not when it is offered: see the spool. All times here
are real time; the frames' own ``collected_at_ms`` is given by the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import SystemRandom

import structlog

from openami.contracts.airtime import MAX_ROWS, AirtimeDay, encode_airtime
from openami.contracts.command import OutcomeKind, Refusal
from openami.contracts.health import HealthReport, encode_report
from openami.network.downlink import Result, encode_result
from openami.network.gateway_connection import HEARTBEAT_S, ConnectionLostError, GatewayConnection
from openami.network.intake import OfferedFrame
from openami.network.link import (
    Hello,
    LinkError,
    LinkMessage,
    MessageType,
    encode_message,
    skip_messages,
    stamp_sequences,
)
from openami.network.reconnection import LONGEST_WAIT_S, rest_s
from openami.network.spool import MAX_SPOOL_OCTETS, Run, Spool
from openami.security.pki import PeerRefusedError

PLAN_OCTETS = 256 * 1024
"""What is planned at once: a last gasp waits behind at most this and the window."""
CONNECT_TIMEOUT_S = 15.0
RESUME_TIMEOUT_S = 30.0
__all__ = ["Collector", "CollectorStatus", "ConnectionLostError", "OfferedFrame"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """Where a collector stands.

    Args:
        connected: whether frames can flow now.
        offered: frames that :meth:`Collector.offer` took since start.
        acked_seq: everything to this sequence is in the stream.
        next_seq: sequence of the next frame to be planned.
        waiting: frames on disk without a sequence.
        holds_last_gasp: whether a last gasp is on disk that the stream does not have.
        connections: how often a connection was opened.
    """

    connected: bool
    offered: int
    acked_seq: int
    next_seq: int
    waiting: int
    holds_last_gasp: bool
    connections: int


class Collector:
    """One collector.

    Args:
        collector_id: its number, as in its certificate.
        spool_folder: its files; no other process uses them.
        host, port: the gateway.
        ssl_context: as :func:`openami.security.pki.client_context` makes it.
        dice: numbers in [0, 1) that spread reconnections.
        health: makes a health report, given how many frames wait on disk; None for none.
        longest_wait_s: over how long collectors spread their reconnections after a long outage.
        max_spool_octets: bound of the spool.

    Raises:
        SpoolError: the spool's disk does not hold what was safe on it.
    """

    def __init__(
        self,
        collector_id: int,
        *,
        spool_folder: Path,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext,
        dice: Callable[[], float] | None = None,
        health: Callable[[int], HealthReport] | None = None,
        max_spool_octets: int = MAX_SPOOL_OCTETS,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self.collector_id = collector_id
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._dice = dice or SystemRandom().random
        self._health = health
        self._longest_wait_s = longest_wait_s
        self._has_news = False
        self._airtime: list[bytes] = []
        self._tells_airtime = False
        self._on_down: Callable[[int, bytes, bytes], None] | None = None
        self._spool = Spool(spool_folder, max_octets=max_spool_octets)
        self._connection: GatewayConnection | None = None
        self._offered = 0
        self._connections = 0
        self._wake = asyncio.Event()
        self._sync_turn = asyncio.Lock()
        self._next_sync: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def offer(self, frames: Sequence[OfferedFrame]) -> int:
        """Put frames on disk and return how many were offered since start. They are safe when this returns.

        Raises:
            SpoolFullError: no room; none was taken.
            SpoolError: the disk refused; they may or may not arrive.
        """
        self._spool.append([(int(c), title.octets, at_ms, octets) for c, title, at_ms, octets in frames])
        # Everyone who offers while a sync runs shares the next one.
        if self._next_sync is None:
            self._next_sync = asyncio.create_task(self._sync())
        await asyncio.shield(self._next_sync)
        self._offered += len(frames)
        return self._offered

    def status(self) -> CollectorStatus:
        """Tell where the collector stands."""
        spool = self._spool
        connected = self._connection is not None and self._connection.is_open
        return CollectorStatus(
            connected=connected,
            offered=self._offered,
            acked_seq=spool.acked_seq,
            next_seq=spool.next_seq,
            waiting=spool.waiting_frames,
            holds_last_gasp=spool.holds_last_gasp,
            connections=self._connections,
        )

    def on_down(self, take: Callable[[int, bytes, bytes], None]) -> None:
        """Pass each DOWN's number, title and body to ``take``, from now on; a LinkError of it ends the connection."""
        self._on_down = take

    def health_changed(self) -> None:
        """Send a health report now and not with the next heartbeat: a door was opened, a place has changed."""
        self._has_news = True
        self._wake.set()

    def report_airtime(self, rows: Sequence[AirtimeDay]) -> None:
        """Tell how long the radios of the meters here were on the air; on each connection again until a newer count.

        Args:
            rows: counts of today and of the day before, as far as they have come.
        """
        parts = [rows[at : at + MAX_ROWS] for at in range(0, len(rows), MAX_ROWS)]
        self._airtime = [
            encode_message(MessageType.AIRTIME, seq=part, body=encode_airtime(some)) for part, some in enumerate(parts)
        ]
        self._tells_airtime = True
        self._wake.set()

    def tell(self, number: int, title: bytes, result: Result) -> None:
        """Send a RESULT; with the gateway away it is lost, and the gateway says "no answer" in its place."""
        if self._connection is not None and self._connection.is_open:
            self._connection.send(encode_result(number, title, result))

    async def drained(self) -> None:
        """Wait until the stream has every frame that is on disk now or comes meanwhile; bound the wait yourself."""
        while self._spool.unacked_frames or self._spool.waiting_frames:  # noqa: ASYNC110 - a file module has no event
            await asyncio.sleep(0.01)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand frames to the gateway until ``stop`` is set; what is left stays on disk.

        Raises:
            SpoolError: the spool's disk failed.
        """
        waiter = asyncio.create_task(stop.wait())
        waiter.add_done_callback(lambda _: self._wake.set())
        tries = 0
        try:
            while not stop.is_set():
                try:
                    await self._session(stop)
                except (ConnectionLostError, LinkError, PeerRefusedError, OSError, TimeoutError) as error:
                    _log.info("collector.link_lost", collector=self.collector_id, cause=type(error).__name__)
                tries = 0 if self._connection is not None and self._connection.has_resumed else tries + 1
                self._drop_connection()
                if not stop.is_set():
                    await self._rest(waiter, tries)
        finally:
            waiter.cancel()
            self._drop_connection()
            async with self._sync_turn:
                self._spool.close()

    async def _rest(self, stopped: asyncio.Task[bool], tries: int) -> None:
        """Wait before the next connection; a last gasp that comes meanwhile makes it shorter."""
        loop = asyncio.get_running_loop()
        throw, began = self._dice(), loop.time()
        while not stopped.done():
            wait_s = rest_s(throw, tries, is_urgent=self._spool.holds_last_gasp, longest_s=self._longest_wait_s)
            left_s = began + wait_s - loop.time()
            if left_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left_s)
            self._wake.clear()
            if self._failure is not None:
                raise self._failure

    async def _sync(self) -> None:
        async with self._sync_turn:
            self._next_sync = None
            if self._failure is not None:
                raise self._failure
            sync = self._spool.begin_sync()
            try:
                await asyncio.get_running_loop().run_in_executor(None, sync.run)
            except Exception as error:
                # After a failed fsync nobody knows what is on disk: only a restart, which reads it, can tell.
                self._failure = error
                self._wake.set()
                raise
            self._spool.end_sync(sync)
        self._wake.set()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- one connection

    async def _session(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        self._connections += 1
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, connection = await loop.create_connection(
                lambda: GatewayConnection(self._wake, self._take, self._report if self._health else None),
                *self._address,
                ssl=self._ssl_context,
            )
        self._connection = connection
        connection.send(
            connection.link.hello(Hello(self.collector_id, self._spool.next_seq - 1, self._spool.lowest_seq))
        )
        deadline = loop.time() + RESUME_TIMEOUT_S
        while not connection.is_open:
            if stop.is_set():
                return
            await self._pause(connection, deadline - loop.time())
            if loop.time() > deadline:
                raise ConnectionLostError("the gateway did not say where to resume")
        # Whoever opened the door may cut the line next.
        self._has_news = self._health is not None
        self._tells_airtime = bool(self._airtime)
        self._keep_alive(connection)
        for run in self._spool.runs_after(self._spool.acked_seq):
            await self._send(connection, run, stop)
        while not stop.is_set():
            await self._room(connection, stop)
            if self._spool.has_unplanned and not stop.is_set():
                runs = self._spool.plan(max_octets=PLAN_OCTETS)
                await loop.run_in_executor(None, self._spool.sync_order)
                for run in runs:
                    await self._send(connection, run, stop)
            else:
                await self._pause(connection, HEARTBEAT_S)
            self._keep_alive(connection)

    def _keep_alive(self, connection: GatewayConnection) -> None:
        news, self._has_news = self._has_news, False
        connection.keep_alive(asyncio.get_running_loop().time(), has_news=news)
        if self._tells_airtime:
            self._tells_airtime = False
            for message in self._airtime:
                connection.send(message)

    def _report(self) -> bytes:
        if self._health is None:
            return b""
        return encode_report(self._health(self._spool.unacked_frames + self._spool.waiting_frames))

    async def _pause(self, connection: GatewayConnection, timeout_s: float) -> None:
        """Wait until something happened; raise if it is the end of the connection or of the disk."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.0, timeout_s))
        self._wake.clear()
        if self._failure is not None:
            raise self._failure
        if connection.lost is not None:
            raise connection.lost

    async def _room(self, connection: GatewayConnection, stop: asyncio.Event) -> None:
        """Wait until the window and the socket take more."""
        if connection.lost is not None:
            raise connection.lost
        while connection.is_full and not stop.is_set():
            await self._pause(connection, HEARTBEAT_S)
            self._keep_alive(connection)

    async def _send(self, connection: GatewayConnection, run: Run, stop: asyncio.Event) -> None:
        await self._room(connection, stop)
        if stop.is_set():
            return
        messages = self._spool.read(run)
        stamp_sequences(messages, first_seq=run.first_seq)
        already = max(0, self._spool.acked_seq - run.first_seq + 1)
        if already:
            del messages[: skip_messages(messages, count=already)]
        connection.send_frames(messages, last_seq=run.last_seq)

    def _take(self, connection: GatewayConnection, message: LinkMessage) -> None:
        """Take one message of the gateway."""
        if message.type == MessageType.DOWN:
            if self._on_down is not None:
                self._on_down(message.seq, message.title, message.body)
            else:
                self.tell(message.seq, message.title, Result(OutcomeKind.REFUSED, Refusal.NO_ROUTE))
        elif message.type == MessageType.ACK:
            if connection.is_open:
                self._spool.acknowledge(message.seq)
                connection.acknowledged(message.seq)
            else:
                self._resume(message.seq)
                connection.has_resumed = True

    def _resume(self, mark_seq: int) -> None:
        if mark_seq >= self._spool.next_seq:
            _log.warning("collector.renumbered", collector=self.collector_id, from_seq=mark_seq + 1)
            self._spool.renumber(mark_seq + 1)
        else:
            self._spool.acknowledge(mark_seq)
