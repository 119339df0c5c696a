"""``openami bill parallel``: another system's bills against ours, every difference with its cause and dollars."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.person import print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.billing.parallel.report import ParallelReport
    from openami.billing.parallel.theirs import TheirBill

app = typer.Typer(help="Price intervals by a rate; `openami bill --help` for the tool itself.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep the name of the only command below."""


@app.command()
def parallel(
    file: Annotated[Path, typer.Argument(help="The other system's bills, see docs/billing/parallel.md.")],
    tariffs: Annotated[Path | None, typer.Option("--tariffs", help="Folder of rate files.")] = None,
    intervals: Annotated[Path | None, typer.Option("--intervals", help="Intervals, by meter = service point.")] = None,
    places: Annotated[Path | None, typer.Option("--places", help="CSV: service_point,rate,from,to ...")] = None,
    tz: Annotated[str, typer.Option("--tz", help="IANA zone of the bills.")] = "",
    sender: Annotated[str, typer.Option("--sender", help="Whose names they use, on the platform.")] = "",
    login: Annotated[
        str | None, typer.Option("--as", metavar="LOGIN", help="Your staff login, on the platform.")
    ] = None,
    made_on: Annotated[
        datetime | None, typer.Option("--made-on", formats=["%Y-%m-%d"], help="When they were made: tells late data.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="CSV of every difference.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Compute another system's bills again and sort every difference by cause and dollars.

    With --tariffs, --intervals, --places and --tz it needs files alone; with --sender and --as it asks the platform.
    Exits 1 where a bill differs.
    """
    from openami.app.commands.intervals import octets_of
    from openami.billing.parallel.theirs import parse_their_bills

    theirs = parse_their_bills(octets_of(file))
    if login is not None:
        at = None if made_on is None else made_on.replace(tzinfo=UTC)
        report = _on_platform(home, login, sender, theirs, at)
    elif tariffs is not None and intervals is not None and places is not None and tz:
        report = _on_files(theirs, tariffs, intervals, places, tz)
    else:
        raise MisuseError("name --tariffs, --intervals, --places and --tz, or --sender and --as")
    if out is not None:
        _write(report, out)
    if json_output:
        print(json.dumps(document(report)))
    else:
        _show(report)
    raise typer.Exit(1 if any(d.effects for d in report.differences) else 0)


def _on_platform(
    home: Path, login: str, sender: str, theirs: list[TheirBill], known_at: datetime | None
) -> ParallelReport:
    from openami.app.billing.parallel_desk import compare_with
    from openami.app.commands.person import person_of
    from openami.app.settings import Settings

    return asyncio.run(compare_with(Settings.load(home), person_of(login), sender, theirs, known_at=known_at))


def _on_files(theirs: list[TheirBill], tariffs: Path, intervals: Path, places: Path, tz: str) -> ParallelReport:
    from openami.app.billing.parallel_files import parse_places, sides_of
    from openami.app.commands.intervals import load_rate, load_usages, octets_of, zone_of
    from openami.billing.parallel.report import compare_cycle

    zone = zone_of(tz)
    files = sorted(p for p in tariffs.glob("*") if p.suffix in (".json", ".toml"))
    rates = {r.code: r for r, _ in map(load_rate, files)}
    if not rates:
        raise MisuseError(f"{tariffs} holds no rate file")
    usage = load_usages(intervals, zone=zone)
    return compare_cycle(theirs, sides_of(parse_places(octets_of(places)), usage, rates, zone), rates)


def document(report: ParallelReport) -> dict[str, Any]:
    """Return a report as JSON shows it: money as decimal text."""
    from openami.billing.document import money
    from openami.billing.parallel.cause import WORDS

    return {
        "bills": len(report.differences),
        "equal": report.equal,
        "ours": money(report.ours),
        "theirs": money(report.theirs),
        "causes": [
            {
                "cause": c.cause.value, "words": WORDS[c.cause], "bills": c.bills, "net": money(c.net),
                "gross": money(c.gross), "worst": list(c.worst),
            }
            for c in report.causes()
        ],
        "differences": [
            {
                "bill": d.bill, "service_point": d.service_point, "cause": d.cause.value if d.cause else None,
                "ours": None if d.ours is None else money(d.ours),
                "theirs": None if d.theirs is None else money(d.theirs),
                "effects": [{"cause": e.cause.value, "amount": money(e.amount), "words": e.words} for e in d.effects],
            }
            for d in report.differences
            if d.effects
        ],
    }  # fmt: skip


def _write(report: ParallelReport, out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(("bill", "service_point", "cause", "ours", "theirs", "amount", "words"))
        for d in report.differences:
            for e in d.effects:
                words = map(_cell, (d.bill, d.service_point, e.cause.value))
                rows.writerow((*words, d.ours, d.theirs, e.amount, _cell(e.words)))


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: the other system's words are a stranger's."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _show(report: ParallelReport) -> None:
    from openami.billing.parallel.cause import WORDS

    table = Table(title="Differences by cause, most dollars first", title_justify="left", box=SIMPLE)
    for column in ("cause", "bills", "theirs less ours", "without signs", "most on"):
        table.add_column(column, justify="left" if column in ("cause", "most on") else "right", overflow="fold")
    for c in report.causes():
        worst = ", ".join(c.worst[:3])
        table.add_row(WORDS[c.cause], f"{c.bills:,}", f"{c.net:,.2f}", f"{c.gross:,.2f}", worst)
    print_wide(table, columns=150)
    Console(markup=False).print(
        f"{report.equal:,} of {len(report.differences):,} bills are equal line by line. "
        f"Theirs {report.theirs:,.2f}, ours {report.ours:,.2f}."
    )
