"""``openami meter serve``: one virtual meter on a socket, without a running platform."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from openami.kernel.errors import MisuseError
from openami.kernel.time import UnknownZoneError, zone_named
from openami.protocol.envelope.ports import DLMS_TCP_PORT

app = typer.Typer(help="A virtual meter by itself, to try head-ends and clients on.", no_args_is_help=True)

TICK_S = 1.0


@app.callback()
def group() -> None:
    """A virtual meter by itself, to try head-ends and clients on."""


@app.command("serve")
def serve(
    port: Annotated[int, typer.Option(help="TCP (and UDP) port; 0 for any that is free.", min=0, max=65_535)] = (
        DLMS_TCP_PORT
    ),
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    shipment: Annotated[
        Path, typer.Option(help="Shipment file with the meter's keys; made, with new keys, where it is not there.")
    ] = Path("meter-shipment.json"),
    hdlc: Annotated[bool, typer.Option("--hdlc", help="HDLC over TCP instead of the wrapper.")] = False,
    zone: Annotated[str, typer.Option(help="IANA zone of the meter.")] = "UTC",
    days: Annotated[int, typer.Option(help="How long it has run already.", min=0, max=60)] = 3,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON line when it serves.")] = False,
) -> None:
    """Serve one meter until Ctrl-C. Clients: 1 management, 32 reader (keys), 16 public. Logical device 1."""
    try:
        local = zone_named(zone)
    except UnknownZoneError as error:
        raise MisuseError(str(error)) from error
    asyncio.run(_serve(shipment, host, port, hdlc=hdlc, zone=local, days=days, json_output=json_output))


async def _serve(
    shipment: Path, host: str, port: int, *, hdlc: bool, zone: ZoneInfo, days: int, json_output: bool
) -> None:
    from openami.app.devices.lone_meter import LOGICAL_DEVICE, LoneMeter, shipped_meter
    from openami.network.adapters.meter_server import serve_hdlc_tcp, serve_wrapper_tcp, serve_wrapper_udp
    from openami.protocol.envelope.link import HdlcAddress, LinkParameters

    def now() -> datetime:
        return datetime.now(UTC)

    shipped = shipped_meter(shipment, secret=secrets.token_bytes, now=now())
    counters = shipment.with_name(shipment.name + ".counters")
    meter = LoneMeter(shipped, counters=counters, now=now, dice=secrets.token_bytes, zone=zone, days=days)
    if hdlc:
        listener = await serve_hdlc_tcp(
            meter.open_session,
            host=host,
            port=port,
            address=HdlcAddress(LOGICAL_DEVICE),
            parameters=LinkParameters(512, 512, 7, 7),
        )
        datagrams = None
    else:
        listener = await serve_wrapper_tcp(meter.open_session, host=host, port=port)
        datagrams = await serve_wrapper_udp(meter.open_session, host=host, port=listener.port)
    document = {
        "host": host,
        "port": listener.port,
        "framing": "hdlc" if hdlc else "wrapper",
        "system_title": str(shipped.system_title),
        "shipment": str(shipment),
        "server": LOGICAL_DEVICE,
    }
    if json_output:
        print(json.dumps(document), flush=True)
    else:
        print(f"Meter {shipped.system_title} serves at {host}:{listener.port}; its keys are in {shipment}.", flush=True)
    await _until_stopped(meter.catch_up)
    await listener.close()
    if datagrams is not None:
        await datagrams.close()


async def _until_stopped(tick: Callable[[], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        tick()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_S)
