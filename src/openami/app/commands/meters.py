"""``openami meters``: the meters of a running platform, by what the registry and the head-end know."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption

_METERS = """
    select m.id, m.serial, m.profile, m.is_virtual, i.service_point_id
    from mdm.meter m left join mdm.installation i on i.meter_id = m.id and upper_inf(i.period)
    order by m.serial limit :limit
"""


def meters(
    home: HomeOption = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(help="How many at the most.", min=1)] = 100,
    json_output: JsonOption = False,
) -> None:
    """List meters and where they hang."""
    rows = asyncio.run(_fetch(home, limit))
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("serial", "profile", "service point", "meter")
    for row in rows:
        table.add_row(row["serial"], row["profile"], row["service_point"] or "not installed", row["meter"])
    Console(markup=False).print(table)


async def _fetch(home: Any, limit: int) -> list[dict[str, Any]]:
    from sqlalchemy import text

    from openami.app.engines.rooms import room_database
    from openami.app.settings import Settings

    async with room_database(Settings.load(home), "openami_mdm") as engine, engine.connect() as connection:
        rows = (await connection.execute(text(_METERS), {"limit": limit})).all()
    return [
        {
            "meter": str(r.id),
            "serial": r.serial,
            "profile": r.profile,
            "virtual": r.is_virtual,
            "service_point": str(r.service_point_id) if r.service_point_id else None,
        }
        for r in rows
    ]
