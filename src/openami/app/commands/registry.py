"""``openami registry``: who hangs where, what holds of a place, and late changes with what they affect."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.registry_desk import RegistryRoom
    from openami.mdm.registry.facts import Fact
    from openami.mdm.registry.records import InstalledMeter

app = typer.Typer(
    help="See who hangs where, and change it: every change says what it affects first.", no_args_is_help=True
)
PlaceArgument = Annotated[str, typer.Argument(metavar="PLACE", help="Id of the service point, or a meter's serial.")]
_KNOWN_HELP = "As it was believed at that instant, as 2026-07-01T18:00+00:00."


@app.command()
def show(
    place: PlaceArgument,
    known_at: Annotated[str, typer.Option("--known-at", help=_KNOWN_HELP)] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show the meters that hung at a place, and the dated facts of it."""
    found = asyncio.run(_show(home, place, instant_of(known_at) if known_at else None))
    if json_output:
        print(json.dumps(found))
        return
    head = found["service_point"]
    local = partial(_local, zone=head["zone"])
    print(f"Service point {head['id']}, {head['status']}; times are of zone {head['zone']}")
    table = Table("meter", "from", "until", "in-reads", "out-reads", "multiplier", box=SIMPLE)
    for row in found["installations"]:
        table.add_row(
            row["serial"],
            local(row["start"]),
            local(row["end"]),
            _reads(row["in"]),
            _reads(row["out"]),
            row["multiplier"],
        )
    print_wide(table, columns=170)
    facts = Table("fact", "value", "from", "until", "entered", "by", "reason", box=SIMPLE)
    for row in found["facts"]:
        facts.add_row(
            row["kind"].replace("_", " "), row["value"], local(row["start"]), local(row["end"]),
            local(row["entered_at"]), row["entered_by"], row["reason"],
        )  # fmt: skip
    if found["facts"]:
        print_wide(facts, columns=170)
    else:
        print("No dated facts: active, read by the network, no account known.")


