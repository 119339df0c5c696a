"""``openami orders`` keys, trust-key, end-key, sign: whose order lists are taken, and one to try."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.orders_words import LoginOption, console, desk_of, key_of, octets_of, say
from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError


def keys(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show the customer information systems that may sign order lists."""
    rows = [
        {
            "key": str(key.key_id),
            "name": key.name,
            "public_key": key.public_key.hex(),
            "ended": key.ended_at.isoformat() if key.ended_at else None,
        }
        for key in asyncio.run(desk_of(home).keys())
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("key", "name", "public key", "ended", box=SIMPLE)
    for row in rows:
        table.add_row(row["key"], row["name"], row["public_key"], row["ended"] or "")
    console().print(table)


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
    key = asyncio.run(desk_of(home).trust_key(person_of(login), name, key_of(file)))
    say({"key": str(key.key_id)}, f"Key {key.key_id} of {name} may sign order lists.", json_output=json_output)


def end_key(
    key: Annotated[UUID, typer.Argument(metavar="KEY", help="Id of the key.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let a key sign nothing any more; what it has signed is refused from now on."""
    asyncio.run(desk_of(home).end_key(person_of(login), key))
    say({"key": str(key), "state": "ended"}, f"Key {key} signs nothing any more.", json_output=json_output)


def sign(
    action: Annotated[str, typer.Argument(help="disconnect, reconnect, or notice (of payments).")],
    meters: Annotated[Path, typer.Option(help="File with a meter and its place a line.")],
    key: Annotated[Path, typer.Option(help="File with the Ed25519 private key; made where there is none.")],
    out: Annotated[Path, typer.Option(help="Where the signed list goes; the public key goes beside the key.")],
    hours: Annotated[float, typer.Option(help="For how long it may be carried out.", min=0.1, max=24)] = 8.0,
    json_output: JsonOption = False,
) -> None:
    """Sign an order list as a customer information system would, to try one."""
    from openami.app.orders.order_lists import signed_file

    list_id = signed_file(action, octets_of(meters), key=key, out=out, hours=hours)
    public = key.with_name(key.name + ".pub")
    document = {"list": str(list_id), "file": str(out), "public_key": str(public)}
    say(document, f"List {list_id} is in {out}; its public key is in {public}.", json_output=json_output)
