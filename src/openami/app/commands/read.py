"""``openami read``: associate with a meter and read it, without a running platform."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.kernel.errors import MisuseError
from openami.kernel.obis import BadObisError, Obis
from openami.kernel.quantity import scaled, unit_symbol

if TYPE_CHECKING:
    from openami.app.devices.reading import Reading, Wanted
    from openami.network.exchange import ApduExchange
    from openami.security.keys.shipment import ShippedMeter

MAKER = b"OAM"
DEFAULT_REGISTERS = "1.0.1.8.0.255,1.0.2.8.0.255"
LOAD_PROFILE = "1.0.99.1.0.255"
COUNTER = "0.0.43.1.0.255"
CLOCK_NAME = "0.0.1.0.0.255"
PUBLIC_CLIENT = 16
CHALLENGE_OCTETS = 16
AUTHENTICATED_AND_ENCRYPTED = 0x30


class Way(Enum):
    """How the octets travel."""

    TCP = "tcp"
    UDP = "udp"
    HDLC = "hdlc"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the meter is."""

    host: str
    port: int
    way: Way
    server: int

    async def open(self, client: int) -> ApduExchange:
        """Return a way to the meter for one client."""
        from openami.network.adapters.hdlc_client import HdlcTcpExchange
        from openami.network.adapters.wrapper_client import WrapperTcpExchange, WrapperUdpExchange
        from openami.protocol.envelope.link import HdlcAddress, LinkParameters

        if self.way is Way.UDP:
            return await WrapperUdpExchange.open(self.host, self.port, client=client, server=self.server)
        if self.way is Way.TCP:
            return await WrapperTcpExchange.open(self.host, self.port, client=client, server=self.server)
        return await HdlcTcpExchange.open(
            self.host,
            self.port,
            client=HdlcAddress(client),
            server=HdlcAddress(self.server),
            parameters=LinkParameters(512, 512, 7, 7),
        )


