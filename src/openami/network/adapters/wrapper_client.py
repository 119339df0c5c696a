"""A client's way to a meter that speaks the wrapper, over TCP or UDP; see :mod:`openami.network.exchange`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Self

from openami.network.exchange import BadAnswerError, ExchangeLimits, NoAnswerError, NoConnectionError
from openami.protocol.envelope.unasked import is_unasked
from openami.protocol.envelope.wrapper import WrapperSplitter, parse_wrapper, wrap
from openami.protocol.errors import PeerError

READ_OCTETS = 64 * 1024
MAX_DATAGRAMS = 64
"""Datagrams that wait to be read: a meter answers with one."""

RECENT_ANSWERS = 4
"""Answers whose copies are known; a datagram that is later than that is not of this conversation."""

TakeOther = Callable[[bytes], None]
"""Takes a wrapper frame that is no answer: a push on the same connection."""


def _ignore(frame: bytes) -> None:
    """Drop a frame that nobody waits for."""


class WrapperTcpExchange:
    """Over TCP. Made by :meth:`open`.

    Args:
        reader, writer: the connection.
        client: the client's wrapper port (16 public, 1 management).
        server: the logical device's.
        limits: times and octets.
        take_other: takes frames that are no answer.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        client: int,
        server: int,
        limits: ExchangeLimits,
        take_other: TakeOther = _ignore,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._ports = client, server
        self._limits = limits
        self._take_other = take_other
        self._splitter = WrapperSplitter()
        self._received = 0
        self._is_answered = True
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        client: int,
        server: int = 1,
        limits: ExchangeLimits | None = None,
        take_other: TakeOther = _ignore,
    ) -> Self:
        """Connect.

        Raises:
            NoConnectionError: not within the tries.
        """
        bounds = limits or ExchangeLimits()
        reader, writer = await open_stream(host, port, bounds)
        return cls(reader, writer, client=client, server=server, limits=bounds, take_other=take_other)

    async def exchange(self, apdu: bytes) -> bytes:
        """Send an APDU and return the one that answers it.

        Raises:
            NoAnswerError: not in time.
            NoConnectionError: the meter ended the connection.
            BadAnswerError: no frames, or too many octets.
        """
        async with self._turn:
            self._is_answered = False
            try:
                async with asyncio.timeout(self._limits.answer_s):
                    self._writer.write(wrap(*self._ports, apdu))
                    await self._writer.drain()
                    return await self._answer(apdu)
            except TimeoutError:
                raise NoAnswerError(f"no answer within {self._limits.answer_s:g} s") from None
            except OSError as error:
                raise NoConnectionError(f"the connection broke: {type(error).__name__}") from error
            except PeerError as error:
                raise BadAnswerError(str(error)) from error
            finally:
                # A late answer could not be told from the next one.
                if not self._is_answered:
                    self._writer.transport.abort()

    async def _answer(self, question: bytes) -> bytes:
        data = b""
        while True:
            answer: bytes | None = None
            for frame in self._splitter.receive(data):
                header, apdu = parse_wrapper(frame)
                is_ours = (header.destination_port, header.source_port) == self._ports
                if is_ours and answer is None and not is_unasked(apdu, question=question):
                    answer = apdu
                else:
                    self._take_other(frame)
            if answer is not None:
                if len(answer) > self._limits.answer_octets:
                    raise BadAnswerError(f"an answer of {len(answer)} octets; {self._limits.answer_octets} are allowed")
                self._is_answered = True
                return answer
            data = await self._reader.read(READ_OCTETS)
            if not data:
                raise NoConnectionError("the meter ended the connection")
            self._received += len(data)
            if self._received > self._limits.session_octets:
                raise BadAnswerError(f"more than {self._limits.session_octets} octets over one connection")

    async def close(self) -> None:
        """End the connection."""
        await close_stream(self._writer)


