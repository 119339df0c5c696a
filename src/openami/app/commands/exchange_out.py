"""``openami exchange reads``, ``answer``, ``resend``, ``acknowledge``, ``unanswered``: billing reads out and after."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.exchange_app import LoginOption, OutOption, answer_row, app
from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption

if TYPE_CHECKING:
    from openami.app.exchange.exchange_out import OutFile

FormOption = Annotated[str, typer.Option("--form", help="flat or cim.")]


@app.command()
def reads(
    receiver: Annotated[str, typer.Argument(help="The other system's name, as it signs its messages.")],
    bill_group: Annotated[int, typer.Option("--bill-group", min=1, max=99, help="Whose cycle.")],
    login: LoginOption,
    month: Annotated[str, typer.Option("--month", help="Revenue month of the billing calendar, YYYY-MM.")] = "",
    first: Annotated[str, typer.Option("--from", help="First local day, YYYY-MM-DD, instead of a month.")] = "",
    end: Annotated[str, typer.Option("--to", help="The day after the last, YYYY-MM-DD.")] = "",
    form: FormOption = "flat",
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Write the billing reads and determinants of a bill group's cycle. Exits 1 if a bill is held."""
    from openami.app.billing.bill_calendar import cycle_days
    from openami.app.commands.intervals import day_of
    from openami.app.exchange.exchange_out import by_cycle, check_form
    from openami.app.settings import Settings

    settings = Settings.load(home)
    if bool(month) == bool(first or end):
        raise typer.BadParameter("give --month, or --from and --to", param_hint="--month")
    days = cycle_days(settings, bill_group, day_of(f"{month}-01", "--month")) if month else (
        day_of(first, "--from"), day_of(end, "--to")
    )  # fmt: skip
    found = asyncio.run(by_cycle(settings, person_of(login), receiver, bill_group, *days, form=check_form(form)))
    _show(found, out, json_output=json_output)


@app.command()
def answer(
    file: Annotated[Path, typer.Argument(help="A request: record,id,service_point,first,end.")],
    login: LoginOption,
    form: FormOption = "flat",
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Answer a request for billing reads. Exits 1 if a bill is held or a request rejected."""
    from openami.app.commands.intervals import octets_of
    from openami.app.exchange.exchange_out import by_request, check_form
    from openami.app.settings import Settings

    found = asyncio.run(by_request(Settings.load(home), person_of(login), octets_of(file), form=check_form(form)))
    _show(found, out, json_output=json_output)


@app.command()
def resend(
    receiver: Annotated[str, typer.Argument(help="Whose.")],
    message: Annotated[str, typer.Argument(help="The message's number.")],
    login: LoginOption,
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Write a message of billing reads again, as it was sent."""
    from openami.app.exchange.exchange_out import resend as again
    from openami.app.settings import Settings

    text = asyncio.run(again(Settings.load(home), person_of(login), receiver, message))
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text)


@app.command()
def acknowledge(
    file: Annotated[Path, typer.Argument(help="The other system's acknowledgement, in the form of ours.")],
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Keep what was answered to billing reads. Exits 1 if a record was rejected, or is none of ours."""
    from openami.app.commands.intervals import octets_of
    from openami.app.exchange.exchange_out import acknowledged
    from openami.app.settings import Settings

    found, strange = asyncio.run(acknowledged(Settings.load(home), octets_of(file)))
    if json_output:
        print(json.dumps({"message": found.message, **found.counts, "not_ours": strange}))
    else:
        Console().print(f"{found.message}: {found.counts}, {len(strange)} are none of ours", markup=False)
    raise typer.Exit(1 if strange or found.counts["rejected"] or found.counts["held"] else 0)


@app.command()
def unanswered(
    receiver: Annotated[str, typer.Argument(help="Whose.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 1000,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List billing reads that were rejected or not answered. Exits 1 if there are some."""
    from openami.app.exchange.exchange_out import unanswered as waiting
    from openami.app.settings import Settings

    found = asyncio.run(waiting(Settings.load(home), receiver, limit=limit))
    rows = [
        {
            "message": r.message, "id": r.record, "first": r.first.isoformat(), "end": r.end.isoformat(),
            "sent_at": r.sent_at.isoformat(), "result": r.result.value if r.result else "none", "reason": r.reason,
        }
        for r in found
    ]  # fmt: skip
    if json_output:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        table = Table(box=SIMPLE)
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row.values())
        print_wide(table, columns=140)
    else:
        Console().print("Every bill that was sent is taken.")
    raise typer.Exit(1 if rows else 0)


def _show(found: OutFile, out: Path | None, *, json_output: bool) -> None:
    if out is not None:
        out.write_text(found.text)
    if json_output:
        rejected = [answer_row(a) for a in found.rejected]
        heading = {"receiver": found.receiver, "message": found.message, "file": str(out) if out else None}
        print(json.dumps(heading | {"bills": found.states, "rejected": rejected}))
    elif out is None:
        sys.stdout.write(found.text)
    else:
        told = ", ".join(f"{n:,} {s}" for s, n in found.states.items() if n) or "no bill"
        Console().print(f"{found.message}: {told}", markup=False, highlight=False)
    for one in found.rejected:
        print(f"{one.id}: rejected: {one.reason}", file=sys.stderr)
    raise typer.Exit(1 if found.rejected or found.states["held"] else 0)