@app.command()
def history(place: PlaceArgument, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List every change that was entered of a place, oldest first: who, when, why, and what was believed before."""
    rows = asyncio.run(_history(home, place))
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("entered", "by", "change", "what", "reason", box=SIMPLE)
    for row in rows:
        what = ", ".join(f"{k.replace('_', ' ')} {_told(v)}" for k, v in row["detail"].items() if v not in (None, []))
        table.add_row(row["at"], row["by"], row["kind"].replace("_", " "), what, row["reason"])
    print_wide(table, columns=170)


@app.command()
def unbilled(
    days: Annotated[int, typer.Option(help="How far back to look [days].", min=1, max=400)] = 35,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List usage on days for which no account holds the service, the most energy first."""
    rows = asyncio.run(_unbilled(home, days))
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    if not rows:
        print(f"No usage without an account in the last {days} days.")
        return
    table = Table("service point", "from", "to", "days", "usage", "estimated intervals", box=SIMPLE)
    for row in rows:
        usage = f"{row['usage_wh'] / 1000:,.1f} kWh"
        table.add_row(
            row["service_point"], row["first"], row["last"], str(row["days"]), usage, str(row["estimated_intervals"])
        )
    print_wide(table, columns=120)
    print("Start the service for its account: openami registry start PLACE --account ID --from DAY")


@app.command()
def unmetered(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List estimates of energy that passed between an out-read and the next in-read."""
    rows = asyncio.run(_unmetered(home))
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("service point", "channel", "from", "until", "estimate", "method", box=SIMPLE)
    for row in rows:
        table.add_row(
            row["service_point"], row["channel"], row["start"], row["end"], f"{row['value_wh']:,} Wh", row["method"]
        )
    if rows:
        print_wide(table, columns=130)
    else:
        print("No exchange left a place without a meter.")


def instant_of(said: str) -> datetime:
    """Read an instant with its offset.

    Raises:
        MisuseError: it is none.
    """
    from openami.kernel.time import NaiveInstantError, require_utc

    try:
        return require_utc(datetime.fromisoformat(said))
    except (ValueError, OverflowError, NaiveInstantError) as error:
        raise MisuseError(
            f"{said[:40]!r} is no instant: give one with its offset, as 2026-07-01T18:00+00:00"
        ) from error


async def instant_at(room: RegistryRoom, point: UUID, said: str) -> datetime:
    """Read an instant with its offset, or a day as the local midnight of the place at which it begins.

    Raises:
        MisuseError: it is neither.
    """
    return instant_in((await room.registry.service_point(point)).zone, said)


def instant_in(zone: str, said: str) -> datetime:
    """Read an instant with its offset, or a day as the midnight of a zone at which it begins.

    Raises:
        MisuseError: it is neither.
    """
    from openami.kernel.time import EVER, local_midnight, zone_named

    try:
        day = date.fromisoformat(said)
    except ValueError:
        found = instant_of(said)
    else:
        if not EVER.start.year < day.year < EVER.end.year:
            raise MisuseError(f"{said[:40]!r} is no day of our time")
        return local_midnight(day, zone_named(zone))
    if not EVER.holds(found):
        raise MisuseError(f"{said[:40]!r} is no instant of our time")
    return found


async def point_of(room: RegistryRoom, said: str) -> UUID:
    """Return the service point of an id, or where a meter of that serial hangs or hung last.

    Raises:
        UnknownRecordError: there is none.
    """
    from openami.kernel.time import EVER
    from openami.mdm.registry.errors import UnknownRecordError

    try:
        return (await room.registry.service_point(UUID(said))).id
    except ValueError:
        pass
    meters = await room.registry.meters_of_serials([said])
    hung = await room.registry.installed(None, EVER, meters=[m.id for m in meters]) if meters else []
    if not hung:
        raise UnknownRecordError(
            f"{said[:60]!r} is no id of a service point, and no meter of that serial hangs anywhere"
        )
    return max(hung, key=lambda i: i.installation.start).installation.service_point_id


async def _show(home: Path, place: str, known_at: datetime | None) -> dict[str, Any]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings
    from openami.kernel.time import EVER

    async with registry_room(Settings.load(home)) as room:
        point = await room.registry.service_point(await point_of(room, place))
        installed = await room.registry.installed([point.id], EVER, as_known_at=known_at)
        facts = await room.registry.facts.of([point.id], as_known_at=known_at)
    return {
        "service_point": {
            "id": str(point.id), "zone": point.zone, "status": point.status.value, "transformer": point.transformer,
            "feeder": point.feeder, "cell": point.cell, "bill_group": point.bill_group,
        },
        "installations": [_installation(i) for i in sorted(installed, key=lambda i: i.installation.start)],
        "facts": [_fact(f) for f in facts],
    }  # fmt: skip


def _installation(one: InstalledMeter) -> dict[str, Any]:
    i = one.installation
    steps = [f"from {s.start.isoformat()} {s.factors.ct} x {s.factors.pt} x {s.factors.constant}" for s in i.steps]
    return {
        "installation": str(i.id),
        "serial": one.meter.serial,
        "start": i.start.isoformat(),
        "end": i.end.isoformat() if i.end else None,
        "in": {c.name.lower(): [v, c in i.estimated_in] for c, v in i.in_reads.items()},
        "out": {c.name.lower(): [v, c in i.estimated_out] for c, v in i.out_reads.items()},
        "multiplier": "; ".join([str(i.multiplier), *steps]),
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "kind": fact.kind.value,
        "value": fact.value,
        "start": fact.start.isoformat(),
        "end": fact.end.isoformat() if fact.end else None,
        "entered_at": fact.entered_at.isoformat(),
        "entered_by": fact.entered_by,
        "reason": fact.reason,
    }


def _local(said: str | None, *, zone: str) -> str:
    """Return an instant as the wall clock of a zone shows it, to the minute."""
    from openami.kernel.time import zone_named

    return datetime.fromisoformat(said).astimezone(zone_named(zone)).strftime("%Y-%m-%d %H:%M") if said else ""


def _reads(reads: dict[str, list[Any]]) -> str:
    return ", ".join(f"{c} {v:,}{' (estimated)' if guessed else ''}" for c, (v, guessed) in reads.items())


def _told(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(
            f"{v['value']} from {v['start']} until {v['end'] or 'now on'}" if isinstance(v, dict) else str(v)
            for v in value
        )
    return str(value)


async def _history(home: Path, place: str) -> list[dict[str, Any]]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings

    async with registry_room(Settings.load(home)) as room:
        rows = await room.registry.changes(await point_of(room, place))
    return [
        {"at": c.at.isoformat(), "by": c.by, "kind": c.kind, "detail": dict(c.detail), "reason": c.reason} for c in rows
    ]


async def _unbilled(home: Path, days: int) -> list[dict[str, Any]]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings
    from openami.security.access.scope import Purpose, system_scope

    async with registry_room(Settings.load(home)) as room:
        last = room.now.date() - timedelta(days=1)
        scope = system_scope(process="registry", purpose=Purpose.OPERATIONS)
        rows = await room.data.unbilled(scope, last - timedelta(days=days - 1), last)
    return [
        {
            "service_point": str(u.service_point_id), "first": u.first.isoformat(), "last": u.last.isoformat(),
            "days": u.days, "usage_wh": u.usage_wh, "estimated_intervals": u.estimated,
        }
        for u in rows
    ]  # fmt: skip


async def _unmetered(home: Path) -> list[dict[str, Any]]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings

    async with registry_room(Settings.load(home)) as room:
        rows = await room.registry.unmetered(None)
    return [
        {
            "service_point": str(point), "channel": u.channel.name.lower(), "start": u.period.start.isoformat(),
            "end": u.period.end.isoformat(), "value_wh": u.value_wh, "method": u.method, "evidence": dict(u.evidence),
        }
        for point, u in rows
    ]  # fmt: skip


def print_effect(effect: dict[str, Any]) -> None:
    """Print what a change affects."""
    places = len({row["service_point"] for row in effect["affected"]})
    print(f"It affects {_many(effect['days'], 'service point day')} of {_many(places, 'place')}:")
    for row in effect["affected"]:
        again = "validated again" if row["is_validated"] else "perhaps billed otherwise"
        print(f"  {row['service_point']}  {row['first']} to {row['last']}, {again}")
    print(f"and {_many(len(effect['bills']), 'issued bill')}" + (":" if effect["bills"] else "."))
    for row in effect["bills"]:
        print(f"  {row['bill']}  {row['first']} to {row['last']}, {row['total']} {row['currency']}")
    for note in effect["notes"]:
        print(f"Note: {note}.")
    if effect.get("second_person"):
        print(f"A second person must approve: {effect['second_person']}.")


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
