"""``openami orders``: order, approve, withdraw and watch what is switched; take signed lists; hold places."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.customer.supply import HoldKind
from openami.headend.switching.order import SwitchAction, SwitchReason
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.desk import Person
    from openami.app.switch_desk import SwitchDesk
    from openami.app.switch_orders import OrderHead
    from openami.headend.switching.life import SwitchTurn
    from openami.kernel.ids import SystemTitle

app = typer.Typer(
    help="Disconnect, reconnect and limit customers' supply, by orders that people approve.", no_args_is_help=True
)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
OrderArgument = Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")]
PlaceArgument = Annotated[UUID, typer.Argument(metavar="PLACE", help="Id of the service point.")]
MetersOption = Annotated[list[str], typer.Option("--meter", help="System title in hexadecimal; may be repeated.")]
MAX_FILE_OCTETS = 1024 * 1024
KEY_OCTETS = 32


@app.command()
def plan(
    action: Annotated[SwitchAction, typer.Argument(help="What is done.")],
    reason: Annotated[SwitchReason, typer.Option(help="Why; which blocks bind depends on it.")],
    meter: MetersOption,
    login: LoginOption,
    limit_w: Annotated[int, typer.Option(help="Of a limit: the most that may be taken [W]; 1000000 ends one.")] = 0,
    hours: Annotated[float, typer.Option(help="For how long it may be carried out.", min=0.1, max=24)] = 8.0,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Order something of meters. Your own approval is the first; most orders need another person's."""
    from openami.app.settings import real_now
    from openami.headend.switching.order import SwitchSubject
    from openami.kernel.time import Period

    subject, now = SwitchSubject(action, reason, limit_w), real_now()
    window = Period(now, now + timedelta(hours=hours))
    order = asyncio.run(_desk(home).plan(_person(login), subject, _titles(meter), window))
    order_id = order.subject.order_id
    words = "It is carried out now." if subject.people == 1 else f"Another person lets it go: {_approve_line(order_id)}"
    document = {"order": str(order_id), "meters": order.item_count, "people": subject.people}
    _say(document, f"Order {order_id} is made. {words}", json_output=json_output)


