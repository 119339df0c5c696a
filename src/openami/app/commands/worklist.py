"""``openami worklist``: what waits for a person, and what people decide about readings."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import (
    ChannelOption,
    FromArgument,
    LoginOption,
    PlaceArgument,
    ReasonOption,
    ToArgument,
    YesOption,
    carry_out,
    channel_of,
    desk_of,
    head_document,
    item_document,
    period_of,
    show_heads,
    show_items,
    show_proposal,
)
from openami.kernel.errors import MisuseError
from openami.kernel.finding import Severity

if TYPE_CHECKING:
    from openami.mdm.editing.decision import DecisionKind
    from openami.mdm.editing.worklist import WorkFilter

app = typer.Typer(
    help="See what waits for a person, and decide: accept, edit, estimate again, undo.", no_args_is_help=True
)
RuleOption = Annotated[list[str], typer.Option("--rule", help="Of this rule; may be repeated.")]
SeverityOption = Annotated[
    str, typer.Option(help="fail: what waits for a person; warn: notes that nobody must look at; any: both")
]
CellOption = Annotated[str, typer.Option(help="In this cell.")]
FeederOption = Annotated[str, typer.Option(help="On this feeder.")]
BeforeOption = Annotated[datetime | None, typer.Option("--bill-before", formats=["%Y-%m-%d"], help="Billed before.")]
DecisionArgument = Annotated[UUID, typer.Argument(metavar="DECISION", help="Id of the decision.")]


@app.command("list")
def list_items(
    login: LoginOption,
    rule: RuleOption = [],  # noqa: B006 - Typer's way to say a list
    severity: SeverityOption = "fail",
    place: Annotated[list[UUID], typer.Option("--place", help="At this place; may be repeated.")] = [],  # noqa: B006
    cell: CellOption = "",
    feeder: FeederOption = "",
    bill_before: BeforeOption = None,
    min_kwh: Annotated[float, typer.Option(help="At least so much at stake.", min=0)] = 0.0,
    cases: Annotated[bool, typer.Option("--cases", help="Items of open cases, too.")] = False,
    order: Annotated[str, typer.Option(help="pressing, dollars or oldest")] = "pressing",
    limit: Annotated[int, typer.Option(min=1, max=5_000)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what waits for a person: by the day of the bill, then by money. Notes are shown by --severity warn."""
    from dataclasses import replace

    from openami.mdm.editing.worklist import WorkOrder

    if order not in set(WorkOrder):
        raise MisuseError(f"--order {order}: one of {', '.join(WorkOrder)}")
    wanted = replace(
        _filter(rule, severity, cell, feeder, bill_before),
        service_points=frozenset(place) or None, min_wh=int(min_kwh * 1000), with_cases=cases, order=WorkOrder(order),
    )  # fmt: skip
    page = asyncio.run(desk_of(home).page(person_of(login), wanted, limit=limit, offset=offset))
    if json_output:
        items = [item_document(item) for item in page.items]
        print(json.dumps({"total": page.total, "findings": page.findings, "items": items}))
        return
    show_items(page.items)
    print(f"{len(page.items):,} of {page.total:,} items, which fold {page.findings:,} findings.")


