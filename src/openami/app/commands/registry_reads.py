"""``openami registry`` read, estimate, reads, held, decide: registers that no network reads."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry import app, instant_at, point_of
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.registry_desk import RegistryRoom
    from openami.contracts.channel import Channel
    from openami.mdm.hand_reads.desk import HandReadDesk
    from openami.mdm.hand_reads.read import HandRead, Judgement

PlaceArgument = Annotated[str, typer.Argument(metavar="PLACE", help="Id of the service point, or a meter's serial.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="Of which register.")]
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log; no customer's name.")]
_AT = "When: an instant with its offset, or a day, which is its local midnight."
ROADS = "drive_by, dials, photo, reader_code or customer"


@app.command()
def read(
    place: PlaceArgument,
    value: Annotated[int, typer.Argument(metavar="COUNT", help="What the register shows, in Wh.", min=0)],
    at: Annotated[str, typer.Option("--at", help=_AT)],
    road: Annotated[str, typer.Option("--road", help=f"How it came: {ROADS}.")],
    login: LoginOption,
    mark: Annotated[str, typer.Option("--mark", help="Reader's code, photo's digest, drive's number; no name.")] = "",
    channel: ChannelOption = "delivered",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a read by drive-by, by hand or by the customer; it is judged against those before."""
    from openami.mdm.hand_reads.read import Road

    if road not in {r.value for r in Road if r is not Road.ESTIMATE}:
        raise MisuseError(f"{road[:40]!r} is no road; there are {ROADS}")
    kept, found = asyncio.run(
        _read(home, place, login, value=value, at=at, road=Road(road), mark=mark, channel=channel)
    )
    _print_judged(kept, found, json_output=json_output)


