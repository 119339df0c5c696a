"""``openami exchange reconcile``, ``snapshot``, ``reconciliations``, ``inbox``: both sides compared, and folders."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.exchange_app import OutOption, app
from openami.app.commands.person import print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption


@app.command()
def reconcile(
    file: Annotated[Path, typer.Argument(help="The other system's snapshot.")],
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Compare a snapshot with ours, both ways, and count every difference. Exits 1 if something differs or waits."""
    from openami.app.commands.intervals import octets_of
    from openami.app.exchange.exchange_night import reconcile as compare
    from openami.app.settings import Settings

    night = asyncio.run(compare(Settings.load(home), octets_of(file)))
    if out is not None:
        out.write_text(night.text)
    if json_output:
        print(json.dumps(night.row))
    elif out is None:
        sys.stdout.write(night.text)
    else:
        _table([night.row])
    raise typer.Exit(0 if night.is_clean else 1)


@app.command()
def snapshot(
    partner: Annotated[str, typer.Argument(help="With whose names of places, premises and accounts.")],
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Write what we believe of every service point now, for the other system to compare with its own."""
    from openami.app.exchange.exchange_desk import rooms_of
    from openami.app.exchange.exchange_night import our_snapshot
    from openami.app.settings import Settings
    from openami.mdm.exchange.snapshot import flat_snapshot

    async def made() -> str:
        settings = Settings.load(home)
        async with rooms_of(settings) as rooms:
            return flat_snapshot(await our_snapshot(rooms, partner, settings.clock().now()))

    text = asyncio.run(made())
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text)


@app.command()
def reconciliations(
    partner: Annotated[str | None, typer.Option("--partner", help="With this system only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List what the last reconciliations found, newest first."""
    from openami.app.exchange.exchange_night import history
    from openami.app.settings import Settings

    rows = asyncio.run(history(Settings.load(home), partner, limit=limit))
    if json_output:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        _table(rows)
    else:
        Console().print("Nothing was reconciled yet.")


@app.command()
def inbox(
    folder: Annotated[Path | None, typer.Option("--in", help="Folder of what came; the home's without.")] = None,
    answers: Annotated[Path | None, typer.Option("--out", help="Folder of answers; the home's without.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take every file of the inbox: master data, requests, acknowledgements, snapshots. Exits 1 if one is not clean."""
    from openami.app.exchange.exchange_inbox import work_off
    from openami.app.settings import Settings

    settings = Settings.load(home)
    base = settings.home.path / "exchange"
    found = asyncio.run(work_off(settings, folder or base / "in", answers or base / "out"))
    for one in found:
        row = {"file": one.name, "kind": one.kind, "clean": one.is_clean, "told": one.told}
        if json_output:
            print(json.dumps(row))
        else:
            print(f"{one.name}: {one.kind}: {one.told}")
    raise typer.Exit(0 if all(f.is_clean for f in found) else 1)


def _table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=SIMPLE)
    for name in ("at", "partner", "ours", "theirs", "equal", "differences", "what", "records waiting", "reads open"):
        table.add_column(name, overflow="fold")
    for row in rows:
        what = ", ".join(f"{n} {w}" for w, n in row["counts"].items()) or "-"
        open_reads = row["reads"]["rejected"] + row["reads"]["unanswered"]
        cells = (row["at"], row["partner"], row["ours"], row["theirs"], row["equal"], row["differences"], what)
        table.add_row(*map(str, (*cells, row["records_waiting"], open_reads)))
    print_wide(table, columns=140)
