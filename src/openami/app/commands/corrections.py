"""``openami corrections``: billed data that changed, by cause; one previewed decision for each customer and cause."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption, ReasonOption, YesOption

if TYPE_CHECKING:
    from openami.app.billing.correction_desk import CorrectionDesk
    from openami.billing.correction.proposal import Wish

app = typer.Typer(help="Correct bills whose data changed after they went out.", no_args_is_help=True)
CauseArgument = Annotated[str, typer.Argument(metavar="CAUSE", help="As the list names it, for example edit:1c2f...")]
PlaceOption = Annotated[UUID | None, typer.Option("--place", help="One service point alone.")]
LeaveOption = Annotated[bool, typer.Option("--leave", help="Leave the bills as they are.")]
TamperingOption = Annotated[bool, typer.Option("--tampering", help="The customer tampered: no look-back limit.")]
PartsOption = Annotated[
    int | None, typer.Option("--parts", min=1, max=120, help="Parts of repayment; else by the rules.")
]
DiscoveredOption = Annotated[
    datetime | None,
    typer.Option("--discovered", formats=["%Y-%m-%d"], help="Day on which the error was found; else when it came up."),
]
DecisionArgument = Annotated[UUID, typer.Argument(metavar="DECISION", help="Id of the decision.")]


@app.command("list")
def list_cases(
    login: LoginOption,
    place: PlaceOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what waits, by cause, the most money first."""
    from openami.app.commands.corrections_words import case_document, show_cases

    found = asyncio.run(_desk(home).cases(person_of(login), place=place))
    print(json.dumps([case_document(c) for c in found])) if json_output else show_cases(found)


@app.command()
def preview(
    cause: CauseArgument,
    login: LoginOption,
    place: PlaceOption = None,
    leave: LeaveOption = False,
    tampering: TamperingOption = False,
    parts: PartsOption = None,
    discovered: DiscoveredOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what correcting everything of a cause would do, bill by bill; nothing is changed."""
    wish = _wish(cause, "preview", place, leave, tampering, parts, discovered)
    _carry_out(home, login, wish, yes=False, json_output=json_output)


@app.command()
def decide(
    cause: CauseArgument,
    reason: ReasonOption,
    login: LoginOption,
    place: PlaceOption = None,
    leave: LeaveOption = False,
    tampering: TamperingOption = False,
    parts: PartsOption = None,
    discovered: DiscoveredOption = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what it would do and, with --yes, decide: corrected bills go out, or the bills are left."""
    wish = _wish(cause, reason, place, leave, tampering, parts, discovered)
    _carry_out(home, login, wish, yes=yes, json_output=json_output)


@app.command()
def approve(
    decision: DecisionArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve what another person decided, and carry it out."""
    from openami.app.commands.corrections_words import head_document

    head = asyncio.run(_desk(home).approve(person_of(login), decision))
    print(json.dumps(head_document(head)) if json_output else f"Decision {decision} is {head.state.value}.")


@app.command()
def withdraw(
    decision: DecisionArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Take back a decision that waits for a second person."""
    asyncio.run(_desk(home).withdraw(person_of(login), decision))
    document = {"decision": str(decision), "state": "withdrawn"}
    print(json.dumps(document) if json_output else f"Decision {decision} is withdrawn.")


@app.command()
def decisions(
    login: LoginOption,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what was decided, by whom, why, and what it did; newest first."""
    from openami.app.commands.corrections_words import head_document, show_heads

    found = asyncio.run(_desk(home).decisions(person_of(login), limit=limit))
    print(json.dumps([head_document(h) for h in found])) if json_output else show_heads(found)


@app.command()
def adjustments(
    place: Annotated[UUID, typer.Argument(metavar="PLACE", help="Id of the service point.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show the adjustments of a place: both bills, and what each line was and is."""
    from openami.app.commands.corrections_words import adjustment_document, show_adjustments

    found = asyncio.run(_desk(home).adjustments(person_of(login), place))
    print(json.dumps([adjustment_document(a) for a in found])) if json_output else show_adjustments(found)


@app.command()
def weigh(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Weigh what changed now; the worker does it every quarter of an hour."""
    from dataclasses import asdict

    found = asyncio.run(_desk(home).weigh(person_of(login)))
    words = f"{found.open} bills wait, {found.tolerated} are left within tolerance, {found.unmakable} cannot be made."
    print(json.dumps(asdict(found)) if json_output else words)


def _wish(
    cause: str,
    reason: str,
    place: UUID | None,
    leave: bool,
    tampering: bool,
    parts: int | None,
    discovered: datetime | None,
) -> Wish:
    from openami.billing.correction.proposal import Wish
    from openami.billing.correction.record import DecisionKind

    day: date | None = None if discovered is None else discovered.date()
    kind = DecisionKind.LEAVE if leave else DecisionKind.REBILL
    return Wish(cause, kind, reason, place=place, tampering=tampering, in_parts=parts, discovered=day)


def _carry_out(home: Path, login: str, wish: Wish, *, yes: bool, json_output: bool) -> None:
    from openami.app.commands.corrections_words import proposal_document, show_proposal

    desk, person = _desk(home), person_of(login)

    async def act() -> tuple[Any, Any]:
        proposal = await desk.preview(person, wish)
        return proposal, await desk.decide(person, proposal) if yes else None

    proposal, kept = asyncio.run(act())
    if json_output:
        print(json.dumps(proposal_document(proposal, kept)))
    else:
        show_proposal(proposal, kept)


def _desk(home: Path) -> CorrectionDesk:
    from openami.app.billing.correction_desk import CorrectionDesk
    from openami.app.settings import Settings

    return CorrectionDesk(Settings.load(home))
