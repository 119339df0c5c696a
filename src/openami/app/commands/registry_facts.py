"""``openami registry`` fact, start, stop: dated facts of a place, and service for an account."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry import app, instant_at, instant_in, point_of
from openami.app.commands.registry_carry import (
    AT,
    AcceptOption,
    Asked,
    LoginOption,
    PlaceArgument,
    PreviewOption,
    ReasonOption,
    carry,
    carry_order,
)
from openami.kernel.errors import MisuseError, OpenAmiError

if TYPE_CHECKING:
    from datetime import datetime

    from openami.app.devices.registry_desk import RegistryRoom
    from openami.mdm.registry.change import Change
    from openami.mdm.registry.facts import FactEntry, FactKind
    from openami.mdm.registry.records import ServicePoint


MOST_ROWS = 20_000
"""Facts in one file: all are tried in one transaction. An exchange carries more."""
MOST_OCTETS = 4 * 1024 * 1024
"""Two hundred for each row; an id, a kind, a name and two instants are about 130."""
OrderArgument = Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")]
LINE_END = b"\n"
_COLUMNS = frozenset({"place", "kind", "value", "from"})


def kind_of(word: str) -> FactKind:
    """Return a kind of fact by its name.

    Raises:
        MisuseError: there is none of that name.
    """
    from openami.mdm.registry.facts import FactKind

    try:
        return FactKind(word.strip().replace("-", "_"))
    except ValueError as error:
        raise MisuseError(f"{word[:40]!r} is no kind; there are {', '.join(FactKind)}") from error


def rows_of(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a file of facts, each with its line.

    Raises:
        MisuseError: it cannot be read, has other columns, a row of another length, or too many rows.
    """
    try:
        reader = csv.DictReader(io.StringIO(_text_of(file), newline=""), strict=True)
        head = reader.fieldnames or ()
        if set(head) - {"until"} != _COLUMNS or len(set(head)) != len(head):
            told = [name[:40] for name in head[:8]]
            raise MisuseError(f"{file.name}: the columns are place, kind, value, from and until, not {told}")
        found = []
        for row in reader:
            if None in row or None in row.values():
                raise MisuseError(f"{file.name}, line {reader.line_num}: it has more or fewer cells than the head")
            found.append((reader.line_num, {k: v.strip() for k, v in row.items()}))
            if len(found) > MOST_ROWS:
                raise MisuseError(f"{file.name}: more than {MOST_ROWS} rows; split it")
    except csv.Error as error:
        raise MisuseError(f"{file.name}: it cannot be read: {str(error)[:120]}") from error
    if not found:
        raise MisuseError(f"{file.name}: it has no row")
    return found


def _text_of(file: Path) -> str:
    try:
        # A device or a pipe has no size to ask for: what comes is counted.
        with file.open("rb") as opened:
            octets = opened.read(MOST_OCTETS + 1)
        if len(octets) > MOST_OCTETS:
            raise MisuseError(f"{file.name}: more than {MOST_OCTETS:,} octets; split it")
        # The database takes no NUL in a text, and no name has one.
        if (at := octets.find(b"\0")) >= 0:
            line = octets.count(LINE_END, 0, at) + 1
            raise MisuseError(f"{file.name}, line {line}: no text; export the file as CSV in UTF-8")
        return octets.decode("utf-8-sig")
    except OSError as error:
        raise MisuseError(f"{file.name}: it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = octets.count(LINE_END, 0, error.start) + 1
        raise MisuseError(f"{file.name}, line {line}: no UTF-8 text; export the file as CSV in UTF-8") from error


async def _places_of(room: RegistryRoom, said: Collection[str]) -> dict[str, ServicePoint]:
    """Return the service points of ids with one question; a serial, or what is no id of ours, is left out."""
    ids: dict[UUID, str] = {}
    for place in said:
        with suppress(ValueError):
            ids[UUID(place)] = place
    return {ids[p.id]: p for p in await room.registry.service_points(set(ids))}


@app.command()
def fact(
    place: PlaceArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="For example phase, transformer, interconnection.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What holds; `none` for nothing.")],
    since: Annotated[str, typer.Option("--from", help=AT)],
    login: LoginOption,
    reason: ReasonOption,
    until: Annotated[str, typer.Option("--until", help=f"Until when; without it: for good. {AT}")] = "",
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Enter a dated fact of a place; what was believed of that time gives way."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.change import EnterFacts
        from openami.mdm.registry.facts import FactEntry, FactKind

        of_kind = kind_of(kind)
        point = await point_of(room, place)
        start = await instant_at(room, point, since)
        end = await instant_at(room, point, until) if until else None
        told = None if value.lower() == "none" and of_kind is not FactKind.CALENDAR else value
        return EnterFacts((FactEntry(point, of_kind, told, start, end),))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.fact")


