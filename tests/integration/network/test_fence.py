"""Two gateways, or one and its own delayed batch, cannot put a frame into the stream twice."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.integration.network.support import delivered, expect_exactly, offered, running_gateway, stream_frames

from openami.app.engines.nats import NatsEngine, connect
from openami.network.adapters.jetstream import JetStreamFrames
from openami.network.gateway import GatewayLimits
from openami.network.gateway.batch import stream_messages
from openami.network.ports import NO_MARK, FrameStream, FrameStreamConflictError, FrameStreamError, Mark, StreamMessage

pytestmark = pytest.mark.engines
SEED = int(os.environ.get("OPENAMI_SEED", "20260701"))


async def test_a_batch_whose_mark_has_moved_is_refused_whole(nats_server: NatsEngine) -> None:
    client = await connect(nats_server.url("gateway"), name="test")
    stream = JetStreamFrames(client)
    assert await stream.read_mark(7) == NO_MARK
    await stream.commit(stream_messages([(3, b"one")], {7: 5}, {7: 0}), batch_id="a")
    mark = await stream.read_mark(7)
    assert mark.seq == 5
    with pytest.raises(FrameStreamConflictError):
        await stream.commit(stream_messages([(3, b"one again")], {8: 1, 7: 5}, {7: 0, 8: 0}), batch_id="b")
    assert await stream.read_mark(7) == mark
    assert await stream.read_mark(8) == NO_MARK
    last = await stream.commit(
        stream_messages([(3, b"two")], {7: 6, 8: 1}, {7: mark.stream_sequence, 8: 0}), batch_id="c"
    )
    assert (await stream.read_mark(7)).stream_sequence == last - 1
    assert (await stream.read_mark(8)).stream_sequence == last
    await client.close()


async def test_a_stream_without_a_bus_says_so_at_once(nats_server: NatsEngine) -> None:
    client = await connect(nats_server.url("gateway"), name="test")
    stream = JetStreamFrames(client)
    await client.close()
    with pytest.raises(FrameStreamError):
        await stream.commit(stream_messages([], {7: 1}, {7: 0}), batch_id="a")
    with pytest.raises(FrameStreamError):
        await stream.read_mark(7)


async def test_a_collector_that_moves_between_two_gateways_delivers_each_frame_once(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    rows = offered(0, 4_000)
    async with (
        running_gateway(nats_server, short_tmp / "a") as one,
        running_gateway(nats_server, short_tmp / "b") as two,
    ):
        for turn in range(8):
            running = (one, two)[turn % 2]
            collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
            task = asyncio.create_task(collector.run(stop))
            await collector.offer(rows[turn * 500 : turn * 500 + 500])
            await asyncio.sleep(0.01 * turn)
            if turn == 7:
                await delivered(collector)
            stop.set()
            await asyncio.wait_for(task, 10)
    expect_exactly(await stream_frames(nats_server), rows)


class LossyStream:
    """The stream behind a line that loses a batch or the answer to it, as the dice say."""

    def __init__(self, inner: FrameStream, dice: random.Random) -> None:
        self._inner = inner
        self._dice = dice
        self.lost = 0

    async def read_mark(self, collector_id: int) -> Mark:
        return await self._inner.read_mark(collector_id)

    async def commit(self, messages: Sequence[StreamMessage], *, batch_id: str) -> int:
        fate = self._dice.choice(["kept", "batch lost", "answer lost"])
        sequence = 0 if fate == "batch lost" else await self._inner.commit(messages, batch_id=batch_id)
        if fate == "kept":
            return sequence
        self.lost += 1
        raise FrameStreamError(fate)


@pytest.mark.attack("A2")
async def test_frames_arrive_once_though_batches_and_answers_are_lost(nats_server: NatsEngine, short_tmp: Path) -> None:
    rows, lines = offered(0, 2_000), []

    def through(inner: FrameStream) -> FrameStream:
        lines.append(LossyStream(inner, random.Random(SEED)))
        return lines[-1]

    async with running_gateway(nats_server, short_tmp, through=through) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        for start in range(0, 2_000, 50):
            await collector.offer(rows[start : start + 50])
            await asyncio.sleep(0.04)
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
    assert lines[0].lost > 5
    expect_exactly(await stream_frames(nats_server), rows)


class SlowStream(LossyStream):
    """A bus that takes its time, and a note of how much waited for it."""

    async def commit(self, messages: Sequence[StreamMessage], *, batch_id: str) -> int:
        await asyncio.sleep(0.05)
        return await self._inner.commit(messages, batch_id=batch_id)


@pytest.mark.attack("A21")
async def test_a_slow_bus_slows_the_collector_and_not_the_memory(nats_server: NatsEngine, short_tmp: Path) -> None:
    rows = offered(0, 10_000, size=300)
    limit, most, waits = 200_000, 0, 0
    limits = GatewayLimits(max_gathered_octets=limit)
    async with running_gateway(
        nats_server, short_tmp, limits=limits, through=lambda inner: SlowStream(inner, random.Random(SEED))
    ) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        await collector.offer(rows)
        task = asyncio.create_task(collector.run(stop))
        draining = asyncio.create_task(delivered(collector))
        while not draining.done():
            most = max(most, running.gateway.publisher.octets)
            waits += running.gateway.publisher.is_full
            await asyncio.sleep(0.002)
        await draining
        stop.set()
        await asyncio.wait_for(task, 10)
    assert waits > 10, "the bus was never slow: the test shows nothing"
    assert most < limit + 300_000, "one read of the socket may come on top, no more"
    expect_exactly(await stream_frames(nats_server), rows)


async def test_a_spool_that_was_lost_goes_on_behind_its_mark(nats_server: NatsEngine, short_tmp: Path) -> None:
    async with running_gateway(nats_server, short_tmp) as running:
        for life, spool in enumerate(("first", "second")):
            collector, stop = running.collector(short_tmp / spool), asyncio.Event()
            await collector.offer(offered(life * 50, 50))
            task = asyncio.create_task(collector.run(stop))
            await delivered(collector)
            stop.set()
            await asyncio.wait_for(task, 10)
    expect_exactly(await stream_frames(nats_server), offered(0, 100))
