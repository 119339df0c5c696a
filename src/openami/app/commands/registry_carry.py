"""How every change of the registry is carried: tried, what it affects printed, then accepted by a person, or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from uuid import UUID

import typer

from openami.app.commands.person import person_of
from openami.app.commands.registry import print_effect
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.registry_desk import Effect, RegistryRoom
    from openami.mdm.registry.change import Change
    from openami.security.access.policy import Kind

LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log; no customer's name.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Say what it affects, and change nothing.")]
AcceptOption = Annotated[
    str, typer.Option("--accept", metavar="MARK", help="Accept without asking what a preview of this mark answered.")
]
MOST_NAMED = 20
"""Places that the note of a change names one by one."""
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
        order: of another person, which this one approves.
    """

    home: Path
    login: str
    reason: str
    preview: bool
    accept: str
    json_output: bool
    order: UUID | None = None


def carry(make: Making, asked: Asked, query: str, *, installs: bool = False) -> None:
    """Try a change, print what it affects, and carry it out if it is accepted."""
    result = asyncio.run(_try_and_accept(make, asked, query, installs=installs))
    if asked.json_output:
        print(json.dumps(result))
    elif result.get("order"):
        print(f"It waits for a second person: openami registry approve {result['order']} --as OTHER")
    elif result["accepted"]:
        print("Accepted. The days that it touches are on validation's queue.")
    elif asked.preview:
        print(f"Nothing is changed. Accept it with --accept {result['mark']}")
    else:
        print("Nothing is changed.")


def carry_order(order_id: UUID, asked: Asked) -> None:
    """Try what another person ordered, print what it affects, and carry it out if this person approves."""

    async def make(_: RegistryRoom) -> Change:
        from openami.app.devices.fact_orders import ordered_facts

        return (await ordered_facts(Settings.load(asked.home), order_id)).change

    from openami.app.settings import Settings

    carry(make, replace(asked, order=order_id), "registry.approve")


async def _try_and_accept(make: Making, asked: Asked, query: str, *, installs: bool) -> dict[str, Any]:
    from openami.app.devices.fact_orders import second_for
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings
    from openami.security.access.password import normalized_login
    from openami.security.access.policy import Kind

    kind = Kind.INSTALLATION if installs else Kind.MASTER_DATA
    async with registry_room(Settings.load(asked.home)) as room:
        change = await make(room)
        effect = await room.work.look(change, at=room.now)
        # As it is signed in by: however it was typed, what this person entered counts together.
        by, second = normalized_login(asked.login), None
        if asked.order is None:
            second = await second_for(room.registry.facts, change, by=by, at=room.now)
        told = told_effect(effect) | {"second_person": second}
        if not asked.json_output:
            print_effect(told)
        if asked.accept and asked.accept != effect.mark:
            raise MisuseError(
                f"--accept {asked.accept} is not the mark of what this affects now, {effect.mark}: look again"
            )
        if not asked.accept and (asked.preview or asked.json_output or not typer.confirm("Accept?", err=True)):
            return told | {"accepted": False}
        return told | await _accepted(asked, room, effect, (kind, query), by=by, is_ordered=second is not None)


async def _accepted(
    asked: Asked, room: RegistryRoom, effect: Effect, what: tuple[Kind, str], *, by: str, is_ordered: bool
) -> dict[str, Any]:
    """Carry a change out, or let it wait for a second person, or be that person; each decided and in the log."""
    from openami.app.devices.fact_orders import approve_facts, order_facts
    from openami.app.devices.registry_desk import facts_of, place_ids
    from openami.app.people.desk import Act, acting
    from openami.app.settings import Settings
    from openami.security.access.policy import Kind

    kind, query = what
    settings, person, change = Settings.load(asked.home), person_of(asked.login), effect.change
    places = place_ids(effect.affected) | facts_of(change)
    if asked.order is not None:
        await approve_facts(settings, person, asked.order, room, places=places, mark=effect.mark)
        return {"accepted": True}
    subjects: frozenset[UUID] = places if kind is Kind.MASTER_DATA else frozenset()
    note = f"{_named(places)}: {asked.reason}"
    act = Act(kind, f"{query}.order" if is_ordered else query, note, service_points=subjects)
    if is_ordered:
        order = await order_facts(settings, person, act, change, by=by, reason=asked.reason)
        return {"accepted": False, "order": str(order.subject.order_id)}
    async with acting(settings, person, act):
        await room.work.accept(change, at=room.now, by=by, reason=asked.reason, mark=effect.mark)
    return {"accepted": True}


def _named(places: frozenset[UUID]) -> str:
    """Return places as the log's note names them; of many the number: the rows of the log name each as a subject."""
    if len(places) > MOST_NAMED:
        return f"{len(places):,} places"
    return ", ".join(sorted(str(p) for p in places))


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
