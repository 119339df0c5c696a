"""Counters survive kills in the database, and nobody but the two processes says or hears commands on the bus."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.conftest import ROOT

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.app.engines.nats import NatsEngine
from openami.app.engines.postgres import PostgresEngine
from openami.contracts.command import Refusal
from openami.headend.adapters.counter_epoch import CounterEpoch
from openami.headend.adapters.send_counters import PostgresCounterReserve
from openami.headend.command.counters import BLOCK
from openami.headend.command.ports import CommandRefusedError
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.shipment import parse_shipment

KILLS = 30
pytestmark = pytest.mark.engines


async def ship(postgres: PostgresEngine, folder: Path) -> PushFactory:
    root = FileRootKey(folder / "root.key")
    root.ensure()
    factory = PushFactory(meters=2)
    engine = create_async_engine(postgres.url("openami_security"))
    shipment = parse_shipment(json.dumps(factory.shipment()).encode())
    await PostgresVault(engine, root).import_shipment(shipment, at=FIRST_END)
    await engine.dispose()
    return factory


async def test_a3_thirty_kills_give_no_counter_twice(postgres: PostgresEngine, tmp_path: Path) -> None:
    factory = await ship(postgres, tmp_path)
    taken = tmp_path / "taken"
    url, meter = postgres.url("openami_security"), str(factory.meters[0].meter_id)
    command = [sys.executable, "-m", "tests.integration.downlink.counting", url, meter, str(taken), str(KILLS)]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    counters = [int(line) for line in taken.read_text().split()]
    assert len(counters) > KILLS // 2
    assert len(set(counters)) == len(counters)


@pytest.mark.attack("A3")
async def test_blocks_of_two_processes_lie_beside_each_other_and_end_before_the_counter_does(
    postgres: PostgresEngine, tmp_path: Path
) -> None:
    factory = await ship(postgres, tmp_path)
    meter = factory.meters[0].meter_id
    engines = [create_async_engine(postgres.url("openami_security")) for _ in range(2)]
    epochs = [CounterEpoch(e, tmp_path / f"epoch{n}", lambda: 1_000) for n, e in enumerate(engines)]
    for epoch in epochs:
        await epoch.renew()
    # The second found another's token and no home of its own: it may be one that was lost.
    async with engines[0].begin() as connection:
        await connection.execute(text("delete from security.counter_epoch"))
    one, two = (PostgresCounterReserve(e, epoch) for e, epoch in zip(engines, epochs, strict=True))
    firsts = await asyncio.gather(*(r.reserve(meter, 1, count=BLOCK) for r in (one, two) for _ in range(10)))
    assert sorted(firsts) == list(range(1, 20 * BLOCK, BLOCK))
    rest = 2**32 - (20 * BLOCK + 1)
    assert await one.reserve(meter, 1, count=rest) == 20 * BLOCK + 1
    with pytest.raises(CommandRefusedError, match="rotate") as caught:
        await two.reserve(meter, 1, count=1)
    assert caught.value.refusal is Refusal.UNKNOWN_TITLE
    assert await two.reserve(meter, 2, count=1) == 1
    for engine in engines:
        await engine.dispose()


MAY_NOT_SAY = [
    ("core", "core.command.v1", "A17 the web says a command"),
    ("core", "core.outcome.v1", "A17 the web says an outcome"),
    ("core", "core.sealing.v1.seal", "A17 the web asks for a seal"),
    ("core", "core.sealing.v1.send", "A17 the web asks to send"),
    ("core_headend", "core.outcome.v1", "the head-end says an outcome"),
    ("core_command", "core.reading.v1.0", "the command process says a reading"),
    ("gateway", "dmz.command.v1", "A17 the gateway says a command to itself"),
    ("headend_dmz", "dmz.command.v1", "the head-end says a command past the command process"),
    ("gateway", "dmz.directive.v1.2.0", "A17 the gateway says a directive to itself"),
    ("headend_dmz", "dmz.directive.v1.2.0", "the head-end says a directive past the command process"),
    ("core", "dmz.directive.v1.2.0", "A17 the web says a directive"),
    ("command_dmz", "dmz.frame.v1.0", "the command process says a frame"),
    ("command_dmz", "dmz.outcome.v1", "the command process says an outcome for the gateway"),
    ("headend_dmz", "dmz.threshold.v1.1", "the head-end says that a threshold was reached"),
    ("command_dmz", "dmz.threshold.v1.1", "the command process says that a threshold was reached"),
    ("core", "dmz.threshold.v1.1", "A33 the web drowns the gateway's words"),
]
MAY_NOT_HEAR = [
    ("core", "core.sealing.v1.*", "A17 the web reads plain APDUs"),
    ("core_headend", "core.sealing.v1.*", "a head-end reads another's plain APDUs"),
    ("headend_dmz", "dmz.command.v1", "the head-end hears commands"),
    ("gateway", "dmz.outcome.v1", "the gateway hears another's outcomes"),
]


async def denials(engine: NatsEngine, user: str, *, publish: str = "", subscribe: str = "") -> list[str]:
    """Return what the server said against it."""
    said: list[str] = []
    client = Client()

    async def note(error: Exception) -> None:
        said.append(str(error).lower())

    await client.connect(engine.url(user), error_cb=note, allow_reconnect=False)
    try:
        if subscribe:
            await client.subscribe(subscribe)
        if publish:
            await client.publish(publish, b"x")
        await client.flush()
        await asyncio.sleep(0.05)
    except NatsError as error:
        said.append(str(error).lower())
    finally:
        await client.close()
    return [s for s in said if "permissions violation" in s]


async def test_a17_only_the_two_processes_say_and_hear_commands(nats_server: NatsEngine) -> None:
    for user, subject, what in MAY_NOT_SAY:
        assert await denials(nats_server, user, publish=subject), what
    for user, subject, what in MAY_NOT_HEAR:
        assert await denials(nats_server, user, subscribe=subject), what
    for user, subject in (("core_headend", "core.sealing.v1.seal"), ("command_dmz", "dmz.command.v1")):
        assert not await denials(nats_server, user, publish=subject)
    for user, subject in (("core_command", "core.sealing.v1.seal"), ("gateway", "dmz.command.v1")):
        assert not await denials(nats_server, user, subscribe=subject)


def test_a_home_of_an_earlier_release_gets_the_new_users_and_keeps_the_old_passwords(tmp_path: Path) -> None:
    engine = NatsEngine(tmp_path, "127.0.0.1", 4222)
    (tmp_path / "users.json").write_text(json.dumps({"core": "kept", "gateway": "kept too"}))
    engine.prepare()
    words = json.loads((tmp_path / "users.json").read_text())
    assert (words["core"], words["gateway"]) == ("kept", "kept too")
    assert len(set(words.values())) == 8
