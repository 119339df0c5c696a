"""``openami keys rotate``: order that meters' keys change, approve it as a second person, watch it. Shows no key."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.keys.rekey_desk import RekeyDesk
    from openami.headend.keeping.rekey import Rekey
    from openami.kernel.ids import SystemTitle
    from openami.security.access.order import Order

app = typer.Typer(help="Give meters new keys, by an order of two people.", no_args_is_help=True)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the log: at most 160 ASCII characters.")]
OrderArgument = Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")]
DaysOption = Annotated[float, typer.Option(help="Days from now for which the order holds.", min=0.01, max=366)]
MAX_LIST_OCTETS = 4 * 1024 * 1024
"""Some 200,000 meters."""


@app.command()
def status(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show how far changes of keys are, by cause. Exits 1 while meters are left over."""
    from openami.headend.keeping.rekey import RekeyProgress

    found = asyncio.run(_desk(home).standing())
    names = ("due", "uncertain", "done", "failed", "left_over")
    rows = {cause.value: {name: getattr(p, name) for name in names} for cause, p in found.progress.items()}
    left_over = sum(p.left_over for p in found.progress.values())
    if json_output:
        pace = {"per_hour": found.policy.per_hour, "at_once": found.policy.at_once}
        print(json.dumps({"is_ordered": found.is_ordered, "pace": pace, "causes": rows, "left_over": left_over}))
    else:
        table = Table(box=SIMPLE)
        for column in ("cause", "due", "uncertain", "done", "failed", "left over"):
            table.add_column(column, no_wrap=True, justify="left" if column == "cause" else "right")
        for cause, progress in found.progress.items():
            table.add_row(cause.value, *(str(getattr(progress, name)) for name in names))
        if not rows:
            table.add_row("none", *(str(getattr(RekeyProgress(), name)) for name in names))
        print_wide(table, columns=230)
        word = "holds" if found.is_ordered else "is missing: nothing changes (openami keys rotate order --standing)"
        print(f"An order of two people {word}. At most {found.policy.per_hour:.0f} meters an hour.")
    if left_over:
        raise typer.Exit(1)


@app.command("left-over")
def left_over(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 200,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List meters whose keys do not get changed, and why. Exits 1 where there are any."""
    found = asyncio.run(_desk(home).left_over(limit=limit))
    if json_output:
        print(json.dumps([_job_document(job) for job in found]))
    else:
        table = Table(box=SIMPLE)
        for column in ("meter", "cause", "step", "tries", "since", "how it stands"):
            table.add_column(column, no_wrap=column != "how it stands")
        for row in map(_job_document, found):
            table.add_row(row["meter"], row["cause"], row["step"], str(row["tries"]), row["since"], row["words"])
        print_wide(table, columns=230)
    if found:
        raise typer.Exit(1)


@app.command()
def order(
    login: LoginOption,
    standing: Annotated[
        bool, typer.Option("--standing", help="Let keys of every meter change by themselves as they become due.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Change the keys of every meter now.")] = False,
    profile: Annotated[str, typer.Option(help="Change those of the meters of this profile now.")] = "",
    meters: Annotated[Path | None, typer.Option(help="Change those of this file: a system title (hex) a line.")] = None,
    reason: ReasonOption = "",
    days: DaysOption = 30.0,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Order new keys. It begins once another person has approved it."""
    if sum((standing, every, bool(profile), meters is not None)) != 1:
        raise MisuseError("say one of --standing, --all, --profile and --meters")
    desk, person = _desk(home), person_of(login)
    if standing:
        made = asyncio.run(desk.order_all(person, reason=reason, days=days))
    else:
        titles = _titles(meters) if meters is not None else None
        made = asyncio.run(desk.order_named(person, titles, profile=profile, reason=reason, days=days))
    _say(made, json_output=json_output)


@app.command()
def approve(
    order_id: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Approve what somebody else has ordered: exactly these meters, in this window."""
    _say(asyncio.run(_desk(home).approve(person_of(login), order_id)), json_output=json_output)


@app.command()
def withdraw(
    order_id: OrderArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Withdraw an order. Nothing more begins; what has gone to a meter is still proved."""
    asyncio.run(_desk(home).withdraw(person_of(login), order_id))
    document = {"order": str(order_id), "state": "withdrawn"}
    print(json.dumps(document) if json_output else f"Order {order_id} is withdrawn.")


@app.command()
def orders(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show what people ordered."""
    rows = [_order_document(one) for one in asyncio.run(_desk(home).orders())]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table(box=SIMPLE)
    for column in ("order", "what", "meters", "until", "how it stands", "reason"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        cells = (row["order"], row["action"], str(row["meters"] or "all"), row["until"], row["state"], row["reason"])
        table.add_row(*cells)
    print_wide(table, columns=230)


@app.command()
def retry(
    login: LoginOption,
    meter: Annotated[str, typer.Option(help="System title (hex) of one meter; without it all that failed.")] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Begin anew what failed for good: after a master key was put right, for example."""
    count = asyncio.run(_desk(home).retry(person_of(login), _title(meter) if meter else None))
    print(json.dumps({"begun": count}) if json_output else f"{count} meters are due again.")


def _job_document(job: Rekey) -> dict[str, Any]:
    return {
        "meter": str(job.title),
        "cause": job.cause.value,
        "step": job.step.value,
        "tries": job.tries,
        "since": datetime.fromtimestamp(job.since_s, UTC).isoformat(timespec="seconds"),
        "generation": job.generation,
        "words": job.words,
    }


def _order_document(order: Order) -> dict[str, Any]:
    from openami.app.orders.order_desk import standing_words

    return {
        "order": str(order.subject.order_id),
        "action": order.subject.action,
        "meters": order.item_count,
        "reason": order.subject.reason,
        "digest": order.subject.digest().hex(),
        "made": order.made_at.isoformat(timespec="seconds"),
        "until": order.subject.window.end.isoformat(timespec="seconds"),
        "approved_by": len({a.human_id for a in order.approvals}),
        "state": standing_words(order),
    }


def _say(order: Order, *, json_output: bool) -> None:
    document = _order_document(order)
    if json_output:
        print(json.dumps(document))
        return
    count = f" ({document['meters']} meters)" if document["meters"] else ""
    print(f"Order {document['order']}, {document['action']}{count}: {document['state']}.")
    if document["approved_by"] < 2:
        print(f"Another person lets it begin: openami keys rotate approve {document['order']} --as LOGIN")


def _titles(file: Path) -> frozenset[SystemTitle]:
    try:
        with file.open("rb") as source:
            octets = source.read(MAX_LIST_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    if len(octets) > MAX_LIST_OCTETS:
        raise MisuseError(f"{file} has over {MAX_LIST_OCTETS} octets")
    words = octets.decode("ascii", "replace").split()
    if not words:
        raise MisuseError(f"{file} names no meter")
    return frozenset(_title(word) for word in words)


def _title(word: str) -> SystemTitle:
    from openami.kernel.ids import BadSystemTitleError, SystemTitle

    try:
        return SystemTitle.from_hex(word)
    except BadSystemTitleError as error:
        raise MisuseError(str(error)) from error


def _desk(home: Path) -> RekeyDesk:
    from openami.app.keys.rekey_desk import RekeyDesk
    from openami.app.settings import Settings

    return RekeyDesk(Settings.load(home))
