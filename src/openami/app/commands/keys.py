"""``openami keys``: shipments of meter keys into the vault. No key is ever printed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption

app = typer.Typer(help="Take shipments of meter keys into the vault, and see what it holds.", no_args_is_help=True)


@app.command("import")
def import_shipment(
    file: Annotated[Path, typer.Argument(help="The manufacturer's shipment file.", exists=True, dir_okay=False)],
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a shipment, whole or not at all. The same shipment again changes nothing."""
    from openami.app.settings import Settings
    from openami.app.shipment import take_shipment

    report = asyncio.run(take_shipment(Settings.load(home), file))
    if json_output:
        rows = [{"meter": str(m.meter_id), "system_title": str(m.system_title)} for m in report.meters]
        print(json.dumps({"shipment": report.shipment_id, "already_taken": report.already_taken, "meters": rows}))
    else:
        word = "was taken before" if report.already_taken else "taken"
        print(f"Shipment {report.shipment_id} {word}: {len(report.meters)} meters have keys.")


@app.command("list")
def list_keys(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List the meters that have keys."""
    from openami.app.engines.rooms import room_database
    from openami.app.settings import Settings
    from openami.app.shipment import root_key
    from openami.security.adapters.vault_postgres import PostgresVault
    from openami.security.keys.ports import VaultMeter

    settings = Settings.load(home)

    async def fetch() -> list[VaultMeter]:
        async with room_database(settings, "openami_security") as engine:
            return await PostgresVault(engine, root_key(settings)).meters()

    meters = asyncio.run(fetch())
    if json_output:
        for m in meters:
            print(json.dumps({"meter": str(m.meter_id), "system_title": str(m.system_title), "profile": m.profile}))
        return
    table = Table("system title", "serial", "profile", "meter")
    for m in meters[:200]:
        table.add_row(str(m.system_title), m.serial, m.profile, str(m.meter_id))
    Console(markup=False).print(table)
    if len(meters) > 200:
        print(f"... and {len(meters) - 200} more: use --json")