async def open_stream(
    host: str, port: int, limits: ExchangeLimits
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect within the limits.

    Raises:
        NoConnectionError: not within the tries.
    """
    cause: Exception | None = None
    for _ in range(limits.tries):
        try:
            async with asyncio.timeout(limits.connect_s):
                return await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            cause = error
    raise NoConnectionError(f"the meter at {host}:{port} cannot be reached: {type(cause).__name__}") from cause


async def close_stream(writer: asyncio.StreamWriter) -> None:
    """End a connection; what its end makes wrong is of no interest any more."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()


class WrapperUdpExchange:
    """Over UDP: a question that is not answered is sent again, octet for octet. Made by :meth:`open`.

    A meter that carried out a question and lost the answer refuses the copy as a replay; the association then begins
    anew. ``limits.tries`` of 1 sends nothing twice.
    """

    def __init__(
        self,
        transport: asyncio.DatagramTransport,
        inbox: _Inbox,
        *,
        client: int,
        server: int,
        limits: ExchangeLimits,
        take_other: TakeOther = _ignore,
    ) -> None:
        self._transport, self._inbox = transport, inbox
        self._ports = client, server
        self._limits = limits
        self._take_other = take_other
        self._recent: deque[tuple[bytes, bytes]] = deque(maxlen=RECENT_ANSWERS)
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        client: int,
        server: int = 1,
        limits: ExchangeLimits | None = None,
        take_other: TakeOther = _ignore,
    ) -> Self:
        """Open a socket that hears this meter alone.

        Raises:
            NoConnectionError: no such host.
        """
        try:
            transport, inbox = await asyncio.get_running_loop().create_datagram_endpoint(
                _Inbox, remote_addr=(host, port)
            )
        except OSError as error:
            raise NoConnectionError(f"no way to {host}:{port}: {type(error).__name__}") from error
        bounds = limits or ExchangeLimits()
        return cls(transport, inbox, client=client, server=server, limits=bounds, take_other=take_other)

    async def exchange(self, apdu: bytes) -> bytes:
        """Send an APDU and return the one that answers it.

        Raises:
            NoAnswerError: none of the tries was answered in time.
            BadAnswerError: too many octets.
        """
        async with self._turn:
            while not self._inbox.datagrams.empty():
                self._sort(self._inbox.datagrams.get_nowait())
            for _ in range(self._limits.tries):
                self._transport.sendto(wrap(*self._ports, apdu))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.answer_s):
                        return await self._answer(apdu)
            raise NoAnswerError(f"{self._limits.tries} times no answer within {self._limits.answer_s:g} s")

    async def _answer(self, question: bytes) -> bytes:
        while True:
            answer = self._sort(await self._inbox.datagrams.get())
            # A question that was sent twice, or doubled on the way, is answered twice: the copy is no answer to the
            # next one. Where the next one is the same, so may its answer be.
            if answer is None or any(a == answer and q != question for q, a in self._recent):
                continue
            if is_unasked(answer, question=question):
                self._take_other(wrap(self._ports[1], self._ports[0], answer))
                continue
            if len(answer) > self._limits.answer_octets:
                raise BadAnswerError(f"an answer of {len(answer)} octets; {self._limits.answer_octets} are allowed")
            self._recent.append((question, answer))
            return answer

    def _sort(self, datagram: bytes) -> bytes | None:
        """Return the APDU of a datagram that may be an answer; hand on what is for somebody else."""
        try:
            header, apdu = parse_wrapper(datagram)
        except PeerError:
            # Anybody can forge a datagram: one that is none is no reason to give up.
            return None
        if (header.destination_port, header.source_port) == self._ports:
            return apdu
        self._take_other(datagram)
        return None

    async def close(self) -> None:
        """Close the socket."""
        self._transport.close()
        # The loop closes it in its next round.
        await asyncio.sleep(0)


class _Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue(MAX_DATAGRAMS)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - a connected socket has one sender
        # More than a meter sends: the newest are dropped, and asked for again.
        with contextlib.suppress(asyncio.QueueFull):
            self.datagrams.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there now; the time-out says so."""
