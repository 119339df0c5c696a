"""``openami ledger``: what was charged, corrected, deferred and accrued, in entries that add up."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption, PlaceArgument, ReasonOption

if TYPE_CHECKING:
    from openami.app.billing.ledger_desk import LedgerDesk

app = typer.Typer(help="Look at the ledger of bills, and check that it adds up.", no_args_is_help=True)
MonthArgument = Annotated[datetime, typer.Argument(metavar="MONTH", formats=["%Y-%m"], help="For example 2026-10.")]


class BudgetStep(StrEnum):
    """What is done to a budget plan."""

    BEGIN = "begin"
    REVIEW = "review"
    STOP = "stop"


@app.command()
def show(
    place: PlaceArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Show the entries of a place, oldest first, and what stands on each account of its agreements."""
    from openami.app.commands.ledger_words import entry_document, show_entries, standing_document

    entries, standings = asyncio.run(_desk(home).show(person_of(login), place))
    if json_output:
        told = {str(a): [standing_document(s) for s in found] for a, found in standings.items()}
        print(json.dumps({"entries": [entry_document(e) for e in entries], "agreements": told}))
        return
    show_entries(entries, standings)


@app.command()
def check(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Check the ledger: each entry and the book add up, every bill is booked, and what is owed is what was billed."""
    from openami.app.commands.ledger_words import show_standings, standing_document

    found = asyncio.run(_desk(home).check(person_of(login)))
    if json_output:
        standings = [standing_document(s) for s in found.standings]
        print(json.dumps({"is_sound": not found.faults, "faults": found.faults, "standings": standings}))
    else:
        show_standings(found.standings)
        for fault in found.faults:
            print(f"FAULT: {fault}.")
        print("The ledger does not add up." if found.faults else "The ledger adds up; every bill in force is booked.")
    if found.faults:
        raise typer.Exit(1)


@app.command()
def journal(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First accounting day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last accounting day.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what was booked on each account in some days: what the general ledger takes over."""
    from openami.app.commands.ledger_words import show_standings, standing_document

    end = last.date() + timedelta(days=1)
    found = asyncio.run(_desk(home).journal(person_of(login), first.date(), end))
    print(json.dumps([standing_document(s) for s in found])) if json_output else show_standings(found)


@app.command()
def accrue(
    month: MonthArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Estimate what was earned and not billed at a month's end; the worker does it on the second day after."""
    places = asyncio.run(_desk(home).accrue(person_of(login), month.date()))
    words = f"{places:,} places accrued at the end of {month:%Y-%m}, and taken back on the day after."
    print(json.dumps({"month": f"{month:%Y-%m}", "places": places}) if json_output else words)


@app.command()
def budget(
    step: Annotated[BudgetStep, typer.Argument(help="begin, review or stop")],
    place: PlaceArgument,
    reason: ReasonOption,
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Level the bills of whoever was billed last at a place: begin, look whether the level fits, or stop and settle."""
    found = asyncio.run(_desk(home).budget(person_of(login), place, step.value, reason=reason))
    document = {
        "agreement": str(found.plan.agreement_id),
        "level": str(found.plan.level),
        "before": None if found.before is None else str(found.before),
        "deferred": str(found.deferred),
        "settled": str(found.settled),
        "from": found.plan.first_day.isoformat(),
        "to": None if found.plan.end_day is None else found.plan.end_day.isoformat(),
    }
    words = f"Level {found.plan.level:,.2f} from {found.plan.first_day}; {found.deferred:,.2f} was deferred."
    ended = f"Stopped; {found.settled:,.2f} was settled."
    print(json.dumps(document) if json_output else ended if step is BudgetStep.STOP else words)


@app.command()
def balance(
    cycle: Annotated[
        datetime, typer.Option("--cycle", formats=["%Y-%m"], help="The revenue month, for example 2026-10.")
    ],
    login: LoginOption,
    group: Annotated[int | None, typer.Option("--group", min=1, max=99, help="One bill group alone.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Balance a cycle's energy to the Wh: metered is billed, unbilled, estimated outstanding, or unassigned."""
    from openami.app.commands.ledger_words import balance_document, show_balances

    found = asyncio.run(_desk(home).balance(person_of(login), cycle.date(), bill_group=group))
    print(json.dumps([balance_document(b) for b in found])) if json_output else show_balances(found)
    if any(b.balance.residual_wh for b in found):
        raise typer.Exit(1)


def _desk(home: Path) -> LedgerDesk:
    from openami.app.billing.ledger_desk import LedgerDesk
    from openami.app.settings import Settings

    return LedgerDesk(Settings.load(home))
