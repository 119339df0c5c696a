"""``bench outage``: a backhaul that is away for six hours, and what comes when it is back.

Meters push every quarter-hour of simulated time over their cells' meshes; collectors keep the frames on disk while
their line to the gateway is cut, an outage of supply in the middle makes last gasps, and then the line returns to all
at once. Spool, link, gateway and bus are the real ones, the gateway a process of its own; time alone is simulated: the
six hours are offered as fast as the disks take them.

It shows that nothing is lost, that last gasps go first, and what the gateway holds in memory meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import structlog
import uvloop

from openami.app.bench.link import Served, collector_of, served_home
from openami.app.bench.processor import resident_octets
from openami.app.bench.relay import Relay
from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import NatsEngine, connect
from openami.app.settings import Settings
from openami.contracts.frame import FrameClass, SealedFrame, decode_frame_batch
from openami.contracts.stream import DMZ_FRAME
from openami.kernel.ids import SystemTitle
from openami.kernel.time import QUARTER_HOUR_S
from openami.network.collector import Collector, OfferedFrame
from openami.network.gateway import GatewayLimits
from openami.protocol.envelope import build_sealed, wrap
from openami.protocol.envelope.ports import PUSH_SINK_PORT, PushPort
from openami.sim.mesh import OnAir, TerritoryAir

T0_S = 1_780_000_200
METERS_A_CELL = 50
PORTS = {
    FrameClass.LAST_GASP: PushPort.LAST_GASP,
    FrameClass.ALARM: PushPort.EVENT,
    FrameClass.PROFILE: PushPort.LOAD_PROFILE,
}
OCTETS = {FrameClass.LAST_GASP: 90, FrameClass.ALARM: 90, FrameClass.PROFILE: 250}
CATCH_UP_S = 600.0
KILL_EVERY_S = 1.0
Key = tuple[int, bytes]
"""Collector and the frame's octets."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What is played.

    Args:
        meters: how many.
        hours: of backhaul outage.
        dark_share: of the meters that lose supply in its middle, for an hour.
        line_away_s: how long the line is away at the least, real time: the collectors try in vain meanwhile.
        spread_s: over which collectors come back.
        kills: how often the gateway is killed, one after another, from when the line is back.
    """

    meters: int = 1_000
    hours: float = 6.0
    dark_share: float = 0.3
    line_away_s: float = 12.0
    spread_s: float = 20.0
    kills: int = 0


@dataclass(slots=True)
class Outcome:
    """What was seen.

    Args:
        offered, came: frames, by collector and octets, how often.
        offered_classes: frames offered, by class.
        gasp_places: of each last gasp, how many frames that are none went before it.
        gasps_s: from the line's return until the stream has every last gasp.
        back_s: from the line's return to each collector's connection.
        drained_s: from the line's return to the last acknowledgement.
        gateway_before, gateway_peak: resident memory, octets.
    """

    offered: Counter[Key] = field(default_factory=Counter)
    came: Counter[Key] = field(default_factory=Counter)
    offered_classes: Counter[FrameClass] = field(default_factory=Counter)
    gasp_places: list[int] = field(default_factory=list)
    gasps_s: float = 0.0
    back_s: list[float] = field(default_factory=list)
    drained_s: float = 0.0
    gateway_before: int = 0
    gateway_peak: int = 0

    @property
    def lost(self) -> int:
        """Frames that a collector took and the stream does not have."""
        return sum((self.offered - self.came).values())

    @property
    def doubled(self) -> int:
        """Frames that the stream has more often than they were taken."""
        return sum((self.came - self.offered).values())


def run() -> dict[str, object]:
    """Play six hours with a thousand meters and return the figures in the shape of ``openami bench``."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    meters = int(os.environ.get("OPENAMI_OUTAGE_METERS", "1000"))
    outcome = uvloop.run(play(Outage(meters=meters)))
    limits = GatewayLimits()
    figures: dict[str, tuple[float, str]] = {
        "meters": (meters, ""),
        "collectors": (len(outcome.back_s), ""),
        "frames taken while the line was cut": (sum(outcome.offered.values()), ""),
        "  of them last gasps": (outcome.offered_classes[FrameClass.LAST_GASP], ""),
        "lost": (outcome.lost, ""),
        "doubled": (outcome.doubled, ""),
        "frames of a collector before its last gasps": (max(outcome.gasp_places, default=0), ""),
        "first collector back after": (min(outcome.back_s), "s"),
        "every last gasp in the stream after": (outcome.gasps_s, "s"),
        "last collector back after": (max(outcome.back_s), "s"),
        "every frame in the stream after": (outcome.drained_s, "s"),
        "gateway memory before": (outcome.gateway_before / 1e6, "MB"),
        "gateway memory at most": (outcome.gateway_peak / 1e6, "MB"),
        "limit of what it gathers": (limits.max_gathered_octets / 1e6, "MB"),
    }
    durability = "fsync of spool, order log and segment, and sync_interval always on the bus, before a frame counts"
    shown = {name: {"value": value, "unit": unit} for name, (value, unit) in figures.items()}
    return {"durability": durability, "figures": shown, "peers": {}, "ratio": {}}


