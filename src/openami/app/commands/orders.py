"""``openami orders``: order, approve, withdraw and watch what is switched; take signed lists; hold places."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from openami.app.commands import orders_holds, orders_keys
from openami.app.commands.orders_words import (
    LoginOption,
    OrderArgument,
    approve_line,
    desk_of,
    head_document,
    octets_of,
    say,
    show_heads,
    show_one,
    titles_of,
    turn_document,
)
from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.headend.switching.order import SwitchAction, SwitchReason

app = typer.Typer(
    help="Disconnect, reconnect and limit customers' supply, by orders that people approve.", no_args_is_help=True
)
MetersOption = Annotated[list[str], typer.Option("--meter", help="System title in hexadecimal; may be repeated.")]


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
    order = asyncio.run(desk_of(home).plan(person_of(login), subject, titles_of(meter), window))
    order_id = order.subject.order_id
    words = "It is carried out now." if subject.people == 1 else f"Another person lets it go: {approve_line(order_id)}"
    document = {"order": str(order_id), "meters": order.item_count, "people": subject.people}
    say(document, f"Order {order_id} is made. {words}", json_output=json_output)


@app.command()
def take(
    file: Annotated[Path, typer.Argument(help="List signed by the customer information system.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a signed order list, or a notice of who has paid. A list that was changed is refused whole."""
    taken = asyncio.run(desk_of(home).take(person_of(login), octets_of(file)))
    document: dict[str, Any] = {"paid": taken.paid}
    words = f"{taken.paid} places have paid." if taken.paid else ""
    if taken.order is not None:
        order_id, count = taken.order.subject.order_id, taken.order.item_count
        document |= {"order": str(order_id), "meters": count, "action": taken.order.subject.action}
        words += f" Order {order_id} of {count} meters is made."
        if taken.order.subject.action == SwitchAction.DISCONNECT.value:
            words += f" Another person lets it go: {approve_line(order_id)}"
    say(document, words.strip(), json_output=json_output)


@app.command()
def approve(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve an order that somebody else has made: exactly these meters, this action, this window."""
    found = asyncio.run(desk_of(home).approve(person_of(login), order))
    people = len({a.human_id for a in found.approvals})
    document = {"order": str(order), "approved_by": people, "digest": found.subject.digest().hex()}
    words = f"Order {order} is approved by {people} people: {found.subject.action} of {found.item_count} meters."
    say(document, words, json_output=json_output)


@app.command()
def withdraw(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Let nothing more of an order be done. What is switched stays as it is."""
    asyncio.run(desk_of(home).withdraw(person_of(login), order))
    say({"order": str(order), "state": "withdrawn"}, f"Order {order} is withdrawn.", json_output=json_output)


@app.command()
def status(
    order: Annotated[UUID | None, typer.Argument(help="Id of an order; without it all of them.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show orders, or one with what became of each of its meters."""
    desk = desk_of(home)
    if order is None:
        heads = [head_document(head) for head in asyncio.run(desk.heads())]
        print(json.dumps(heads)) if json_output else show_heads(heads)
        return
    head, turns = asyncio.run(desk.one(order))
    document = head_document(head) | {"each": [turn_document(turn) for turn in turns]}
    print(json.dumps(document)) if json_output else show_one(document)


for _function in (
    *(orders_holds.hold, orders_holds.end_hold, orders_holds.holds, orders_holds.forecast),
    *(orders_holds.alerts, orders_holds.seen),
    *(orders_keys.keys, orders_keys.trust_key, orders_keys.end_key, orders_keys.sign),
):
    app.command(_function.__name__.replace("_", "-"))(_function)
