"""The engines start from nothing and do what the rest is built on."""

from __future__ import annotations

import asyncio

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from sqlalchemy import create_engine, text
from tests.conftest import free_port

from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import PostgresEngine

pytestmark = pytest.mark.engines


def test_each_room_role_reaches_its_own_schema_and_no_other(postgres: PostgresEngine) -> None:
    engine = create_engine(postgres.url("openami_mdm"))
    with engine.connect() as connection:
        usable = connection.execute(
            text(
                "select nspname from pg_namespace where has_schema_privilege(oid, 'usage') "
                "and nspname in ('security','access','audit','headend','mdm','billing','customer')"
            )
        ).scalars()
        assert set(usable) == {"mdm"}
    engine.dispose()


async def test_what_the_gateway_publishes_atomically_arrives_whole(nats_server: NatsEngine) -> None:
    client = await connect(nats_server.url("gateway"), name="test")
    first = {"Nats-Batch-Id": "b1", "Nats-Batch-Sequence": "1"}
    await client.publish("dmz.frame.v1.3", b"frames", headers=first)
    last = {"Nats-Batch-Id": "b1", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}
    answer = await client.request("dmz.mark.v1.7", b"mark", timeout=5, headers=last)
    assert b'"seq":2' in answer.data.replace(b" ", b"")
    await client.close()


async def test_the_gateway_user_may_not_touch_core_subjects(nats_server: NatsEngine) -> None:
    client = await connect(nats_server.url("gateway"), name="test")
    with pytest.raises(NatsTimeoutError):
        await client.jetstream().publish("core.reading.v1.1", b"x", timeout=0.5)
    await client.close()


async def test_a_bus_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(BusError, match="ConnectionRefusedError"):
        await asyncio.wait_for(connect(f"nats://core:word@127.0.0.1:{free_port()}", name="test"), 10)