@app.command()
def facts(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV: place, kind, value, from, and until where it ends.")
    ],
    login: LoginOption,
    reason: ReasonOption,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Enter many dated facts at once, all or none: for example the municipality of every place."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.change import EnterFacts
        from openami.mdm.registry.facts import FactEntry

        entries: list[FactEntry] = []
        said: dict[tuple[UUID, FactKind, datetime], int] = {}
        rows = rows_of(file)
        places = await _places_of(room, {row["place"] for _, row in rows})
        for number, row in rows:
            try:
                if row["place"] not in places:
                    places[row["place"]] = await room.registry.service_point(await point_of(room, row["place"]))
                point, zone = places[row["place"]].id, places[row["place"]].zone
                start = instant_in(zone, row["from"])
                end = instant_in(zone, row["until"]) if row.get("until") else None
                told, of_kind = row["value"], kind_of(row["kind"])
                entries.append(FactEntry(point, of_kind, None if told.lower() == "none" else told, start, end))
                # Of two the later one would win without a word.
                if (first := said.setdefault((point, of_kind, start), number)) != number:
                    raise MisuseError(f"line {first} says something of the same place, kind and start: keep one")
            except OpenAmiError as error:
                raise MisuseError(f"{file.name}, line {number}: {error}") from error
        return EnterFacts(tuple(entries))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.facts")


@app.command()
def start(
    place: PlaceArgument,
    account: Annotated[UUID, typer.Option("--account", help="Opaque id of the account; never a name.")],
    since: Annotated[str, typer.Option("--from", help=AT)],
    login: LoginOption,
    reason: ReasonOption,
    rate: Annotated[str, typer.Option("--rate", help="Code of the rate.")] = "",
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Start service for an account."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.change import EnterFacts

        point = await point_of(room, place)
        at = await instant_at(room, point, since)
        return EnterFacts(await room.desk.start(point, account=account, rate=rate or None, at=at))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.start")


@app.command()
def stop(
    place: PlaceArgument,
    at: Annotated[str, typer.Option("--at", help=AT)],
    login: LoginOption,
    reason: ReasonOption,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Stop service: no account, no rate, inactive until the next start."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.change import EnterFacts

        point = await point_of(room, place)
        return EnterFacts(await room.desk.stop(point, at=await instant_at(room, point, at)))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.stop")


@app.command()
def approve(
    order: OrderArgument,
    login: LoginOption,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Look at facts that another person entered for many places, and let them count."""
    carry_order(order, Asked(home, login, "", preview, accept, json_output))


@app.command("withdraw-order")
def withdraw_order(
    order: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Take back facts that wait for a second person."""
    from openami.app.devices.fact_orders import withdraw_facts
    from openami.app.settings import Settings

    asyncio.run(withdraw_facts(Settings.load(home), person_of(login), order))
    print(json.dumps({"order": str(order), "state": "withdrawn"}) if json_output else f"Order {order} is withdrawn.")
