"""``openami compare``: price one file of intervals by every rate of a folder, and say which to be on, or to stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.bill import (
    CycleOption,
    FromOption,
    IntervalsOption,
    JsonOption,
    MeterOption,
    ToOption,
    UnitOption,
    ZoneOption,
)
from openami.app.commands.compare_words import break_even_sentence

if TYPE_CHECKING:
    from openami.billing.compare import Comparison
    from openami.billing.compare.assumption import Assumption
    from openami.billing.rating import Usage
    from openami.billing.tariff import RateSchedule


def compare(
    tariffs: Annotated[Path, typer.Option("--tariffs", help="Folder of rate files.")],
    intervals: IntervalsOption,
    first: FromOption,
    end: ToOption,
    tz: ZoneOption,
    present: Annotated[
        str | None, typer.Option("--present", help="Rate the customer is on: code or file name.")
    ] = None,
    cycle: CycleOption = None,
    unit: UnitOption = "Wh",
    meter: MeterOption = None,
    break_even: Annotated[
        bool, typer.Option("--break-even", help="Say what would have to be true for each other rate (needs --present).")
    ] = False,
    vehicle: Annotated[
        str | None, typer.Option("--vehicle", help="Assume a vehicle: KWH@HH:MM-HH:MM, for example 10@22:00-06:00.")
    ] = None,
    heat_pump: Annotated[str | None, typer.Option("--heat-pump", help="Assume a heat pump: kWh a year.")] = None,
    shift: Annotated[
        str | None, typer.Option("--shift", help="Assume that so many percent leave each rate's dearest hours.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Compare rates on a customer's own intervals, by the engine that bills. Exits 1 where nothing can be advised."""
    document = compare_intervals(
        tariffs=tariffs, intervals=intervals, first=first, end=end, tz=tz, present=present, cycle=cycle, unit=unit,
        meter=meter, break_even=break_even, vehicle=vehicle, heat_pump=heat_pump, shift=shift,
    )  # fmt: skip
    if json_output:
        print(json.dumps(document))
    else:
        _show(document)
    raise typer.Exit(0 if document["advice"]["tariff"] else 1)


def compare_intervals(
    *,
    tariffs: Path,
    intervals: Path,
    first: str,
    end: str,
    tz: str,
    present: str | None = None,
    cycle: Path | None = None,
    unit: str = "Wh",
    meter: str | None = None,
    break_even: bool = False,
    vehicle: str | None = None,
    heat_pump: str | None = None,
    shift: str | None = None,
) -> dict[str, Any]:
    """Return the document that ``openami compare --json`` prints.

    Raises:
        MisuseError: an argument cannot be read, or the folder holds no rate.
        FileRefusedError, UsageError: the intervals cannot be read or rated.
    """
    from openami.app.commands.compare_words import assumptions_of, break_even_words
    from openami.app.commands.intervals import day_of, load_spans, load_usage, zone_of
    from openami.billing.compare import compare_rates
    from openami.billing.compare.several import assumed_by_rate, solved
    from openami.kernel.errors import MisuseError

    zone = zone_of(tz)
    spans = load_spans(day_of(first, "--from"), day_of(end, "--to"), cycle)
    schedules, names, refused = _rates_of(tariffs)
    codes = {v: k for k, v in names.items()}
    if present is not None and present not in {*names, *codes}:
        raise MisuseError(f"--present {present!r} is not one of {sorted(names)}")
    usage = load_usage(intervals, zone=zone, unit=unit, meter=meter)
    code = codes.get(present or "", present)
    if break_even and code is None:
        raise MisuseError("--break-even needs --present: it is against the rate that the customer is on")
    assumptions = assumptions_of(vehicle, heat_pump, shift)
    changed = assumed_by_rate(schedules, usage, spans, zone, assumptions)
    found = compare_rates(schedules, usage, spans, zone, present=code, changed=changed)
    document = _document(found, changed, zone, assumptions)
    return document | {
        "currency": schedules[0].currency if schedules else "USD",
        "rates": [*document["rates"], *refused],
        "break_even": break_even_words(solved(found, code, changed, zone)) if break_even else None,
    }


def _rates_of(folder: Path) -> tuple[list[RateSchedule], dict[str, str], list[dict[str, Any]]]:
    """Return the rates of a folder, the file name of each code, and a row for each file that is refused.

    Raises:
        MisuseError: it holds no rate file.
    """
    from openami.app.commands.intervals import load_rate
    from openami.billing.tariff import TariffError
    from openami.kernel.errors import MisuseError

    files = sorted(p for p in folder.glob("*") if p.suffix in {".json", ".toml"})
    if not files:
        raise MisuseError(f"{folder} holds no rate file (*.json, *.toml)")
    schedules: list[RateSchedule] = []
    refused: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for file in files:
        try:
            schedule, _ = load_rate(file)
        except TariffError as error:
            refused.append({"tariff": file.stem, "total": None, "bills": [], "refused": str(error)})
            continue
        schedules.append(schedule)
        names[schedule.code] = file.stem
    return schedules, names, refused


def _document(
    found: Comparison, usage: Mapping[str, Usage], zone: ZoneInfo, assumptions: Sequence[Assumption]
) -> dict[str, Any]:
    """Return a comparison as JSON shows it."""
    from openami.app.commands.compare_words import basis_words, range_words, rate_words
    from openami.billing.document import bill_document, money

    advice = found.advice
    return {
        "rates": [
            {
                "tariff": o.schedule.code,
                "name": o.schedule.name,
                "total": None if o.refused else money(o.total),
                "bills": [bill_document(b, zone) for b in o.bills],
                "refused": o.refused or None,
                **rate_words(o, usage[o.schedule.code], zone),
            }
            for o in found.outcomes
        ],
        "coverage": float(found.coverage),
        "advice": {
            "tariff": advice.schedule.code if advice.schedule else None,
            "saving": money(advice.saving),
            "reason": advice.reason,
        },
        "saving_in_a_year": range_words(advice.year),
        **basis_words(found, assumptions),
    }


def _show(document: dict[str, Any]) -> None:
    console = Console(markup=False)
    table = Table(title="Rates on the same intervals, cheapest first", title_justify="left")
    table.add_column("rate")
    table.add_column(f"total {document['currency']}", justify="right")
    table.add_column("note")
    for row in document["rates"]:
        stamps = sorted({s["code"].replace("_", " ") for b in row["bills"] for s in b["stamps"]})
        table.add_row(row.get("name", row["tariff"]), row["total"] or "", row["refused"] or ", ".join(stamps))
    console.print(table)
    advice = document["advice"]
    console.print(f"{document['coverage']:.1%} of the intervals are there. {advice['tariff'] or 'No advice'}: ", end="")
    console.print(advice["reason"])
    for label in document["assumptions"]:
        console.print(f"{label}.")
    for row in document["break_even"] or ():
        console.print(break_even_sentence(row))
