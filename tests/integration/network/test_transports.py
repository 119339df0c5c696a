"""APDUs between client and meter over real sockets: wrapper over TCP and UDP, HDLC over TCP; what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import cast

import pytest

from openami.network.adapters.hdlc_client import HdlcTcpExchange
from openami.network.adapters.meter_server import serve_hdlc_tcp, serve_wrapper_tcp, serve_wrapper_udp
from openami.network.adapters.wrapper_client import WrapperTcpExchange, WrapperUdpExchange
from openami.network.exchange import (
    ApduExchange,
    BadAnswerError,
    ExchangeLimits,
    NoAnswerError,
    NoConnectionError,
    ServeLimits,
)
from openami.protocol.envelope.link import HdlcAddress, LinkParameters, LinkTimes
from openami.protocol.envelope.wrapper import wrap

HOST = "127.0.0.1"
LIMITS = ExchangeLimits(connect_s=2.0, answer_s=1.0, tries=2)
METER = HdlcAddress(1, 17, 2)
TIMES = LinkTimes(response_s=0.3, tries=3, poll_s=0.05, hold_s=0.1)


@dataclass
class Session:
    """Answers an APDU with its octets turned round; says nothing to silence, too much to flood."""

    client: int
    server: int
    asked: list[bytes] = field(default_factory=list)
    is_closed: bool = False

    def receive(self, apdu: bytes) -> Sequence[bytes]:
        self.asked.append(apdu)
        if apdu == b"silence":
            return ()
        return (bytes(5_000),) if apdu == b"flood" else (apdu[::-1],)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Meter:
    """Opens sessions for logical device 1 and remembers them."""

    sessions: list[Session] = field(default_factory=list)

    def open(self, client: int, server: int) -> Session | None:
        if server != 1:
            return None
        self.sessions.append(Session(client, server))
        return self.sessions[-1]


Way = Callable[[Meter, ExchangeLimits, int], Awaitable[tuple[ApduExchange, Callable[[], Awaitable[None]]]]]


async def wrapper_tcp(
    meter: Meter, limits: ExchangeLimits, server: int
) -> tuple[ApduExchange, Callable[[], Awaitable[None]]]:
    listener = await serve_wrapper_tcp(meter.open, host=HOST, port=0)
    return await WrapperTcpExchange.open(HOST, listener.port, client=16, server=server, limits=limits), listener.close


async def wrapper_udp(
    meter: Meter, limits: ExchangeLimits, server: int
) -> tuple[ApduExchange, Callable[[], Awaitable[None]]]:
    socket = await serve_wrapper_udp(meter.open, host=HOST, port=0)
    return await WrapperUdpExchange.open(HOST, socket.port, client=16, server=server, limits=limits), socket.close


async def hdlc_tcp(
    meter: Meter, limits: ExchangeLimits, server: int
) -> tuple[ApduExchange, Callable[[], Awaitable[None]]]:
    parameters = LinkParameters(256, 256, 3, 3)
    listener = await serve_hdlc_tcp(meter.open, host=HOST, port=0, address=METER, parameters=parameters, times=TIMES)
    try:
        way = await HdlcTcpExchange.open(
            HOST,
            listener.port,
            client=HdlcAddress(16),
            server=HdlcAddress(server, 17, 2),
            parameters=parameters,
            times=TIMES,
            limits=limits,
        )
    except NoAnswerError:
        await listener.close()
        raise
    return way, listener.close


class BadNetwork(asyncio.DatagramProtocol):
    """Between a client and a meter: loses a fifth of the datagrams each way, doubles and damages some."""

    def __init__(self, meter_port: int, dice: Random) -> None:
        self._meter, self._dice = (HOST, meter_port), dice
        self._client: tuple[str | int, ...] = ()
        self.port = 0

    @classmethod
    async def open(cls, meter_port: int, dice: Random) -> BadNetwork:
        transport, relay = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(meter_port, dice), local_addr=(HOST, 0)
        )
        relay.port = int(transport.get_extra_info("sockname")[1])
        return relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        to_client = addr[1] == self._meter[1]
        if not to_client:
            self._client = addr
        chance = self._dice.random()
        octets = data[:-1] if 0.2 <= chance < 0.3 else data
        for _ in range(0 if chance < 0.2 else 2 if chance > 0.8 else 1):
            self._transport.sendto(octets, self._client if to_client else self._meter)

    async def close(self) -> None:
        self._transport.close()
        await asyncio.sleep(0)


WAYS: list[Way] = [wrapper_tcp, wrapper_udp, hdlc_tcp]


@asynccontextmanager
async def opened(
    way: Way, *, limits: ExchangeLimits = LIMITS, server: int = 1
) -> AsyncIterator[tuple[ApduExchange, Meter]]:
    meter = Meter()
    exchange, close = await way(meter, limits, server)
    try:
        yield exchange, meter
    finally:
        await exchange.close()
        await close()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
async def test_each_question_gets_its_answer(way: Way) -> None:
    async with opened(way) as (exchange, meter):
        for apdu in (b"ab", bytes(range(256)) * 100, b"x"):
            assert await exchange.exchange(apdu) == apdu[::-1]
    assert [(session.client, session.server) for session in meter.sessions] == [(16, 1)]
    assert meter.sessions[0].is_closed


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
async def test_a_silent_meter_is_said_to_be_silent(way: Way) -> None:
    async with opened(way, limits=replace(LIMITS, answer_s=0.4)) as (exchange, meter):
        with pytest.raises(NoAnswerError):
            await exchange.exchange(b"silence")
        assert meter.sessions[0].asked == [b"silence"]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
async def test_an_answer_over_the_limit_is_refused(way: Way) -> None:
    async with opened(way, limits=replace(LIMITS, answer_octets=4_999)) as (exchange, _):
        with pytest.raises(BadAnswerError):
            await exchange.exchange(b"flood")


@pytest.mark.parametrize("way", [wrapper_tcp, hdlc_tcp], ids=["wrapper", "hdlc"])
async def test_a_connection_over_its_octets_is_cut(way: Way) -> None:
    async with opened(way, limits=replace(LIMITS, session_octets=12_000)) as (exchange, _):
        await exchange.exchange(b"flood")
        await exchange.exchange(b"flood")
        with pytest.raises(BadAnswerError):
            await exchange.exchange(b"flood")
        with pytest.raises((NoConnectionError, BadAnswerError)):
            await exchange.exchange(b"x")


async def test_another_logical_device_does_not_answer() -> None:
    async with opened(wrapper_tcp, server=7, limits=replace(LIMITS, answer_s=0.2)) as (exchange, _):
        with pytest.raises(NoAnswerError):
            await exchange.exchange(b"x")
    with pytest.raises(NoAnswerError):
        async with opened(hdlc_tcp, server=7):
            pass


async def test_nobody_there_is_said_after_the_tries() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    with pytest.raises(NoConnectionError):
        await WrapperTcpExchange.open(HOST, port, client=16, limits=LIMITS)
    with pytest.raises(NoConnectionError):
        await HdlcTcpExchange.open(HOST, port, client=HdlcAddress(16), server=METER, limits=LIMITS)


@pytest.mark.attack("A1")
async def test_a_question_that_came_twice_is_carried_out_once_and_answered_twice() -> None:
    meter = Meter()
    socket = await serve_wrapper_udp(meter.open, host=HOST, port=0)
    exchange = await WrapperUdpExchange.open(HOST, socket.port, client=16, limits=LIMITS)
    frame = wrap(16, 1, b"ab")
    exchange._transport.sendto(frame)
    exchange._transport.sendto(frame)
    assert await exchange._answer(b"ab") == b"ba"
    assert await exchange.exchange(b"cd") == b"dc"
    assert meter.sessions[0].asked == [b"ab", b"cd"]
    await exchange.close()
    await socket.close()


async def test_a_lost_answer_over_udp_is_asked_for_again() -> None:
    class Deaf(asyncio.DatagramProtocol):
        """Hears every second datagram."""

        def __init__(self) -> None:
            self.heard = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
            self.heard += 1
            if self.heard % 2 == 0:
                self.transport.sendto(b"no frame", addr)
                self.transport.sendto(wrap(1, 16, data[8:]), addr)

    transport, deaf = await asyncio.get_running_loop().create_datagram_endpoint(Deaf, local_addr=(HOST, 0))
    port = transport.get_extra_info("sockname")[1]
    exchange = await WrapperUdpExchange.open(HOST, port, client=16, limits=replace(LIMITS, answer_s=0.2))
    assert await exchange.exchange(b"ab") == b"ab"
    assert deaf.heard == 2
    await exchange.close()
    transport.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(3))
async def test_over_a_bad_network_a_question_is_answered_right_or_not_at_all(seed: int) -> None:
    dice = Random(seed)
    meter = Meter()
    socket = await serve_wrapper_udp(meter.open, host=HOST, port=0)
    relay = await BadNetwork.open(socket.port, dice)
    limits = replace(LIMITS, answer_s=0.05, tries=8)
    exchange = await WrapperUdpExchange.open(HOST, relay.port, client=16, limits=limits)
    questions = [b"%d" % (number + 100) for number in range(40)]
    answered = []
    for question in questions:
        with suppress(NoAnswerError):
            assert await exchange.exchange(question) == question[::-1]
            answered.append(question)
    asked = meter.sessions[0].asked
    assert asked == sorted(set(asked)), "a copy was carried out again"
    assert len(answered) > len(questions) // 2
    await exchange.close()
    await relay.close()
    await socket.close()


@pytest.mark.parametrize("frame", [wrap(1, 103, b"push"), wrap(1, 16, b"\x0fpush")], ids=["other port", "our port"])
async def test_a_push_beside_an_answer_is_handed_on(frame: bytes) -> None:
    pushed: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(frame + wrap(1, 16, b"answer"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, HOST, 0)
    exchange = await WrapperTcpExchange.open(
        HOST, server.sockets[0].getsockname()[1], client=16, limits=LIMITS, take_other=pushed.append
    )
    assert await exchange.exchange(b"x") == b"answer"
    assert pushed == [frame]
    await exchange.close()
    server.close()


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", bytes(8)], ids=["other protocol", "zeros"])
async def test_octets_that_are_no_frames_end_the_connection_and_not_the_meter(octets: bytes) -> None:
    meter = Meter()
    listener = await serve_wrapper_tcp(meter.open, host=HOST, port=0)
    reader, writer = await asyncio.open_connection(HOST, listener.port)
    writer.write(octets)
    assert await asyncio.wait_for(reader.read(), 2.0) == b""
    writer.close()
    exchange = await WrapperTcpExchange.open(HOST, listener.port, client=16, limits=LIMITS)
    assert await exchange.exchange(b"ab") == b"ba"
    await exchange.close()
    await listener.close()


async def test_a_meter_takes_so_many_connections_and_ends_idle_ones() -> None:
    meter = Meter()
    listener = await serve_wrapper_tcp(meter.open, host=HOST, port=0, limits=ServeLimits(connections=1, idle_s=0.3))
    first = await WrapperTcpExchange.open(HOST, listener.port, client=16, limits=LIMITS)
    await first.exchange(b"x")
    second = await WrapperTcpExchange.open(HOST, listener.port, client=16, limits=LIMITS)
    with pytest.raises(NoConnectionError):
        await second.exchange(b"x")
    assert listener.refused == 1
    await asyncio.sleep(0.5)
    with pytest.raises(NoConnectionError):
        await first.exchange(b"x")
    assert meter.sessions[0].is_closed
    await listener.close()
