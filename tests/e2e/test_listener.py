"""A meter with an address of its own pushes to the listener, over UDP and over TCP, and its reads are in the store.

The push is the captured one of a Landis+Gyr E450, in its own HDLC frames, under its published key. The platform is
started without any demonstration: nothing but the listener brings frames to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import free_port
from tests.e2e.conftest import announced, stop
from tests.e2e.own_meter import OwnMeter, installed, place_made, shipped, until
from tests.e2e.test_e450 import SHOWN, registers, telegram

from openami.app.engines.rooms import room_database
from openami.app.settings import Settings
from openami.headend.adapters.postgres import PostgresHeadendStatus
from openami.headend.api import RefusedFrame
from openami.headend.inspection.telegram import apdus_of, detect_framing
from openami.network.gateway.refused import QuarantinedFrame, newest_refused
from openami.protocol import apdu
from openami.protocol.envelope import wrap
from openami.security.suites.gcm import open_sealed, seal

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(300)]
TOTAL = "1.0.1.8.0.255"
REGISTERS = 6
"""Registers of the captured push that have a channel."""


@pytest.fixture(scope="module")
def listening() -> Iterator[Settings]:
    """A platform with a listener and no meters."""
    folder = Path(tempfile.mkdtemp(prefix="oa-listen-"))
    folder.chmod(0o755)
    options = [x for o in ("port", "gateway-port", "nats-port", "listen") for x in (f"--{o}", str(free_port()))]
    process, status = announced(folder / "home", "up", tuple(options), timeout_s=120)
    try:
        assert "listener" in {p["name"] for p in status["processes"]}
        yield Settings.load(folder / "home")
    finally:
        stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def port_of(settings: Settings) -> int:
    assert settings.listener_port is not None
    return settings.listener_port


def by_datagram(settings: Settings, octets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as meter:
        meter.sendto(octets, ("127.0.0.1", port_of(settings)))


def by_connection(settings: Settings, octets: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port_of(settings)), timeout=10) as meter:
        # A slow radio: frames come in pieces.
        for at in range(0, len(octets), 100):
            meter.sendall(octets[at : at + 100])


async def all_registers(settings: Settings, meter: OwnMeter) -> dict[str, tuple[datetime, int]]:
    """Return the reads of a meter once all of a push are stored."""
    found = await registers(settings, meter)
    return found if len(found) == REGISTERS else {}


async def letters(settings: Settings, title: bytes) -> list[RefusedFrame]:
    async with room_database(settings, "openami_headend") as engine:
        found = await PostgresHeadendStatus(engine).dead_letters(500)
    return [x for x in found if x.system_title == title.hex()]


async def quarantined(settings: Settings) -> list[QuarantinedFrame]:
    return await asyncio.to_thread(newest_refused, settings.home.folder("gateway"), limit=100)


def resealed_for(published: dict[str, Any], keys: dict[str, bytes], title: bytes, own: dict[str, bytes]) -> bytes:
    """Return the captured content as another meter of the model seals it."""
    octets = bytes.fromhex(published["hex"])
    (message,) = apdus_of(octets, detect_framing(octets))
    assert isinstance(message, bytes)
    sealed = apdu.decode(message)
    assert isinstance(sealed, apdu.GeneralGloCiphering)
    first = bytes.fromhex(published["security"]["system_title"])
    plaintext = open_sealed(first, sealed.sealed_body, key=keys["encryption_key"], auth_key=keys["authentication_key"])
    body = seal(title, 1, plaintext, key=own["encryption_key"], auth_key=own["authentication_key"])
    return wrap(1, 103, apdu.general_glo(title, body))


async def test_a_captured_push_over_udp_and_tcp_ends_as_register_reads(listening: Settings, shared_data: Path) -> None:
    settings, published = listening, telegram(shared_data)
    keys = {f"{use}_key": bytes.fromhex(key) for use, key in published["keys"].items()}
    title = bytes.fromhex(published["security"]["system_title"])
    meter: OwnMeter = await shipped(settings, title=title, profile="lg-e450", zone="Europe/Vienna", **keys)
    place = await place_made(settings, zone="Europe/Vienna", cell="Vienna")
    await installed(settings, meter, place, since=datetime(2022, 2, 20, 23, tzinfo=UTC))
    octets, numbers, at = bytes.fromhex(published["hex"]), published["expected"]["numbers"], SHOWN.astimezone(UTC)

    by_datagram(settings, octets)
    kept = await until(lambda: all_registers(settings, meter), what="the push that came over UDP is in the store")
    assert kept[TOTAL] == (at, int(numbers[TOTAL]))

    by_connection(settings, octets)

    async def replays() -> list[RefusedFrame]:
        return [x for x in await letters(settings, title) if x.reason == "replay"]

    # The same push again, over TCP: it came all the way and was known.
    assert len(await until(replays, what="the push that came over TCP is a replay")) == 1
    assert await registers(settings, meter) == kept


async def test_a_push_over_tcp_that_is_new_is_stored(listening: Settings, shared_data: Path) -> None:
    settings, published = listening, telegram(shared_data)
    keys = {f"{use}_key": bytes.fromhex(key) for use, key in published["keys"].items()}
    # Another meter of the model with the same figures.
    title = b"LGZ" + bytes.fromhex("6773700002")
    meter = await shipped(settings, title=title, profile="lg-e450", zone="Europe/Vienna")
    place = await place_made(settings, zone="Europe/Vienna", cell="Vienna")
    await installed(settings, meter, place, since=datetime(2022, 2, 20, 23, tzinfo=UTC))
    own = {"encryption_key": meter.identity.encryption_key, "authentication_key": meter.identity.authentication_key}
    by_connection(settings, resealed_for(published, keys, title, own))
    kept = await until(lambda: all_registers(settings, meter), what="the push that came over TCP is in the store")
    assert kept[TOTAL][1] == int(published["expected"]["numbers"][TOTAL])


async def test_a_push_that_reached_the_listeners_disk_survives_its_death(
    listening: Settings, shared_data: Path
) -> None:
    settings, published = listening, telegram(shared_data)
    keys = {f"{use}_key": bytes.fromhex(key) for use, key in published["keys"].items()}
    title = b"LGZ" + bytes.fromhex("6773700003")
    meter = await shipped(settings, title=title, profile="lg-e450", zone="Europe/Vienna")
    place = await place_made(settings, zone="Europe/Vienna", cell="Vienna")
    await installed(settings, meter, place, since=datetime(2022, 2, 20, 23, tzinfo=UTC))
    own = {"encryption_key": meter.identity.encryption_key, "authentication_key": meter.identity.authentication_key}

    pids = {p["name"]: int(p["pid"]) for p in status_of(settings)["processes"]}
    before = spooled_octets(settings)
    # The gateway takes nothing now, so the push can only wait where the listener has put it.
    os.kill(pids["gateway"], signal.SIGSTOP)
    try:
        by_datagram(settings, resealed_for(published, keys, title, own))
        await until(lambda: grown(settings, before), what="the push is on the listener's disk")
        await asyncio.sleep(0.3)
        os.kill(pids["listener"], signal.SIGKILL)
    finally:
        os.kill(pids["gateway"], signal.SIGCONT)
    kept = await until(lambda: all_registers(settings, meter), what="the push is in the store after all")
    assert kept[TOTAL][1] == int(published["expected"]["numbers"][TOTAL])
    await until(lambda: another_listener(settings, pids["listener"]), what="a new listener takes connections")
    assert await letters(settings, title) == []


async def another_listener(settings: Settings, pid: int) -> bool:
    # The status is written every second or so: a kill shows in it a little later. A process that runs is not one that
    # listens: its port opens when it has loaded.
    if not any(p["name"] == "listener" and p["pid"] not in {None, pid} for p in status_of(settings)["processes"]):
        return False
    try:
        with socket.create_connection(("127.0.0.1", port_of(settings)), timeout=10):
            return True
    except ConnectionRefusedError:
        return False


def status_of(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((settings.home.path / "run" / "status.json").read_text())
    return found


def spooled_octets(settings: Settings) -> int:
    return sum(f.stat().st_size for f in (settings.home.path / "listener").rglob("line-*/*") if f.is_file())


async def grown(settings: Settings, before: int) -> bool:
    return spooled_octets(settings) > before


async def test_a_push_in_the_clear_and_one_without_a_tag_are_refused_by_name(
    listening: Settings, shared_data: Path
) -> None:
    listed = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())["telegrams"]
    hexes = {t["name"]: bytes.fromhex(t["hex"]) for t in listed}
    by_datagram(listening, hexes["dlms_parser/hdlc_norway_han_1phase"])
    by_connection(listening, hexes["dlms_parser/mbus_netz_noe_p1"])

    async def refused() -> dict[str, QuarantinedFrame]:
        found = {x.system_title: x for x in await quarantined(listening) if x.reason == "downgrade"}
        return found if len(found) == 2 else {}

    found = await until(refused, what="both are in the quarantine")
    assert set(found) == {"00" * 8, "4b464d6750000009"}
    # Of the push in the clear nothing is kept but the wrapper header and its tag.
    assert found["00" * 8].octets == 9
