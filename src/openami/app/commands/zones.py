"""``openami zones``: run the DMZ, core and the field on hosts of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.process.listener import COLLECTOR_NUMBER
from openami.app.settings import CORE, Settings
from openami.app.zones import DmzPlace, ZoneError, core_settings, write_dmz_kit, write_field_kit
from openami.kernel.errors import MisuseError

app = typer.Typer(help="Run the zones (field, DMZ, core) on hosts of their own.", no_args_is_help=True)
ToOption = Annotated[Path, typer.Option("--to", help="New folder for the other zone's home.")]


@app.command("dmz")
def dmz(
    to: ToOption,
    gateway_host: Annotated[str, typer.Option("--gateway-host", help="Address of the gateway, which collectors dial.")],
    bus_host: Annotated[
        str | None, typer.Option("--bus-host", help="Address of the DMZ's bus, which core dials (the gateway's).")
    ] = None,
    bus_port: Annotated[int, typer.Option("--bus-port", min=1, max=65535, help="Its port.")] = 8422,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Make this home core's and write the home of the DMZ: certificates, passwords of its bus, no key of core's."""
    core = core_settings(Settings.load(home), DmzPlace(gateway_host, bus_host or gateway_host, bus_port))
    _require_stopped(home)
    write_dmz_kit(core, to)
    core.save()
    _tell(to, "dmz", json_output=json_output)


@app.command("field")
def field(
    to: ToOption,
    collector: Annotated[
        list[int] | None, typer.Option("--collector", help="Number of a collector; several times for several.")
    ] = None,
    listen: Annotated[int | None, typer.Option("--listen", help="Port of a listener for meters that push.")] = None,
    listen_host: Annotated[str | None, typer.Option("--listen-host", help="Address that it listens on.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Write a home for the field: certificates of collectors, and of the listener where it is asked for."""
    core = Settings.load(home)
    if core.security_zone != CORE:
        raise ZoneError(f"{home} holds all zones: set the DMZ apart first with `openami zones dmz`")
    numbers = [*(collector or []), *([COLLECTOR_NUMBER] if listen is not None else [])]
    if not numbers:
        raise MisuseError("name at least one --collector, or a port with --listen")
    write_field_kit(core, to, collectors=numbers, listener_host=listen_host, listener_port=listen)
    _tell(to, "field", json_output=json_output)


def _require_stopped(home: Path) -> None:
    if (home / "run" / "status.json").exists():
        raise ZoneError(f"a platform runs in {home}: stop it first with `openami stop`")


def _tell(to: Path, zone: str, *, json_output: bool) -> None:
    if json_output:
        print(json.dumps({"zone": zone, "home": str(to)}))
        return
    print(f"{to} is the home of the zone {zone}. Carry it there by a way that nobody reads, and start it with:")
    print("  openami up --home FOLDER")
