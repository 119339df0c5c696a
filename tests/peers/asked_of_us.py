"""Clients of other makers read our meter: associate, clock, registers, 96 rows by range; and what must not work."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.peers.environments import Peer
from tests.peers.result import Cell, Outcome, ok
from tests.peers.suite_one import CLIENT_SCALAR, METER_SCALAR, SuiteOneServer

from openami.app.bench.peers import PeerUnavailableError
from openami.app.devices.lone_meter import LoneMeter, shipped_meter
from openami.network.adapters.meter_server import serve_hdlc_tcp, serve_wrapper_tcp, serve_wrapper_udp
from openami.network.exchange import MeterSession, OpenSession
from openami.protocol.envelope.link import HdlcAddress, LinkParameters
from openami.security.suites.curve import public_key_of

HOST = "127.0.0.1"
DELIVERED, RECEIVED, PROFILE = "1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.99.1.0.255"
CLIENTS = {"pydlms-client": "pydlms_client", "dlms-cosem": "dlms_cosem_client", "gurux-dlms": "gurux_client"}
FRAMINGS = {
    "pydlms-client": ("wrapper", "udp", "hdlc", "hdlc window 7", "wrapper signed"),
    "dlms-cosem": ("wrapper", "hdlc"),
    "gurux-dlms": ("wrapper", "hdlc"),
}
"""How each client can ask; wrapper is over TCP, udp is the wrapper over UDP, signed is HLS with ECDSA in suite 1."""
TRIES = {("dlms-cosem", "hdlc"): 5}
"""It takes the last octet of a frame check for the closing flag where it is 0x7E, and then waits for ever: one session
in eight of some thirty frames. The others begin once."""
MORE = {
    "pydlms-client": ("objects", "listed", "accessed", "entries", "clock_set", "switch"),
    "dlms-cosem": ("objects", "switch"),
    "gurux-dlms": ("objects", "entries", "switch"),
}
"""What each client does beside reading."""
NAMES = {
    "objects": "object list and access rights",
    "listed": "GET with list",
    "accessed": "ACCESS",
    "entries": "rows by entry",
    "clock_set": "SET of the clock",
    "switch": "ACTION on the switch",
}
READS = ("associate", "clock", "registers", "96 rows by range", "release")
HLS_GMAC, HLS_ECDSA = 5, 7
COUNTER_STEP = 1_000
ROWS = 96
ENTRIES = 4
MANAGEMENT = 1
CLOCK_TOLERANCE = timedelta(seconds=60)
CIPHERED = (0xCC, 0xDB)
"""glo-get-response and general-glo-ciphering: how clients ask to be answered."""
ACCEPTS_ALTERED = {"gurux-dlms": "does not compare the tag of authenticated and encrypted answers"}
"""Peers that are known to take an answer whose tag is wrong."""


@dataclass(frozen=True, slots=True)
class _Altering:
    """A session whose ciphered answers have one bit of their tag flipped on the way."""

    session: MeterSession

    def receive(self, apdu: bytes) -> Sequence[bytes]:
        return [a[:-1] + bytes((a[-1] ^ 1,)) if a[0] in CIPHERED else a for a in self.session.receive(apdu)]

    def close(self) -> None:
        self.session.close()


class Served:
    """Our meter on two sockets, and the tasks that clients are given."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        self.shipped = shipped_meter(folder / "meter.json", secret=secrets.token_bytes, now=now)
        self.lone = LoneMeter(
            self.shipped,
            counters=folder / "counters",
            now=lambda: datetime.now(UTC),
            dice=secrets.token_bytes,
            zone=ZoneInfo("America/Chicago"),
        )
        self.end = now.replace(minute=0, second=0, microsecond=0)
        self.start = self.end - timedelta(minutes=15) * (ROWS - 1)
        self._counter = COUNTER_STEP
        self.ports: dict[str, int] = {}

    def task(self, framing: str, **changes: Any) -> dict[str, Any]:
        """Return what a driver needs; every task begins with counters of its own, as a client that remembers does."""
        self._counter += COUNTER_STEP
        is_signed = framing.endswith("signed")
        return {
            "host": HOST,
            "port": self.ports[framing.partition(" window")[0]],
            "framing": framing.partition(" ")[0],
            "window": 7 if framing.endswith("window 7") else 1,
            "client": 1,
            "server": 1,
            "suite": int(is_signed),
            "mechanism": HLS_ECDSA if is_signed else HLS_GMAC,
            "client_private": CLIENT_SCALAR.hex(),
            "meter_public": public_key_of(METER_SCALAR, suite=1).hex(),
            "client_title": b"OAMHEAD1".hex(),
            "key": self.shipped.encryption_key.reveal().hex(),
            "auth_key": self.shipped.authentication_key.reveal().hex(),
            "counter": self._counter,
            "registers": [DELIVERED, RECEIVED],
            "profile": PROFILE,
            "clock": datetime.now(UTC).isoformat(),
            "more": False,
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
        } | changes

    def altering(self, client: int, server: int) -> _Altering | None:
        """Begin a session that is altered on the way."""
        session = self.lone.open_session(client, server)
        return None if session is None else _Altering(session)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    """Serve our meter with the wrapper, in HDLC, and with the wrapper and altered answers."""
    meter = Served(folder)
    suite_one = SuiteOneServer(
        meter.lone.meter.device,
        meter.shipped.system_title.octets,
        meter.shipped.encryption_key.reveal(),
        meter.shipped.authentication_key.reveal(),
    )
    opens: dict[str, OpenSession] = {
        "wrapper": meter.lone.open_session,
        "wrapper altered": meter.altering,
        "wrapper signed": suite_one.open_session,
    }
    listeners = {name: await serve_wrapper_tcp(opening, host=HOST, port=0) for name, opening in opens.items()}
    listeners["hdlc"] = await serve_hdlc_tcp(
        meter.lone.open_session,
        host=HOST,
        port=0,
        address=HdlcAddress(1),
        parameters=LinkParameters(512, 512, 7, 7),
    )
    datagrams = await serve_wrapper_udp(meter.lone.open_session, host=HOST, port=0)
    meter.ports = {name: listener.port for name, listener in listeners.items()} | {"udp": datagrams.port}
    yield meter
    await datagrams.close()
    for listener in listeners.values():
        await listener.close()