@app.command()
def accept(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    reason: ReasonOption,
    login: LoginOption,
    rule: RuleOption = [],  # noqa: B006
    channel: ChannelOption = "delivered",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Say that the readings of a span are true although a rule failed them; of named rules, or of all."""
    _one(place, first, last, reason, login, channel, yes, home, json_output, kind="accept", rules=tuple(rule))


@app.command()
def replace(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    values: Annotated[str, typer.Option(help="New counts, one for each interval, with commas between.")],
    reason: ReasonOption,
    login: LoginOption,
    channel: ChannelOption = "delivered",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Put values in place of those of a span."""
    try:
        counts = tuple(int(v) for v in values.split(","))
    except ValueError:
        raise MisuseError("--values: whole numbers with commas between, for example 210,180,195") from None
    _one(place, first, last, reason, login, channel, yes, home, json_output, kind="replace", values=counts)


@app.command()
def estimate(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    reason: ReasonOption,
    login: LoginOption,
    channel: ChannelOption = "delivered",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Believe the readings of a span no more: estimate them again."""
    _one(place, first, last, reason, login, channel, yes, home, json_output, kind="estimate_again")


@app.command()
def reject(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    reason: ReasonOption,
    login: LoginOption,
    reads_only: Annotated[bool, typer.Option("--reads-only", help="The register reads alone; intervals stay.")] = False,
    channel: ChannelOption = "delivered",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Believe neither intervals nor register reads of a span; a read at its end belongs to it."""
    kind = "reject_reads" if reads_only else "reject_raw"
    _one(place, first, last, reason, login, channel, yes, home, json_output, kind=kind)


@app.command()
def shift(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    seconds: Annotated[int, typer.Option(help="Added to each stamp; negative for earlier. Whole intervals.")],
    reason: ReasonOption,
    login: LoginOption,
    channel: ChannelOption = "delivered",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Put a wrong clock right: everything stamped in the span belongs so many seconds later."""
    _one(place, first, last, reason, login, channel, yes, home, json_output, kind="shift_clock", shift_s=seconds)


@app.command()
def swap(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    reason: ReasonOption,
    login: LoginOption,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let delivered and received change places."""
    _one(place, first, last, reason, login, "delivered", yes, home, json_output, kind="swap_channels")


@app.command()
def scale(
    place: PlaceArgument,
    first: FromArgument,
    last: ToArgument,
    factor: Annotated[str, typer.Option(help="As a fraction: 2/1, 1/40, 120/119.")],
    reason: ReasonOption,
    login: LoginOption,
    channel: ChannelOption = "delivered",
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Multiply a span, registers too: a lost element, a wrong constant that the registry cannot hold."""
    try:
        numerator, denominator = (int(n) for n in factor.split("/"))
    except ValueError:
        raise MisuseError(f"--factor {factor!r}: a fraction such as 2/1") from None
    _one(
        place, first, last, reason, login, channel, yes, home, json_output, kind="scale", numerator=numerator,
        denominator=denominator,
    )  # fmt: skip


@app.command()
def bulk(
    kind: Annotated[str, typer.Argument(metavar="ACTION", help="accept or estimate")],
    reason: ReasonOption,
    login: LoginOption,
    rule: RuleOption = [],  # noqa: B006
    severity: SeverityOption = "any",
    cell: CellOption = "",
    feeder: FeederOption = "",
    bill_before: BeforeOption = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Accept, or estimate again, everything that a filter leaves, as one decision with one preview."""
    from openami.mdm.editing.decision import DecisionKind

    kinds = {"accept": DecisionKind.ACCEPT, "estimate": DecisionKind.ESTIMATE_AGAIN}
    if kind not in kinds:
        raise MisuseError(f"{kind}: accept or estimate")
    if not rule:
        raise MisuseError("a bulk decision names its rules: --rule NAME")
    desk, person = desk_of(home), person_of(login)
    wanted = _filter(rule, severity, cell, feeder, bill_before)

    async def act() -> tuple[Any, Any]:
        wish = await desk.wish_of(person, wanted, kinds[kind], reason)
        proposal = await desk.preview(person, wish)
        return proposal, await desk.decide(person, proposal) if yes else None

    show_proposal(*asyncio.run(act()), json_output=json_output)


@app.command()
def decisions(
    login: LoginOption,
    place: Annotated[list[UUID], typer.Option("--place", help="About this place; may be repeated.")] = [],  # noqa: B006
    state: Annotated[str, typer.Option(help="waiting, in_force, undoing, undone or withdrawn")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what people decided, the newest first, with who, when and why."""
    from openami.mdm.editing.ports import DecisionState

    if state and state not in set(DecisionState):
        raise MisuseError(f"--state {state}: one of {', '.join(DecisionState)}")
    wanted = DecisionState(state) if state else None
    heads = asyncio.run(desk_of(home).decisions(person_of(login), place or None, state=wanted, limit=limit))
    print(json.dumps([head_document(h) for h in heads])) if json_output else show_heads(heads)


@app.command()
def approve(
    decision: DecisionArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve a decision, or the undoing of one, that another person made."""
    head = asyncio.run(desk_of(home).approve(person_of(login), decision))
    words = f"Decision {decision} is {head.state.value.replace('_', ' ')}; its days run again now."
    print(json.dumps(head_document(head)) if json_output else words)


@app.command()
def withdraw(
    decision: DecisionArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Take back a decision that waits for a second person."""
    asyncio.run(desk_of(home).withdraw(person_of(login), decision))
    document = {"decision": str(decision), "state": "withdrawn"}
    print(json.dumps(document) if json_output else f"Decision {decision} is withdrawn.")


@app.command()
def undo(
    decision: DecisionArgument,
    reason: ReasonOption,
    login: LoginOption,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Undo a decision: it stays on record, and its days get another version without it."""
    desk, person = desk_of(home), person_of(login)

    async def act() -> tuple[Any, Any]:
        proposal = await desk.preview_undo(person, decision)
        return proposal, await desk.undo(person, proposal, reason=reason) if yes else None

    show_proposal(*asyncio.run(act()), json_output=json_output)


def _filter(rule: list[str], severity: str, cell: str, feeder: str, bill_before: datetime | None) -> WorkFilter:
    from openami.mdm.editing.worklist import WorkFilter

    if severity not in {"any", *Severity}:
        raise MisuseError(f"--severity {severity}: fail, warn or any")
    before = bill_before.date() if bill_before is not None else None
    wanted = None if severity == "any" else Severity(severity)
    return WorkFilter(severity=wanted, rules=tuple(rule), cell=cell, feeder=feeder, bill_before=before)


def _one(
    place: UUID,
    first: str,
    last: str,
    reason: str,
    login: str,
    channel: str,
    yes: bool,
    home: Path,
    json_output: bool,
    *,
    kind: str,
    values: tuple[int, ...] = (),
    **more: Any,
) -> None:
    """Preview a decision about one span and, with ``--yes``, make it."""
    from openami.mdm.editing.decision import DecisionKind
    from openami.mdm.editing.editor import Place, Wish

    zone = ZoneInfo(asyncio.run(desk_of(home).zone_of(place)))
    span = Place(place, channel_of(channel), period_of(first, last, zone), values)
    kind_of: DecisionKind = DecisionKind(kind)
    carry_out(home, login, Wish(kind_of, reason, (span,), **more), yes=yes, json_output=json_output)
