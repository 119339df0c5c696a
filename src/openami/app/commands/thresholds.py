"""``openami thresholds``: what may be switched, what the gateway keeps, and what two people change or release."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.orders.threshold_desk import ThresholdDesk
    from openami.contracts.threshold_word import ThresholdWord
    from openami.security.access.order import Order

app = typer.Typer(help="Bound what may be switched, and decide on what the gateway keeps.", no_args_is_help=True)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the log: at most 160 ASCII characters.")]
OrderArgument = Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")]
_MS = 1000


@app.command()
def show(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show the thresholds in force, as a document that can be changed and proposed."""
    found = asyncio.run(_desk(home).in_force())
    document = json.loads(found.thresholds.encode()) if found.thresholds else None
    if json_output:
        print(json.dumps({"version": found.version, "thresholds": document}))
    elif document is None:
        print(f"Version {found.version} is in force; its document is not kept here any more.")
    else:
        print(json.dumps(document, indent=2))


@app.command()
def words(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what gateways said about thresholds, the newest first."""
    _show_words(asyncio.run(_desk(home).words(limit=limit)), json_output=json_output)


@app.command()
def held(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show the commands that gateways keep because they were over a threshold. Exits 1 where there are any."""
    found = asyncio.run(_desk(home).held())
    _show_words(found, json_output=json_output)
    if found:
        raise typer.Exit(1)


@app.command()
def orders(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show what people ordered: other thresholds, and releases."""
    rows = [_order_document(order) for order in asyncio.run(_desk(home).orders())]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table(box=SIMPLE)
    for column in ("order", "what", "made", "until", "how it stands"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(row["order"], row["action"], row["made"], row["until"], row["state"])
    print_wide(table, columns=190)


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(help="Thresholds as JSON; `openami thresholds show` prints those in force.")],
    login: LoginOption,
    reason: ReasonOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Propose other thresholds. They hold once another person has approved them."""
    from openami.contracts.threshold import MAX_THRESHOLDS_OCTETS

    try:
        with file.open("rb") as source:
            document = source.read(MAX_THRESHOLDS_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    _say(asyncio.run(_desk(home).propose(person_of(login), document, reason=reason)), json_output=json_output)


@app.command()
def release(
    ids: Annotated[list[UUID], typer.Argument(metavar="ID...", help="Ids of kept commands.")],
    login: LoginOption,
    reason: ReasonOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let kept commands pass, each once, as soon as another person has approved it and their order asks again."""
    _say(asyncio.run(_desk(home).release(person_of(login), ids, reason=reason)), json_output=json_output)


@app.command()
def approve(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve what somebody else has proposed: exactly this document, or exactly these commands."""
    _say(asyncio.run(_desk(home).approve(person_of(login), order)), json_output=json_output)


@app.command()
def withdraw(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Withdraw an order. Thresholds that are in force stay; what was not released yet is not."""
    asyncio.run(_desk(home).withdraw(person_of(login), order))
    print(json.dumps({"order": str(order), "state": "withdrawn"}) if json_output else f"Order {order} is withdrawn.")


def _show_words(found: list[ThresholdWord], *, json_output: bool) -> None:
    if json_output:
        for word in found:
            print(word.encode().decode())
        return
    table = Table(box=SIMPLE)
    for column in ("when", "what", "threshold", "reached", "may be", "effect", "meter", "feeder", "id"):
        table.add_column(column, no_wrap=True)
    for word in found:
        table.add_row(
            datetime.fromtimestamp(word.at_ms / _MS, UTC).isoformat(timespec="seconds"),
            word.kind.value,
            word.rule.value if word.rule else f"version {word.version}",
            str(word.reached) if word.rule else "",
            str(word.limit) if word.rule else "",
            word.effect.name.lower() if word.rule else "",
            str(word.title) if word.title else "",
            str(word.feeder) if word.feeder else "",
            str(word.held_id) if word.held_id else "",
        )
    print_wide(table, columns=190)


def _order_document(order: Order) -> dict[str, Any]:
    from openami.app.orders.order_desk import standing_words

    return {
        "order": str(order.subject.order_id),
        "kind": order.subject.kind.value,
        "action": order.subject.action,
        "reason": order.subject.reason,
        "digest": order.subject.digest().hex(),
        "made": order.made_at.isoformat(timespec="seconds"),
        "until": order.subject.window.end.isoformat(timespec="seconds"),
        "approved_by": len({a.human_id for a in order.approvals}),
        "state": standing_words(order),
    }


def _say(order: Order, *, json_output: bool) -> None:
    document = _order_document(order)
    if json_output:
        print(json.dumps(document))
        return
    print(f"Order {document['order']}, {document['action']}: {document['state']}.")
    if document["approved_by"] < 2:
        print(f"Another person lets it happen: openami thresholds approve {document['order']} --as LOGIN")


def _desk(home: Path) -> ThresholdDesk:
    from openami.app.orders.threshold_desk import ThresholdDesk
    from openami.app.settings import Settings

    return ThresholdDesk(Settings.load(home))
