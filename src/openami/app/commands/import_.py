"""``openami import``: bring files of readings into a running platform, by the same store as meters' readings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError, OpenAmiError

DEFAULT_RATE = "ameren-mo-anytime"


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Green Button XML or CSV, interval CSV, Parquet, NEM12, CMEP.")],
    format_name: Annotated[
        str, typer.Option("--format", help="auto, greenbutton, csv, nem12, parquet, cmep or mapped.")
    ] = "auto",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="TOML that declares the columns of a CSV file of another system.")
    ] = None,
    meters: Annotated[
        str | None,
        typer.Option("--meters", help="known: of the registry, by serial number (CMEP, mapped); new: virtual meters."),
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", help="Zone of local stamps and of local days.")] = None,
    unit: Annotated[str, typer.Option("--unit", help="Unit of an interval table: Wh, kWh or MWh.")] = "Wh",
    service_point: Annotated[str | None, typer.Option("--service-point", help="Hang it at this one.")] = None,
    rate: Annotated[str, typer.Option("--rate", help="Rate to bill it by; empty for none.")] = DEFAULT_RATE,
    account: Annotated[str | None, typer.Option("--account", help="E-mail of the customer who lives there.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report; change nothing.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Import files; each is read whole or not at all. Exits 1 if a file or a meter is refused.

    What a file does not say (docs/protocol/interval-files.md) is declared in a mapping and never guessed.
    """
    options = Options(
        format_name, tz, unit, service_point, rate, account, dry_run=dry_run, mapping=mapping, meters=meters
    )
    results = [import_file(file, options, home=home) for file in files]
    for result in results:
        if json_output:
            print(json.dumps(result))
        else:
            _show(Console(), result)
    raise typer.Exit(1 if any(r["error"] or r["rejected"] for r in results) else 0)


class Options:
    """What the command line asks of every file.

    Raises:
        MisuseError: a zone or a service point cannot be read.
    """

    def __init__(
        self,
        format_name: str = "auto",
        tz: str | None = None,
        unit: str = "Wh",
        service_point: str | None = None,
        rate: str = DEFAULT_RATE,
        account: str | None = None,
        *,
        dry_run: bool = False,
        mapping: Path | None = None,
        meters: str | None = None,
    ) -> None:
        from openami.app.commands.intervals import octets_of, zone_of
        from openami.mdm.importing.detect import FORMATS

        if format_name not in FORMATS:
            raise MisuseError(f"--format {format_name!r}: one of {', '.join(FORMATS)}")
        if meters not in {None, "known", "new"}:
            raise MisuseError(f"--meters {meters!r}: known or new")
        self.meters = meters
        self.mapping = None if mapping is None else octets_of(mapping)
        self.format_name, self.unit, self.rate, self.account, self.dry_run = format_name, unit, rate, account, dry_run
        self.zone: ZoneInfo | None = None if tz is None else zone_of(tz)
        try:
            self.service_point = None if service_point is None else UUID(service_point)
        except ValueError as error:
            raise MisuseError(f"--service-point {service_point!r} is not an id") from error

    def are_known(self, found_format: str) -> bool:
        """Tell whether the meters of a file are looked up in the registry; so they are in files of head-ends."""
        if self.meters is None:
            return found_format in {"cmep", "mapped"} and self.service_point is None
        return self.meters == "known"


def import_file(file: Path, options: Options, *, home: Path) -> dict[str, Any]:
    """Import one file and return the report that ``--json`` prints.

    Raises:
        MisuseError: the file cannot be opened, or an argument cannot be read.
    """
    from openami.app.commands import import_run
    from openami.app.commands.intervals import octets_of
    from openami.mdm.importing import parse_file

    result: dict[str, Any] = {
        "file": str(file), "format": None, "meters": [], "series": [], "registers": [], "report": [], "known": None,
        "rejected": [], "error": None,
    }  # fmt: skip
    try:
        octets = octets_of(file)
        found = parse_file(
            octets, format_name=options.format_name, zone=options.zone, unit=options.unit, mapping=options.mapping
        )
        result["format"], result["report"] = found.format, found.report
        result["series"] = [
            {
                "name": s.name, "channel": s.channel.name.lower(), "interval_s": s.interval_s,
                "intervals": len(s.start_s), "total_wh": int(s.value.sum()),
            }
            for s in found.series
        ]  # fmt: skip
        result["registers"] = [
            {"name": r.name, "channel": r.channel.name.lower(), "reads": len(r.at_s)} for r in found.registers
        ]
        result["rejected"] = [{"meter": r.name, "line": r.line, "reason": r.reason} for r in found.refused]
        if options.are_known(found.format):
            asyncio.run(import_run.bring_known_in(octets, found, options, home, result))
        elif not options.dry_run:
            result["meters"] = asyncio.run(import_run.attach_file(octets, found, options, home))
    except MisuseError:
        raise
    except OpenAmiError as error:
        result["error"] = str(error)
        result["meters"] = []
    return result


def _show(console: Console, result: dict[str, Any]) -> None:
    if result["error"]:
        console.print(f"{result['file']}: refused, nothing was imported: {result['error']}", style="red", markup=False)
    for line in result["report"]:
        console.print(f"  {line}", style="dim", markup=False, highlight=False)
    for row in result["rejected"]:
        console.print(f"  line {row['line']}: {row['meter']}: rejected: {row['reason']}", style="red", markup=False)
    known = result["known"]
    if known is not None:
        console.print(
            f"{result['file']}: {known['readings']:,} readings and {known['registers']:,} register reads of "
            f"{known['meters']:,} meters; {known['days']:,} service point days are validated again",
            markup=False,
        )
    for meter in result["meters"]:
        console.print(
            f"{result['file']}: {meter['readings']:,} readings at service point {meter['service_point']}"
            + (f", billed by {meter['rate']}" if meter["rate"] else ""),
            markup=False,
        )
