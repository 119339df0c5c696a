"""Frames that a collector took are in the stream, exactly, over real TLS and a real bus."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.integration.network.support import delivered, expect_exactly, offered, running_gateway, stream_frames

from openami.app.engines.nats import NatsEngine
from openami.contracts.frame import FrameClass
from openami.network.gateway.segment import SegmentBatch, read_segment

pytestmark = pytest.mark.engines


async def test_what_a_collector_took_is_in_the_stream_exactly_once(nats_server: NatsEngine, short_tmp: Path) -> None:
    rows = offered(0, 3_000)
    async with running_gateway(nats_server, short_tmp) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        for start in range(0, 3_000, 250):
            await collector.offer(rows[start : start + 250])
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
    frames = await stream_frames(nats_server)
    expect_exactly(frames, rows)
    by_octets = {octets: (c, t, at) for c, t, at, octets in rows}
    assert all((f.frame_class, f.system_title, f.collected_at_ms) == by_octets[f.octets] for f in frames)


async def test_every_committed_frame_lies_in_a_segment_with_its_hash_in_the_index(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        await collector.offer(offered(0, 500))
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
    segments = short_tmp / "gateway" / "segments"
    (line,) = (segments / "index.jsonl").read_text().splitlines()
    from hashlib import sha256

    file = segments / json.loads(line)["segment"]
    assert json.loads(line)["sha256"] == sha256(file.read_bytes()).hexdigest()
    records = list(read_segment(file))
    batches = [r for r in records if isinstance(r, SegmentBatch)]
    assert {r[0] for r in records if not isinstance(r, SegmentBatch)} == {b.batch_id for b in batches}
    from openami.contracts.frame import decode_frame_batch

    kept = [f for b in batches for _, octets in b.payloads for f in decode_frame_batch(octets).frames]
    assert sorted(f.octets for f in kept) == sorted(f.octets for f in await stream_frames(nats_server))


async def test_a_last_gasp_overtakes_waiting_profiles(nats_server: NatsEngine, short_tmp: Path) -> None:
    profiles, gasps = offered(0, 400), offered(1_000, 5, frame_class=FrameClass.LAST_GASP)
    async with running_gateway(nats_server, short_tmp) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        await collector.offer(profiles)
        await collector.offer(gasps)
        task = asyncio.create_task(collector.run(stop))
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
    frames = await stream_frames(nats_server)
    expect_exactly(frames, profiles + gasps)
    assert sorted(f.seq for f in frames if f.frame_class == FrameClass.LAST_GASP) == [1, 2, 3, 4, 5]
