"""``openami registry`` exchange, remove, hang, multiplier, crossed, dates, withdraw: late changes of who hung where.

Each is tried first and prints what it affects; then the person accepts it, or not. ``--preview`` ends there, and
``--accept MARK`` accepts what a preview of that mark answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4

import typer

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry import app, instant_at, instant_of, point_of
from openami.app.commands.registry_carry import (
    AT,
    AcceptOption,
    Asked,
    InOption,
    LoginOption,
    OutOption,
    PreviewOption,
    ReasonOption,
    SerialArgument,
    UnreadInOption,
    UnreadOption,
    carry,
)
from openami.app.commands.registry_words import counts_of, end_reads, taken_reads

if TYPE_CHECKING:
    from openami.app.devices.registry_desk import RegistryRoom
    from openami.mdm.registry.change import Change


@app.command()
def hang(
    serial: SerialArgument,
    place: Annotated[str, typer.Option("--place", help="Id of the service point.")],
    since: Annotated[str, typer.Option("--from", help=AT)],
    login: LoginOption,
    reason: ReasonOption,
    reads: InOption = [],  # noqa: B006 - Typer reads the default, nobody writes it
    unread_in: UnreadInOption = [],  # noqa: B006
    ct: Annotated[int, typer.Option(help="Current transformers' ratio.", min=1)] = 1,
    pt: Annotated[int, typer.Option(help="Voltage transformers' ratio.", min=1)] = 1,
    constant: Annotated[int, typer.Option(help="The meter's own factor.", min=1)] = 1,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Hang a meter at a place, back-dated or not."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.multiplier import Multiplier

        point = await point_of(room, place)
        start = await instant_at(room, point, since)
        return await room.desk.hang(
            uuid4(), point, serial, at=start, reads=taken_reads(reads, unread_in), factors=Multiplier(ct, pt, constant)
        )

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.hang", installs=True)


@app.command()
def remove(
    serial: SerialArgument,
    at: Annotated[str, typer.Option("--at", help=AT)],
    login: LoginOption,
    reason: ReasonOption,
    reads: OutOption = [],  # noqa: B006
    unreadable: UnreadOption = [],  # noqa: B006
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a meter down. Every register has an out-read, or a reason why it could not be read."""

    async def make(room: RegistryRoom) -> Change:
        when = await instant_at(room, await point_of(room, serial), at)
        return await room.desk.take_down(serial, when, taken_reads(reads, unreadable))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.remove", installs=True)


@app.command()
def exchange(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Serial of the meter that goes.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Serial of the meter that comes.")],
    removed: Annotated[str, typer.Option("--removed", help=f"When the old one went: {AT}")],
    login: LoginOption,
    reason: ReasonOption,
    hung: Annotated[str, typer.Option("--hung", help=f"When the new one was hung; without it: then. {AT}")] = "",
    out: OutOption = [],  # noqa: B006
    unreadable: UnreadOption = [],  # noqa: B006
    reads: InOption = [],  # noqa: B006
    unread_in: UnreadInOption = [],  # noqa: B006
    between: Annotated[
        list[str],
        typer.Option("--between", metavar="CHANNEL=WH", help="What passed while none hung; without it: estimated."),
    ] = [],  # noqa: B006
    ct: Annotated[int, typer.Option(help="Current transformers' ratio.", min=1)] = 1,
    pt: Annotated[int, typer.Option(help="Voltage transformers' ratio.", min=1)] = 1,
    constant: Annotated[int, typer.Option(help="The new meter's own factor.", min=1)] = 1,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Exchange a meter: out-reads and in-reads, and what passed in between apart from both."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.multiplier import Multiplier

        point = await point_of(room, old)
        gone = await instant_at(room, point, removed)
        start = await instant_at(room, point, hung) if hung else gone
        come = await room.desk.hang(
            uuid4(), point, new, at=start, reads=taken_reads(reads, unread_in), factors=Multiplier(ct, pt, constant)
        )
        return await room.desk.exchange(
            old, come, removed_at=gone, out=taken_reads(out, unreadable), between_wh=counts_of(between)
        )

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.exchange", installs=True)


@app.command()
def multiplier(
    serial: SerialArgument,
    since: Annotated[str, typer.Option("--from", help=AT)],
    login: LoginOption,
    reason: ReasonOption,
    ct: Annotated[int, typer.Option(help="Current transformers' ratio.", min=1)] = 1,
    pt: Annotated[int, typer.Option(help="Voltage transformers' ratio.", min=1)] = 1,
    constant: Annotated[int, typer.Option(help="The meter's own factor.", min=1)] = 1,
    reads: Annotated[
        list[str],
        typer.Option("--read", metavar="CHANNEL=COUNT", help="Register count right then, if it changed then."),
    ] = [],  # noqa: B006
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Change or correct the multiplier of a meter where it hangs, from an instant on."""

    async def make(room: RegistryRoom) -> Change:
        from openami.mdm.registry.change import ChangeMultiplier
        from openami.mdm.registry.multiplier import Multiplier

        start = await instant_at(room, await point_of(room, serial), since)
        factors = Multiplier(ct, pt, constant)
        return ChangeMultiplier(await _meter_id(room, serial), start, factors, counts_of(reads))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.multiplier")


@app.command()
def crossed(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="Serial of one meter.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Serial of the other.")],
    login: LoginOption,
    reason: ReasonOption,
    since: Annotated[str, typer.Option("--from", help=f"Since when; without it: since both hang. {AT}")] = "",
    until: Annotated[str, typer.Option("--until", help=f"Until when; without it: for good. {AT}")] = "",
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Correct two crossed meters in one step: each hung where the other was thought to hang."""

    async def make(room: RegistryRoom) -> Change:
        point = await point_of(room, first)
        start = await instant_at(room, point, since) if since else None
        end = await instant_at(room, point, until) if until else None
        return await room.desk.crossed(first, second, since=start, until=end, now=room.now)

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.crossed")


@app.command()
def dates(
    installation: Annotated[UUID, typer.Argument(metavar="INSTALLATION", help="Its id, as `registry show` tells.")],
    login: LoginOption,
    reason: ReasonOption,
    start: Annotated[str, typer.Option("--start", help="When it began, an instant with its offset.")] = "",
    end: Annotated[str, typer.Option("--end", help="When it ended, an instant with its offset.")] = "",
    in_reads: InOption = [],  # noqa: B006
    out_reads: OutOption = [],  # noqa: B006
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Correct when an installation began or ended."""

    async def make(_: RegistryRoom) -> Change:
        from openami.mdm.registry.change import CorrectDates

        begin, finish = (instant_of(s) if s else None for s in (start, end))
        return CorrectDates(installation, begin, finish, end_reads(in_reads), end_reads(out_reads))

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.dates")


@app.command()
def withdraw(
    installation: Annotated[UUID, typer.Argument(metavar="INSTALLATION", help="Its id, as `registry show` tells.")],
    login: LoginOption,
    reason: ReasonOption,
    preview: PreviewOption = False,
    accept: AcceptOption = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Withdraw an installation that was entered by mistake: the meter never hung there."""

    async def make(_: RegistryRoom) -> Change:
        from openami.mdm.registry.change import Withdraw

        return Withdraw(installation)

    carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.withdraw")


async def _meter_id(room: RegistryRoom, serial: str) -> UUID:
    from openami.mdm.registry.errors import UnknownRecordError

    meters = await room.registry.meters_of_serials([serial])
    if not meters:
        raise UnknownRecordError(f"no meter of serial {serial[:60]!r}: enter it first")
    return meters[0].id
