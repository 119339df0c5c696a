"""GHCN-Daily as the National Centers for Environmental Information publish it, one file a station.

``https://www.ncei.noaa.gov/data/global-historical-climatology-network-daily/access/<STATION>.csv``: quoted cells, one
row a day, ``TMAX`` and ``TMIN`` in tenths of a degree Celsius, padded with spaces, each with its ``_ATTRIBUTES``
``measurement,quality,source[,time of observation]``. A value with a quality flag failed a check of the network and is
left out, as its readme asks. Source: GHCN-Daily documentation (Menne et al. 2012) and readme.txt, sections III and IV.

The Climate Data Online search gives files with the same names in whole degrees, without or with attributes: their unit
must be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from openami.mdm.weather.file import Unit, WeatherFile, WeatherFileError, add_day, day_of, rows_of, tenths_c
from openami.mdm.weather.record import DayTemperature, WeatherError

SOURCE = "NOAA GHCN-Daily"
_NEEDED = ("STATION", "DATE", "TMAX", "TMIN")
_MISSING = {"", "9999", "-9999"}
_QUALITY, _TIME = 1, 3
_MIDNIGHT = {"", "2400", "0000"}


def is_ghcn(header: list[str]) -> bool:
    """Tell whether a file's first row is that of such a file."""
    return header[:1] == ["STATION"] and "DATE" in header


def parse_ghcn(text: str, unit: Unit | None) -> WeatherFile:
    """Read a station's file.

    Args:
        text: of the file.
        unit: of its temperatures; None takes tenths of a degree Celsius where the file has attributes.

    Raises:
        WeatherFileError: it is not taken; names the line and the mend.
    """
    rows = rows_of(text)
    _, header = next(rows)
    if lacking := [name for name in _NEEDED if name not in header]:
        raise WeatherFileError(1, f"the column {' and '.join(lacking)} is not there: ask for TMAX and TMIN")
    at = {name: header.index(name) for name in header}
    if unit is None:
        if "TMAX_ATTRIBUTES" not in at:
            raise WeatherFileError(1, "the file does not say its unit: say it with --unit tenths_c, c or f")
        unit = Unit.TENTHS_C
    return _file(rows, at, len(header), unit)


def _file(rows: Iterator[tuple[int, list[str]]], at: dict[str, int], width: int, unit: Unit) -> WeatherFile:
    found: dict[date, DayTemperature] = {}
    absent = doubted = other_hour = 0
    station = name = ""
    for line, cells in rows:
        if cells in ([], [""]):
            continue
        if len(cells) != width:
            raise WeatherFileError(line, f"{len(cells)} cells where the first row has {width}: export the file again")
        station = station or cells[at["STATION"]]
        if cells[at["STATION"]] != station:
            raise WeatherFileError(line, f"a second station, {cells[at['STATION']][:40]!r}: load one station at a time")
        name = name or (cells[at["NAME"]] if "NAME" in at else "")
        day = day_of(line, cells[at["DATE"]])
        low, high = cells[at["TMIN"]], cells[at["TMAX"]]
        if low in _MISSING or high in _MISSING:
            absent += 1
            continue
        marks = [_marks(cells, at, "TMIN"), _marks(cells, at, "TMAX")]
        if any(m[_QUALITY] for m in marks):
            doubted += 1
            continue
        other_hour += any(m[_TIME] not in _MIDNIGHT for m in marks)
        mean = _mean(line, cells, at, unit)
        add_day(found, line, _day(line, day, tenths_c(line, low, unit), tenths_c(line, high, unit), mean))
    if not found:
        raise WeatherFileError(0, "the file has no day with a lowest and a highest temperature: take another station")
    left_out = [("without a lowest or a highest temperature", absent), ("failed a check of the network", doubted)]
    notes = [f"{other_hour} days were read at another hour than midnight: there a day is the 24 hours before that hour"]
    return WeatherFile(
        station, name[:100], SOURCE, "", tuple(found[d] for d in sorted(found)),
        tuple(pair for pair in left_out if pair[1]), tuple(notes if other_hour else ()),
    )  # fmt: skip


def _marks(cells: list[str], at: dict[str, int], element: str) -> list[str]:
    """Return measurement, quality, source and time of a value; empty where the file has none."""
    told = cells[at[f"{element}_ATTRIBUTES"]] if f"{element}_ATTRIBUTES" in at else ""
    return ([mark.strip() for mark in told.split(",")] + [""] * 4)[:4]


def _mean(line: int, cells: list[str], at: dict[str, int], unit: Unit) -> int | None:
    """Return the day's mean where the source has one that passed its checks."""
    if "TAVG" not in at or cells[at["TAVG"]] in _MISSING or _marks(cells, at, "TAVG")[_QUALITY]:
        return None
    return tenths_c(line, cells[at["TAVG"]], unit)


def _day(line: int, day: date, low: int, high: int, mean: int | None) -> DayTemperature:
    try:
        # A station's mean may be of other hours than its extremes (flag H or S): one outside them says nothing.
        return DayTemperature(day, low, high, mean if mean is not None and low <= mean <= high else None)
    except WeatherError as error:
        raise WeatherFileError(line, f"{error}, or take the row out") from error
