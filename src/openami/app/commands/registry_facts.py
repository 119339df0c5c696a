"""``openami registry`` fact, start, stop: dated facts of a place, and service for an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry import app, instant_at, point_of
from openami.app.commands.registry_carry import (
    AT,
    AcceptOption,
    Asked,
    LoginOption,
    PlaceArgument,
    PreviewOption,
    ReasonOption,
    carry,
)
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.registry_desk import RegistryRoom
    from openami.mdm.registry.change import Change


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

        try:
            of_kind = FactKind(kind.replace("-", "_"))
        except ValueError as error:
            raise MisuseError(f"{kind[:40]!r} is no kind; there are {', '.join(FactKind)}") from error
        point = await point_of(room, place)
        start = await instant_at(room, point, since)
        end = await instant_at(room, point, until) if until else None
        told = None if value.lower() == "none" and of_kind is not FactKind.CALENDAR else value
        return EnterFacts((FactEntry(point, of_kind, told, start, end),))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.fact")


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
