"""``openami weather``: temperatures by station and day, and which places a station speaks for."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption, ReasonOption
from openami.kernel.errors import MisuseError
from openami.mdm.weather.file import MAX_WEATHER_OCTETS, Unit

if TYPE_CHECKING:
    from openami.app.readings.weather_desk import Loaded, WeatherDesk
    from openami.mdm.weather.record import DayTemperature

app = typer.Typer(help="Load temperatures, and say which station speaks for which places.", no_args_is_help=True)
StationArgument = Annotated[str, typer.Argument(metavar="STATION", help="Id of the station.")]
SHOWN_DAYS = 31


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="GHCN-Daily CSV of a station, or an Open-Meteo archive CSV.")],
    login: LoginOption,
    station: Annotated[str, typer.Option(help="Name of the station, where the file gives none.")] = "",
    zone: Annotated[str, typer.Option(help="Zone of the station's days; else the installation's.")] = "",
    unit: Annotated[Unit | None, typer.Option(help="Of the temperatures, where the file does not say it.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Keep the daily temperatures of a file: whole, or nothing of it. A repeat changes nothing."""
    from openami.mdm.weather.read import parse_weather

    found = parse_weather(_octets(file), unit)
    done = asyncio.run(_desk(home).load(person_of(login), found, station=station, zone=zone))
    print(json.dumps(_loaded_document(done))) if json_output else print(_loaded_words(done))


@app.command("use")
def use_station(
    station: StationArgument,
    login: LoginOption,
    reason: ReasonOption,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First local day it holds on; else its first day kept."),
    ] = None,
    transformer: Annotated[str, typer.Option(help="For the places behind this transformer alone.")] = "",
    feeder: Annotated[str, typer.Option(help="For the places of this feeder alone.")] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let a station speak for places, from a day on; without --transformer or --feeder for every place."""
    start = None if first is None else first.date()
    desk = _desk(home)
    kept = asyncio.run(
        desk.use(person_of(login), station, first=start, transformer=transformer, feeder=feeder, reason=reason)
    )
    where = _where(kept.transformer, kept.feeder)
    if json_output:
        print(json.dumps({"station": station, "for": where, "from": kept.first.isoformat()}))
    else:
        print(f"{station} speaks for {where} from {kept.first} on.")


@app.command("list")
def list_stations(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """List the stations, the days that are kept of them, and the places that they speak for."""
    desk = _desk(home)
    rows = [
        {
            "station": s.station.station, "name": s.station.name, "zone": s.station.zone, "source": s.station.source,
            "simulated": s.station.is_simulated, "days": s.days, "first": s.first.isoformat() if s.first else None,
            "last": s.last.isoformat() if s.last else None, "highest_version": s.version,
        }
        for s in asyncio.run(desk.stations())
    ]  # fmt: skip
    uses = [
        {"station": u.station, "for": _where(u.transformer, u.feeder), "from": u.first.isoformat(), "reason": u.reason}
        for u in asyncio.run(desk.uses())
    ]
    if json_output:
        print(json.dumps({"stations": rows, "uses": uses}))
        return
    if not rows:
        print("No temperatures are kept. Load a station's file with `openami weather load FILE`.")
        return
    table = Table("station", "name", "source", "days", "first", "last", "zone", box=SIMPLE)
    for r in rows:
        source = f"{r['source']} (simulated)" if r["simulated"] else str(r["source"])
        cells = (r["station"], r["name"], source, f"{r['days']:,}", r["first"], r["last"], r["zone"])
        table.add_row(*(str(c or "") for c in cells))
    print_wide(table, columns=140)
    for u in uses:
        print(f"{u['station']} speaks for {u['for']} from {u['from']} on: {u['reason']}")
    if not uses:
        print("No station speaks for any place yet: `openami weather use STATION --reason ...`.")


@app.command()
def show(
    station: StationArgument,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local day; else 31 days back.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last local day; else the last one kept.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show the days of a station with their degree days to 65 °F."""
    from openami.mdm.weather.degree_days import HUNDREDTHS, degree_days_of

    start, end = _span(home, station, first, last)
    found = asyncio.run(_desk(home).days(station, start, end))
    total = degree_days_of(found.days, start, end)
    if json_output:
        document = {
            "station": station, "zone": found.station.zone, "source": found.station.source,
            "simulated": found.station.is_simulated, "days": [_day_document(d) for d in found.days],
            "heating_degree_days_f": total.heating / HUNDREDTHS, "cooling_degree_days_f": total.cooling / HUNDREDTHS,
        }  # fmt: skip
        print(json.dumps(document))
        return
    table = Table("day", "lowest °C", "highest °C", "lowest °F", "highest °F", "heating", "cooling", box=SIMPLE)
    for d in found.days:
        one = degree_days_of([d], d.day, end)
        both = (d.min_dc, d.max_dc)
        figures = [*(f"{v / 10:.1f}" for v in both), *(f"{v * 0.18 + 32:.0f}" for v in both)]
        table.add_row(d.day.isoformat(), *figures, f"{one.heating / 100:.1f}", f"{one.cooling / 100:.1f}")
    print_wide(table, columns=90)
    lacking = (end - start).days - total.days
    print(
        f"{total.heating / 100:,.1f} heating and {total.cooling / 100:,.1f} cooling degree days to 65 °F on "
        f"{total.days} days" + (f"; {lacking} days have no temperature." if lacking else ".")
    )


def _span(home: Path, station: str, first: datetime | None, last: datetime | None) -> tuple[date, date]:
    """Return the days ``[start, end)`` that are asked for."""
    known = {s.station.station: s.last for s in asyncio.run(_desk(home).stations())}
    newest = (last.date() if last else None) or known.get(station) or date(1970, 1, 1)
    end = newest + timedelta(days=1)
    start = first.date() if first else end - timedelta(days=SHOWN_DAYS)
    if start >= end:
        raise MisuseError(f"--from {start} is after --to {newest}")
    return start, end


def _octets(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_WEATHER_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror}") from error


def _desk(home: Path) -> WeatherDesk:
    from openami.app.readings.weather_desk import WeatherDesk
    from openami.app.settings import Settings

    return WeatherDesk(Settings.load(home))


def _where(transformer: str, feeder: str) -> str:
    return f"transformer {transformer}" if transformer else f"feeder {feeder}" if feeder else "every place"


def _day_document(day: DayTemperature) -> dict[str, Any]:
    return {"day": day.day.isoformat(), "min_dc": day.min_dc, "max_dc": day.max_dc, "mean_dc": day.mean_dc}


def _loaded_document(done: Loaded) -> dict[str, Any]:
    days = done.file.days
    return {
        "station": done.station.station, "zone": done.station.zone, "source": done.station.source,
        "first": days[0].day.isoformat(), "last": days[-1].day.isoformat(), "days": len(days), "new": done.new,
        "changed": done.changed, "left_out": dict(done.file.left_out), "notes": list(done.file.notes),
        "used": done.is_used,
    }  # fmt: skip


def _loaded_words(done: Loaded) -> str:
    days = done.file.days
    what = f"{done.station.station} ({done.file.source}): {len(days):,} days, {days[0].day} to {days[-1].day}"
    lines = [f"{what}; {done.new:,} new, {done.changed:,} changed."]
    lines += [f"Left out: {count:,} rows {why}." for why, count in done.file.left_out]
    lines += [f"{note}." for note in done.file.notes]
    if not done.is_used:
        lines.append(f"It speaks for no place yet: `openami weather use {done.station.station} --reason ...`.")
    return "\n".join(lines)
