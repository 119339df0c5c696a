"""What is kept of the weather: stations, their days, and which places a station speaks for. Values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import zone_named

COLDEST_DC, HOTTEST_DC = -900, 600
"""Tenths of a degree Celsius. The records of the earth are -89.2 and 56.7 °C (WMO archive of extremes)."""
_STATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class WeatherError(OpenAmiError):
    """Weather that cannot be kept; the text says what is wrong and what mends it."""


@dataclass(frozen=True, slots=True)
class DayTemperature:
    """The air's temperature over one local calendar day at a station, in tenths of a degree Celsius.

    Args:
        day: local day in the station's zone.
        min_dc, max_dc: lowest and highest, -900 to 600.
        mean_dc: as the source measured it over the day; None where it gives none. Degree days do not use it.

    Raises:
        WeatherError: outside what the earth has, or the lowest above the highest.
    """

    day: date
    min_dc: int
    max_dc: int
    mean_dc: int | None = None

    def __post_init__(self) -> None:
        told = [self.min_dc, self.max_dc] if self.mean_dc is None else [self.min_dc, self.mean_dc, self.max_dc]
        if not all(COLDEST_DC <= value <= HOTTEST_DC for value in told):
            raise WeatherError(f"{self.day}: a temperature is outside -90 to 60 °C: check the file's unit")
        if self.min_dc > self.max_dc:
            raise WeatherError(f"{self.day}: the lowest temperature is above the highest")
        if self.mean_dc is not None and not self.min_dc <= self.mean_dc <= self.max_dc:
            raise WeatherError(f"{self.day}: the mean temperature is not between the lowest and the highest")


@dataclass(frozen=True, slots=True)
class Station:
    """A weather station, or a point of a model's grid.

    Args:
        station: its id at the source, for example ``USW00013994``: 1 to 40 letters, digits and ``. _ -``.
        zone: IANA zone in which its days are days.
        source: where the values come from, in a few words.
        name: for people; may be empty.
        is_simulated: made by the demonstration, measured nowhere.

    Raises:
        WeatherError: no such id.
        UnknownZoneError: no such zone.
    """

    station: str
    zone: str
    source: str
    name: str = ""
    is_simulated: bool = False

    def __post_init__(self) -> None:
        if not _STATION.fullmatch(self.station):
            raise WeatherError(f"{self.station[:40]!r} is no station: 1 to 40 letters, digits and . _ -")
        zone_named(self.zone)


@dataclass(frozen=True, slots=True)
class StationUse:
    """From which day on a station speaks for which places. Rows are added; a later one lies over an earlier one.

    Args:
        station: its id.
        first: local day from which it holds.
        transformer, feeder: for the places behind it; both empty for every place of the installation.
        reason: why, 5 to 500 characters.
        made_at: when it was set.

    Raises:
        WeatherError: both a transformer and a feeder, or a reason that is none.
    """

    station: str
    first: date
    transformer: str = ""
    feeder: str = ""
    reason: str = ""
    made_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.transformer and self.feeder:
            raise WeatherError("a station is set for a transformer or for a feeder, not for both at once")
        if not 5 <= len(self.reason) <= 500:
            raise WeatherError("the reason has 5 to 500 characters; it is kept for ever")


@dataclass(frozen=True, slots=True)
class StationDays:
    """Days of one station, each once, by day."""

    station: Station
    days: tuple[DayTemperature, ...]


@dataclass(frozen=True, slots=True)
class StationSummary:
    """A station with what is kept of it: how many days, the first and the last, and the highest version of one."""

    station: Station
    days: int
    first: date | None
    last: date | None
    version: int


def use_of(uses: tuple[StationUse, ...], *, transformer: str, feeder: str, on: date) -> str | None:
    """Return the station that speaks for a place on a day: the transformer's, else the feeder's, else the home's.

    Args:
        uses: in the order in which they were made.
        transformer: the place's; empty where the registry names none.
        feeder: the same.
        on: local day.
    """
    of_place = {"transformer": "", "feeder": "", "all": ""}
    for use in uses:
        if use.first > on:
            continue
        if use.transformer:
            if use.transformer == transformer:
                of_place["transformer"] = use.station
        elif use.feeder:
            if use.feeder == feeder:
                of_place["feeder"] = use.station
        else:
            of_place["all"] = use.station
    return of_place["transformer"] or of_place["feeder"] or of_place["all"] or None
