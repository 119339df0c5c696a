"""``openami alerts``: what a person must look at now, and that somebody has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.security.watch.alert import AlertGroup

app = typer.Typer(help="See what calls for a person now, and say that you have seen to it.", no_args_is_help=True)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]


class NoSuchAlertError(OpenAmiError):
    """Nobody waits for this alert to be seen to."""


@app.command("list")
def list_alerts(
    each: Annotated[int, typer.Option(help="At most so many of one kind.", min=1, max=1000)] = 5,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List what nobody has seen to, the rarest kind first. Exits 1 where there is any."""
    groups = asyncio.run(_groups(home, each))
    if json_output:
        for group in groups:
            rows = [{"alert": str(a.alert_id), "at": a.at.isoformat(), "words": a.words} for a in group.newest]
            print(json.dumps({"rule": group.rule, "unseen": group.unseen, "newest": rows}))
    elif groups:
        table = Table("since", "what", "of this kind", "alert")
        for group in groups:
            for place, alert in enumerate(group.newest):
                number = f"{group.unseen:,}" if place == 0 else ""
                table.add_row(alert.at.isoformat(timespec="minutes"), alert.words, number, str(alert.alert_id))
        Console(markup=False).print(table)
    else:
        print("Nothing calls for a person now.")
    if groups:
        raise typer.Exit(1)


@app.command()
def seen(
    alert: Annotated[UUID, typer.Argument(metavar="ALERT", help="Id of the alert.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Say that you have seen to an alert."""
    asyncio.run(_seen(home, alert, login, typer.prompt(f"Password of {login}", hide_input=True, err=True)))
    print(f"Alert {alert} is seen to.")


async def _groups(home: Path, each: int) -> list[AlertGroup]:
    from openami.app.engines.rooms import room_database
    from openami.app.settings import Settings
    from openami.security.adapters.alert_postgres import PostgresAlerts

    async with room_database(Settings.load(home), "openami_security") as engine:
        return list(await PostgresAlerts(engine).folded(each=each))


async def _seen(home: Path, alert_id: UUID, login: str, password: str) -> None:
    from openami.app.engines.rooms import room_database
    from openami.app.people.desk import Act, Person, acting
    from openami.app.settings import Settings, real_now
    from openami.security.access.policy import Kind
    from openami.security.adapters.alert_postgres import PostgresAlerts

    settings = Settings.load(home)
    act = Act(Kind.DEAD_LETTERS, "alert.seen", f"alert {alert_id}")
    async with (
        acting(settings, Person(login, password), act) as principal,
        room_database(settings, "openami_security") as engine,
    ):
        if not await PostgresAlerts(engine).seen(alert_id, by=principal.user_id, at=real_now()):
            raise NoSuchAlertError(f"nobody waits for alert {alert_id}: there is none, or somebody has seen to it")
