"""``openami registry`` exchange, remove, hang, multiplier, crossed, dates, withdraw, fact, start, stop: late changes.

Each is tried first and prints what it affects; then the person accepts it, or not. ``--preview`` ends there, and
``--accept MARK`` accepts what a preview of that mark answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from uuid import UUID, uuid4

import typer

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry import app, instant_at, instant_of, point_of, print_effect
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.registry_desk import Effect, RegistryRoom
    from openami.mdm.registry.change import Change, EndReads
    from openami.mdm.registry.desk import TakenReads

LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log; no customer's name.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Say what it affects, and change nothing.")]
AcceptOption = Annotated[
    str, typer.Option("--accept", metavar="MARK", help="Accept without asking what a preview of this mark answered.")
]
_AT = "an instant with its offset, or a day: the local midnight at which it begins."
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


@app.command()
def hang(
    serial: SerialArgument,
    place: Annotated[str, typer.Option("--place", help="Id of the service point.")],
    since: Annotated[str, typer.Option("--from", help=_AT)],
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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.hang", installs=True)


@app.command()
def remove(
    serial: SerialArgument,
    at: Annotated[str, typer.Option("--at", help=_AT)],
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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.remove", installs=True)


@app.command()
def exchange(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Serial of the meter that goes.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Serial of the meter that comes.")],
    removed: Annotated[str, typer.Option("--removed", help=f"When the old one went: {_AT}")],
    login: LoginOption,
    reason: ReasonOption,
    hung: Annotated[str, typer.Option("--hung", help=f"When the new one was hung; without it: then. {_AT}")] = "",
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
            old, come, removed_at=gone, out=taken_reads(out, unreadable), between_wh=_counts(between)
        )

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.exchange", installs=True)


@app.command()
def multiplier(
    serial: SerialArgument,
    since: Annotated[str, typer.Option("--from", help=_AT)],
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
        return ChangeMultiplier(await _meter_id(room, serial), start, factors, _counts(reads))

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.multiplier")


@app.command()
def crossed(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="Serial of one meter.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Serial of the other.")],
    login: LoginOption,
    reason: ReasonOption,
    since: Annotated[str, typer.Option("--from", help=f"Since when; without it: since both hang. {_AT}")] = "",
    until: Annotated[str, typer.Option("--until", help=f"Until when; without it: for good. {_AT}")] = "",
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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.crossed")


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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.dates")


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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.withdraw")


@app.command()
def fact(
    place: PlaceArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="For example phase, transformer, interconnection.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What holds; `none` for nothing.")],
    since: Annotated[str, typer.Option("--from", help=_AT)],
    login: LoginOption,
    reason: ReasonOption,
    until: Annotated[str, typer.Option("--until", help=f"Until when; without it: for good. {_AT}")] = "",
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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.fact")


@app.command()
def start(
    place: PlaceArgument,
    account: Annotated[UUID, typer.Option("--account", help="Opaque id of the account; never a name.")],
    since: Annotated[str, typer.Option("--from", help=_AT)],
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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.start")


@app.command()
def stop(
    place: PlaceArgument,
    at: Annotated[str, typer.Option("--at", help=_AT)],
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

    _carry(make, Asked(home, login, reason, preview, accept, json_output), "registry.stop")


def end_reads(said: Sequence[str]) -> EndReads:
    """Read CHANNEL=COUNT words as reads.

    Raises:
        MisuseError: one is not that.
    """
    from openami.mdm.registry.change import EndRead

    return {channel: EndRead(count) for channel, count in _counts(said).items()}


def taken_reads(said: Sequence[str], unreadable: Sequence[str]) -> TakenReads:
    """Read CHANNEL=COUNT and CHANNEL=WHY words.

    Raises:
        MisuseError: one is not that, or a channel is both read and not.
    """
    from openami.mdm.registry.desk import Unreadable

    reads: dict[Any, Any] = dict(_counts(said))
    for word in unreadable:
        channel, why = _channel(word)
        if channel in reads:
            raise MisuseError(f"{word[:40]!r}: this register has a read already")
        reads[channel] = Unreadable(why)
    return reads


def _counts(said: Sequence[str]) -> dict[Any, int]:
    counts = {}
    for word in said:
        channel, count = _channel(word)
        if not count.isascii() or not count.isdigit() or len(count) > 15:
            raise MisuseError(f"{word[:40]!r}: a register count is a whole number, as delivered=12345")
        counts[channel] = int(count)
    return counts


def _channel(word: str) -> tuple[Any, str]:
    from openami.contracts.channel import CHANNEL_BY_NAME

    name, sign, rest = word.partition("=")
    if not sign or name.strip().lower() not in CHANNEL_BY_NAME:
        raise MisuseError(f"{word[:40]!r}: give CHANNEL=VALUE, as delivered=12345 or received=12")
    return CHANNEL_BY_NAME[name.strip().lower()], rest.strip()


async def _meter_id(room: RegistryRoom, serial: str) -> UUID:
    from openami.mdm.registry.errors import UnknownRecordError

    meters = await room.registry.meters_of_serials([serial])
    if not meters:
        raise UnknownRecordError(f"no meter of serial {serial[:60]!r}: enter it first")
    return meters[0].id


def _carry(make: Making, asked: Asked, query: str, *, installs: bool = False) -> None:
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
    from openami.app.desk import Act, acting
    from openami.app.registry_desk import place_ids, registry_room
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
