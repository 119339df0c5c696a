"""``openami compare``: price one file of intervals by every rate of a folder, and say which to be on, or to stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

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
    json_output: JsonOption = False,
) -> None:
    """Compare rates on a customer's own intervals, by the engine that bills. Exits 1 where nothing can be advised."""
    document = compare_intervals(
        tariffs=tariffs, intervals=intervals, first=first, end=end, tz=tz, present=present, cycle=cycle, unit=unit,
        meter=meter,
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
) -> dict[str, Any]:
    """Return the document that ``openami compare --json`` prints.

    Raises:
        MisuseError: an argument cannot be read, or the folder holds no rate.
        FileRefusedError, UsageError: the intervals cannot be read or rated.
    """
    from openami.app.commands.intervals import day_of, load_rate, load_spans, load_usage, zone_of
    from openami.billing.compare import compare_rates
    from openami.billing.document import bill_document, money
    from openami.billing.tariff import RateSchedule, TariffError
    from openami.kernel.errors import MisuseError

    zone = zone_of(tz)
    spans = load_spans(day_of(first, "--from"), day_of(end, "--to"), cycle)
    files = sorted(p for p in tariffs.glob("*") if p.suffix in {".json", ".toml"})
    if not files:
        raise MisuseError(f"{tariffs} holds no rate file (*.json, *.toml)")
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
    codes = {v: k for k, v in names.items()}
    if present is not None and present not in {*names, *codes}:
        raise MisuseError(f"--present {present!r} is not one of {sorted(names)}")
    usage = load_usage(intervals, zone=zone, unit=unit, meter=meter)
    found = compare_rates(schedules, usage, spans, zone, present=codes.get(present or "", present))
    rates = [
        {
            "tariff": o.schedule.code,
            "name": o.schedule.name,
            "total": None if o.refused else money(o.total),
            "bills": [bill_document(b, zone) for b in o.bills],
            "refused": o.refused or None,
        }
        for o in found.outcomes
    ]
    advice = found.advice
    return {
        "currency": schedules[0].currency if schedules else "USD",
        "rates": [*rates, *refused],
        "coverage": float(found.coverage),
        "advice": {
            "tariff": advice.schedule.code if advice.schedule else None,
            "saving": money(advice.saving),
            "reason": advice.reason,
        },
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
