"""Between machines the bus speaks TLS to holders of our certificates alone, and we to no other bus."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import free_port

from openami.app.engines.bus_address import BusError
from openami.app.engines.nats import NatsEngine, connect
from openami.app.settings import real_now
from openami.security.pki import Identity, Role, ensure_identity

pytestmark = [pytest.mark.engines, pytest.mark.enable_socket]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def bus(pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsEngine]:
    """A real server whose certificate names 127.0.0.1."""
    identity = ensure_identity(pki, role=Role.BUS, number=1, now=real_now(), hosts=("127.0.0.1",))
    engine = NatsEngine(tmp_path_factory.mktemp("nats"), "127.0.0.1", free_port(), tls=identity)
    engine.prepare()
    process = subprocess.Popen(engine.command(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not engine.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield engine
    process.terminate()
    process.wait(20)


def holder(pki: Path, role: Role = Role.SERVICE) -> Identity:
    return ensure_identity(pki, role=role, number=1, now=real_now())


def address(engine: NatsEngine, identity: Identity, *, authority: Path | None = None, host: str = "127.0.0.1") -> str:
    words = f"sslrootcert={authority or identity.authority}&sslcert={identity.certificate}&sslkey={identity.key}"
    return f"{engine.url('core').replace('127.0.0.1', host)}?{words}"


async def test_a_holder_of_our_certificate_is_let_in(pki: Path, bus: NatsEngine) -> None:
    client = await connect(address(bus, holder(pki)), name="test")
    assert client.is_connected
    await client.close()


async def test_without_a_certificate_nobody_is(pki: Path, bus: NatsEngine) -> None:
    with pytest.raises(BusError):
        await connect(f"{bus.url('core')}?sslrootcert={pki / 'ca.pem'}", name="test")


async def test_in_the_clear_nobody_is(bus: NatsEngine) -> None:
    with pytest.raises(BusError):
        await connect(bus.url("core").replace("tls://", "nats://"), name="test")


async def test_a_holder_of_another_authority_is_not(pki: Path, bus: NatsEngine, tmp_path: Path) -> None:
    stranger = ensure_identity(tmp_path, role=Role.SERVICE, number=1, now=real_now())
    with pytest.raises(BusError):
        await connect(address(bus, stranger, authority=pki / "ca.pem"), name="test")


async def test_we_speak_to_no_bus_of_another_authority_or_another_name(
    pki: Path, bus: NatsEngine, tmp_path: Path
) -> None:
    ours = holder(pki)
    other = ensure_identity(tmp_path, role=Role.BUS, number=1, now=real_now()).authority
    for text in (address(bus, ours, authority=other), address(bus, ours, host="localhost")):
        with pytest.raises(BusError):
            await connect(text, name="test")


async def test_a_collectors_certificate_makes_no_bus(pki: Path, tmp_path: Path) -> None:
    stolen = holder(pki, Role.COLLECTOR)
    engine = NatsEngine(tmp_path, "127.0.0.1", free_port(), tls=stolen)
    engine.prepare()
    process = subprocess.Popen(engine.command(), stderr=subprocess.DEVNULL)
    try:
        await asyncio.sleep(0.3)
        with pytest.raises(BusError):
            await connect(address(engine, holder(pki)), name="test")
    finally:
        process.terminate()
        process.wait(20)


async def test_a_server_that_says_it_needs_no_encryption_hears_no_password(pki: Path) -> None:
    heard = bytearray()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.12.0","max_payload":1048576,"tls_required":false}\r\n')
        while octets := await reader.read(4096):
            heard.extend(octets)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ours = holder(pki)
    words = f"sslrootcert={ours.authority}&sslcert={ours.certificate}&sslkey={ours.key}"
    with pytest.raises(BusError):
        await connect(f"tls://core:word@127.0.0.1:{port}?{words}", name="test")
    server.close()
    assert b"word" not in heard
    assert b"CONNECT" not in heard
