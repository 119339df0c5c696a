"""``bench ingest``: sealed pushes from a collector's disk to rows that a query returns, with TLS and every hop durable.

Bus, database, gateway, head-end and store run as they run for a utility; collector and meters are on the same machine
and are counted in. A push counts when the store holds all of its readings. Readings are the values that are stored:
four quarter-hours of energy both ways and voltage make twelve, with six values twenty-four.

The processor time of each process says what limits it: all of them share the processors of one machine here.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from openami.app.bench.processor import processor_s
from openami.app.bench.pushes import PushFactory
from openami.app.devices.shipment import take_shipment
from openami.app.settings import Home, Settings, real_now
from openami.app.supervisor.platform import Platform
from openami.contracts.frame import FrameClass, SealedFrame
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import StoreUnavailableError
from openami.network.collector import Collector
from openami.security.access.scope import Purpose, system_scope
from openami.security.pki import Role, client_context, ensure_identity

METERS = 2_000
PUSHES = 120_000
WARM_UP = 6_000
OFFER = 500
ROWS = 4
WAIT_S = 300
LATENCIES = 20
FAR_READINGS = 10_000
"""With more than this missing the store is asked seldom; what is near is waited for closely."""
SERVICES = ("store", "gateway", "headend")
_SCOPE = system_scope(process="bench", purpose=Purpose.MAINTENANCE)


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """What one run measured.

    Args:
        pushes_per_s: offered, spooled, sent, committed, opened, decoded and stored.
        acknowledged_per_s: up to the collector's acknowledgement only.
        latency_s: of single pushes, from the meter's offer to a query that returns them, sorted.
        processor_us: processor time of each process for a push, microseconds.
        readings_per_push: values that are stored of a push.
    """

    pushes_per_s: float
    acknowledged_per_s: float
    latency_s: tuple[float, ...]
    processor_us: dict[str, float]
    readings_per_push: int


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    figures: dict[str, dict[str, object]] = {}
    for wide in (False, True):
        found = asyncio.run(measure_ingest(wide=wide))
        layout = f"{ROWS} rows x {found.readings_per_push // ROWS} values"
        figures |= {
            f"pushes stored, {layout}": {"value": found.pushes_per_s, "unit": "pushes/s"},
            f"readings stored, {layout}": {
                "value": found.pushes_per_s * found.readings_per_push,
                "unit": "readings/s",
            },
            f"pushes acknowledged, {layout}": {"value": found.acknowledged_per_s, "unit": "pushes/s"},
            f"one push, meter to query, median, {layout}": {
                "value": found.latency_s[len(found.latency_s) // 2],
                "unit": "s",
            },
            f"one push, meter to query, worst, {layout}": {"value": found.latency_s[-1], "unit": "s"},
        }
        for name, value in found.processor_us.items():
            figures[f"processor time, {name}, {layout}"] = {"value": value, "unit": "us/push"}
        most = (os.cpu_count() or 1) / sum(found.processor_us.values()) * 1e6
        figures[f"pushes that these processors could carry, {layout}"] = {"value": most, "unit": "pushes/s"}
    durability = (
        "TLS 1.3 with certificates on both sides; fsync of spool, order log and sealed segment; bus with sync_interval "
        "always; store with fsync_after_insert: each before the next hop is told"
    )
    return {"durability": durability, "figures": figures, "peers": {}, "ratio": {}}


async def measure_ingest(*, pushes: int = PUSHES, wide: bool = False) -> IngestFigures:
    """Run the chain over ready-made pushes of four rows.

    Args:
        pushes: how many.
        wide: six values a row instead of three.
    """
    factory = PushFactory(meters=METERS, wide=wide)
    per_push = ROWS * factory.values
    warm = factory.profile_frames(WARM_UP, rows=ROWS)
    frames = factory.profile_frames(pushes, rows=ROWS, first_counter=1 + WARM_UP // METERS)
    late = factory.profile_frames(LATENCIES, rows=ROWS, first_counter=1 + (WARM_UP + pushes) // METERS)
    async with _chain(factory) as (collector, store, platform):
        # A chain that runs has loaded long ago what is loaded on first use.
        await _offer(collector, warm)
        there = await _until_stored(store, WARM_UP * per_push)
        began, used = time.perf_counter(), _processor_s(platform)
        await _offer(collector, frames)
        await asyncio.wait_for(collector.drained(), WAIT_S)
        acknowledged_s = time.perf_counter() - began
        there = await _until_stored(store, there + pushes * per_push)
        stored_s = time.perf_counter() - began
        processor_us = {n: (s - used[n]) / pushes * 1e6 for n, s in _processor_s(platform).items()}
        latencies = []
        for frame in late:
            began = time.perf_counter()
            await _offer(collector, [frame])
            there = await _until_stored(store, there + per_push, pause_s=0.01)
            latencies.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
    return IngestFigures(pushes / stored_s, pushes / acknowledged_s, tuple(sorted(latencies)), processor_us, per_push)


@asynccontextmanager
async def _chain(factory: PushFactory) -> AsyncIterator[tuple[Collector, SocketStore, Platform]]:
    """Hold bus, database, gateway, head-end, store and a connected collector up in a temporary home."""
    folder = Path(tempfile.mkdtemp(prefix="oa-bench-"))
    now = real_now()
    ports = _free_ports(3)
    settings = Settings(
        home=Home(folder / "home"),
        web_port=ports[0],
        gateway_port=ports[1],
        nats_port=ports[2],
        real_origin=now,
        domain_origin=now,
    )
    settings.save()
    try:
        async with Platform(settings, services=SERVICES).running() as platform:
            shipment = folder / "shipment.json"
            shipment.touch(mode=0o600)
            shipment.write_text(json.dumps(factory.shipment()))
            await take_shipment(settings, shipment, plain=True)
            collector, stop = _collector(settings, folder / "spool"), asyncio.Event()
            carrying = asyncio.create_task(collector.run(stop))
            store = SocketStore(settings.home.store_socket)
            try:
                yield collector, store, platform
            finally:
                stop.set()
                await carrying
                await store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _processor_s(platform: Platform) -> dict[str, float]:
    """Return the processor time of each process so far; this one is collector and meters."""
    used = {child.name: processor_s(child.pid) for child in platform.children if child.pid is not None}
    return {"collector": time.process_time(), **used}


def _collector(settings: Settings, spool: Path) -> Collector:
    identity = ensure_identity(settings.home.folder("pki"), role=Role.COLLECTOR, number=1, now=real_now())
    return Collector(
        1,
        spool_folder=spool,
        host=settings.gateway_address,
        port=settings.gateway_port,
        ssl_context=client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority),
    )


async def _offer(collector: Collector, frames: list[SealedFrame]) -> None:
    for at in range(0, len(frames), OFFER):
        part = frames[at : at + OFFER]
        await collector.offer([(FrameClass.PROFILE, f.system_title, f.collected_at_ms, f.octets) for f in part])


async def _until_stored(store: SocketStore, readings: int, *, pause_s: float = 0.05) -> int:
    """Wait until the raw table holds that many rows and return how many it holds.

    Each question costs the store as much as some hundred pushes, so it is asked seldom while much is missing.
    """
    deadline, last = time.monotonic() + WAIT_S, (time.monotonic(), 0)
    while (now := time.monotonic()) < deadline:
        try:
            sizes = {s.table: s.rows for s in await store.table_sizes(_SCOPE)}
        except StoreUnavailableError:
            sizes = {}
        there = sizes.get("reading_raw", 0)
        if there >= readings:
            return there
        per_s = max((there - last[1]) / max(now - last[0], 0.001), 1.0) if last[1] else 0.0
        last = (now, there)
        is_far = per_s and readings - there > FAR_READINGS
        await asyncio.sleep(min(max((readings - there) / per_s / 2, pause_s), 1.0) if is_far else pause_s)
    raise TimeoutError(f"{readings} readings were not stored within {WAIT_S} s")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(p.getsockname()[1]) for p in probes]
    finally:
        for probe in probes:
            probe.close()