@app.command("read-sheet")
def read_sheet(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: at,value,meter,road and perhaps mark,channel.")],
    unit: Annotated[str, typer.Option("--unit", help="Of every value: Wh or kWh.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a reader's sheet: each line is answered by itself, and a repeat takes nothing twice."""
    rows = asyncio.run(_sheet(home, file, unit, login))
    if json_output:
        for row in rows:
            print(json.dumps(row))
    else:
        for row in rows:
            if row["state"] != "accepted" or row["reason"]:
                print(f"line {row['line']}: {row['state']}" + (f" ({row['reason']})" if row["reason"] else ""))
        counts = Counter(row["state"] for row in rows)
        print(f"{len(rows):,} reads: " + ", ".join(f"{n:,} {state}" for state, n in sorted(counts.items())))
    if any(row["state"] == "refused" for row in rows):
        raise typer.Exit(1)


@app.command()
def estimate(
    place: PlaceArgument,
    at: Annotated[str, typer.Option("--at", help=_AT)],
    login: LoginOption,
    reason: ReasonOption,
    channel: ChannelOption = "delivered",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take an estimated read where nobody could read; the next actual read puts it right."""
    kept, found = asyncio.run(_estimate(home, place, login, at=at, reason=reason, channel=channel))
    _print_judged(kept, found, json_output=json_output)


@app.command()
def reads(
    place: PlaceArgument,
    channel: ChannelOption = "delivered",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List the reads of a place that no network reads, and the usage between them."""
    rows, used = asyncio.run(_reads(home, place, channel))
    if json_output:
        print(json.dumps({"reads": rows, "usage": used}))
        return
    table = Table("read", "count", "road", "state", "findings", "id", box=SIMPLE)
    for row in rows:
        names = ", ".join(f["rule"].replace("_", " ") for f in row["findings"])
        table.add_row(row["at"], f"{row['value']:,}", row["road"].replace("_", " "), row["state"], names, row["id"])
    print_wide(table, columns=140)
    between = Table("from", "until", "usage", "a day", "estimated", box=SIMPLE)
    for row in used:
        between.add_row(
            row["start"], row["end"], f"{row['usage_wh'] / 1000:,.1f} kWh", f"{row['wh_day'] / 1000:,.1f} kWh",
            "yes" if row["is_estimated"] else "",
        )  # fmt: skip
    print_wide(between, columns=110)


@app.command()
def held(
    limit: Annotated[int, typer.Option(help="How many at the most.", min=1)] = 100,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List reads by hand that wait for a person."""
    rows = asyncio.run(_held(home, limit))
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    if not rows:
        print("No read waits for anybody.")
        return
    table = Table("id", "service point", "read", "count", "road", "why", box=SIMPLE)
    for row in rows:
        why = "; ".join(_words(f) for f in row["findings"])
        table.add_row(row["id"], row["service_point"], row["at"], f"{row['value']:,}", row["road"], why)
    print_wide(table, columns=180)


@app.command()
def decide(
    read_id: Annotated[UUID, typer.Argument(metavar="READ", help="Id of the held read.")],
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="`accept` or `reject`.")],
    login: LoginOption,
    reason: ReasonOption,
    value: Annotated[int, typer.Option("--meant", help="What was meant, where it was mis-keyed.", min=-1)] = -1,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Accept a held read as it is, or as it was meant, or reject it."""
    from openami.mdm.hand_reads.read import ReadState

    states = {"accept": ReadState.ACCEPTED, "reject": ReadState.REJECTED}
    if decision not in states:
        raise MisuseError(f"{decision[:40]!r} is no decision; there are accept and reject")
    row = asyncio.run(_decide(home, read_id, login, states[decision], value if value >= 0 else None, reason))
    print(json.dumps(row) if json_output else f"Read {row['id']} is {row['state']} with {row['value']:,}.")


@asynccontextmanager
async def _desk(home: Path) -> AsyncIterator[tuple[RegistryRoom, HandReadDesk]]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings
    from openami.mdm.hand_reads.desk import HandReadDesk

    async with registry_room(Settings.load(home)) as room:
        yield room, HandReadDesk(room.registry, room.data.store, room.hand_reads, uuid4)


async def _read(
    home: Path, place: str, login: str, *, value: int, at: str, road: Any, mark: str, channel: str
) -> tuple[HandRead, Judgement]:
    from openami.mdm.hand_reads.desk import Taken

    async with _desk(home) as (room, desk):
        point = await point_of(room, place)
        taken = Taken(point, _channel(channel), await instant_at(room, point, at), value, road, mark)
        async with _acting(home, login, "registry.read", f"read by {road.value}", point):
            return await desk.take(taken, now=room.now, by=login)


async def _sheet(home: Path, file: Path, unit: str, login: str) -> list[dict[str, Any]]:
    from openami.app.commands.intervals import octets_of
    from openami.app.people.desk import Act, acting
    from openami.app.settings import Settings
    from openami.mdm.hand_reads.sheet import parse_sheet
    from openami.security.access.policy import Kind

    entries = parse_sheet(octets_of(file), unit=unit)
    act = Act(Kind.METER_READ, "registry.read_sheet", f"sheet of {len(entries)} lines")
    async with _desk(home) as (room, desk), acting(Settings.load(home), person_of(login), act):
        answers = await desk.take_sheet(entries, now=room.now, by=login)
    return [
        {
            "line": a.line, "state": a.state.value if a.state else "refused", "reason": a.reason,
            "read": str(a.read_id) if a.read_id else None,
        }
        for a in answers
    ]  # fmt: skip


async def _estimate(
    home: Path, place: str, login: str, *, at: str, reason: str, channel: str
) -> tuple[HandRead, Judgement]:
    async with _desk(home) as (room, desk):
        point = await point_of(room, place)
        instant = await instant_at(room, point, at)
        async with _acting(home, login, "registry.estimate", reason, point):
            return await desk.estimate(point, _channel(channel), instant, now=room.now, by=login, reason=reason)


async def _reads(home: Path, place: str, channel: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with _desk(home) as (room, desk):
        point = await point_of(room, place)
        rows = [told_read(r) for r in await desk.reads(point, _channel(channel))]
        used = [
            {
                "start": u.start.isoformat(), "end": u.end.isoformat(), "usage_wh": u.usage_wh,
                "wh_day": round(u.usage_wh * 86_400 / max((u.end - u.start).total_seconds(), 1)),
                "is_estimated": u.is_estimated,
            }
            for u in await desk.usage(point, _channel(channel))
        ]  # fmt: skip
    return rows, used


async def _held(home: Path, limit: int) -> list[dict[str, Any]]:
    async with _desk(home) as (room, _):
        return [told_read(r) for r in await room.hand_reads.held(limit=limit)]


async def _decide(home: Path, read_id: UUID, login: str, state: Any, value: int | None, reason: str) -> dict[str, Any]:
    from openami.mdm.hand_reads.read import HandReadError

    async with _desk(home) as (room, desk):
        waiting = await room.hand_reads.read(read_id)
        if waiting is None:
            raise HandReadError(f"no read {read_id} stands; `registry held` lists those that wait")
        async with _acting(home, login, "registry.decide_read", reason, waiting.service_point_id):
            decided = await desk.decide(read_id, state, value=value, now=room.now, by=login, reason=reason)
    return told_read(decided)


@asynccontextmanager
async def _acting(home: Path, login: str, query: str, note: str, point: UUID) -> AsyncIterator[None]:
    from openami.app.people.desk import Act, acting
    from openami.app.settings import Settings
    from openami.security.access.policy import Kind

    act = Act(Kind.METER_READ, query, note, service_points=frozenset({point}))
    async with acting(Settings.load(home), person_of(login), act):
        yield


def _channel(said: str) -> Channel:
    from openami.contracts.channel import CHANNEL_BY_NAME

    if said not in CHANNEL_BY_NAME:
        raise MisuseError(f"{said[:40]!r} is no channel; there are {', '.join(CHANNEL_BY_NAME)}")
    return CHANNEL_BY_NAME[said]


def told_read(kept: HandRead) -> dict[str, Any]:
    """Return a read, as ``--json`` prints it."""
    return {
        "id": str(kept.id),
        "service_point": str(kept.service_point_id),
        "channel": kept.channel.name.lower(),
        "at": kept.at.isoformat(),
        "value": kept.value,
        "road": kept.road.value,
        "mark": kept.mark,
        "state": kept.state.value,
        "findings": [{"rule": f.rule, "is_failure": f.is_failure, "evidence": dict(f.evidence)} for f in kept.findings],
        "entered_by": kept.entered_by,
        "reason": kept.reason,
    }


def _print_judged(kept: HandRead, found: Judgement, *, json_output: bool) -> None:
    row = told_read(kept) | {"usage": found.usage, "candidates": list(found.candidates)}
    if json_output:
        print(json.dumps(row))
        return
    print(f"Read {kept.id} of {kept.value:,} is {kept.state.value}.")
    for finding in row["findings"]:
        print(f"  {_words(finding)}")
    if found.candidates:
        print(f"  It may have meant {', '.join(f'{c:,}' for c in found.candidates)}: openami registry decide {kept.id}")


def _words(finding: dict[str, Any]) -> str:
    told = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in finding["evidence"].items())
    return f"{finding['rule'].replace('_', ' ')} ({told})"
