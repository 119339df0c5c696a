"""How every change of the registry is carried: tried, what it affects printed, then accepted by a person, or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from openami.app.commands.person import person_of
from openami.app.commands.registry import print_effect
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.registry_desk import Effect, RegistryRoom
    from openami.mdm.registry.change import Change

LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log; no customer's name.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Say what it affects, and change nothing.")]
AcceptOption = Annotated[
    str, typer.Option("--accept", metavar="MARK", help="Accept without asking what a preview of this mark answered.")
]
AT = "an instant with its offset, or a day: the local midnight at which it begins."
OutOption = Annotated[list[str], typer.Option("--out", metavar="CHANNEL=COUNT", help="Out-read of a register.")]
InOption = Annotated[list[str], typer.Option("--in", metavar="CHANNEL=COUNT", help="In-read of a register.")]
UnreadOption = Annotated[
    list[str],
    typer.Option("--unreadable", metavar="CHANNEL=WHY", help="An out-read that could not be taken: it is estimated."),
]
UnreadInOption = Annotated[
    list[str],
    typer.Option(
        "--unreadable-in",
        metavar="CHANNEL=WHY",
        help="An in-read that was not taken: it is carried back from later ones.",
    ),
]
SerialArgument = Annotated[str, typer.Argument(metavar="SERIAL", help="The meter's serial.")]
PlaceArgument = Annotated[str, typer.Argument(metavar="PLACE", help="Id of the service point, or a meter's serial.")]
Making: TypeAlias = "Callable[[RegistryRoom], Awaitable[Change]]"


@dataclass(frozen=True, slots=True)
class Asked:
    """How a change is asked for.

    Args:
        home: folder of the installation.
        login: who asks.
        reason: why.
        preview: change nothing.
        accept: mark of a preview that was looked at.
        json_output: answer in JSON; without ``--accept`` it is a preview.
    """

    home: Path
    login: str
    reason: str
    preview: bool
    accept: str
    json_output: bool


def carry(make: Making, asked: Asked, query: str, *, installs: bool = False) -> None:
    """Try a change, print what it affects, and carry it out if it is accepted."""
    result = asyncio.run(_try_and_accept(make, asked, query, installs=installs))
    if asked.json_output:
        print(json.dumps(result))
    elif result["accepted"]:
        print("Accepted. The days that it touches are on validation's queue.")
    elif asked.preview:
        print(f"Nothing is changed. Accept it with --accept {result['mark']}")
    else:
        print("Nothing is changed.")


async def _try_and_accept(make: Making, asked: Asked, query: str, *, installs: bool) -> dict[str, Any]:
    from openami.app.devices.registry_desk import place_ids, registry_room
    from openami.app.people.desk import Act, acting
    from openami.app.settings import Settings
    from openami.security.access.policy import Kind

    kind = Kind.INSTALLATION if installs else Kind.MASTER_DATA

    settings = Settings.load(asked.home)
    async with registry_room(settings) as room:
        change = await make(room)
        effect = await room.work.look(change, at=room.now)
        told = told_effect(effect)
        if not asked.json_output:
            print_effect(told)
        if asked.accept and asked.accept != effect.mark:
            raise MisuseError(
                f"--accept {asked.accept} is not the mark of what this affects now, {effect.mark}: look again"
            )
        if not asked.accept and (asked.preview or asked.json_output or not typer.confirm("Accept?", err=True)):
            return told | {"accepted": False}
        places = place_ids(effect.affected)
        note = f"{', '.join(sorted(str(p) for p in places))}: {asked.reason}"
        act = Act(kind, query, note, service_points=places if kind is Kind.MASTER_DATA else frozenset())
        async with acting(settings, person_of(asked.login), act):
            await room.work.accept(change, at=room.now, by=asked.login, reason=asked.reason, mark=effect.mark)
    return told | {"accepted": True}


def told_effect(effect: Effect) -> dict[str, Any]:
    """Return what a change affects, as ``--json`` prints it."""
    return {
        "mark": effect.mark,
        "days": effect.days,
        "affected": [
            {
                "service_point": str(a.service_point_id), "first": a.first.isoformat(), "last": a.last.isoformat(),
                "is_validated": a.is_validated,
            }
            for a in effect.affected
        ],
        "bills": [
            {
                "bill": str(b.bill_id), "service_point": str(b.service_point_id), "first": b.span.first.isoformat(),
                "last": b.span.last.isoformat(), "total": str(b.total), "currency": b.currency,
            }
            for b in effect.bills
        ],
        "notes": list(effect.notes),
    }  # fmt: skip