@app.command()
def take(
    file: Annotated[Path, typer.Argument(help="List signed by the customer information system.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a signed order list, or a notice of who has paid. A list that was changed is refused whole."""
    taken = asyncio.run(_desk(home).take(_person(login), _octets_of(file)))
    document: dict[str, Any] = {"paid": taken.paid}
    words = f"{taken.paid} places have paid." if taken.paid else ""
    if taken.order is not None:
        order_id, count = taken.order.subject.order_id, taken.order.item_count
        document |= {"order": str(order_id), "meters": count, "action": taken.order.subject.action}
        words += f" Order {order_id} of {count} meters is made."
        if taken.order.subject.action == SwitchAction.DISCONNECT.value:
            words += f" Another person lets it go: {_approve_line(order_id)}"
    _say(document, words.strip(), json_output=json_output)


@app.command()
def approve(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve an order that somebody else has made: exactly these meters, this action, this window."""
    found = asyncio.run(_desk(home).approve(_person(login), order))
    people = len({a.human_id for a in found.approvals})
    document = {"order": str(order), "approved_by": people, "digest": found.subject.digest().hex()}
    words = f"Order {order} is approved by {people} people: {found.subject.action} of {found.item_count} meters."
    _say(document, words, json_output=json_output)


@app.command()
def withdraw(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Let nothing more of an order be done. What is switched stays as it is."""
    asyncio.run(_desk(home).withdraw(_person(login), order))
    _say({"order": str(order), "state": "withdrawn"}, f"Order {order} is withdrawn.", json_output=json_output)


@app.command()
def status(
    order: Annotated[UUID | None, typer.Argument(help="Id of an order; without it all of them.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show orders, or one with what became of each of its meters."""
    desk = _desk(home)
    if order is None:
        heads = [head_document(head) for head in asyncio.run(desk.heads())]
        print(json.dumps(heads)) if json_output else _show_heads(heads)
        return
    head, turns = asyncio.run(desk.one(order))
    document = head_document(head) | {"each": [turn_document(turn) for turn in turns]}
    print(json.dumps(document)) if json_output else _show_one(document)


@app.command()
def hold(
    place: PlaceArgument,
    kind: Annotated[HoldKind, typer.Option(help="Why; it stays in the customer room.")],
    login: LoginOption,
    days: Annotated[float, typer.Option(help="For how long; 0 until somebody ends it.", min=0, max=3_660)] = 0.0,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Hold a place: it is not switched for the reasons that a hold of this kind stops."""
    from openami.app.settings import real_now

    to_at = real_now() + timedelta(days=days) if days else None
    found = asyncio.run(_desk(home).hold(_person(login), place, kind, to_at=to_at))
    _say({"hold": str(found.hold_id)}, f"Hold {found.hold_id} of {place} is kept.", json_output=json_output)


@app.command("end-hold")
def end_hold(
    place: PlaceArgument,
    hold_id: Annotated[UUID, typer.Argument(metavar="HOLD", help="Id of the hold.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """End a hold of a place."""
    asyncio.run(_desk(home).end_hold(_person(login), place, hold_id))
    _say({"hold": str(hold_id), "state": "ended"}, f"Hold {hold_id} has ended.", json_output=json_output)


@app.command()
def holds(
    place: PlaceArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Show the holds of a place: a look that whoever lives there can see in the log."""
    rows = [
        {
            "hold": str(one.hold_id),
            "kind": one.kind.value,
            "from": one.from_at.isoformat(),
            "to": one.to_at.isoformat() if one.to_at else None,
        }
        for one in asyncio.run(_desk(home).holds(_person(login), place))
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("hold", "kind", "from", "to", box=SIMPLE)
    for row in rows:
        table.add_row(row["hold"], row["kind"], row["from"], row["to"] or "until it is ended")
    _console().print(table)


@app.command()
def forecast(
    file: Annotated[Path, typer.Argument(help="CSV: issued,INSTANT and at,temperature_f,heat_index_f.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Keep a weather forecast. Without a fresh one nobody is disconnected for non-payment in its season."""
    issued_at = asyncio.run(_desk(home).forecast(_person(login), _octets_of(file)))
    words = f"The forecast of {issued_at.isoformat()} is kept."
    _say({"issued": issued_at.isoformat()}, words, json_output=json_output)


@app.command()
def keys(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show the customer information systems that may sign order lists."""
    rows = [
        {
            "key": str(key.key_id),
            "name": key.name,
            "public_key": key.public_key.hex(),
            "ended": key.ended_at.isoformat() if key.ended_at else None,
        }
        for key in asyncio.run(_desk(home).keys())
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("key", "name", "public key", "ended", box=SIMPLE)
    for row in rows:
        table.add_row(row["key"], row["name"], row["public_key"], row["ended"] or "")
    _console().print(table)


@app.command("trust-key")
def trust_key(
    name: Annotated[str, typer.Argument(help="Name of the system, for staff.")],
    file: Annotated[Path, typer.Argument(help="File with its Ed25519 public key: 64 hexadecimal digits.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let a customer information system sign order lists."""
    if not (name.isprintable() and 1 <= len(name) <= 80):
        raise MisuseError("a name has 1 to 80 printable characters")
    key = asyncio.run(_desk(home).trust_key(_person(login), name, _key_of(file)))
    _say({"key": str(key.key_id)}, f"Key {key.key_id} of {name} may sign order lists.", json_output=json_output)


@app.command("end-key")
def end_key(
    key: Annotated[UUID, typer.Argument(metavar="KEY", help="Id of the key.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let a key sign nothing any more; what it has signed is refused from now on."""
    asyncio.run(_desk(home).end_key(_person(login), key))
    _say({"key": str(key), "state": "ended"}, f"Key {key} signs nothing any more.", json_output=json_output)


@app.command()
def sign(
    action: Annotated[str, typer.Argument(help="disconnect, reconnect, or notice (of payments).")],
    meters: Annotated[Path, typer.Option(help="File with a meter and its place a line.")],
    key: Annotated[Path, typer.Option(help="File with the Ed25519 private key; made where there is none.")],
    out: Annotated[Path, typer.Option(help="Where the signed list goes; the public key goes beside the key.")],
    hours: Annotated[float, typer.Option(help="For how long it may be carried out.", min=0.1, max=24)] = 8.0,
    json_output: JsonOption = False,
) -> None:
    """Sign an order list as a customer information system would, to try one."""
    from openami.app.order_lists import signed_file

    list_id = signed_file(action, _octets_of(meters), key=key, out=out, hours=hours)
    public = key.with_name(key.name + ".pub")
    document = {"list": str(list_id), "file": str(out), "public_key": str(public)}
    _say(document, f"List {list_id} is in {out}; its public key is in {public}.", json_output=json_output)


@app.command()
def alerts(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show what people were called for, what nobody has seen to first."""
    rows = [
        {
            "alert": str(one.alert_id),
            "at": one.at.isoformat(timespec="seconds"),
            "rule": one.rule,
            "words": one.words,
            "order": str(one.order_id) if one.order_id else None,
            "seen": one.seen_at.isoformat() if one.seen_at else None,
        }
        for one in asyncio.run(_desk(home).alerts())
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("alert", "at", "what", "seen", box=SIMPLE)
    for row in rows:
        table.add_row(row["alert"], row["at"], row["words"], row["seen"] or "")
    _console().print(table)


@app.command()
def seen(
    alert: Annotated[UUID, typer.Argument(metavar="ALERT", help="Id of the alert.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Note that you have seen to an alert."""
    if not asyncio.run(_desk(home).seen(_person(login), alert)):
        raise MisuseError(f"there is no alert {alert} that nobody has seen to")
    _say({"alert": str(alert), "seen": True}, f"Alert {alert} is seen to.", json_output=json_output)


def head_document(head: OrderHead) -> dict[str, Any]:
    """Return an order as a document."""
    from openami.app.switch_orders import switched

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


def _show_heads(heads: list[dict[str, Any]]) -> None:
    table = Table("order", "what", "why", "how it stands", "done", "approved by", box=SIMPLE)
    for one in heads:
        table.add_row(
            one["order"], one["action"], one["reason"].replace("_", " "), one["state"].replace("_", " "),
            f"{one['switched']} of {one['meters']}", f"{one['approved_by']} of {one['people']}",
        )  # fmt: skip
    _console().print(table)


def _show_one(document: dict[str, Any]) -> None:
    console = _console()
    reason, state = document["reason"].replace("_", " "), document["state"].replace("_", " ")
    console.print(f"Order {document['order']}: {document['action']} for {reason}, {state}")
    console.print(
        f"{document['switched']} of {document['meters']} meters are as it wants them; "
        f"approved by {document['approved_by']} of {document['people']} people, until {document['to']}"
    )
    table = Table("meter", "how it stands", "seconds", box=SIMPLE)
    for row in document["each"]:
        took = "" if row["took_s"] is None else f"{row['took_s']:.0f}"
        table.add_row(row["system_title"], row["words"] or row["state"], took)
    console.print(table)


def _console() -> Console:
    # As wide as it must be: half an id tells nobody anything.
    console = Console(markup=False)
    console.width = max(console.width, 140)
    return console


def _approve_line(order_id: UUID) -> str:
    return f"openami orders approve {order_id} --as LOGIN"


def _desk(home: Path) -> SwitchDesk:
    from openami.app.settings import Settings
    from openami.app.switch_desk import SwitchDesk

    return SwitchDesk(Settings.load(home))


def _person(login: str) -> Person:
    from openami.app.desk import Person

    return Person(login, typer.prompt(f"Password of {login}", hide_input=True, err=True))


def _say(document: dict[str, Any], words: str, *, json_output: bool) -> None:
    print(json.dumps(document) if json_output else words)


def _titles(texts: list[str]) -> list[SystemTitle]:
    from openami.kernel.ids import BadSystemTitleError, SystemTitle

    try:
        return [SystemTitle.from_hex(text) for text in texts]
    except BadSystemTitleError as error:
        raise MisuseError(f"--meter: {error}") from error


def _octets_of(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            octets = source.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    if len(octets) > MAX_FILE_OCTETS:
        raise MisuseError(f"{file} has more than {MAX_FILE_OCTETS} octets")
    return octets


def _key_of(file: Path) -> bytes:
    try:
        found = bytes.fromhex(_octets_of(file).decode("ascii"))
    except ValueError as error:
        raise MisuseError(f"{file} holds no public key: 64 hexadecimal digits") from error
    if len(found) != KEY_OCTETS:
        raise MisuseError(f"{file} holds {len(found)} octets; an Ed25519 public key has {KEY_OCTETS}")
    return found
