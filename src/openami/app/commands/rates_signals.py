"""``openami rates signals``: what happened to the signals that rates follow: events, prices, peaks of the system."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.intervals import octets_of
from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry_carry import AcceptOption, PreviewOption
from openami.app.commands.worklist_words import LoginOption

if TYPE_CHECKING:
    from openami.app.billing.signal_desk import SignalDesk, Stating
    from openami.billing.signal.statement import Statement

app = typer.Typer(
    help="State events, price series and peaks of the system that rates follow, and see what was stated.",
    no_args_is_help=True,
)
OrderArgument = Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")]


@app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON of format openami-signals/1.")],
    login: LoginOption,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Say what a file states, and keep it if you accept; what prices the bills of many waits for a second person.

    Bills that waited for it go out with the next run; bills that are out and change by it are corrected.
    """
    octets, desk = octets_of(file), _desk(home)
    found = asyncio.run(desk.look(octets, file.name))
    told = _stating(found)
    if not json_output:
        _show(list(found.rows), json_output=False)
        print(_effect(found))
    if not accept and (preview or json_output or not typer.confirm("Accept?", err=True)):
        done: dict[str, Any] = told | {"state": "preview"}
        words = f"Nothing is kept. Accept it with --accept {found.mark}"
    else:
        kept = asyncio.run(desk.load(person_of(login), octets, file.name, mark=accept or found.mark))
        order = None if kept.order is None else str(kept.order.subject.order_id)
        done = told | {"state": "waiting" if order else "stated", "order": order}
        words = "Kept."
        if order:
            words = f"It waits for a second person: openami rates signals approve {order} --as OTHER"
    print(json.dumps(done) if json_output else words)


@app.command()
def approve(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve what another person stated, and let it count."""
    _show(asyncio.run(_desk(home).approve(person_of(login), order)), json_output=json_output)


@app.command()
def withdraw(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Take back statements that wait for a second person."""
    asyncio.run(_desk(home).withdraw(person_of(login), order))
    print(json.dumps({"order": str(order), "state": "withdrawn"}) if json_output else f"Order {order} is withdrawn.")


@app.command()
def orders(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List statements that waited, or wait, for a second person, the newest first."""
    from openami.app.orders.order_desk import standing_words

    rows = [
        {
            "order": str(o.subject.order_id), "what": o.subject.action, "source": o.subject.reason,
            "made": o.made_at.isoformat(), "state": standing_words(o),
        }
        for o in asyncio.run(_desk(home).orders(person_of(login)))
    ]  # fmt: skip
    if json_output:
        print(json.dumps(rows))
        return
    if not rows:
        print("Nothing ever waited for a second person.")
        return
    table = Table("order", "what", "source", "made", "state", box=SIMPLE)
    for row in rows:
        table.add_row(*row.values())
    print_wide(table, columns=160)


@app.command("list")
def list_statements(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List what was stated last, the newest first: of one instant the newest counts."""
    _show(asyncio.run(_desk(home).newest(person_of(login))), json_output=json_output)


def _desk(home: Path) -> SignalDesk:
    from openami.app.billing.signal_desk import SignalDesk
    from openami.app.settings import Settings

    return SignalDesk(Settings.load(home))


def _stating(found: Stating) -> dict[str, Any]:
    return {
        "mark": found.mark, "places": found.places, "second_person": found.second,
        "statements": [_told(r) for r in found.rows], "takes_the_place_of": [_told(r) for r in found.over],
    }  # fmt: skip


def _effect(found: Stating) -> str:
    lines = [f"It prices bills of {found.places:,} places on rates that follow this. Bills that are out are corrected."]
    lines += [f"It takes the place of what was stated on {o.entered_at:%Y-%m-%d}: {o.words}" for o in found.over]
    return "\n".join([*lines, *([f"A second person must approve: {found.second}."] if found.second else [])])


def _show(rows: list[Statement], *, json_output: bool) -> None:
    told = [_told(r) for r in rows]
    if json_output:
        print(json.dumps(told))
        return
    if not told:
        print("Nothing was stated yet: `openami rates signals load FILE`.")
        return
    table = Table(box=SIMPLE)
    columns = ("signal", "kind", "from", "to", "holds", "lowest", "highest", "source", "entered")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in told:
        table.add_row(*("" if row[k] is None else str(row[k]) for k in columns))
    print_wide(table, columns=160)


def _told(one: Statement) -> dict[str, Any]:
    return {
        "signal": one.signal, "kind": one.kind.value, "from": one.period.start.isoformat(),
        "to": one.period.end.isoformat(), "holds": len(one.events) + len(one.instants) + len(one.prices),
        "lowest": str(min(one.prices)) if one.prices else None, "highest": str(max(one.prices)) if one.prices else None,
        "source": one.source, "entered": one.entered_at.isoformat(),
    }  # fmt: skip