def read(
    meter: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where the meter is.")],
    keys: Annotated[Path, typer.Option(help="Shipment file with the meter's keys.")],
    title: Annotated[
        str | None, typer.Option(metavar="HEX", help="System title of the meter, where the file has several.")
    ] = None,
    client: Annotated[int, typer.Option(help="Client address: 1 management, 32 reader.", min=1, max=127)] = 1,
    server: Annotated[int, typer.Option(help="Logical device.", min=0, max=127)] = 1,
    way: Annotated[Way, typer.Option(help="Wrapper over TCP or UDP, or HDLC over TCP.")] = Way.TCP,
    counter: Annotated[
        int | None, typer.Option(help="First invocation counter; asked of the meter where it is left out.", min=0)
    ] = None,
    suite: Annotated[int, typer.Option(help="Security suite id in every message.", min=0, max=1)] = 0,
    registers: Annotated[str, typer.Option(help="Registers, with commas between.")] = DEFAULT_REGISTERS,
    profile: Annotated[str, typer.Option(help="Profile; empty for none.")] = LOAD_PROFILE,
    hours: Annotated[int, typer.Option(help="How far back the profile is read.", min=1, max=24 * 60)] = 24,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read clock, registers and a stretch of a profile of one meter. Exits 1 where the meter refuses or is away."""
    from openami.app.devices.reading import Wanted

    host, _, port = meter.rpartition(":")
    if not host or not port.isdecimal():
        raise MisuseError(f"{meter} is no HOST:PORT")
    until = datetime.now(UTC)
    names = tuple(_obis(name) for name in registers.split(",") if name)
    wanted = Wanted(names, _obis(profile) if profile else None, until - timedelta(hours=hours), until)
    target = _Target(host, int(port), way, server)
    reading = asyncio.run(_read(target, _shipped(keys, title), wanted, client=client, counter=counter, suite=suite))
    document = _document(reading)
    if json_output:
        print(json.dumps(document))
    else:
        _show(document)


async def _read(
    target: _Target, shipped: ShippedMeter, wanted: Wanted, *, client: int, counter: int | None, suite: int
) -> Reading:
    from openami.app.devices.reading import read_meter
    from openami.protocol.apdu.acse import Mechanism
    from openami.protocol.association.client import ClientSettings, fetch_invocation_counter
    from openami.protocol.association.counters import CountUp, RisingCounter
    from openami.protocol.association.drive import drive_async
    from openami.protocol.association.form import Form
    from openami.protocol.association.keys import Keys
    from openami.protocol.association.protection import Protection
    from openami.protocol.envelope.sealed import TITLE_OCTETS

    if counter is None:
        public = await target.open(PUBLIC_CLIENT)
        steps = fetch_invocation_counter(Obis.from_text(COUNTER))
        counter = 1 + await drive_async(steps, sealing=None, exchange=public.exchange)
        await public.close()
    control = AUTHENTICATED_AND_ENCRYPTED | suite
    # The counter is the meter's word in the clear, or the user's. Under a title that was never used before it makes
    # no initialization vector twice, whatever whoever stands between says.
    own_title = MAKER + secrets.token_bytes(TITLE_OCTETS - len(MAKER))
    protection = Protection(
        own_title=own_title,
        keys=Keys(shipped.encryption_key.reveal(), shipped.authentication_key.reveal()),
        control=control,
        send=CountUp(counter),
        received=RisingCounter(),
    )
    title = shipped.system_title.octets
    settings = ClientSettings(Mechanism.HIGH_GMAC, control, Form.GLO, own_title=own_title, expected_title=title)
    exchange = await target.open(client)
    try:
        challenge = secrets.token_bytes(CHALLENGE_OCTETS)
        return await read_meter(
            settings, wanted, protection=protection, exchange=exchange.exchange, challenge=challenge
        )
    finally:
        await exchange.close()


def _shipped(file: Path, title: str | None) -> ShippedMeter:
    from openami.security.adapters.shipment_file import read_shipment

    meters = [m for m in read_shipment(file).meters if title is None or str(m.system_title) == title.lower()]
    if len(meters) != 1:
        raise MisuseError(f"{len(meters)} meters of {file} fit; name one with --title")
    return meters[0]


def _obis(text: str) -> Obis:
    try:
        return Obis.from_text(text.strip())
    except BadObisError as error:
        raise MisuseError(str(error)) from error


def _document(reading: Reading) -> dict[str, Any]:
    def text(cell: object) -> object:
        return cell.isoformat() if isinstance(cell, datetime) else cell

    return {
        "system_title": reading.title.hex() if reading.title else None,
        "clock": reading.clock.isoformat(),
        "registers": {
            str(name): {"value": value, "scaler": scale.scaler, "unit": unit_symbol(scale.unit)}
            for name, (value, scale) in reading.registers.items()
        },
        "columns": [f"{c.class_id}:{c.instance}:{c.attribute}" for c in reading.columns],
        "rows": [[text(cell) for cell in row] for row in reading.rows],
    }


def _show(document: dict[str, Any]) -> None:
    print(f"Meter {document['system_title']}, clock {document['clock']}")
    for name, register in document["registers"].items():
        print(f"  {name}  {scaled(register['value'], register['scaler'])} {register['unit']}")
    if not document["columns"]:
        return
    # Class and attribute are for machines; a person knows a column by its logical name.
    names = [column.split(":")[1] for column in document["columns"]]
    table = Table(box=SIMPLE)
    for name in names:
        table.add_column(name, no_wrap=True, justify="left" if name == CLOCK_NAME else "right")
    for row in document["rows"]:
        table.add_row(*(str(cell).replace("+00:00", "Z") for cell in row))
    # As wide as it must be: cut stamps tell nobody anything.
    Console(markup=False, width=max(80, 24 * len(names))).print(table)
