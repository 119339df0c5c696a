"""``openami cases``: findings with one likely cause, as one case with one previewed fix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption, ReasonOption, YesOption, show_proposal

if TYPE_CHECKING:
    from openami.app.people.case_desk import CaseDesk
    from openami.mdm.editing.case import OpenItem
    from openami.mdm.editing.casebook import Case

app = typer.Typer(help="See what has one likely cause, and close it by one previewed action.", no_args_is_help=True)
CaseArgument = Annotated[UUID, typer.Argument(metavar="CASE", help="Id of the case.")]


@app.command("list")
def list_cases(
    login: LoginOption,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show cases, those with the most open items first."""
    found = asyncio.run(_desk(home).cases(person_of(login), is_open=not closed, limit=limit))
    print(json.dumps([case_document(c) for c in found])) if json_output else _show_cases(found)


@app.command()
def show(
    case: CaseArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Show a case: its cause with the evidence for it, its fix, and its places."""
    found, items = asyncio.run(_desk(home).case(person_of(login), case))
    if json_output:
        print(json.dumps(case_document(found) | {"items": [_item_document(i) for i in items]}))
        return
    e = found.evidence
    print(found.title)
    print(f"  Evidence: {e.words()}; log-likelihood ratio {e.ratio:,.1f}.")
    if e.next_cause:
        print(f"  Next best: {e.next_cause} with {e.next_ratio:,.1f}.")
    print(f"  {e.findings:,} findings from {e.first} to {e.last}, {e.stake_wh / 1000:,.1f} kWh at stake.")
    print(f"  Fix: {found.fix.words}")
    state = f"closed: {found.closed_reason}" if found.closed_at is not None else f"{found.open_items:,} items open"
    print(f"  {state}. See what the fix would do: openami cases fix {case} --as LOGIN")


@app.command()
def fix(
    case: CaseArgument,
    login: LoginOption,
    reason: Annotated[str, typer.Option("--reason", help="Why; without it the case's own title.")] = "",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what the case's fix would do and, with --yes, carry it out: one decision for all of it."""
    desk, person = _desk(home), person_of(login)

    async def act() -> tuple[Any, Any]:
        proposal = await desk.preview(person, case, reason=reason)
        return proposal, await desk.fix(person, proposal) if yes else None

    show_proposal(*asyncio.run(act()), json_output=json_output)


@app.command()
def approve(
    decision: Annotated[UUID, typer.Argument(metavar="DECISION", help="The decision that waits to close a case.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Approve the fix of a case that another person made."""
    asyncio.run(_desk(home).approve(person_of(login), decision))
    document = {"decision": str(decision), "state": "in_force"}
    print(json.dumps(document) if json_output else f"Decision {decision} is in force, its case closed.")


@app.command()
def close(
    case: CaseArgument,
    reason: ReasonOption,
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Close a case without a fix; what is still open goes back to the worklist."""
    asyncio.run(_desk(home).close(person_of(login), case, reason=reason))
    print(json.dumps({"case": str(case), "state": "closed"}) if json_output else f"Case {case} is closed.")


@app.command()
def fold(login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Fold open findings into cases now; the worker does it every quarter of an hour."""
    opened = asyncio.run(_desk(home).fold(person_of(login)))
    print(json.dumps({"opened": opened}) if json_output else f"{opened} cases opened.")


def case_document(case: Case) -> dict[str, Any]:
    """Return a case as a document."""
    from dataclasses import asdict

    evidence = asdict(case.evidence) | {"first": str(case.evidence.first), "last": str(case.evidence.last)}
    return {
        "case": str(case.id),
        "title": case.title,
        "cause": case.cause.value,
        "value": case.value,
        "signature": case.signature,
        "rule": case.rule,
        "evidence": evidence,
        "evidence_words": case.evidence.words(),
        "fix": {"kind": case.fix.kind.value if case.fix.kind else None, "words": case.fix.words},
        "opened_at": case.opened_at.isoformat(),
        "open_items": case.open_items,
        "closed_at": case.closed_at.isoformat() if case.closed_at else None,
        "closed_reason": case.closed_reason,
        "decision": str(case.decision_id) if case.decision_id else None,
    }


def _item_document(item: OpenItem) -> dict[str, Any]:
    return {
        "service_point": str(item.service_point_id),
        "channel": item.channel.name.lower(),
        "first": item.first.isoformat(),
        "last": item.last.isoformat(),
        "findings": item.findings,
        "stake_wh": item.stake_wh,
    }


def _show_cases(cases: Sequence[Case]) -> None:
    table = Table(box=SIMPLE)
    for name in ("case", "what", "open", "evidence", "kWh", "fix"):
        table.add_column(name, justify="right" if name in {"open", "kWh"} else "left")
    for case in cases:
        kind = case.fix.kind.value.replace("_", " ") if case.fix.kind else "none"
        table.add_row(
            str(case.id), case.title, f"{case.open_items:,}", case.evidence.words(),
            f"{case.evidence.stake_wh / 1000:,.1f}", kind,
        )  # fmt: skip
    print_wide(table, columns=190)


def _desk(home: Path) -> CaseDesk:
    from openami.app.people.case_desk import CaseDesk
    from openami.app.settings import Settings

    return CaseDesk(Settings.load(home))
