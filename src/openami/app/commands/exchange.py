"""``openami exchange``: master data in, billing reads out, both sides compared, with a customer information system."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.exchange_app import LoginOption, OutOption, answer_row, app
from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError


@app.command()
def take(
    file: Annotated[Path, typer.Argument(help="A flat file of master data, or a CIM message.")],
    out: OutOption = None,
    accept_billed: Annotated[
        bool, typer.Option("--accept-billed", help="Carry out what alters issued bills too, by the word of --as.")
    ] = False,
    login: Annotated[str | None, typer.Option("--as", metavar="LOGIN", help="Whose word it is.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take master data and answer each record. Exits 1 if a record is rejected or held."""
    from openami.app.commands.intervals import octets_of
    from openami.app.exchange.exchange_desk import answer_text
    from openami.app.exchange.exchange_desk import take as take_message
    from openami.app.settings import Settings

    if accept_billed and login is None:
        raise MisuseError("--accept-billed alters issued bills: it takes a person's word, --as LOGIN")
    word = person_of(login) if accept_billed and login is not None else None
    message, found = asyncio.run(take_message(Settings.load(home), octets_of(file), accept_billed=word))
    text = answer_text(message, found)
    if out is not None:
        out.write_text(text)
    if json_output:
        rows = [answer_row(a) for a in found.answers]
        heading = {"sender": found.sender, "message": found.message, "repeat": found.is_repeat, **found.counts}
        print(json.dumps(heading | {"records": rows}))
    elif out is None:
        sys.stdout.write(text)
    else:
        Console().print(_counted(found.counts), markup=False, highlight=False)
    raise typer.Exit(1 if found.counts["rejected"] or found.counts["held"] else 0)


@app.command()
def rejects(
    sender: Annotated[str | None, typer.Option("--sender", help="Of this system only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 1000,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List records that were rejected or held and have not been accepted since. Exits 1 if there are some."""
    from openami.app.exchange.exchange_desk import waiting
    from openami.app.settings import Settings

    found = asyncio.run(waiting(Settings.load(home), sender, limit=limit))
    rows = [answer_row(k.answer) | {"sender": k.sender, "message": k.message, "at": k.at.isoformat()} for k in found]
    if json_output:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        table = Table(box=SIMPLE)
        for name in ("sender", "message", "record", "id", "result", "code", "reason"):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(str(row[n]) for n in ("sender", "message", "record", "id", "result", "code", "reason")))
        print_wide(table, columns=140)
    else:
        Console().print("No record waits.")
    raise typer.Exit(1 if rows else 0)


@app.command()
def release(
    sender: Annotated[str, typer.Argument(help="Whose record.")],
    record: Annotated[str, typer.Argument(help="Its number.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Carry out a record that is held because it alters issued bills."""
    from openami.app.exchange.exchange_desk import release as release_record
    from openami.app.settings import Settings

    answer = asyncio.run(release_record(Settings.load(home), person_of(login), sender, record))
    if json_output:
        print(json.dumps(answer_row(answer)))
    else:
        Console().print(
            f"{record}: {answer.result}; {answer.days} service point days are validated again", markup=False
        )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {word}" for word, n in counts.items() if n) or "the message holds no record"
