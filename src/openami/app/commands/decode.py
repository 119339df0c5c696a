"""``openami decode``: what captured telegrams say, one line each, without a running platform."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from openami.headend.inspection.telegram import Framing, Keys, Telegram, TelegramError, decode_telegrams
from openami.headend.profiles import MeterProfile, UnknownProfileError, profile_of
from openami.headend.profiles.registry import profile_from_text
from openami.kernel.errors import MisuseError
from openami.kernel.time import UnknownZoneError, zone_named

MAX_INPUT_OCTETS = 64 * 1024 * 1024
"""Largest file read at once; a day of captures of one collector is far below."""
MAX_PROFILE_OCTETS = 1024 * 1024
"""Read of a profile file at most: what is longer is refused by its length."""
_TEXT = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\r\n")
_KEY_OCTETS = (16, 32)

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="Hex (one telegram a line) or binary; - for stdin.")]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="HEX",
        envvar="OPENAMI_KEY",
        help="Encryption key of the meter. The environment hides it from other users' lists of processes.",
    ),
]
AuthKeyOption = Annotated[
    str | None,
    typer.Option("--auth-key", metavar="HEX", envvar="OPENAMI_AUTH_KEY", help="Authentication key."),
]
FramingOption = Annotated[Framing, typer.Option("--framing", help="How the telegrams are packed.")]
ZoneOption = Annotated[
    str | None, typer.Option("--zone", help="IANA zone for stamps without deviation, for example Europe/Vienna.")
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME|FILE",
        help="Meter profile, or a profile file (.toml) in the making; else recognized.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON line per telegram.")]


def decode(
    file: FileArgument,
    key: KeyOption = None,
    auth_key: AuthKeyOption = None,
    framing: FramingOption = Framing.AUTO,
    zone: ZoneOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Read meter telegrams. Exits 1 where one of them is refused, with the offset and the cause."""
    octets = _read(file)
    keys = Keys(_key(key, "--key"), _key(auth_key, "--auth-key"))
    local, known = _zone(zone), _profile(profile)
    failed = False
    for number, source in enumerate(_sources(octets), 1):
        if isinstance(source, TelegramError):
            telegrams: Iterator[Telegram] = iter((Telegram(error=source),))
        else:
            telegrams = decode_telegrams(source, keys=keys, framing=framing, zone=local, profile=known)
        for telegram in telegrams:
            failed = failed or telegram.error is not None
            document = telegram.document()
            if json_output:
                print(json.dumps(document, allow_nan=False))
            else:
                _show(document, number)
    raise typer.Exit(1 if failed else 0)


def _read(file: str) -> bytes:
    """Return the octets of a file or of stdin.

    Raises:
        MisuseError: no such file, or one that is too large.
    """
    try:
        if file == "-":
            octets = sys.stdin.buffer.read(MAX_INPUT_OCTETS + 1)
        else:
            with Path(file).open("rb") as source:
                octets = source.read(MAX_INPUT_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    if len(octets) > MAX_INPUT_OCTETS:
        raise MisuseError(f"{file} has more than {MAX_INPUT_OCTETS} octets; split it")
    return octets


def _zone(name: str | None) -> ZoneInfo | None:
    """Return the zone that was asked for.

    Raises:
        MisuseError: no such zone.
    """
    try:
        return zone_named(name) if name else None
    except UnknownZoneError as error:
        raise MisuseError(f"--zone: {error}") from error


def _profile(name: str | None) -> MeterProfile | None:
    """Return the profile that was asked for.

    Raises:
        MisuseError: no such profile, or no such file.
        ProfileDataError: a file that is not as the schema says.
    """
    if name is None:
        return None
    if not name.endswith(".toml"):
        try:
            return profile_of(name)
        except UnknownProfileError as error:
            raise MisuseError(f"--profile: {error}") from error
    file = Path(name)
    try:
        with file.open("rb") as source:
            octets = source.read(MAX_PROFILE_OCTETS + 1)
        return profile_from_text(file.stem, octets.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise MisuseError(f"--profile: {file} cannot be read: {cause}") from error


def _key(text: str | None, option: str) -> bytes | None:
    """Read a key. The text is not repeated in the error: it may be most of a key.

    Raises:
        MisuseError: not 32 or 64 hexadecimal digits.
    """
    if text is None:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) not in _KEY_OCTETS:
        raise MisuseError(f"{option} takes 32 hexadecimal digits (64 for suite 2)")
    return key


def _sources(octets: bytes) -> Iterator[bytes | TelegramError]:
    """Yield the binary as it is, or each line of hexadecimal text as octets."""
    if not octets or not _TEXT.issuperset(octets):
        yield octets
        return
    lines = [line.strip() for line in octets.decode("ascii").splitlines()]
    filled = [line for line in lines if line and not line.startswith("#")]
    if not filled:
        yield b""
    for line in filled:
        digits = line.removeprefix("0x").replace(":", "")
        try:
            yield bytes.fromhex(digits)
        except ValueError:
            place = next((i for i, c in enumerate(line) if c not in "0123456789abcdefABCDEF :x"), len(line))
            message = f"not pairs of hexadecimal digits (at character {place} of the line)"
            yield TelegramError("bad_hex", message, place)


def _show(document: dict[str, Any], number: int) -> None:
    console = Console(highlight=False)
    error = document["error"]
    title = document["system_title"] or f"telegram {number}"
    if error:
        console.print(
            f"[bold red]refused[/] {title}: {escape(error['message'])} \\[{error['code']}, octet {error['offset']}]"
        )
        return
    if "message" in document:
        console.print(f"[bold]{title}[/] {document['message']['name']}")
        console.print_json(data=document["message"])
        return
    seal = "authenticated" if document["authenticated"] else "[yellow]not authenticated[/]"
    if document["encrypted"]:
        seal = f"counter {document['invocation_counter']}, encrypted, {seal}"
    table = Table(title=f"{title}  {document['timestamp'] or ''}", caption=f"{document['profile']}, {seal}")
    table.add_column("OBIS")
    table.add_column("what it is")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("at")
    for item in document["objects"]:
        value = "" if item["value"] is None else escape(str(item["value"]))
        value += f" ({item['meaning']})" if "meaning" in item else ""
        table.add_row(item["obis"] or "", item["name"] or "", value, item["unit"] or "", item.get("at") or "")
    console.print(table)
