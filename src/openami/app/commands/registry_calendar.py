"""``openami registry calendar``: the holidays by which days are validated; whoever replaces them signs in."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.registry import app
from openami.kernel.errors import MisuseError


@app.command()
def calendar(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the calendar.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Lines of DATE,NAME that replace its days; without it: list them."),
    ] = None,
    year: Annotated[int, typer.Option(help="Year to list; 0 for this one.", min=0, max=9998)] = 0,
    login: Annotated[
        str, typer.Option("--as", metavar="LOGIN", help="Your staff login, to replace days; the password is asked.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why they are replaced, for the log.")] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List the holidays of a calendar, or replace those of one of the utility's own under your own sign-in."""
    if file is not None and not (login and reason):
        raise MisuseError("whoever replaces the days of a calendar signs in and says why: --as LOGIN --reason WHY")
    if file is None:
        rows = asyncio.run(_listed(home, name, year))
    else:
        rows = asyncio.run(_replaced(home, name, days_of(file), login, reason))
    if json_output:
        print(json.dumps({"calendar": name, "days": rows}))
        return
    print(f"{name}: {len(rows)} days" + (" kept" if file is not None else ""))
    for day in rows:
        print(f"  {day}")


async def _replaced(home: Path, name: str, days: dict[date, str], login: str, reason: str) -> list[str]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.people.desk import Act, acting
    from openami.app.settings import Settings
    from openami.mdm.registry.calendar import SHIPPED
    from openami.security.access.policy import Kind

    if name in SHIPPED:
        raise MisuseError(f"the calendar {name!r} is shipped; give the utility's own another name")
    settings = Settings.load(home)
    act = Act(Kind.MASTER_DATA, "registry.calendar", f"{name[:60]}, {len(days)} days: {reason}")
    async with registry_room(settings) as room, acting(settings, person_of(login), act):
        await room.registry.facts.set_calendar(name, days, at=room.now)
    return [f"{d.isoformat()} {n}" for d, n in sorted(days.items())]


async def _listed(home: Path, name: str, year: int) -> list[str]:
    from openami.app.devices.registry_desk import registry_room
    from openami.app.settings import Settings

    async with registry_room(Settings.load(home)) as room:
        asked = year or room.now.year
        known = await room.registry.facts.holidays(date(asked, 1, 1), date(asked, 12, 31))
    if name not in known:
        raise MisuseError(f"no calendar {name!r}; there are {', '.join(sorted(known))}")
    return [d.isoformat() for d in sorted(known[name])]


def days_of(file: Path) -> dict[date, str]:
    """Read lines of DATE,NAME.

    Raises:
        MisuseError: a line is not that; the text says which.
    """
    from openami.app.commands.intervals import octets_of

    days: dict[date, str] = {}
    for number, line in enumerate(octets_of(file).decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        day, _, name = line.partition(",")
        try:
            days[date.fromisoformat(day.strip())] = name.strip()[:100]
        except ValueError as error:
            raise MisuseError(f"{file}, line {number}: {day[:20]!r} is no date, as 2026-08-13,State fair") from error
    return days
