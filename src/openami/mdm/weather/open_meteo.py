"""The archive of Open-Meteo: ``/v1/archive?daily=temperature_2m_max,temperature_2m_min&timezone=...&format=csv``.

Two rows of where and in which zone, an empty line, then one row a day; the header names the unit::

    latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation
    38.629173,-90.183304,139.0,-21600,America/Chicago,GMT-6

    time,temperature_2m_mean (°C),temperature_2m_max (°C),temperature_2m_min (°C)
    2026-07-01,26.4,31.8,21.1

A file in GMT holds days that are not the customers' days. Source: Open-Meteo documentation, historical weather API, and
the writer of the format (open-meteo, ``toCsvResponse``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from openami.mdm.weather.file import Unit, WeatherFile, WeatherFileError, add_day, day_of, rows_of, tenths_c
from openami.mdm.weather.record import DayTemperature, WeatherError

SOURCE = "Open-Meteo archive"
_WHERE = ["latitude", "longitude", "elevation", "utc_offset_seconds", "timezone", "timezone_abbreviation"]
_UNITS = {"(°C)": Unit.C, "(°F)": Unit.F}
_MISSING = {"", "NaN", "null"}


def is_open_meteo(header: list[str]) -> bool:
    """Tell whether a file's first row is that of such a file."""
    return [cell for cell in header if cell != "location_id"] == _WHERE


def parse_open_meteo(text: str) -> WeatherFile:
    """Read an archive.

    Raises:
        WeatherFileError: it is not taken; names the line and the mend.
    """
    rows = rows_of(text)
    _, header = next(rows)
    if "location_id" in header:
        raise WeatherFileError(1, "several places are in the file: ask for one latitude and longitude at a time")
    line, where = next(rows, (2, []))
    if len(where) != len(_WHERE):
        raise WeatherFileError(line, "the row of latitude, longitude and zone is not there: export the file again")
    for line, cells in rows:
        if cells[:1] == ["time"] and any(cell.startswith("temperature_2m_max") for cell in cells):
            columns = [_column(line, cells, name) for name in ("min", "max", "mean")]
            return _file(rows, where, columns, len(cells))
    raise WeatherFileError(0, "no daily temperatures are in it: ask for daily=temperature_2m_max,temperature_2m_min")


def _column(line: int, header: list[str], name: str) -> tuple[int, Unit] | None:
    """Return where a temperature is and its unit; None for a mean that is not there."""
    wanted = f"temperature_2m_{name}"
    at = next((n for n, cell in enumerate(header) if cell.split(" ")[0] == wanted), None)
    if at is None:
        if name == "mean":
            return None
        raise WeatherFileError(line, f"the column {wanted} is not there: ask for it among the daily variables")
    unit = _UNITS.get(header[at].partition(" ")[2])
    if unit is None:
        raise WeatherFileError(line, f"the unit of {wanted} is not °C or °F: ask for temperature_unit=celsius")
    return at, unit


def _file(
    rows: Iterator[tuple[int, list[str]]], where: list[str], columns: list[tuple[int, Unit] | None], width: int
) -> WeatherFile:
    found: dict[date, DayTemperature] = {}
    absent = 0
    for line, cells in rows:
        if cells in ([], [""]):
            # An empty line ends the table; whatever comes after it is of other hours.
            break
        if len(cells) != width:
            raise WeatherFileError(line, f"{len(cells)} cells where the table has {width}: export the file again")
        day = day_of(line, cells[0])
        low, high, mean = (None if c is None or cells[c[0]] in _MISSING else (cells[c[0]], c[1]) for c in columns)
        if low is None or high is None:
            absent += 1
            continue
        values = [tenths_c(line, *low), tenths_c(line, *high), None if mean is None else tenths_c(line, *mean)]
        try:
            add_day(found, line, DayTemperature(day, *values))  # type: ignore[arg-type] # the first two are never None
        except WeatherFileError:
            raise
        except WeatherError as error:
            raise WeatherFileError(line, f"{error}, or take the row out") from error
    if not found:
        raise WeatherFileError(0, "the file has no day with a lowest and a highest temperature")
    place = f"{where[0]}, {where[1]}"
    left_out = (("without a lowest or a highest temperature", absent),) if absent else ()
    return WeatherFile("", place, SOURCE, where[4], tuple(found[d] for d in sorted(found)), left_out)
