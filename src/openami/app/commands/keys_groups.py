"""``openami keys group``: groups of meters that share a broadcast key, and new keys for them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.keys_leak import titles_in
from openami.app.commands.keys_vault import LoginOption, desk_of, say
from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

group_app = typer.Typer(help="Groups of meters that share a broadcast key.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="GROUP", help="Its name, such as that of a radio cell.")]


@group_app.command()
def make(
    name: NameArgument,
    login: LoginOption,
    collector: Annotated[
        list[int] | None, typer.Option(help="Number of a collector that serves it; without one, any may.", min=1)
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Make a group with a random key of its own. The key is renewed when one of its collectors is reported stolen."""
    group_id = asyncio.run(desk_of(home).make_group(person_of(login), name, collector or []))
    say({"group": str(group_id), "name": name}, f"Group {name} is made: {group_id}.", json_output=json_output)


@group_app.command()
def join(
    name: NameArgument,
    meters: Annotated[Path, typer.Argument(help="File of the meters: a system title (16 hexadecimal digits) a line.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Put meters into a group. Each gets the group's key with its next key change."""
    titles = titles_in(meters)
    count = asyncio.run(desk_of(home).join_group(person_of(login), name, titles))
    say({"name": name, "meters": count}, f"{count} meters are in group {name}.", json_output=json_output)


@group_app.command()
def renew(
    login: LoginOption,
    names: Annotated[list[str] | None, typer.Argument(metavar="[GROUP]...", help="These groups.")] = None,
    collector: Annotated[
        int | None, typer.Option(help="Every group that this collector may have served, too.", min=1)
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Give groups new keys and forget the old ones at once."""
    if not names and collector is None:
        raise MisuseError("say which groups: by name, or with --collector")
    done = asyncio.run(desk_of(home).renew_groups(person_of(login), names or [], collector_id=collector))
    say({"renewed": done}, f"New keys for {', '.join(done) or 'no group'}.", json_output=json_output)


@group_app.command("list")
def list_groups(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List groups with the age of their keys and how many members do not have them yet."""
    from openami.app.settings import Settings

    groups, behind = asyncio.run(desk_of(home).groups())
    now = Settings.load(home).clock().now()
    rows = [
        {
            "name": g.name,
            "collectors": sorted(g.collectors),
            "generation": g.generation,
            "age_days": round((now - g.made_at).total_seconds() / 86_400, 3),
            "members": g.members,
            "behind": g.behind,
        }
        for g in groups
    ]
    if json_output:
        print(json.dumps({"groups": rows, "behind": [str(t) for t in behind]}))
        return
    table = Table("group", "collectors", "key", "in use for", "members", "without it yet")
    for g, row in zip(groups, rows, strict=True):
        serving = ", ".join(map(str, sorted(g.collectors))) or "any"
        table.add_row(g.name, serving, str(g.generation), f"{row['age_days']:.1f} d", str(g.members), str(g.behind))
    Console(markup=False).print(table)
