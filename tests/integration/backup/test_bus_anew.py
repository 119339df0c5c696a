"""A bus that was lost is made anew behind what the head-end has read, so that its frames are read at once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from tests.conftest import free_port

from openami.app.engines.nats import NatsEngine, connect, ensure_streams
from openami.app.engines.positions import next_frame
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Home, Settings
from openami.contracts.stream import CORE_READING, DMZ_FRAME, frame_subject
from openami.headend.adapters.jetstream import JetStreamFrames

pytestmark = pytest.mark.engines


async def test_frames_of_a_bus_made_anew_are_read_behind_the_old_position(
    postgres: PostgresEngine, short_tmp: Path
) -> None:
    dsn = postgres.url(SUPERUSER).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "insert into headend.partition_group (group_no, group_count, fence, position) "
            "values (0, 2, 1, 41), (1, 2, 1, 77) "
            "on conflict (group_no) do update set position = excluded.position"
        )
    settings = Settings(Home(short_tmp / "h"), postgres_url=postgres.url(SUPERUSER))
    assert next_frame(settings) == 78
    bus = NatsEngine(short_tmp / "nats", "127.0.0.1", free_port())
    bus.prepare()
    with (short_tmp / "log").open("wb") as log:
        child = subprocess.Popen(bus.command(), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while not bus.is_ready():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for _ in range(2):  # The second finds them there and changes no number.
            await ensure_streams(
                dmz_url=bus.url("dmz_admin"), core_url=bus.url("core_admin"), frames_from=next_frame(settings)
            )
        writer = await connect(bus.url("dmz_admin"), name="test")
        sent = await writer.jetstream().publish(frame_subject(3), b"frame")
        assert (sent.stream, sent.seq) == (DMZ_FRAME.name, 78)
        reader = await JetStreamFrames(writer).open([3], after_seq=77)
        assert [m.seq for m in await reader.read(wait_s=10)] == [78]
        await reader.close()
        await writer.close()
        core = await connect(bus.url("core_admin"), name="test")
        assert (await core.jetstream().stream_info(CORE_READING.name)).state.first_seq in {0, 1}
        await core.close()
    finally:
        child.terminate()
        child.wait(20)
