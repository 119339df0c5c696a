"""``openami vee``: validate a file of intervals, estimate what is missing, scale it to the registers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

DEFAULT_MAX_POWER_W = 48_000
MAX_POWER_W = 1_000_000_000
WIDTH = 150


def vee(
    file: Annotated[Path, typer.Argument(help="Intervals: CSV or Parquet (start,value), Green Button, NEM12, CMEP.")],
    registers: Annotated[
        Path | None, typer.Option("--registers", help="Register reads: CSV of meter,channel,time,value_wh.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="TOML that declares the columns of another system's file.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option("--tz", help="IANA zone of local days and of times without an offset; else UTC days.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Unit of the file's values: Wh, kWh or MWh.")] = "Wh",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the validated energy here: .csv or .parquet.")
    ] = None,
    max_power_w: Annotated[
        int,
        typer.Option(
            "--max-power-w", help="The most the service can carry [W]; more is out of range.", min=1, max=MAX_POWER_W
        ),
    ] = DEFAULT_MAX_POWER_W,
    service: Annotated[
        str | None, typer.Option("--service", help="What the service is: active, inactive or disconnected.")
    ] = None,
    interconnection: Annotated[
        bool | None, typer.Option(help="Whether feeding in is approved; unsaid, no rule speaks of it.")
    ] = None,
    nominal_v: Annotated[
        int | None, typer.Option("--nominal-v", help="Nominal voltage [V]; unsaid, the nearest of the field's.", min=1)
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="TOML in the form of `openami rules list --toml`: what differs.")
    ] = None,
    calendar: Annotated[
        str | None, typer.Option("--calendar", help="Holidays that are like weekends: us or none.")
    ] = None,
    methods: Annotated[
        Path | None, typer.Option("--methods", help="TOML of [[step]] method, max_gap_s: the order of methods.")
    ] = None,
    demand_billed: Annotated[
        bool, typer.Option("--demand-billed", help="Fill gaps with the shape of one day: an average flattens peaks.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Validate and estimate interval energy. Exits 1 where there is any finding."""
    document = validate_file(
        file=file, registers=registers, tz=tz, unit=unit, out=out, max_power_w=max_power_w, service=service,
        may_feed_in=interconnection, nominal_v=nominal_v, rules=rules, mapping=mapping, calendar=calendar,
        methods=methods, is_demand_billed=demand_billed,
    )  # fmt: skip
    if json_output:
        print(json.dumps(document))
    else:
        _show(document)
    raise typer.Exit(1 if any(s["findings"] for s in document["series"]) else 0)


def validate_file(
    *,
    file: Path,
    registers: Path | None = None,
    tz: str | None = None,
    unit: str = "Wh",
    out: Path | None = None,
    max_power_w: int = DEFAULT_MAX_POWER_W,
    service: str | None = None,
    may_feed_in: bool | None = None,
    nominal_v: int | None = None,
    rules: Path | None = None,
    mapping: Path | None = None,
    calendar: str | None = None,
    methods: Path | None = None,
    is_demand_billed: bool = False,
) -> dict[str, Any]:
    """Return the document that ``openami vee --json`` prints, and write ``out``.

    Raises:
        MisuseError: an argument or file cannot be used.
        FileRefusedError: a line cannot be understood.
        RuleSetError: the file of rules names what is not there.
    """
    from openami.app.commands.intervals import octets_of, zone_of
    from openami.app.commands.vee_methods import estimation_of
    from openami.app.commands.vee_run import Place, validate_meter
    from openami.app.commands.vee_table import read_intervals, read_registers, read_rules_file
    from openami.contracts.channel import CHANNELS
    from openami.kernel.errors import MisuseError

    if out is not None and out.suffix.lower() not in {".csv", ".parquet"}:
        raise MisuseError(f"--out {out}: the name must end in .csv or .parquet")
    if service not in {None, "active", "inactive", "disconnected"}:
        raise MisuseError(f"--service {service}: one of active, inactive, disconnected")
    zone = zone_of(tz) if tz is not None else None
    book = None if rules is None else read_rules_file(rules)
    declared = None if mapping is None else octets_of(mapping)
    intervals, own_reads = read_intervals(file, zone=zone, unit=unit, mapping=declared)
    reads = read_registers(registers, zone=zone) if registers is not None else own_reads
    place = Place(max_power_w, service, may_feed_in, nominal_v)
    told = estimation_of(calendar, methods, is_demand_billed=is_demand_billed)
    local = zone or zone_of("UTC")
    series, columns = [], []
    for meter in dict.fromkeys(meter for meter, _ in intervals):
        rows = {c: r for (m, c), r in intervals.items() if m == meter}
        # A file of one unnamed meter goes with the reads of the one meter that has any.
        own = {c: r for c in rows if (r := reads.get((meter, c)) or (_only(reads, c) if not meter else None))}
        found_of = validate_meter(rows, own, zone=local, place=place, book=book, estimation=told)
        for channel, found in found_of.items():
            series.append(_document(meter, channel, found))
            if out is not None and CHANNELS[channel].is_energy:
                columns.append((meter, CHANNELS[channel].name, found.rows()))
    if out is not None:
        _write(out, columns)
    return {"series": series}