async def cells_of(peer: Peer, folder: Path) -> list[Cell]:
    """Let one client do everything."""
    library = peer.name.partition(" ")[0]
    found: list[Cell] = []
    async with served(folder) as meter:
        for framing in FRAMINGS[library]:
            found += await _reads(peer, CLIENTS[library], meter, framing)
        found += await _does_more(peer, library, meter)
        found += [await _other_key(peer, CLIENTS[library], meter), await _altered(peer, library, meter)]
    return found


def count_of(library: str) -> int:
    """Return how many cells a client has."""
    return len(FRAMINGS[library]) * len(READS) + len(MORE[library]) + 2


async def _reads(peer: Peer, driver: str, meter: Served, framing: str) -> list[Cell]:
    suite = 1 if framing.endswith("signed") else 0
    way = f"its client, our meter, {framing}, suite {suite}"
    library = peer.name.partition(" ")[0]
    for left in reversed(range(TRIES.get((library, framing), 1))):
        try:
            said = await asyncio.to_thread(peer.run, driver, meter.task(framing))
            break
        except PeerUnavailableError as error:
            if not left:
                return [Cell(peer.name, way, operation, Outcome.FAILED, str(error)) for operation in READS]
    delivered, received = meter.lone.meter.registers.shown_wh()
    registers = {name: said["registers"].get(name, {}) for name in (DELIVERED, RECEIVED)}
    shown = {DELIVERED: int(delivered[0]), RECEIVED: int(received[0])}
    near = all(0 <= shown[name] - register.get("value", -1) <= 1 for name, register in registers.items())
    watt_hours = all((register.get("scaler"), register.get("unit")) == (0, 30) for register in registers.values())
    clock = _instant(said["clock"])
    rows = [[_instant(row[0]), *row[1:]] for row in said["rows"]]
    kept = [
        [r.end, r.status, r.delivered_wh, r.received_wh, r.voltage_dv]
        for r in meter.lone.meter.profile
        if meter.start <= r.end <= meter.end
    ]
    return [
        ok(peer.name, way, READS[0], holds=True),
        ok(peer.name, way, "clock", holds=abs(clock - datetime.now(UTC)) < CLOCK_TOLERANCE, detail=str(clock)),
        ok(peer.name, way, "registers", holds=near and watt_hours, detail=str(registers)),
        ok(peer.name, way, "96 rows by range", holds=rows == kept and len(rows) == ROWS, detail=f"{len(rows)} rows"),
        ok(peer.name, way, "release", holds=True),
    ]


async def _does_more(peer: Peer, library: str, meter: Served) -> list[Cell]:
    way = "its client, our meter, wrapper, suite 0"
    lone = meter.lone.meter
    try:
        said = await asyncio.to_thread(peer.run, CLIENTS[library], meter.task("wrapper", more=True))
    except PeerUnavailableError as error:
        return [Cell(peer.name, way, NAMES[name], Outcome.FAILED, str(error)) for name in MORE[library]]
    shown = sorted([o.class_id, str(o.instance)] for o in lone.device.objects if o.is_shown_to(MANAGEMENT))
    current = [15, "0.0.40.0.0.255"]
    energy = [int(wh[0]) for wh in lone.registers.shown_wh()]
    is_near = {
        name: all(0 <= now - then <= 1 for now, then in zip(energy, said.get(name, energy), strict=True))
        for name in ("listed", "accessed")
    }
    holds = {
        "objects": sorted(said["objects"]) == sorted([*shown, current]),
        "listed": is_near["listed"],
        "accessed": is_near["accessed"],
        "entries": said.get("entries") == ENTRIES,
        "clock_set": said.get("clock_set") is True,
        "switch": said["switch"] == [True, False, lone.state.switch.is_closed],
    }
    return [ok(peer.name, way, NAMES[name], holds=holds[name], detail=str(said[name])[:200]) for name in MORE[library]]


async def _other_key(peer: Peer, driver: str, meter: Served) -> Cell:
    task = meter.task("wrapper", auth_key=secrets.token_hex(16))
    way, operation = "its client, our meter, wrapper, suite 0", "refused with another key"
    try:
        await asyncio.to_thread(peer.run, driver, task)
    except PeerUnavailableError as error:
        return ok(peer.name, way, operation, holds=True, detail=str(error)[:80])
    return ok(peer.name, way, operation, holds=False, detail="it was served")


async def _altered(peer: Peer, library: str, meter: Served) -> Cell:
    way, operation = "its client, our meter, wrapper, suite 0", "refuses an answer with a wrong tag"
    try:
        await asyncio.to_thread(peer.run, CLIENTS[library], meter.task("wrapper altered"))
    except PeerUnavailableError as error:
        return ok(peer.name, way, operation, holds=True, detail=str(error)[:80])
    known = ACCEPTS_ALTERED.get(library)
    return Cell(peer.name, way, operation, Outcome.NOTED if known else Outcome.FAILED, known or "it took the answer")


def _instant(text: str) -> datetime:
    """Return the instant; dlms-cosem leaves the zone out where the deviation is 0."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
