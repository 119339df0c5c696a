"""What a radio counted goes from its collector over link and bus to the head-end's table, and through outages."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.network.support import delivered, offered, running_gateway

from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import PostgresEngine
from openami.contracts.airtime import MAX_ROWS, AirtimeDay
from openami.contracts.stream import DMZ_AIRTIME
from openami.headend.adapters.airtime_postgres import PostgresAirtime
from openami.headend.adapters.latest_messages import LatestMessages
from openami.headend.collectors.airtime import AirtimeKeeper
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.network.gateway import airtime as gateway_airtime

pytestmark = [pytest.mark.engines, pytest.mark.enable_socket]
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TODAY = NOW.date()


def counts(own_ms: int, *, devices: int, day: date = TODAY) -> list[AirtimeDay]:
    return [
        AirtimeDay(SystemTitle(b"OAM" + n.to_bytes(5)), day, own_ms, 2 * own_ms, 16_000, 900) for n in range(devices)
    ]


async def test_counts_reach_the_table_in_parts_and_survive_a_gateway_that_starts_anew(
    nats_server: NatsEngine, postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_airtime, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(gateway_airtime, "CALM_S", 0.0)
    client = await connect(nats_server.url("headend_dmz"), name="test-airtime")
    engine = create_async_engine(postgres.url("openami_headend"))
    book = PostgresAirtime(engine)
    keeper = AirtimeKeeper(LatestMessages(client, DMZ_AIRTIME, most=50), book, domain=FixedClock(NOW))
    last = SystemTitle(b"OAM" + (MAX_ROWS + 4).to_bytes(5))

    async def kept(own_ms: int) -> list[AirtimeDay]:
        deadline = time.monotonic() + 10
        while True:
            await keeper.look()
            days = await book.days(last, TODAY - timedelta(days=1), TODAY)
            if days and days[0].own_ms == own_ms:
                return days
            assert time.monotonic() < deadline

    try:
        async with running_gateway(nats_server, short_tmp) as running:
            collector = running.collector(short_tmp / "spool")
            stop = asyncio.Event()
            collector.report_airtime(counts(500, devices=MAX_ROWS + 5))
            task = asyncio.create_task(collector.run(stop))
            assert (await kept(500))[0].relayed_ms == 1_000
            # Frames go on between counts, and a newer count goes out at once.
            await collector.offer(offered(0, 50))
            await delivered(collector)
            collector.report_airtime(counts(700, devices=MAX_ROWS + 5))
            await kept(700)
            port = running.port
            running.stop.set()
            await running.task
            # Counted while no gateway was there: told on the next connection.
            collector.report_airtime(counts(900, devices=MAX_ROWS + 5))
            async with running_gateway(nats_server, short_tmp, port=port):
                await kept(900)
                stop.set()
                await asyncio.wait_for(task, 10)
    finally:
        await client.close()
        await engine.dispose()
