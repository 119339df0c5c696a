"""A meter's sockets: wrapper over TCP, wrapper over UDP, HDLC over TCP. Octets only; a session answers APDUs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import cast

from openami.network.adapters.listener import TcpListener
from openami.network.adapters.wrapper_client import READ_OCTETS
from openami.network.exchange import MeterSession, OpenSession, ServeLimits
from openami.protocol.envelope.link import (
    ApduReceived,
    Connected,
    Disconnected,
    HdlcAddress,
    HdlcServer,
    LinkParameters,
    LinkTimes,
)
from openami.protocol.envelope.wrapper import WrapperSplitter, parse_wrapper, wrap
from openami.protocol.errors import PeerError

MAX_UDP_SESSIONS = 64
"""Conversations over one UDP socket, by sender and addresses; the one silent longest ends first."""
REPEAT_S = 30.0
"""A question that comes again within this time is a copy: clients try again after seconds, three times or so."""
MAX_DATAGRAM_OCTETS = 65_507
"""Longest datagram of IPv4: a longer answer is not sent, and the client asks for blocks or for less."""


async def serve_wrapper_tcp(
    open_session: OpenSession, *, host: str, port: int, limits: ServeLimits | None = None
) -> TcpListener:
    """Serve a meter to whoever connects, with the wrapper.

    Args:
        open_session: begins a conversation.
        host: where to listen.
        port: 0 for any that is free.
        limits: connections, conversations and idle time.
    """
    bounds = limits or ServeLimits()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sessions, splitter = _Sessions(open_session, bounds), WrapperSplitter()
        try:
            while data := await asyncio.wait_for(reader.read(READ_OCTETS), bounds.idle_s):
                for frame in splitter.receive(data):
                    writer.write(sessions.answer(frame))
                    await writer.drain()
        finally:
            sessions.close()

    return await TcpListener.open(talk, connections=bounds.connections, host=host, port=port)


class _Sessions:
    """The conversations of one connection."""

    def __init__(self, open_session: OpenSession, limits: ServeLimits) -> None:
        self._open = open_session
        self._limits = limits
        self._sessions: dict[tuple[int, int], MeterSession] = {}

    def answer(self, frame: bytes) -> bytes:
        """Return the wrapper frames that answer one."""
        header, apdu = parse_wrapper(frame)
        key = (header.source_port, header.destination_port)
        session = self._sessions.get(key)
        if session is None:
            opened = self._open(*key) if len(self._sessions) < self._limits.sessions else None
            if opened is None:
                return b""
            session = self._sessions[key] = opened
        return b"".join(wrap(header.destination_port, header.source_port, out) for out in session.receive(apdu))

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


async def serve_hdlc_tcp(
    open_session: OpenSession,
    *,
    host: str,
    port: int,
    address: HdlcAddress,
    parameters: LinkParameters | None = None,
    times: LinkTimes | None = None,
    limits: ServeLimits | None = None,
) -> TcpListener:
    """Serve a meter to whoever connects, with HDLC: one link over each connection.

    Args:
        open_session: begins a conversation.
        host: where to listen.
        port: 0 for any that is free.
        address: the meter's HDLC address.
        parameters: what its link can do.
        times: its times.
        limits: connections and idle time.
    """
    bounds = limits or ServeLimits()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line(HdlcServer(own=address, parameters=parameters, times=times), open_session, address.upper)
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        try:
            while loop.time() - heard_at < bounds.idle_s:
                try:
                    deadline = line.link.deadline() or heard_at + bounds.idle_s
                    async with asyncio.timeout_at(min(deadline, heard_at + bounds.idle_s)):
                        data = await reader.read(READ_OCTETS)
                except TimeoutError:
                    writer.write(line.on_time(now=loop.time()))
                    continue
                if not data:
                    return
                heard_at = loop.time()
                writer.write(line.receive(data, now=heard_at))
                await writer.drain()
        finally:
            line.close()

    return await TcpListener.open(talk, connections=bounds.connections, host=host, port=port)


class _Line:
    """One HDLC link and the conversation over it."""

    def __init__(self, link: HdlcServer, open_session: OpenSession, server: int) -> None:
        self.link = link
        self._open = open_session
        self._server = server
        self._session: MeterSession | None = None

    def receive(self, data: bytes, *, now: float) -> bytes:
        """Take octets and return what is to be sent."""
        return self.link.receive(data, now=now) + self._serve(now)

    def on_time(self, *, now: float) -> bytes:
        """Do what is due."""
        return self.link.on_time(now=now) + self._serve(now)

    def _serve(self, now: float) -> bytes:
        out = b""
        while (event := self.link.next_event()) is not None:
            if isinstance(event, Connected):
                self.close()
                self._session = self._open(event.peer.upper, self._server)
            elif isinstance(event, Disconnected):
                self.close()
            elif isinstance(event, ApduReceived) and self._session is not None:
                for answer in self._session.receive(event.apdu):
                    out += self.link.send(answer, now=now)
        return out

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


async def serve_wrapper_udp(open_session: OpenSession, *, host: str, port: int) -> UdpMeter:
    """Serve a meter over UDP, with the wrapper.

    Args:
        open_session: begins a conversation, for each sender and pair of addresses.
        host: where to listen.
        port: 0 for any that is free.
    """
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: UdpMeter(open_session), local_addr=(host, port)
    )
    return protocol


@dataclass(slots=True)
class _Asked:
    session: MeterSession
    question: bytes = b""
    answer: tuple[bytes, ...] = ()
    asked_at_s: float = 0.0


class UdpMeter(asyncio.DatagramProtocol):
    """A meter's UDP socket. A question that comes twice is answered twice and carried out once."""

    def __init__(self, open_session: OpenSession) -> None:
        self._open = open_session
        self._asked: OrderedDict[tuple[object, int, int], _Asked] = OrderedDict()
        self._transport: asyncio.DatagramTransport | None = None
        self.dropped = 0
        """Datagrams that were no frame, or too long to be answered, since the start."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._transport.get_extra_info("sockname")[1]) if self._transport is not None else 0

    async def close(self) -> None:
        """Close the socket and every conversation."""
        if self._transport is not None:
            self._transport.close()
        for asked in self._asked.values():
            asked.session.close()
        self._asked.clear()
        # The loop closes the socket in its next round.
        await asyncio.sleep(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Answer one question."""
        try:
            header, apdu = parse_wrapper(data)
        except PeerError:
            self.dropped += 1
            return
        asked = self._conversation((addr, header.source_port, header.destination_port))
        if asked is None or self._transport is None:
            return
        now_s = asyncio.get_running_loop().time()
        if apdu != asked.question or now_s - asked.asked_at_s > REPEAT_S:
            asked.question, asked.asked_at_s = apdu, now_s
            asked.answer = tuple(asked.session.receive(apdu))
        for answer in asked.answer:
            frame = wrap(header.destination_port, header.source_port, answer)
            if len(frame) > MAX_DATAGRAM_OCTETS:
                self.dropped += 1
            else:
                self._transport.sendto(frame, addr)

    def _conversation(self, key: tuple[object, int, int]) -> _Asked | None:
        asked = self._asked.get(key)
        if asked is None:
            session = self._open(key[1], key[2])
            if session is None:
                return None
            if len(self._asked) >= MAX_UDP_SESSIONS:
                self._asked.popitem(last=False)[1].session.close()
            asked = self._asked[key] = _Asked(session)
        self._asked.move_to_end(key)
        return asked
