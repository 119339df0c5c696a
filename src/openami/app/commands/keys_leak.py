"""``openami keys compromise`` and ``residual``: say that keys leaked, and watch until every meter has better ones."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.keys_vault import LoginOption, desk_of, say
from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError
from openami.kernel.ids import BadSystemTitleError, SystemTitle

if TYPE_CHECKING:
    from openami.security.keys.marks import Residual

MAX_LIST_OCTETS = 40 * 1024 * 1024
"""Two million meters."""
SHOWN = 200


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(compromise)
    app.command()(residual)


def compromise(
    meters: Annotated[Path, typer.Argument(help="File of the meters: a system title (16 hexadecimal digits) a line.")],
    reason: Annotated[str, typer.Option(help="How the keys leaked, for the log.")],
    login: LoginOption,
    masters: Annotated[
        bool, typer.Option("--masters/--no-masters", help="Whether their master keys leaked too.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Mark the keys of these meters as leaked: they take no switching command until they have proved newer keys."""
    titles = titles_in(meters)
    incident, count = asyncio.run(desk_of(home).compromise(person_of(login), titles, reason=reason, masters=masters))
    say(
        {"incident": str(incident), "meters": count},
        f"Incident {incident}: the keys of {count} meters count as leaked. No switching command goes to them until "
        "they have newer keys: openami keys residual",
        json_output=json_output,
    )


def residual(
    limit: Annotated[int, typer.Option(help="At most so many meters.", min=1, max=10_000_000)] = 100_000,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show how far each incident is, and the meters that still use keys that leaked."""
    incidents, meters = asyncio.run(desk_of(home).leaked(limit=limit))
    if json_output:
        document = {
            "incidents": [
                {
                    "incident": str(p.incident.incident_id),
                    "reason": p.incident.reason,
                    "marked_at": p.incident.marked_at.isoformat(),
                    "meters": p.meters,
                    "renewed": p.renewed,
                }
                for p in incidents
            ],
            "residual": [_document(m) for m in meters],
        }
        print(json.dumps(document))
        return
    console = Console(markup=False)
    table = Table("incident", "since", "meters", "renewed", "left", "reason", box=SIMPLE, pad_edge=False)
    for p in incidents:
        since = f"{p.incident.marked_at:%Y-%m-%d %H:%MZ}"
        left = p.meters - p.renewed
        table.add_row(
            str(p.incident.incident_id)[:8], since, str(p.meters), str(p.renewed), str(left), p.incident.reason
        )
    console.print(table)
    rows = Table("system title", "serial", "leaked and in use", "what is next", box=SIMPLE, pad_edge=False)
    for m in meters[:SHOWN]:
        rows.add_row(str(m.system_title), m.serial, _leaked(m), next_step(m))
    console.print(rows)
    if len(meters) > SHOWN:
        print(f"... and {len(meters) - SHOWN} more: use --json")


def next_step(meter: Residual) -> str:
    """Say what brings a meter better keys, in words for staff."""
    if not meter.has_master:
        return "exchange the meter: without a master key its keys cannot be changed"
    if meter.is_new_kept:
        return "new keys wait for the meter's proof"
    return "waits for its turn in the rotation"


def _leaked(meter: Residual) -> str:
    return " and ".join(name for name, is_so in (("key pair", meter.pair), ("master key", meter.master)) if is_so)


def _document(meter: Residual) -> dict[str, object]:
    return {
        "meter": str(meter.meter_id),
        "system_title": str(meter.system_title),
        "serial": meter.serial,
        "since": meter.since.isoformat(),
        "pair": meter.pair,
        "master": meter.master,
        "next": next_step(meter),
    }


def titles_in(place: Path) -> list[SystemTitle]:
    """Return the system titles of a file, each once.

    Raises:
        MisuseError: it cannot be read, is empty or too long, or a line is no system title.
    """
    try:
        with place.open("rb") as file:
            octets = file.read(MAX_LIST_OCTETS + 1)
        lines = octets.decode("ascii").split()
    except OSError as error:
        raise MisuseError(f"{place} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MisuseError(f"{place} is no list of system titles") from error
    if len(octets) > MAX_LIST_OCTETS or not lines:
        raise MisuseError(f"{place} has {len(lines)} meters, expected 1 to {MAX_LIST_OCTETS // 17}")
    try:
        return [SystemTitle.from_hex(line) for line in dict.fromkeys(lines)]
    except BadSystemTitleError as error:
        raise MisuseError(f"{place}: {error}") from error