async def play(outage: Outage) -> Outcome:
    """Play the outage on a bus and gateway of its own, and look at what the stream has afterwards."""
    outcome = Outcome()
    async with served_home() as served:
        settings = served.settings
        relay = Relay(settings.gateway_address, settings.gateway_port)
        await relay.open()
        cells = -(-outage.meters // METERS_A_CELL)
        collectors = [
            collector_of(settings, number, port=relay.port, longest_wait_s=outage.spread_s)
            for number in range(1, cells + 1)
        ]
        async with _running(collectors):
            await _until(lambda: all(c.status().connected for c in collectors))
            await relay.cut()
            away = asyncio.create_task(asyncio.sleep(outage.line_away_s))
            await _hours(outage, collectors, outcome)
            await away
            outcome.gateway_before = resident_octets(served.gateway_pid)
            killing = asyncio.create_task(_kill(served, outage.kills))
            await _catch_up(relay, collectors, served, outcome)
            await killing
        await relay.cut()
        await _look(settings, outcome)
    return outcome


async def _hours(outage: Outage, collectors: list[Collector], outcome: Outcome) -> None:
    """Let the meters push into the collectors' spools."""
    air = TerritoryAir(1, np.arange(outage.meters, dtype=np.int64) // METERS_A_CELL)
    slots = round(outage.hours * 4)
    dark = range(round(outage.meters * outage.dark_share))
    for slot in range(slots):
        at_s = T0_S + slot * QUARTER_HOUR_S
        is_dark = slots // 2 <= slot < slots // 2 + 4
        lit = range(len(dark) if is_dark else 0, outage.meters)
        sent = [(meter, at_s + meter * 7 % 150, FrameClass.PROFILE) for meter in lit]
        if slot == slots // 2:
            sent += [(meter, at_s + 200 + meter % 30, FrameClass.LAST_GASP) for meter in dark]
        if slot == slots // 2 + 4:
            window_s = air.power_up_window_s(np.array(dark, dtype=np.int64))
            sent += [(meter, at_s + meter % window_s, FrameClass.ALARM) for meter in dark]
        frames = [OnAir(when_s, meter, kind, OCTETS[kind]) for meter, when_s, kind in sent]
        octets = [_opaque(meter, slot, kind) for meter, _, kind in sent]
        heard: dict[int, list[OfferedFrame]] = defaultdict(list)
        for place, heard_s in air.carry(frames, slot=slot):
            meter, _, kind = sent[place]
            cell = meter // METERS_A_CELL
            heard[cell].append((kind, _title(meter), heard_s * 1000, octets[place]))
            outcome.offered[cell + 1, octets[place]] += 1
            outcome.offered_classes[kind] += 1
        await asyncio.gather(*(collectors[cell].offer(rows) for cell, rows in heard.items()))


async def _catch_up(relay: Relay, collectors: list[Collector], served: Served, outcome: Outcome) -> None:
    """Give the line back and watch until everything is acknowledged."""
    loop = asyncio.get_running_loop()
    began, back = loop.time(), dict[int, float]()
    await relay.open()

    def look() -> bool:
        with suppress(OSError):
            outcome.gateway_peak = max(outcome.gateway_peak, resident_octets(served.gateway_pid))
        for c in collectors:
            status = c.status()
            if c.collector_id not in back and status.connected:
                back[c.collector_id] = loop.time() - began
            if status.holds_last_gasp:
                outcome.gasps_s = loop.time() - began
        return len(back) == len(collectors)

    await _until(look)
    drained = [asyncio.create_task(c.drained()) for c in collectors]
    await _until(lambda: look() and all(d.done() for d in drained))
    outcome.drained_s, outcome.back_s = loop.time() - began, list(back.values())


async def _kill(served: Served, kills: int) -> None:
    for _ in range(kills):
        await asyncio.sleep(KILL_EVERY_S)
        await served.kill_gateway()


async def _look(settings: Settings, outcome: Outcome) -> None:
    """Read the whole stream and compare it with what was offered."""
    engine = NatsEngine(settings.home.folder("nats"), "127.0.0.1", settings.nats_port)
    client = await connect(engine.url("dmz_admin"), name="openami-bench")
    others: Counter[int] = Counter()
    try:
        stream = client.jetstream()
        pull = await stream.pull_subscribe("dmz.frame.v1.*", stream=DMZ_FRAME.name)
        # Partitions of one batch lie beside each other: a frame's place is its sequence at its collector.
        frames: list[SealedFrame] = []
        left = (await stream.stream_info(DMZ_FRAME.name, subjects_filter="dmz.frame.v1.*")).state.subjects or {}
        for _ in range(sum(left.values())):
            (message,) = await pull.fetch(1, timeout=10)
            frames += decode_frame_batch(message.data).frames
            await message.ack()
    finally:
        await client.close()
    for frame in frames:
        outcome.came[frame.collector_id, frame.octets] += 1
    for frame in sorted(frames, key=lambda f: f.seq):
        if frame.frame_class == FrameClass.LAST_GASP:
            outcome.gasp_places.append(others[frame.collector_id])
        else:
            others[frame.collector_id] += 1


@asynccontextmanager
async def _running(collectors: list[Collector]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(c.run(stop)) for c in collectors]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _until(holds: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + CATCH_UP_S
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            raise BusError(f"the collectors did not catch up within {CATCH_UP_S:.0f} s")
        await asyncio.sleep(0.02)


def _title(meter: int) -> SystemTitle:
    return SystemTitle(b"OAM" + (meter + 1).to_bytes(5))


def _opaque(meter: int, slot: int, kind: FrameClass) -> bytes:
    """Return a frame that looks sealed; nobody on this path can open one."""
    counter = (slot * 4 + int(kind)).to_bytes(4)
    body = b"\x30" + counter + os.urandom(OCTETS[kind] - 26)
    return wrap(PORTS[kind], PUSH_SINK_PORT, build_sealed(_title(meter).octets, body))
