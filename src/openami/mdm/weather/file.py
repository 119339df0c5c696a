"""A file of temperatures: what it holds, how a row is refused, and how degrees become whole tenths of Celsius."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from openami.mdm.weather.record import DayTemperature, WeatherError

MAX_WEATHER_OCTETS = 32 * 1024 * 1024
"""A station of 150 years with all its elements is about 15 MB."""
MAX_CELL = 2_000
MAX_DEGREES = 200


class WeatherFileError(WeatherError):
    """A file that is not taken: nothing of it is kept. The text names the line and the mend."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}" if line else cause)
        self.line = line


class Unit(StrEnum):
    """In what a file's temperatures are."""

    TENTHS_C = "tenths_c"
    C = "c"
    F = "f"


@dataclass(frozen=True, slots=True)
class WeatherFile:
    """What a file holds.

    Args:
        station: id that the file gives; empty where it gives none.
        name: of the station; may be empty.
        source: whose data they are.
        zone: zone of its days that the file names; empty where it names none.
        days: each once, by day.
        left_out: reasons for which rows were left out, with how many.
        notes: what a reader should know of the days.
    """

    station: str
    name: str
    source: str
    zone: str
    days: tuple[DayTemperature, ...]
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def rows_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """Return the rows of a CSV text with the line that each ends on; a refusal names the line that it begins on.

    Raises:
        WeatherFileError: no CSV.
    """
    # `strict` refuses a quote that never ends; without it the rest of the file would be one cell.
    reader = csv.reader(text.split("\n"), strict=True)
    while True:
        begun = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise WeatherFileError(begun, f"no CSV ({error}): export the file again") from error
        if cells is None:
            return
        if any(len(cell) > MAX_CELL for cell in cells):
            raise WeatherFileError(reader.line_num, f"a cell has more than {MAX_CELL} characters: export it again")
        yield reader.line_num, [cell.strip() for cell in cells]


def tenths_c(line: int, told: str, unit: Unit) -> int:
    """Return a temperature in tenths of a degree Celsius, rounded half to even where the source is finer.

    Raises:
        WeatherFileError: no temperature.

    >>> tenths_c(1, "  -17", Unit.TENTHS_C), tenths_c(1, "21.4", Unit.C), tenths_c(1, "65", Unit.F)
    (-17, 214, 183)
    """
    try:
        value = Decimal(told)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or len(told) > 20 or abs(value) > (MAX_DEGREES if unit is not Unit.TENTHS_C else 2_000):
        raise WeatherFileError(line, f"{told[:20]!r} is no temperature: correct the row or take it out")
    if unit is Unit.TENTHS_C:
        if value != value.to_integral_value():
            raise WeatherFileError(
                line, f"{told[:20]!r} is no whole tenth of a degree: say the unit with --unit c or f"
            )
        return int(value)
    degrees = value if unit is Unit.C else (value - 32) * 5 / 9
    return int((degrees * 10).to_integral_value())


def day_of(line: int, told: str) -> date:
    """Return a calendar day written as 2026-07-01.

    Raises:
        WeatherFileError: no such day.
    """
    try:
        # The standard library reads weeks and compact days, too; a file that mixes them is refused.
        return date.fromisoformat(told if len(told) == len("2026-07-01") else "")
    except ValueError as error:
        raise WeatherFileError(line, f"{told[:20]!r} is no day such as 2026-07-01: correct the row") from error


def add_day(found: dict[date, DayTemperature], line: int, day: DayTemperature) -> None:
    """Put a day to the others; the same day twice with the same values is one.

    Raises:
        WeatherFileError: the day is there with other values.
    """
    if found.setdefault(day.day, day) != day:
        raise WeatherFileError(line, f"{day.day} is in the file twice with other values: keep one row of it")
