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


def vee(
    file: Annotated[Path, typer.Argument(help="Intervals: CSV or Parquet (start,value), Green Button, NEM12.")],
    registers: Annotated[
        Path | None, typer.Option("--registers", help="Register reads: CSV of meter,channel,time,value_wh.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option("--tz", help="IANA zone of local days and of times without an offset; else UTC days.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Unit of the file's values: Wh, kWh or MWh.")] = "Wh",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the validated series here: .csv or .parquet.")
    ] = None,
    max_power_w: Annotated[
        int,
        typer.Option(
            "--max-power-w", help="The most the service can carry [W]; more is out of range.", min=1, max=MAX_POWER_W
        ),
    ] = DEFAULT_MAX_POWER_W,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Validate and estimate interval energy. Exits 1 where there is any finding."""
    document = validate_file(file=file, registers=registers, tz=tz, unit=unit, out=out, max_power_w=max_power_w)
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
) -> dict[str, Any]:
    """Return the document that ``openami vee --json`` prints, and write ``out``.

    Raises:
        MisuseError: an argument or file cannot be used.
        FileRefusedError: a line cannot be understood.
    """
    from openami.app.commands.intervals import zone_of
    from openami.app.commands.vee_run import validate_rows
    from openami.app.commands.vee_table import read_intervals, read_registers
    from openami.contracts.channel import CHANNELS
    from openami.contracts.quality import QualityState
    from openami.kernel.errors import MisuseError

    if out is not None and out.suffix.lower() not in {".csv", ".parquet"}:
        raise MisuseError(f"--out {out}: the name must end in .csv or .parquet")
    zone = zone_of(tz) if tz is not None else None
    intervals = read_intervals(file, zone=zone, unit=unit)
    reads = read_registers(registers, zone=zone) if registers is not None else {}
    series, columns = [], []
    for (meter, channel), rows in intervals.items():
        if not rows.at_s:
            continue
        # A file of one unnamed meter goes with the reads of the one meter that has any.
        own = reads.get((meter, channel)) or (_only(reads, channel) if not meter else None)
        found = validate_rows(rows, own, zone=zone or zone_of("UTC"), max_power_w=max_power_w)
        name = CHANNELS[channel].name
        series.append(
            {
                "meter": meter,
                "channel": name,
                "intervals": found.hi - found.lo,
                "estimated": found.count_of(QualityState.ESTIMATED),
                "missing": found.count_of(QualityState.MISSING),
                "total_wh": found.wh(int(found.outcome.values[0, found.lo : found.hi].sum())),
                "findings": found.findings(),
            }
        )
        if out is not None:
            columns.append((meter, name, found.rows()))
    if out is not None:
        _write(out, columns)
    return {"series": series}


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
