"""Floods at the gateway: a meter that sends too much, a cell that is too fast, a source that connects too often."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from pathlib import Path

import pytest
from tests.integration.network.support import delivered, offered, running_gateway, sealed_frame, stream_frames, title_of

from openami.app.engines.nats import NatsEngine
from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import FrameClass
from openami.network.collector import OfferedFrame
from openami.network.gateway.flow import CellRates, Flow, MeterRates, SourceRates
from openami.network.gateway.refused import newest_refused, refused_counts

pytestmark = [pytest.mark.engines, pytest.mark.attack("A33")]


async def test_a_meter_that_floods_is_kept_aside_and_the_others_of_its_cell_are_heard(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    flood: list[OfferedFrame] = [
        (FrameClass.ALARM, title_of(500), 1_000 + n, sealed_frame(title_of(500).octets, n)) for n in range(300)
    ]
    others = offered(0, 97)
    mixed = [row for place, one in enumerate(flood) for row in ([one, others[place]] if place < 97 else [one])]
    async with running_gateway(nats_server, short_tmp, flow=Flow(meters=MeterRates(most=100))) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        await collector.offer(mixed)
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
    heard = Counter(f.system_title for f in await stream_frames(nats_server))
    assert heard.pop(title_of(500)) == 100
    assert heard == Counter(title for _, title, _, _ in others)
    folder = short_tmp / "gateway"
    assert refused_counts(folder) == {RefusalReason.OVER_RATE: 200}
    assert {f.system_title for f in newest_refused(folder, limit=500)} == {str(title_of(500))}


async def test_a_cell_that_is_too_fast_is_slowed_and_loses_nothing(nats_server: NatsEngine, short_tmp: Path) -> None:
    rows = offered(0, 4_000)
    flow = Flow(cells=CellRates(octets_per_s=150_000.0, burst_octets=150_000.0))
    async with running_gateway(nats_server, short_tmp, flow=flow) as running:
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        await collector.offer(rows)
        task = asyncio.create_task(collector.run(stop))
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
        assert running.gateway.counts["slowed"] > 0
    assert sorted(f.octets for f in await stream_frames(nats_server)) == sorted(octets for *_, octets in rows)


async def test_a_source_that_connects_too_often_is_turned_away_before_any_handshake(
    nats_server: NatsEngine, short_tmp: Path
) -> None:
    def closed_at_once(port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            plain.settimeout(0.5)
            try:
                return plain.recv(1) == b""
            except (TimeoutError, ConnectionResetError) as error:
                return isinstance(error, ConnectionResetError)

    flow = Flow(sources=SourceRates(per_s=1.0, burst=5))
    async with running_gateway(nats_server, short_tmp, flow=flow) as running:
        found = await asyncio.gather(*(asyncio.to_thread(closed_at_once, running.port) for _ in range(12)))
        assert running.gateway.counts["refused_hasty_source"] >= 4
        assert sum(found) >= 4
        # The door is not shut: whoever comes again a little later is let in.
        collector, stop = running.collector(short_tmp / "spool"), asyncio.Event()
        task = asyncio.create_task(collector.run(stop))
        await collector.offer(offered(0, 5))
        await delivered(collector)
        stop.set()
        await asyncio.wait_for(task, 10)
