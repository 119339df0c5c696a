"""``openami retention``: how long readings are kept, and the removal of what is due."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table as Shown

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.readings.retention_desk import RetentionDesk
    from openami.mdm.retention.policy import Removal

app = typer.Typer(help="Say how long readings are kept, and remove what is due.", no_args_is_help=True)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]


@app.command("list")
def list_(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show the rules. A table without one is kept for ever."""
    rules = asyncio.run(_desk(home).rules())
    if json_output:
        rows = [
            {"table": str(r.table), "months": r.months, "effective": str(r.effective), "reason": r.reason}
            for r in rules
        ]
        print(json.dumps(rows))
        return
    table = Shown(title="Retention", title_justify="left", box=SIMPLE)
    for column in ("table", "kept for", "from", "reason"):
        table.add_column(column)
    for r in rules:
        table.add_row(str(r.table), "ever" if r.months is None else f"{r.months} months", str(r.effective), r.reason)
    print_wide(table, columns=80)


@app.command("set")
def set_(
    table: Annotated[str, typer.Argument(help="reading_raw, register_read or reading_day.")],
    months: Annotated[str, typer.Argument(help="Whole months, or `ever`.")],
    login: LoginOption,
    effective: Annotated[str, typer.Option("--from", help="From which day on, YYYY-MM-DD.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the log.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Say for how many months a table is kept, from a day on. Nothing is removed by it alone."""
    from openami.app.commands.intervals import day_of
    from openami.mdm.retention.policy import Rule
    from openami.mdm.store.schema import Table

    if table not in {str(t) for t in Table}:
        raise MisuseError(f"{table!r} is no table: {', '.join(Table)}")
    if months != "ever" and not months.isdecimal():
        raise MisuseError(f"{months!r} is neither a number of months nor `ever`")
    rule = Rule(Table(table), None if months == "ever" else int(months), day_of(effective, "--from"), reason)
    asyncio.run(_desk(home).enter(person_of(login), rule))
    print(f"{table}: kept for {months}{'' if months == 'ever' else ' months'} from {effective}.")


@app.command()
def plan(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show what is due to go, and whose rows stay because a bill stands on them. Exits 1 where something is due."""
    from openami.mdm.retention.policy import digest_of

    removals = asyncio.run(_desk(home).planned(person_of(login)))
    _show(removals, json_output=json_output)
    if removals and not json_output:
        print(f"To carry it out: openami retention run {digest_of(removals)} --as {login}")
    raise typer.Exit(1 if removals else 0)


@app.command()
def run(
    digest: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's name, as `plan` shows it.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Remove exactly what a plan says. It cannot be undone: back up first."""
    removals = asyncio.run(_desk(home).carry_out(person_of(login), digest))
    _show(removals, json_output=json_output)


def _show(removals: list[Removal], *, json_output: bool) -> None:
    from openami.mdm.retention.policy import digest_of

    if json_output:
        rows = [{"table": str(r.table), "month": r.month, "held": len(r.held)} for r in removals]
        print(json.dumps({"plan": digest_of(removals), "removals": rows}))
        return
    table = Shown(title="Due to go", title_justify="left", box=SIMPLE)
    for column in ("table", "month", "places whose rows stay"):
        table.add_column(column, justify="right" if column != "table" else "left")
    for r in removals:
        table.add_row(str(r.table), f"{r.month // 100}-{r.month % 100:02d}", str(len(r.held)))
    print_wide(table, columns=60)


def _desk(home: Path) -> RetentionDesk:
    from openami.app.readings.retention_desk import RetentionDesk
    from openami.app.settings import Settings

    return RetentionDesk(Settings.load(home))
