"""``bench headend``: sealed frames from the DMZ's stream to readings on core's stream, durable at both ends.

The frames lie in the stream before the clock starts; it stops when the readings of the last one are
acknowledged. Snapshots of windows and counts to PostgreSQL go on meanwhile and are in the figure. Bus, database and
head-end share the machine.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import uvloop
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.bench.processor import processor_s
from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.app.engines.migrate import migrate
from openami.app.engines.nats import NatsEngine, connect, ensure_streams
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import real_now
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.stream import frame_subject, partition_of
from openami.headend.adapters.jetstream import JetStreamFrames, JetStreamOutbox
from openami.headend.adapters.postgres import PostgresGroupStore
from openami.headend.group import Engines
from openami.headend.listening.intake import Outcome
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.ports import Outbox
from openami.headend.service import Headend
from openami.kernel.clock import FixedClock
from openami.security.keys.ports import ShipmentReport, VaultMeter
from openami.security.keys.shipment import Shipment
from openami.security.keys.table import KeyColumns, KeyTable

METERS = 2_000
FRAMES = 200_000
ROWS = 4
FRAMES_PER_MESSAGE = 100
GROUPS = 8
WAIT_S = 300.0


@dataclass(frozen=True, slots=True)
class HeadendFigures:
    """What one run measured.

    Args:
        frames: how many went through.
        pushes_per_s: from the first lease to the last acknowledgement.
        readings_per_s: interval values in the same time.
        processor_us: processor time of each process for a push, microseconds; the snapshots' share is in the
            database's and the head-end's.
    """

    frames: int
    pushes_per_s: float
    readings_per_s: float
    processor_us: dict[str, float]


class FactoryVault:
    """A :class:`~openami.security.keys.ports.KeyVault` of made-up meters, in memory, for measurements."""

    def __init__(self, factory: PushFactory) -> None:
        self._columns = factory.key_columns()

    async def import_shipment(self, shipment: Shipment, *, at: datetime, is_signed: bool = False) -> ShipmentReport:
        """Refuse: nothing is added while a measurement runs."""
        raise NotImplementedError(f"{shipment.shipment_id} {at} {is_signed}")

    async def revision(self) -> int:
        """Return the one revision there is."""
        return self._columns.revision

    async def load(self, *, after_revision: int = 0) -> KeyColumns:
        """Return every key pair."""
        del after_revision
        return self._columns

    async def meters(self) -> list[VaultMeter]:
        """Return nothing: nobody asks."""
        return []


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    with bench_engines() as (nats, postgres, pids):
        figures = uvloop.run(measure_headend(nats, postgres, pids))
    processor = {
        f"processor time, {name}": {"value": value, "unit": "us/push"} for name, value in figures.processor_us.items()
    }
    return {
        "durability": "fsync of every message on the bus (sync_interval always) and of every commit in PostgreSQL",
        "figures": {
            "stream to stream": {"value": figures.pushes_per_s, "unit": "pushes/s"},
            "readings": {"value": figures.readings_per_s, "unit": "readings/s"},
            **processor,
        },
        "peers": {},
        "ratio": {},
    }


class CountingOutbox:
    """Publishes and says when enough frames have gone out durably.

    Args:
        inner: what publishes.
        frames: how many are enough.
    """

    def __init__(self, inner: Outbox, frames: int) -> None:
        self._inner = inner
        self._left = frames
        self.done = asyncio.Event()

    async def publish(self, outcome: Outcome, *, group: int, subject_partition: int) -> None:
        """Publish and count."""
        await self._inner.publish(outcome, group=group, subject_partition=subject_partition)
        self._left -= len(outcome.accepted)
        if self._left <= 0:
            self.done.set()


async def measure_headend(
    nats: NatsEngine, postgres: PostgresEngine, pids: dict[str, int], *, frames: int = FRAMES
) -> HeadendFigures:
    """Fill the frame stream, then run one head-end until it has worked everything.

    Args:
        nats: a bus with its streams, empty.
        postgres: a migrated database that no head-end has used.
        pids: process ids of the engines by name.
        frames: how many pushes of four rows.
    """
    factory = PushFactory(meters=METERS)
    # A short first run loads what is loaded on first use; a head-end that runs has done that long ago.
    await fill_stream(nats, factory.profile_frames(METERS, rows=ROWS))
    await _work_off(nats, postgres, factory, METERS)
    await fill_stream(nats, factory.profile_frames(frames, rows=ROWS, first_counter=2))
    used = _processor_s(pids)
    took = await _work_off(nats, postgres, factory, frames)
    processor_us = {name: (after_s - used[name]) / frames * 1e6 for name, after_s in _processor_s(pids).items()}
    return HeadendFigures(frames, frames / took, frames * ROWS * factory.values / took, processor_us)


def _processor_s(pids: dict[str, int]) -> dict[str, float]:
    """Return the processor time of each process so far; this one is the head-end."""
    return {"headend": time.process_time(), **{name: processor_s(pid) for name, pid in pids.items()}}


async def _work_off(nats: NatsEngine, postgres: PostgresEngine, factory: PushFactory, frames: int) -> float:
    """Run a head-end until that many frames have gone out; return the seconds from its first lease."""
    state = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
    dmz, core = await connect(nats.url("headend_dmz"), name="bench"), await connect(nats.url("core"), name="bench")
    table, outbox = KeyTable(), CountingOutbox(JetStreamOutbox(core), frames)
    engines = Engines(
        source=JetStreamFrames(dmz),
        outbox=outbox,
        store=PostgresGroupStore(state),
        keys=KeyFeed(FactoryVault(factory), table),
        clock=FixedClock(FIRST_END),
        real_now=real_now,
        monotonic=time.monotonic,
    )
    headend = Headend(owner="bench", groups=GROUPS, zone="UTC", table=table, engines=engines)
    stop, leased = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(headend.run(stop, on_ready=leased.set))
    try:
        await asyncio.wait_for(leased.wait(), WAIT_S)
        start = time.perf_counter()
        await asyncio.wait_for(outbox.done.wait(), WAIT_S)
        return time.perf_counter() - start
    finally:
        stop.set()
        await running
        await dmz.close()
        await core.close()
        await state.dispose()


async def fill_stream(nats: NatsEngine, frames: Sequence[SealedFrame]) -> None:
    """Publish frames as a gateway does: messages of one partition, many at once, in atomic batches."""
    parts: dict[int, list[SealedFrame]] = defaultdict(list)
    for frame in frames:
        parts[partition_of(frame.system_title)].append(frame)
    messages = [
        (frame_subject(p), encode_frame_batch(gateway_id=1, received_at_ms=0, frames=fs[at : at + FRAMES_PER_MESSAGE]))
        for p, fs in parts.items()
        for at in range(0, len(fs), FRAMES_PER_MESSAGE)
    ]
    client = await connect(nats.url("gateway"), name="bench-fill")
    for at in range(0, len(messages), 100):
        batch, part = uuid4().hex, messages[at : at + 100]
        for number, (subject, octets) in enumerate(part[:-1], 1):
            headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            await client.publish(subject, octets, headers=headers)
        headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(part)), "Nats-Batch-Commit": "1"}
        await client.request(part[-1][0], part[-1][1], timeout=30, headers=headers)
    await client.close()


@contextmanager
def bench_engines() -> Iterator[tuple[NatsEngine, PostgresEngine, dict[str, int]]]:
    """Start a bus and a database in a temporary folder, streams made and migrations run; give their process ids too."""
    folder = Path(tempfile.mkdtemp(prefix="oa-bench-"))
    folder.chmod(0o755)
    nats = NatsEngine(folder / "nats", "127.0.0.1", _free_port())
    postgres = PostgresEngine(folder / "pg", folder / "s")
    nats.prepare()
    postgres.prepare()
    with (folder / "log").open("wb") as log:
        children = [
            subprocess.Popen(nats.command(), stdout=log, stderr=log),
            subprocess.Popen(postgres.command(), stdout=log, stderr=log, cwd="/", **postgres.rights()),
        ]
    try:
        postgres.wait_ready(60)
        postgres.ensure_database()
        migrate(postgres.url(SUPERUSER))
        asyncio.run(_streams(nats))
        yield nats, postgres, {"nats": children[0].pid, "postgres": children[1].pid}
    finally:
        for child in children:
            child.terminate()
            child.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


async def _streams(nats: NatsEngine) -> None:
    async with asyncio.timeout(WAIT_S):
        while not nats.is_ready():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.05)
    await ensure_streams(dmz_url=nats.url("dmz_admin"), core_url=nats.url("core_admin"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
