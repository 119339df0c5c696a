"""``openami bills dry-run``: what will become of tonight's cycle, and how good the last prediction was."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption

if TYPE_CHECKING:
    from openami.billing.cycle.foresight import Foreseen, Score

SHOWN = 50


def dry_run(
    login: LoginOption,
    on: Annotated[
        datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Read day; tomorrow if absent.")
    ] = None,
    score: Annotated[bool, typer.Option("--score", help="How good the dry run of a read day was; today's.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Foresee which bills of a read day go out and which wait, and why; or score what was foreseen.

    The worker does it at noon before each read day. Exits 1 where a bill will wait, or one was foreseen wrongly.
    """
    from openami.app.billing.foresight_desk import ForesightDesk
    from openami.app.settings import Settings

    desk, day = ForesightDesk(Settings.load(home)), None if on is None else on.date()
    if score:
        _score(*asyncio.run(desk.score(person_of(login), day)), json_output=json_output)
    else:
        _foreseen(*asyncio.run(desk.foresee(person_of(login), day)), json_output=json_output)


def _foreseen(day: date, rows: list[Foreseen], *, json_output: bool) -> None:
    waiting = [r for r in rows if r.code is not None]
    if json_output:
        shown = [
            {"service_point": str(r.service_point_id), "first_day": r.first_day.isoformat(),
             "code": str(r.code), "reason": r.reason}
            for r in waiting
        ]  # fmt: skip
        counts = Counter(str(r.code) for r in waiting)
        print(json.dumps({"read_on": day.isoformat(), "bills": len(rows), "held": dict(counts), "waiting": shown}))
    else:
        print(f"Read day {day}: {len(rows) - len(waiting):,} bills will go out, {len(waiting):,} will wait.")
        table = Table("service point", "since", "why")
        for r in waiting[:SHOWN]:
            table.add_row(str(r.service_point_id), str(r.first_day), r.reason)
        if waiting:
            print_wide(table, columns=150)
        if len(waiting) > SHOWN:
            print(f"{len(waiting) - SHOWN:,} more: --json has all")
    raise typer.Exit(1 if waiting else 0)


def _score(day: date, found: Score, *, json_output: bool) -> None:
    if json_output:
        print(json.dumps({"read_on": day.isoformat(), **asdict(found), "share_right": round(found.share_right, 4)}))
    elif not found.bills:
        print(f"Read day {day} was not foreseen.")
    else:
        print(
            f"Read day {day}: {found.bills:,} bills foreseen, {found.open:,} not decided yet. Of the others "
            f"{found.share_right:.1%} as foreseen: {found.went_out:,} went out, {found.held:,} wait, "
            f"{found.other_reason:,} wait for another reason."
        )
        for words, counts in (("foreseen to go out, and waits", found.surprises), ("freed in time", found.freed)):
            for code, count in sorted(counts.items()):
                print(f"{words}: {code}, {count:,}")
    raise typer.Exit(1 if found.surprises else 0)
