"""``openami collectors``: how they are, and what to do when one is stolen, back, moved or taken down."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.collector_desk import FleetOfCollectors
    from openami.app.people.desk import Person
    from openami.security.access.stolen import Whereabouts

app = typer.Typer(help="See how collectors are; report one stolen, or back.", no_args_is_help=True)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
NumberArgument = Annotated[int, typer.Argument(metavar="COLLECTOR", help="Number of the collector.", min=1)]
NoteOption = Annotated[str, typer.Option("--reason", help="What happened, for the audit log; no customer's name.")]
_TIME_HELP = "as 2026-07-01T18:00+00:00; without it: now."


@app.command("list")
def list_collectors(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List collectors with their link, what is wrong with them, and those reported stolen."""
    from openami.app.devices.collector_desk import CollectorDesk
    from openami.app.settings import Settings

    rows = rows_of(asyncio.run(CollectorDesk(Settings.load(home)).fleet()))
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("collector", "link", "since", "on its disk", "certificate", "what is wrong", box=SIMPLE)
    for row in rows:
        days = row["certificate_days_left"]
        link = "stolen" if row["is_stolen"] else row["link"]
        table.add_row(
            str(row["collector"]),
            link,
            row["since"] or "",
            "" if row["frames_on_disk"] is None else f"{row['frames_on_disk']:,} frames",
            "" if days is None else f"{days} days",
            ", ".join(found["rule"].removeprefix("collector_").replace("_", " ") for found in row["findings"]),
        )
    Console(markup=False).print(table)
    if not rows:
        print("No collector has been heard of yet.")


@app.command()
def stolen(
    collector: NumberArgument,
    login: LoginOption,
    reason: NoteOption,
    since: Annotated[str, typer.Option(help=f"Since when it is out of our hands, {_TIME_HELP}")] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Report a collector stolen: its session ends, its certificate is refused, what it brings is not believed."""
    from openami.security.access.stolen import Whereabouts

    _report(collector, login, Whereabouts.STOLEN, since, reason, home, json_output=json_output)


@app.command()
def back(
    collector: NumberArgument,
    login: LoginOption,
    reason: NoteOption,
    until: Annotated[str, typer.Option(help=f"Until when it was out of our hands, {_TIME_HELP}")] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Report that a stolen collector is back. It needs a new certificate; what it has of that time is quarantined."""
    from openami.security.access.stolen import Whereabouts

    _report(collector, login, Whereabouts.BACK, until, reason, home, json_output=json_output)


@app.command()
def accept(
    collector: NumberArgument,
    login: LoginOption,
    reason: NoteOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Say that a collector belongs where it is now: its place and cell are its home from here on."""
    from openami.app.devices.collector_desk import CollectorDesk
    from openami.app.settings import Settings

    asyncio.run(CollectorDesk(Settings.load(home)).accept_home(_person(login), collector, note=reason))
    _done(collector, "accepted", f"Collector {collector} belongs where it is.", json_output=json_output)


@app.command()
def retire(
    collector: NumberArgument,
    login: LoginOption,
    reason: NoteOption,
    undo: Annotated[bool, typer.Option("--undo", help="Put it back on the watch.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a collector off the watch because it was taken down: its silence is no finding any more."""
    from openami.app.devices.collector_desk import CollectorDesk
    from openami.app.settings import Settings

    desk = CollectorDesk(Settings.load(home))
    asyncio.run(desk.retire(_person(login), collector, is_retired=not undo, note=reason))
    words = f"Collector {collector} is {'watched again' if undo else 'not watched any more'}."
    _done(collector, "watched" if undo else "retired", words, json_output=json_output)


def rows_of(fleet: FleetOfCollectors) -> list[dict[str, Any]]:
    """Return one row a collector, those that want a look first."""
    from openami.kernel.time import instant_from_epoch_s
    from openami.security.access.stolen import Whereabouts

    found: dict[int, list[dict[str, Any]]] = {}
    for finding in fleet.findings:
        c = finding.condition
        row = {"rule": c.rule.value, "severity": c.severity.value, "since_ms": c.since_ms, "evidence": dict(c.evidence)}
        found.setdefault(c.collector_id, []).append(row)
    gone = {n for n, r in fleet.reports.items() if r.whereabouts is Whereabouts.STOLEN}
    rows = []
    for number in sorted({*fleet.standing, *found, *gone}, key=lambda n: (n not in gone, n not in found, n)):
        word = fleet.standing[number].word if number in fleet.standing else None
        report = word.report if word else None
        rows.append(
            {
                "collector": number,
                "link": word.presence.value if word else "unknown",
                "since": instant_from_epoch_s(word.since_ms // 1000).isoformat() if word else None,
                "cause": word.cause if word else "",
                "is_stolen": number in gone,
                "frames_on_disk": report.spool_frames if report else None,
                "certificate_days_left": report.certificate_days_left if report else None,
                "findings": found.get(number, []),
            }
        )
    return rows


def _report(
    collector: int, login: str, whereabouts: Whereabouts, at: str, reason: str, home: Any, *, json_output: bool
) -> None:
    from openami.app.devices.collector_desk import CollectorDesk
    from openami.app.settings import Settings

    from_at = _instant(at)
    desk = CollectorDesk(Settings.load(home))
    person = _person(login)
    report = asyncio.run(desk.report(person, collector, whereabouts, from_at=from_at, note=reason))
    if json_output:
        row = {"report": str(report.report_id), "collector": collector, "whereabouts": whereabouts.value}
        print(json.dumps(row | {"from": report.from_at.isoformat()}))
    elif whereabouts.value == "stolen":
        print(f"Collector {collector} is reported stolen since {report.from_at.isoformat()}.")
        print("The gateway is told within seconds; `openami collectors list` shows when it is out.")
    else:
        print(f"Collector {collector} is reported back. Give it a new certificate; frames that it")
        print(f"stamped before {report.from_at.isoformat()} while it was away go to the quarantine.")


def _person(login: str) -> Person:
    from openami.app.people.desk import Person

    return Person(login, typer.prompt("Password", hide_input=True, err=True))


def _done(collector: int, state: str, words: str, *, json_output: bool) -> None:
    print(json.dumps({"collector": collector, "state": state}) if json_output else words)


def _instant(said: str) -> datetime | None:
    from openami.kernel.time import NaiveInstantError, require_utc

    if not said:
        return None
    try:
        return require_utc(datetime.fromisoformat(said))
    except (ValueError, NaiveInstantError) as error:
        raise MisuseError(f"{said!r} is no instant: give one with its offset, as 2026-07-01T18:00+00:00") from error
