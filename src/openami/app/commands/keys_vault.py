"""``openami keys``: what is above the meters' keys: makers, the installation key, the root key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.keys.key_desk import KeyDesk

LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
MakerArgument = Annotated[str, typer.Argument(metavar="MAKER", help="Its name, as in its shipments.")]
KEY_DIGITS = 128
maker_app = typer.Typer(help="Makers whose signature on a shipment is believed.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(public)
    app.command()(rewrap)
    app.command("move-root")(move_root)
    app.command()(alerts)
    app.add_typer(maker_app, name="maker")


def public(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Print the public key that makers encrypt shipments to: 128 hexadecimal digits, X and Y on P-256."""
    from openami.app.devices.shipment import public_shipment_key
    from openami.app.settings import Settings
    from openami.security.keys.sealed_shipment import fingerprint_of_point

    key = asyncio.run(public_shipment_key(Settings.load(home)))
    if json_output:
        print(json.dumps({"public_key": key.hex(), "fingerprint": fingerprint_of_point(key).hex()}))
    else:
        print(key.hex())


def rewrap(
    login: LoginOption,
    go_on: Annotated[bool, typer.Option("--go-on", help="Go on with a re-wrap that was stopped.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Make a new installation key and wrap every key under it while everything runs. Safe to stop at any moment."""
    from rich.progress import Progress, TextColumn

    person = person_of(login)
    with Progress(TextColumn("{task.completed} keys wrapped"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        done = asyncio.run(
            desk_of(home).rewrap(person, go_on=go_on, told=lambda keys: bar.update(task, completed=keys))
        )
    say(
        {
            "installation_key": done.version,
            "keys": done.keys,
            "retired": list(done.retired),
            "spoiled": list(done.spoiled),
        },
        f"{done.keys} keys are under installation key {done.version}; "
        + (f"gone: {', '.join(map(str, done.retired))}." if done.retired else "no older one could go.")
        + "".join(f"\n{words}" for words in done.spoiled),
        json_output=json_output,
    )
    if done.spoiled:
        raise typer.Exit(1)


def move_root(
    login: LoginOption,
    to: Annotated[str, typer.Option(help="token (as OPENAMI_PKCS11_MODULE, _TOKEN, _PIN_FILE say) or file.")] = "token",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Move the root key: wrap what is under it under another one, all or nothing. Tell processes the place first."""
    if to not in {"token", "file"}:
        raise MisuseError(f"--to {to!r} is neither token nor file")
    place, keys = asyncio.run(desk_of(home).move_root(person_of(login), to_token=to == "token"))
    say(
        {"root_key": place, "keys": keys},
        f"The root key is now {place}; {keys} keys are under it.",
        json_output=json_output,
    )


def alerts(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 200,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List keys that do not open in their place: altered, or moved from another meter."""
    from openami.security.keys.alert import KEY_BINDING

    found = asyncio.run(desk_of(home).alerts(limit=limit))
    rows = [
        {
            "alert": KEY_BINDING,
            "meter": str(a.spoiled.meter_id),
            "generation": a.spoiled.generation,
            "words": a.spoiled.words,
            "seen_by": a.seen_by,
            "raised_at": a.raised_at.isoformat(),
            "ended_at": a.ended_at.isoformat() if a.ended_at else None,
        }
        for a in found
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("alert", "meter", "generation", "what", "since", "until")
    for row in rows:
        words = (row[name] or "now" for name in ("alert", "meter", "generation", "words", "raised_at", "ended_at"))
        table.add_row(*map(str, words))
    Console(markup=False).print(table)


@maker_app.command("add")
def add_maker(
    maker: MakerArgument,
    key: Annotated[Path, typer.Option(help="File with the maker's public key: 128 hexadecimal digits, X and Y.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Believe a maker's signature from now on. Compare the key with the maker by another way first."""
    octets = _public_key(key)
    asyncio.run(desk_of(home).register_maker(person_of(login), maker, octets))
    say(
        {"maker": maker, "public_key": octets.hex()},
        f"Shipments that {maker} signs are believed.",
        json_output=json_output,
    )


@maker_app.command("list")
def list_makers(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List makers' keys, those that were withdrawn too."""
    found = asyncio.run(desk_of(home).makers())
    rows = [
        {
            "maker": m.maker,
            "public_key": m.public_key.hex(),
            "registered_at": m.registered_at.isoformat(),
            "withdrawn_at": m.withdrawn_at.isoformat() if m.withdrawn_at else None,
        }
        for m in found
    ]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table("maker", "public key", "since", "until")
    for row in rows:
        table.add_row(
            row["maker"], f"{(row['public_key'] or '')[:16]}…", row["registered_at"], row["withdrawn_at"] or "now"
        )
    Console(markup=False).print(table)


@maker_app.command("withdraw")
def withdraw_maker(
    maker: MakerArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Believe no signature of this maker any more. Its meters keep their keys."""
    count = asyncio.run(desk_of(home).withdraw_maker(person_of(login), maker))
    if not count:
        raise MisuseError(f"no key of maker {maker!r} is believed")
    say({"maker": maker, "withdrawn": count}, f"{count} keys of {maker} are believed no more.", json_output=json_output)


def desk_of(home: Path) -> KeyDesk:
    """Return the desk of a home."""
    from openami.app.keys.key_desk import KeyDesk
    from openami.app.settings import Settings

    return KeyDesk(Settings.load(home))


def say(document: dict[str, Any], words: str, *, json_output: bool) -> None:
    """Print one document, or the words for a person."""
    print(json.dumps(document) if json_output else words)


def _public_key(place: Path) -> bytes:
    try:
        text = place.read_text(encoding="ascii").strip()
        octets = bytes.fromhex(text)
    except (OSError, ValueError) as error:
        raise MisuseError(f"{place} holds no public key: {type(error).__name__}") from None
    if len(text) != KEY_DIGITS:
        raise MisuseError(f"{place} has {len(text)} digits, a public key has {KEY_DIGITS}")
    return octets
