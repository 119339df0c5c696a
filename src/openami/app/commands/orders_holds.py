"""``openami orders`` hold, end-hold, holds, forecast, alerts, seen: what stops a place, and what calls people."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.orders_words import LoginOption, PlaceArgument, console, desk_of, octets_of, say
from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.customer.supply import HoldKind
from openami.kernel.errors import MisuseError


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
    found = asyncio.run(desk_of(home).hold(person_of(login), place, kind, to_at=to_at))
    say({"hold": str(found.hold_id)}, f"Hold {found.hold_id} of {place} is kept.", json_output=json_output)


def end_hold(
    place: PlaceArgument,
    hold_id: Annotated[UUID, typer.Argument(metavar="HOLD", help="Id of the hold.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """End a hold of a place."""
    asyncio.run(desk_of(home).end_hold(person_of(login), place, hold_id))
    say({"hold": str(hold_id), "state": "ended"}, f"Hold {hold_id} has ended.", json_output=json_output)


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
        for one in asyncio.run(desk_of(home).holds(person_of(login), place))
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("hold", "kind", "from", "to", box=SIMPLE)
    for row in rows:
        table.add_row(row["hold"], row["kind"], row["from"], row["to"] or "until it is ended")
    console().print(table)


def forecast(
    file: Annotated[Path, typer.Argument(help="CSV: issued,INSTANT and at,temperature_f,heat_index_f.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Keep a weather forecast. Without a fresh one nobody is disconnected for non-payment in its season."""
    issued_at = asyncio.run(desk_of(home).forecast(person_of(login), octets_of(file)))
    words = f"The forecast of {issued_at.isoformat()} is kept."
    say({"issued": issued_at.isoformat()}, words, json_output=json_output)


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
        for one in asyncio.run(desk_of(home).alerts())
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("alert", "at", "what", "seen", box=SIMPLE)
    for row in rows:
        table.add_row(row["alert"], row["at"], row["words"], row["seen"] or "")
    console().print(table)


def seen(
    alert: Annotated[UUID, typer.Argument(metavar="ALERT", help="Id of the alert.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Note that you have seen to an alert."""
    if not asyncio.run(desk_of(home).seen(person_of(login), alert)):
        raise MisuseError(f"there is no alert {alert} that nobody has seen to")
    say({"alert": str(alert), "seen": True}, f"Alert {alert} is seen to.", json_output=json_output)