def _document(meter: str, channel: Any, found: Any) -> dict[str, Any]:
    """Return one series of the document; an average has no total."""
    from openami.contracts.channel import CHANNELS
    from openami.contracts.quality import QualityState

    spec = CHANNELS[channel]
    return {
        "meter": meter,
        "channel": spec.name,
        "intervals": found.hi - found.lo,
        "estimated": found.count_of(QualityState.ESTIMATED),
        "missing": found.count_of(QualityState.MISSING),
        "total_wh": found.wh(int(found.outcome.values[0, found.lo : found.hi].sum())) if spec.is_energy else None,
        "findings": found.findings(),
    }


def _only(reads: dict[Any, Any], channel: Any) -> Any:
    """Return the reads of the channel if one meter alone has some."""
    found = [rows for (_, c), rows in reads.items() if c is channel]
    return found[0] if len(found) == 1 else None


def _write(out: Path, columns: list[tuple[str, str, dict[str, list[Any]]]]) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    from openami.kernel.errors import MisuseError

    table: dict[str, list[Any]] = {"meter": [], "channel": []}
    for meter, channel, found in columns:
        count = len(found["start"])
        table["meter"] += [meter] * count
        table["channel"] += [channel] * count
        for name, cells in found.items():
            table.setdefault(name, []).extend(cells)
    # One kind of number for a whole column: integers unless any series has decimals.
    for name in ("value_wh", "band_low_wh", "band_high_wh"):
        if any(isinstance(v, float) for v in table.get(name, [])):
            table[name] = [None if v is None else float(v) for v in table[name]]
    arrow = pa.table(table)
    try:
        if out.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(arrow, out, write_options=pyarrow.csv.WriteOptions(quoting_style="needed"))
        else:
            pq.write_table(arrow, out)
    except OSError as error:
        raise MisuseError(f"{out}: {error.strerror or 'cannot be written'}") from error


def _show(document: dict[str, Any]) -> None:
    console = Console(markup=False)
    # Half a time tells nobody anything.
    console.width = max(console.width, WIDTH)
    for series in document["series"]:
        title = f"{series['meter'] or 'meter'} {series['channel']}: {series['intervals']} intervals, "
        title += f"{series['estimated']} estimated, {series['missing']} missing"
        table = Table(title=title, title_justify="left")
        for column in ("rule", "severity", "from", "to", "evidence"):
            table.add_column(column)
        for finding in series["findings"][:200]:
            evidence = ", ".join(f"{k} {v}" for k, v in finding["evidence"].items())
            table.add_row(finding["rule"], finding["severity"], finding["start"], finding["end"], evidence)
        console.print(table if series["findings"] else f"{title}; nothing to report", highlight=False)
