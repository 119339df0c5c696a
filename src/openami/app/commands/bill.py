"""``openami bill``: price a file of intervals by a file of prices, one bill a calendar month or by a cycle file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from openami.billing.rating.line import RatedBill

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
IntervalsOption = Annotated[Path, typer.Option("--intervals", help="Interval file: CSV, Parquet, Green Button, NEM12.")]
FromOption = Annotated[str, typer.Option("--from", help="First day billed, YYYY-MM-DD.")]
ToOption = Annotated[str, typer.Option("--to", help="The day after the last day billed, YYYY-MM-DD.")]
ZoneOption = Annotated[str, typer.Option("--tz", help="IANA zone of the rate's clock, for example America/Chicago.")]
CycleOption = Annotated[Path | None, typer.Option("--cycle", help="CSV of from,to for each bill.")]
UnitOption = Annotated[str, typer.Option("--unit", help="Unit of the file's values: Wh, kWh or MWh.")]
MeterOption = Annotated[str | None, typer.Option("--meter", help="Which meter, if the file holds several.")]

TermsOption = Annotated[
    Path | None, typer.Option("--terms", help="JSON of approvals, events, price series, system peaks, municipality.")
]
CarriedOption = Annotated[
    Path | None, typer.Option("--carried", help="JSON of what an earlier bill carried: its bank, peaks, remainder.")
]
ValuesOption = Annotated[
    Path | None, typer.Option("--values", help="Values of riders, taxes and energy sent out: openami-rate-values/1.")
]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Prove each line down to clause and intervals.")]


def bill(
    tariff: Annotated[Path, typer.Option("--tariff", help="Rate file: openami-rate JSON or TOML, or URDB JSON.")],
    intervals: IntervalsOption,
    first: FromOption,
    end: ToOption,
    tz: ZoneOption,
    cycle: CycleOption = None,
    unit: UnitOption = "Wh",
    meter: MeterOption = None,
    terms: TermsOption = None,
    carried: CarriedOption = None,
    values: ValuesOption = None,
    explain: ExplainOption = False,
    json_output: JsonOption = False,
) -> None:
    """Price interval energy by a rate, exactly. Exits 1 where intervals are missing or a clause is refused.

    `openami bill parallel --help`: another system's bills against ours, every difference with its cause and dollars.
    """
    document = bill_intervals(
        tariff=tariff, intervals=intervals, first=first, end=end, tz=tz, cycle=cycle, unit=unit, meter=meter,
        terms=terms, carried=carried, values=values, explain=explain,
    )  # fmt: skip
    if json_output:
        print(json.dumps(document))
    else:
        _show(document)
    raise typer.Exit(1 if document["findings"] else 0)


def bill_intervals(
    *,
    tariff: Path,
    intervals: Path,
    first: str,
    end: str,
    tz: str,
    cycle: Path | None = None,
    unit: str = "Wh",
    meter: str | None = None,
    terms: Path | None = None,
    carried: Path | None = None,
    values: Path | None = None,
    explain: bool = False,
) -> dict[str, Any]:
    """Return the document that ``openami bill --json`` prints.

    Raises:
        MisuseError: an argument cannot be read.
        TariffError: a clause of the rate cannot be billed.
        FileRefusedError, UsageError: the intervals cannot be read or rated.
    """
    from openami.app.commands.bill_explain import explanation, sources
    from openami.app.commands.bill_terms import load_carried, load_terms, load_values
    from openami.app.commands.intervals import day_of, load_rate, load_spans, load_usage, zone_of
    from openami.billing.document import bill_document, money
    from openami.billing.rating import determinants
    from openami.billing.rating.turn import rate_in_turn

    zone = zone_of(tz)
    spans = load_spans(day_of(first, "--from"), day_of(end, "--to"), cycle)
    schedule, notes = load_rate(tariff)
    schedule = load_values(values, schedule)
    usage = load_usage(intervals, zone=zone, unit=unit, meter=meter)
    own = load_terms(terms, spans)
    bills = rate_in_turn(schedule, determinants(schedule, usage, spans, zone, own), own, load_carried(carried))
    findings = [f for b in bills for f in _findings(b)]
    documents = [bill_document(b, zone) for b in bills]
    files = {
        "rate_file": tariff, "interval_file": intervals, "cycle_file": cycle, "terms_file": terms,
        "carried_file": carried, "values_file": values,
    }  # fmt: skip
    if explain:
        for found, made, term in zip(documents, bills, own, strict=True):
            found["explanation"] = explanation(schedule, made, usage, zone, term)
    return {
        "tariff": schedule.name,
        "currency": schedule.currency,
        "zone": tz,
        "bills": documents,
        "total": money(sum((b.total for b in bills[1:]), bills[0].total)),
        "findings": findings,
        "notes": notes,
    } | ({"sources": sources(files)} if explain else {})


def _findings(bill: RatedBill) -> list[dict[str, Any]]:
    """Return why a bill is not whole: intervals that are missing, and what holds it."""
    days = {"from": bill.span.first.isoformat(), "to": bill.span.end.isoformat()}
    found = bill.determinants
    missing = {"missing_intervals": found.missing, "expected_intervals": found.expected}
    rows = [{"rule": "missing", "severity": "fail"} | days | {"evidence": missing}] if found.missing else []
    return rows + [
        {"rule": f.code.value, "severity": "fail"} | days | {"evidence": {"words": f.words}}
        for f in bill.findings
        if f.holds
    ]


def _show(document: dict[str, Any]) -> None:
    # A rate's name is somebody's text, not our markup.
    console = Console(markup=False)
    for found in document["bills"]:
        title = f"{document['tariff']}: {found['from']} to {found['to']}, {found['usage_wh'] / 1000:,.3f} kWh"
        table = Table(title=title, title_justify="left")
        table.add_column("line")
        for column in ("quantity", "unit", "price", f"amount {document['currency']}"):
            table.add_column(column, justify="left" if column == "unit" else "right")
        for line in found["lines"]:
            table.add_row(line["name"], line["quantity"], line["unit"], line["price"], line["amount"])
        table.add_section()
        table.add_row("Total", "", "", "", found["total"], style="bold")
        console.print(table)
        if "explanation" in found:
            from openami.app.commands.bill_explain import show_explanation

            show_explanation(console, found["explanation"])
    _show_findings(console, document)
    for note in document["notes"]:
        console.print(note, style="dim")
    if "sources" in document:
        for name, file in document["sources"].items():
            console.print(file if name == "ends" else f"{file['name']} sha256 {file['sha256']}", style="dim")
    console.print(f"All bills: {document['total']} {document['currency']}", style="bold")


def _show_findings(console: Console, document: dict[str, Any]) -> None:
    """Print why a bill cannot be issued, what was noticed, and the intervals that are missing."""
    for found in document["bills"]:
        for stamp in found["stamps"]:
            console.print(f"{found['from']} to {found['to']}: cannot be issued: {stamp['words']}", style="yellow")
        for notice in found["notices"]:
            console.print(f"{found['from']} to {found['to']}: {notice['words']}", style="yellow")
    for finding in document["findings"]:
        evidence = finding["evidence"]
        if finding["rule"] != "missing":
            continue
        console.print(
            f"{finding['from']} to {finding['to']}: {evidence['missing_intervals']} of "
            f"{evidence['expected_intervals']} intervals are missing; the bill holds what is there",
            style="yellow",
        )
