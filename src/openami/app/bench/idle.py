"""``bench idle``: collectors that are connected and say nothing but how they are, and what each costs the gateway.

The gateway is a process of its own; its resident memory is read before and after. Each connection has a certificate of
its own, has said HELLO, has had its mark looked up in the stream, and has sent one heartbeat with a health report.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from openami.app.bench.link import served_home
from openami.app.bench.processor import resident_octets
from openami.app.process import take_all_descriptors
from openami.app.settings import Settings, real_now
from openami.contracts.health import HealthReport, encode_report
from openami.kernel.errors import MisuseError
from openami.network.gateway_connection import HEARTBEAT_S
from openami.network.link import CollectorLink, Hello, MessageType, encode_message
from openami.security.pki import Role, client_context, ensure_identity

AT_ONCE = 8
WARM = 100
"""Connections before the first measurement: what the process allocates once is not theirs."""
SPARE_DESCRIPTORS = 200
SOURCES = 20
"""Addresses of the loopback that they come from, so that no one source is hasty."""
SETTLE_S = 2.0
ANSWER_S = 600.0


@dataclass(frozen=True, slots=True)
class IdleFigures:
    """What was measured.

    Args:
        connections: open at the end, those to warm up not counted.
        octets: resident memory of the gateway for each.
        resident_octets: of the whole gateway with all of them.
        opened_s: to open them.
    """

    connections: int
    octets: float
    resident_octets: int
    opened_s: float


def run() -> dict[str, object]:
    """Measure ten thousand and return the figures in the shape of ``openami bench``.

    Raises:
        MisuseError: this machine does not let a process open so many sockets.
    """
    wanted = int(os.environ.get("OPENAMI_IDLE_CONNECTIONS", "10000"))
    allowed = take_all_descriptors()
    if wanted + WARM + SPARE_DESCRIPTORS > allowed:
        raise MisuseError(
            f"this machine lets a process open {allowed} files: raise `ulimit -Hn`, "
            f"or set OPENAMI_IDLE_CONNECTIONS to {max(0, allowed - WARM - SPARE_DESCRIPTORS)}"
        )
    # Ten thousand certificates are written one after another; none of them has to outlive this.
    memory = Path("/dev/shm")  # noqa: S108 - a fresh folder of ours alone is made in it
    found = uvloop.run(measure_idle(connections=wanted, place=memory if memory.is_dir() else None))
    figures: dict[str, tuple[float, str]] = {
        "idle connections": (found.connections, ""),
        "memory of the gateway for each": (found.octets / 1e3, "kB"),
        "memory of the gateway with all": (found.resident_octets / 1e6, "MB"),
        "opened": (found.connections / found.opened_s, "connections/s"),
    }
    shown = {name: {"value": value, "unit": unit} for name, (value, unit) in figures.items()}
    return {"durability": "none is needed", "figures": shown, "peers": {}, "ratio": {}}


async def measure_idle(*, connections: int, place: Path | None = None) -> IdleFigures:
    """Open that many connections and return what each costs.

    Args:
        connections: how many.
        place: where the home is made, as for :func:`served_home`.
    """
    async with served_home(place) as served:
        settings, gateway_pid = served.settings, served.gateway_pid
        held: list[asyncio.Transport] = []
        beating = asyncio.create_task(_beat(held))
        await _open(settings, range(1, WARM + 1), held)
        await asyncio.sleep(SETTLE_S)
        before = resident_octets(gateway_pid)
        began = time.perf_counter()
        await _open(settings, range(WARM + 1, WARM + connections + 1), held)
        opened_s = time.perf_counter() - began
        await asyncio.sleep(SETTLE_S)
        after = resident_octets(gateway_pid)
        beating.cancel()
        for transport in held:
            if transport.is_closing():
                raise MisuseError("the gateway ended a connection: this machine is too busy for the measurement")
            transport.abort()
    return IdleFigures(connections, (after - before) / connections, after, opened_s)


async def _beat(held: list[asyncio.Transport]) -> None:
    """Let every connection send its heartbeat in time, until cancelled: opening all may take longer than a silence."""
    beat = encode_message(MessageType.HEARTBEAT)
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        for transport in held:
            transport.write(beat)


async def _open(settings: Settings, numbers: range, held: list[asyncio.Transport]) -> None:
    """Open a connection for each number and wait until the gateway has answered its heartbeat."""
    turns = asyncio.Semaphore(AT_ONCE)
    pki, loop = settings.home.folder("pki"), asyncio.get_running_loop()

    async def one(number: int) -> None:
        async with turns:
            identity = ensure_identity(pki, role=Role.COLLECTOR, number=number, now=real_now())
            context = client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority)
            source = (f"127.0.0.{2 + number % SOURCES}", 0)
            transport, peer = await loop.create_connection(
                _Idle, settings.gateway_address, settings.gateway_port, ssl=context, local_addr=source
            )
            transport.write(CollectorLink().hello(Hello(number, 0, 1)))
            await asyncio.wait_for(peer.heard(1), ANSWER_S)
            transport.write(encode_message(MessageType.HEARTBEAT, body=encode_report(_report(number))))
            await asyncio.wait_for(peer.heard(2), ANSWER_S)
            held.append(transport)

    await asyncio.gather(*(one(n) for n in numbers))


def _report(number: int) -> HealthReport:
    return HealthReport(
        uptime_s=60,
        is_enclosure_open=False,
        is_on_backup_supply=False,
        latitude_e7=387_000_000 + number,
        longitude_e7=-904_000_000,
        cell=number,
        certificate_days_left=700,
        spool_frames=0,
        clock_ms=int(real_now().timestamp() * 1000),
    )


class _Idle(asyncio.Protocol):
    """Counts what the gateway says."""

    def __init__(self) -> None:
        self._pieces = 0
        self._changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._pieces += 1 if data else 0
        self._changed.set()

    async def heard(self, pieces: int) -> None:
        """Wait until so many pieces came."""
        while self._pieces < pieces:
            self._changed.clear()
            await self._changed.wait()
