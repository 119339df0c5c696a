"""The listener takes pushes over real TCP and UDP, hands on what is whole, and bounds what strangers use."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from openami.network.adapters.push_listener import ListenerLimits, PushListener
from openami.network.intake import OfferedFrame
from openami.network.spool import SpoolError, SpoolFullError
from openami.protocol.envelope.mbus import build_frames
from openami.protocol.envelope.sealed import build_sealed
from openami.protocol.envelope.wrapper import wrap

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]
HOST = "127.0.0.1"


def sealed(counter: int, size: int = 40) -> bytes:
    return build_sealed(b"OAM\0\0\0\0\1", b"\x30" + counter.to_bytes(4) + bytes(size))


def wrapped(counter: int, size: int = 40) -> bytes:
    return wrap(1, 103, sealed(counter, size))


@dataclass
class Disk:
    """Stands for the collector's spool: takes frames, or has no room."""

    frames: list[bytes] = field(default_factory=list)
    refusals: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, frames: Sequence[OfferedFrame]) -> None:
        await self.gate.wait()
        if self.refusals:
            self.refusals -= 1
            raise SpoolFullError("full")
        self.frames += [f[3] for f in frames]


@dataclass
class Running:
    listener: PushListener
    disk: Disk
    port: int
    stop: asyncio.Event
    held: list[asyncio.StreamWriter] = field(default_factory=list)

    async def push(self, octets: bytes, *, leave_open: bool = False) -> asyncio.StreamWriter:
        """Send octets over a connection of their own."""
        _, writer = await asyncio.open_connection(HOST, self.port)
        self.held.append(writer)
        writer.write(octets)
        await writer.drain()
        if not leave_open:
            writer.close()
            await writer.wait_closed()
        return writer


@asynccontextmanager
async def listening(limits: ListenerLimits | None = None) -> AsyncIterator[Running]:
    disk, stop, port = Disk(), asyncio.Event(), asyncio.get_running_loop().create_future()
    disk.gate.set()
    listener = PushListener(disk.take, now_ms=lambda: 1_000, limits=limits)
    task = asyncio.create_task(listener.run(stop, host=HOST, port=0, ready=port.set_result))
    running = Running(listener, disk, await asyncio.wait_for(port, 5), stop)
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
        for writer in running.held:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def send_datagram(port: int, octets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(octets, (HOST, port))


async def test_pushes_over_tcp_and_udp_and_in_each_framing_are_taken() -> None:
    async with listening() as running:
        await running.push(wrapped(1) + wrapped(2))
        await running.push(build_frames(sealed(3), source=1, destination=103))
        send_datagram(running.port, wrapped(4) + wrapped(5))
        await until(lambda: len(running.disk.frames) == 5)
    assert sorted(running.disk.frames) == sorted(wrapped(n) for n in range(1, 6))
    assert running.listener.counts["frames"] == 5


async def test_a_stop_hands_over_what_waits_and_nothing_twice() -> None:
    async with listening() as running:
        running.disk.gate.clear()
        await running.push(wrapped(1))
        await until(lambda: running.listener.counts["frames"] == 1)
        running.stop.set()
        await asyncio.sleep(0.05)
        running.disk.gate.set()
    assert running.disk.frames == [wrapped(1)]


async def test_a_full_spool_slows_tcp_down_drops_datagrams_and_loses_nothing_of_tcp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openami.network.adapters.push_listener.FULL_WAIT_S", 0.01)
    async with listening(ListenerLimits(waiting_octets=2_000)) as running:
        running.disk.gate.clear()
        running.disk.refusals = 3
        writer = await running.push(b"".join(wrapped(n) for n in range(40)), leave_open=True)
        await until(lambda: running.listener.is_full)
        send_datagram(running.port, wrapped(99))
        await until(lambda: running.listener.counts["dropped_datagrams"] == 1)
        running.disk.gate.set()
        writer.write(b"".join(wrapped(n) for n in range(40, 80)))
        await writer.drain()
        await until(lambda: len(running.disk.frames) == 80)
    assert running.disk.frames == [wrapped(n) for n in range(80)]
    assert running.disk.refusals == 0


async def test_an_unfinished_message_and_a_stranger_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.network.adapters.push_listener.TICK_S", 0.02)
    async with listening(ListenerLimits(unfinished_s=0.1)) as running:
        await running.push(wrapped(1)[:-1], leave_open=True)
        await running.push(b"GET / HTTP/1.1\r\n\r\n", leave_open=True)
        counts = running.listener.counts
        await until(lambda: counts["ended_unfinished"] == 1 and counts["ended_lost"] == 1)
        assert counts["refused_unknown_framing"] == 1
    assert running.disk.frames == []


async def test_an_idle_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.network.adapters.push_listener.TICK_S", 0.02)
    async with listening(ListenerLimits(idle_s=0.1)) as running:
        await running.push(wrapped(1), leave_open=True)
        await until(lambda: running.listener.counts["ended_idle"] == 1)
    assert running.disk.frames == [wrapped(1)]


@pytest.mark.parametrize("limits", [ListenerLimits(connections=2), ListenerLimits(connections_of_address=2)])
async def test_connections_are_bounded_and_room_comes_back(limits: ListenerLimits) -> None:
    async with listening(limits) as running:
        first, _ = [await running.push(wrapped(n), leave_open=True) for n in (1, 2)]
        await until(lambda: len(running.disk.frames) == 2)
        with contextlib.suppress(OSError):
            await running.push(wrapped(3), leave_open=True)
        await until(lambda: running.listener.counts["refused_too_many"] == 1)
        first.close()
        await first.wait_closed()
        await asyncio.sleep(0.05)
        await running.push(wrapped(4))
        await until(lambda: len(running.disk.frames) == 3)
    assert running.disk.frames[2] == wrapped(4)


async def test_strangers_who_hold_every_connection_and_say_nothing_make_room_for_a_meter() -> None:
    async with listening(ListenerLimits(connections=2, yields_s=0.3)) as here:
        for _ in range(2):
            await here.push(b"\x00", leave_open=True)
        await asyncio.sleep(0.1)
        with contextlib.suppress(OSError):
            await here.push(wrapped(1), leave_open=True)
        await asyncio.sleep(0.4)
        assert here.listener.counts["refused_too_many"] == 1
        await here.push(wrapped(2), leave_open=True)
        async with asyncio.timeout(5):
            while not here.disk.frames:
                await asyncio.sleep(0.01)
        assert here.disk.frames == [wrapped(2)]
        assert here.listener.counts["ended_made_room"] == 1


async def test_a_disk_that_fails_ends_the_listener() -> None:
    async def broken(_frames: Sequence[OfferedFrame]) -> None:
        raise SpoolError("the disk under the spool failed")

    port = asyncio.get_running_loop().create_future()
    listener = PushListener(broken, now_ms=lambda: 1_000)
    task = asyncio.create_task(listener.run(asyncio.Event(), host=HOST, port=0, ready=port.set_result))
    with socket.create_connection((HOST, await asyncio.wait_for(port, 5))) as meter:
        meter.sendall(wrapped(1))
    with pytest.raises(SpoolError):
        await asyncio.wait_for(task, 10)
