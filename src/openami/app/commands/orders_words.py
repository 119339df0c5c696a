"""What the commands of switching orders share: options, documents, tables, and what is read from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.orders.switch_desk import SwitchDesk
    from openami.app.orders.switch_standing import OrderHead
    from openami.headend.switching.life import SwitchTurn
    from openami.kernel.ids import SystemTitle

LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
OrderArgument = Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")]
PlaceArgument = Annotated[UUID, typer.Argument(metavar="PLACE", help="Id of the service point.")]
MAX_FILE_OCTETS = 1024 * 1024
KEY_OCTETS = 32


def head_document(head: OrderHead) -> dict[str, Any]:
    """Return an order as a document."""
    from openami.app.orders.switch_standing import switched

    order, subject = head.order, head.subject
    return {
        "order": str(order.subject.order_id),
        "action": order.subject.action,
        "reason": order.subject.reason,
        "state": head.state.value,
        "meters": order.item_count,
        "switched": switched(head.counts),
        "counts": head.counts,
        "longest_s": round(head.longest_s, 1) if head.longest_s is not None else None,
        "people": subject.people,
        "approved_by": head.approved_by,
        "is_list": bool(order.document),
        "from": order.subject.window.start.isoformat(),
        "to": order.subject.window.end.isoformat(),
    }


def turn_document(turn: SwitchTurn) -> dict[str, Any]:
    """Return a meter of an order as a document."""
    return {
        "system_title": str(turn.title),
        "service_point": str(turn.service_point_id),
        "state": turn.state.value,
        "code": turn.code.value if turn.code is not None else None,
        "words": turn.words,
        "took_s": round(turn.took_s, 1) if turn.took_s is not None else None,
    }


def show_heads(heads: list[dict[str, Any]]) -> None:
    """Print orders as a table."""
    table = Table("order", "what", "why", "how it stands", "done", "approved by", box=SIMPLE)
    for one in heads:
        table.add_row(
            one["order"], one["action"], one["reason"].replace("_", " "), one["state"].replace("_", " "),
            f"{one['switched']} of {one['meters']}", f"{one['approved_by']} of {one['people']}",
        )  # fmt: skip
    console().print(table)


def show_one(document: dict[str, Any]) -> None:
    """Print one order with its meters."""
    shown = console()
    reason, state = document["reason"].replace("_", " "), document["state"].replace("_", " ")
    shown.print(f"Order {document['order']}: {document['action']} for {reason}, {state}")
    shown.print(
        f"{document['switched']} of {document['meters']} meters are as it wants them; "
        f"approved by {document['approved_by']} of {document['people']} people, until {document['to']}"
    )
    table = Table("meter", "how it stands", "seconds", box=SIMPLE)
    for row in document["each"]:
        took = "" if row["took_s"] is None else f"{row['took_s']:.0f}"
        table.add_row(row["system_title"], row["words"] or row["state"], took)
    shown.print(table)


def console() -> Console:
    """Return a console that is as wide as it must be: half an id tells nobody anything."""
    made = Console(markup=False)
    made.width = max(made.width, 140)
    return made


def approve_line(order_id: UUID) -> str:
    """Return what another person types to approve an order."""
    return f"openami orders approve {order_id} --as LOGIN"


def desk_of(home: Path) -> SwitchDesk:
    """Return the desk of a home."""
    from openami.app.orders.switch_desk import SwitchDesk
    from openami.app.settings import Settings

    return SwitchDesk(Settings.load(home))


def say(document: dict[str, Any], words: str, *, json_output: bool) -> None:
    """Print a document, or words for it."""
    print(json.dumps(document) if json_output else words)


def titles_of(texts: list[str]) -> list[SystemTitle]:
    """Read system titles. Raises MisuseError."""
    from openami.kernel.ids import BadSystemTitleError, SystemTitle

    try:
        return [SystemTitle.from_hex(text) for text in texts]
    except BadSystemTitleError as error:
        raise MisuseError(f"--meter: {error}") from error


def octets_of(file: Path) -> bytes:
    """Read a file of bounded size. Raises MisuseError."""
    try:
        with file.open("rb") as source:
            octets = source.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    if len(octets) > MAX_FILE_OCTETS:
        raise MisuseError(f"{file} has more than {MAX_FILE_OCTETS} octets")
    return octets


def key_of(file: Path) -> bytes:
    """Read a public key from a file. Raises MisuseError."""
    try:
        found = bytes.fromhex(octets_of(file).decode("ascii"))
    except ValueError as error:
        raise MisuseError(f"{file} holds no public key: 64 hexadecimal digits") from error
    if len(found) != KEY_OCTETS:
        raise MisuseError(f"{file} holds {len(found)} octets; an Ed25519 public key has {KEY_OCTETS}")
    return found
