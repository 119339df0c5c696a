"""Our client reads the meter simulator of ``pydlms-client``, in suites 0 and 1, with the wrapper and in HDLC."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.peers.environments import Peer
from tests.peers.result import Cell, Outcome, ok

from openami.app.devices.reading import Reading, Wanted, read_meter
from openami.kernel.errors import OpenAmiError
from openami.kernel.obis import Obis
from openami.network.adapters.hdlc_client import HdlcTcpExchange
from openami.network.adapters.wrapper_client import WrapperTcpExchange
from openami.network.exchange import ApduExchange
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.client import ClientSettings, fetch_invocation_counter
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.drive import drive_async
from openami.protocol.association.form import Form
from openami.protocol.association.keys import Keys
from openami.protocol.association.protection import Protection
from openami.protocol.envelope.link import HdlcAddress, LinkParameters
from openami.security.suites.curve import public_key_of

HOST = "127.0.0.1"
OWN_TITLE, METER_TITLE = b"OAMHEAD1", b"PYD\x00\x00\x00\x00\x01"
DELIVERED, RECEIVED, PROFILE = "1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.99.1.0.255"
DAY = datetime(2024, 5, 1, tzinfo=UTC)
"""What the simulator's example meter holds: this clock, these registers, these 96 rows."""
CLOCK = datetime(2024, 5, 1, 10, tzinfo=UTC)
REGISTERS = {DELIVERED: 12_345_678, RECEIVED: 4_321}
ROWS = tuple((DAY + timedelta(minutes=15) * i, 1_000 + 7 * i) for i in range(96))
OUR_SCALAR, METER_SCALAR = bytes((12,)) * 32, bytes((11,)) * 32


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask."""

    framing: str
    suite: int
    mechanism: Mechanism
    form: Form
    window: int = 1
    pushes: str = ""
    """The kind of HDLC frame that a push before each answer comes in (ui or i); the wrapper knows one kind."""

    def __str__(self) -> str:
        window = f", window {self.window}" if self.framing == "hdlc" else ""
        how = f"{self.mechanism.name.lower()}, {self.form.value}"
        pushes = f", a push before each answer ({self.pushes})" if self.pushes else ""
        return f"our client, its meter, {self.framing}{window}, suite {self.suite}, {how}{pushes}"


WAYS = (
    Way("wrapper", 0, Mechanism.HIGH_GMAC, Form.GLO),
    Way("wrapper", 0, Mechanism.HIGH_GMAC, Form.GENERAL_GLO),
    Way("hdlc", 0, Mechanism.HIGH_GMAC, Form.GLO),
    Way("hdlc", 0, Mechanism.HIGH_GMAC, Form.GLO, window=7),
    Way("wrapper", 1, Mechanism.HIGH_GMAC, Form.GLO),
    Way("wrapper", 1, Mechanism.HIGH_ECDSA, Form.GLO),
    Way("wrapper", 0, Mechanism.HIGH_GMAC, Form.GLO, pushes="i"),
    Way("hdlc", 0, Mechanism.HIGH_GMAC, Form.GLO, window=3, pushes="i"),
    Way("hdlc", 0, Mechanism.HIGH_GMAC, Form.GLO, window=3, pushes="ui"),
)


async def cells_of(peer: Peer) -> list[Cell]:
    """Ask the simulator in every way."""
    return [cell for way in WAYS for cell in await _asked(peer, way)]


async def _asked(peer: Peer, way: Way) -> list[Cell]:
    operations = ("associate", "clock", "registers", "96 rows by range")
    key, auth_key = secrets.token_bytes(16), secrets.token_bytes(16)
    task: dict[str, Any] = {
        "title": METER_TITLE.hex(),
        "key": key.hex(),
        "auth_key": auth_key.hex(),
        "client": 1,
        "suite": way.suite,
        "mechanism": int(way.mechanism),
        "framing": way.framing,
        "window": way.window,
        "pushes": way.pushes,
        "meter_private": METER_SCALAR.hex(),
        "client_public": public_key_of(OUR_SCALAR, suite=1).hex(),
    }
    keys = Keys(key, auth_key)
    if way.mechanism is Mechanism.HIGH_ECDSA:
        keys = Keys(key, auth_key, signing=OUR_SCALAR, peer_signing=public_key_of(METER_SCALAR, suite=1))
    with peer.serving("pydlms_meter", task) as served:
        try:
            reading = await _read(way, keys, served["port"])
        except OpenAmiError as error:
            return [Cell(peer.name, str(way), operation, Outcome.FAILED, str(error)) for operation in operations]
    found = {str(name): value for name, (value, _) in reading.registers.items()}
    return [
        ok(peer.name, str(way), "associate", holds=reading.title == METER_TITLE),
        ok(peer.name, str(way), "clock", holds=reading.clock == CLOCK, detail=str(reading.clock)),
        ok(peer.name, str(way), "registers", holds=found == REGISTERS, detail=str(found)),
        ok(peer.name, str(way), "96 rows by range", holds=reading.rows == ROWS, detail=f"{len(reading.rows)} rows"),
    ]


async def _read(way: Way, keys: Keys, port: int) -> Reading:
    control = 0x30 | way.suite
    public = await _open(way, port, 16)
    counter = await drive_async(
        fetch_invocation_counter(Obis.from_text("0.0.43.1.0.255")), sealing=None, exchange=public.exchange
    )
    await public.close()
    protection = Protection(
        own_title=OWN_TITLE, keys=keys, control=control, send=CountUp(counter + 1), received=RisingCounter()
    )
    settings = ClientSettings(way.mechanism, control, way.form, own_title=OWN_TITLE, expected_title=METER_TITLE)
    wanted = Wanted(tuple(Obis.from_text(n) for n in REGISTERS), Obis.from_text(PROFILE), DAY, DAY + timedelta(days=1))
    exchange = await _open(way, port, 1)
    try:
        return await read_meter(
            settings,
            wanted,
            protection=protection,
            exchange=exchange.exchange,
            challenge=secrets.token_bytes(32),
        )
    finally:
        await exchange.close()


async def _open(way: Way, port: int, client: int) -> ApduExchange:
    if way.framing == "wrapper":
        return await WrapperTcpExchange.open(HOST, port, client=client)
    return await HdlcTcpExchange.open(
        HOST,
        port,
        client=HdlcAddress(client),
        server=HdlcAddress(1),
        parameters=LinkParameters(512, 512, way.window, way.window),
    )
