"""A client's way to a meter that speaks HDLC, over TCP as serial-to-TCP converters do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from openami.network.adapters.wrapper_client import READ_OCTETS, close_stream, open_stream
from openami.network.exchange import (
    BadAnswerError,
    ExchangeError,
    ExchangeLimits,
    NoAnswerError,
    NoConnectionError,
)
from openami.protocol.envelope.link import (
    ApduReceived,
    Connected,
    Disconnected,
    DisconnectReason,
    HdlcAddress,
    HdlcClient,
    LinkEvent,
    LinkParameters,
    LinkState,
    LinkTimes,
)
from openami.protocol.envelope.unasked import is_unasked

CLOSE_S = 3.0
"""How long an orderly end (DISC, UA) may take before the connection is cut."""


def _ignore(apdu: bytes) -> None:
    """Drop an APDU that nobody waits for."""


class HdlcTcpExchange:
    """One HDLC link over one TCP connection. Made by :meth:`open`.

    Args:
        reader, writer: the connection.
        link: the link, still down.
        limits: times and octets; the times of the link's own frames are in the link.
        take_other: takes APDUs that come as unnumbered information.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: HdlcClient,
        *,
        limits: ExchangeLimits,
        take_other: Callable[[bytes], None] = _ignore,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._link = link
        self._limits = limits
        self._take_other = take_other
        self._received = 0
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        client: HdlcAddress,
        server: HdlcAddress,
        parameters: LinkParameters | None = None,
        times: LinkTimes | None = None,
        limits: ExchangeLimits | None = None,
        take_other: Callable[[bytes], None] = _ignore,
    ) -> Self:
        """Connect, and set up the link.

        Raises:
            ExchangeError: not within the tries, or the meter refuses the link.
        """
        bounds = limits or ExchangeLimits()
        reader, writer = await open_stream(host, port, bounds)
        link = HdlcClient(own=client, peer=server, parameters=parameters, times=times)
        way = cls(reader, writer, link, limits=bounds, take_other=take_other)
        await way._run(link.connect(now=_now()), Connected)
        return way

    async def exchange(self, apdu: bytes) -> bytes:
        """Send an APDU and return the one that answers it.

        Raises:
            NoAnswerError: not in time.
            NoConnectionError: the link is down.
            BadAnswerError: too many octets.
        """
        async with self._turn:
            if self._link.state is not LinkState.CONNECTED:
                raise NoConnectionError("the HDLC link is down")
            event = await self._run(self._link.send(apdu, now=_now()), ApduReceived)
            while isinstance(event, ApduReceived) and is_unasked(event.apdu, question=apdu):
                self._take_other(event.apdu)
                event = await self._run(self._link.expect_more(now=_now()), ApduReceived)
        answer = event.apdu if isinstance(event, ApduReceived) else b""
        if len(answer) > self._limits.answer_octets:
            self._writer.transport.abort()
            raise BadAnswerError(f"an answer of {len(answer)} octets; {self._limits.answer_octets} are allowed")
        return answer

    async def close(self) -> None:
        """End the link and the connection."""
        try:
            async with self._turn, asyncio.timeout(CLOSE_S):
                await self._run(self._link.close(now=_now()), Disconnected)
        except (ExchangeError, TimeoutError):
            pass
        finally:
            await close_stream(self._writer)

    async def _run(self, octets: bytes, wanted: type[LinkEvent]) -> LinkEvent:
        """Send octets and drive the link until an event comes; the connection is cut where it does not."""
        try:
            async with asyncio.timeout(self._limits.answer_s):
                return await self._until(octets, wanted)
        except TimeoutError:
            self._writer.transport.abort()
            raise NoAnswerError(f"no answer within {self._limits.answer_s:g} s") from None
        except OSError as error:
            raise NoConnectionError(f"the connection broke: {type(error).__name__}") from error
        except ExchangeError:
            self._writer.transport.abort()
            raise

    async def _until(self, octets: bytes, wanted: type[LinkEvent]) -> LinkEvent:
        while True:
            if octets:
                self._writer.write(octets)
                await self._writer.drain()
            event = self._next(wanted)
            if event is not None:
                return event
            octets = await self._step()

    def _next(self, wanted: type[LinkEvent]) -> LinkEvent | None:
        while (event := self._link.next_event()) is not None:
            if isinstance(event, wanted):
                return event
            if isinstance(event, Disconnected):
                if event.reason is DisconnectReason.NO_ANSWER:
                    raise NoAnswerError("the meter answers no frame")
                raise NoConnectionError(f"the HDLC link is down: {event.reason.value}")
            if not isinstance(event, Connected):
                self._take_other(event.apdu)
        return None

    async def _step(self) -> bytes:
        """Wait for octets or for the link's deadline and return what is to be sent."""
        deadline = self._link.deadline()
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._reader.read(READ_OCTETS)
        except TimeoutError:
            if deadline is None or _now() < deadline:
                raise
            return self._link.on_time(now=_now())
        if not data:
            raise NoConnectionError("the meter ended the connection")
        self._received += len(data)
        if self._received > self._limits.session_octets:
            raise BadAnswerError(f"more than {self._limits.session_octets} octets over one connection")
        return self._link.receive(data, now=_now())


def _now() -> float:
    return asyncio.get_running_loop().time()
