"""``openami rates signals``: what happened to the signals that rates follow: events, prices, peaks of the system."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.intervals import octets_of
from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption

if TYPE_CHECKING:
    from openami.billing.signal.statement import Statement

app = typer.Typer(
    help="State events, price series and peaks of the system that rates follow, and see what was stated.",
    no_args_is_help=True,
)


@app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON of format openami-signals/1.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Keep what a file states. Bills that waited for it go out with the next run; bills it changes are corrected."""
    from openami.app.billing.signal_desk import SignalDesk
    from openami.app.settings import Settings

    desk = SignalDesk(Settings.load(home))
    _show(asyncio.run(desk.load(person_of(login), octets_of(file), file.name)), json_output=json_output)


@app.command("list")
def list_statements(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List what was stated last, the newest first: of one instant the newest counts."""
    from openami.app.billing.signal_desk import SignalDesk
    from openami.app.settings import Settings

    _show(asyncio.run(SignalDesk(Settings.load(home)).newest(person_of(login))), json_output=json_output)


def _show(rows: list[Statement], *, json_output: bool) -> None:
    told = [_told(r) for r in rows]
    if json_output:
        print(json.dumps(told))
        return
    table = Table(box=SIMPLE)
    for column in ("signal", "kind", "from", "to", "holds", "source", "entered"):
        table.add_column(column, overflow="fold")
    for row in told:
        table.add_row(*(str(row[k]) for k in ("signal", "kind", "from", "to", "holds", "source", "entered")))
    print_wide(table, columns=160)


def _told(one: Statement) -> dict[str, Any]:
    return {
        "signal": one.signal, "kind": one.kind.value, "from": one.period.start.isoformat(),
        "to": one.period.end.isoformat(), "holds": len(one.events) + len(one.instants) + len(one.prices),
        "source": one.source, "entered": one.entered_at.isoformat(),
    }  # fmt: skip
