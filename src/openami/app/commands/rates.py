"""``openami rates``: the rate schedules that are known, what each says on a day, and how sure of it we are."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands import rates_signals
from openami.app.commands.person import print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.billing.tariff import RateSchedule

app = typer.Typer(
    help="See the rate schedules: prices, riders, dates, and how sure of them we are.", no_args_is_help=True
)
app.add_typer(rates_signals.app, name="signals")
DayOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="As it holds on this local day; else the newest.")
]
FileOption = Annotated[
    list[Path], typer.Option("--file", help="A rate file beside those of the home; may be repeated.")
]
ValuesOption = Annotated[
    list[Path], typer.Option("--values", help="A file of rider values over the rates; may be repeated.")
]


@app.command("list")
def list_rates(
    on: DayOption = None,
    file: FileOption = [],  # noqa: B006 - Typer's way to say a list
    values: ValuesOption = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List the rates that ship and those of the home, each with what of it is not known."""
    from openami.app.commands.rates_words import summary

    day = None if on is None else on.date()
    rows = [summary(r, day) for r in _rates(home, file, values).values()]
    if json_output:
        print(json.dumps(rows))
        return
    table = Table(box=SIMPLE)
    for column in ("code", "name", "in force from", "version", "not known", "least sure of"):
        table.add_column(column, overflow="fold")
    for row in rows:
        unknown, unsure = ", ".join(row["not_known"]) or "-", ", ".join(row["least_sure_of"]) or "-"
        table.add_row(row["code"], row["name"], row["effective_from"] or "always", row["label"], unknown, unsure)
    print_wide(table, columns=150)
    if any(row["not_known"] for row in rows):
        print("A bill that needs a value that is not known has base charges only and is never issued.")


@app.command()
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of the rate, as `openami rates list` shows it.")],
    on: DayOption = None,
    file: FileOption = [],  # noqa: B006
    values: ValuesOption = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show one rate on a day: prices and rules in words, riders with their dates, sources and confidence.

    With --json, the rate as a file of our own format: what it prints is a rate file.
    """
    from openami.app.commands.rates_words import sheet
    from openami.billing.tariff.native_write import rate_document

    rates = _rates(home, file, values)
    if code not in rates:
        raise MisuseError(f"there is no rate {code[:40]!r}; there are {', '.join(sorted(rates))}")
    schedule, day = rates[code], None if on is None else on.date()
    if json_output:
        document: dict[str, Any] = rate_document(schedule)
        if day is not None:
            document["versions"] = [document["versions"][schedule.version_on(day)]]
        print(json.dumps(document))
        return
    console = Console(markup=False)
    for heading, lines in sheet(schedule, day):
        console.print(heading, style="bold")
        for line in lines:
            console.print(f"  {line}", highlight=False, soft_wrap=True)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A rate file: openami-rate/2 or /1, JSON or TOML; or URDB.")
    ],
    to_native: Annotated[bool, typer.Option("--convert", help="Print it as a file of our own format.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Read a rate file and say what it holds, or which clause cannot be billed. Exits 1 on a refusal."""
    from openami.app.commands.intervals import octets_of
    from openami.app.commands.rates_words import summary
    from openami.billing.tariff import TariffError, parse_rate
    from openami.billing.tariff.native_write import rate_document

    try:
        schedule = parse_rate(octets_of(file), code=file.stem)
    except TariffError as error:
        if json_output:
            print(
                json.dumps(
                    {"file": str(file), "rate": None, "refused": {"clause": error.clause, "reason": error.reason}}
                )
            )
            raise typer.Exit(1) from error
        raise
    if to_native:
        print(json.dumps(rate_document(schedule), indent=2))
        return
    found = summary(schedule, None)
    if json_output:
        print(json.dumps({"file": str(file), "rate": found, "refused": None}))
        return
    lines = [f"{file}: {found['code']}, {found['name']}: {len(schedule.versions)} version(s), can be read"]
    lines += [f"refused when billed: {clause}" for clause in found["refused"]]
    lines += [f"not known, so bills are not issued: {code}" for code in found["not_known"]]
    print("\n".join(lines))


def _rates(home: Path, rate_files: list[Path], value_files: list[Path]) -> dict[str, RateSchedule]:
    """Return the shipped rates, those of the home, and those of files."""
    from openami.app.billing.rate_files import home_rates
    from openami.app.commands.intervals import octets_of
    from openami.app.settings import Home
    from openami.billing.tariff import parse_rate
    from openami.billing.tariff.values import parse_values, with_values

    rates = home_rates(Home(home))
    for place in rate_files:
        schedule = parse_rate(octets_of(place), code=place.stem)
        rates[schedule.code] = schedule
    for place in value_files:
        rates = with_values(rates, parse_values(octets_of(place)))
    return rates
