"""A weather forecast as a file: what the National Weather Service foresees, hour by hour, as somebody exported it.

::

    issued,2026-01-13T12:00:00Z
    at,temperature_f,heat_index_f
    2026-01-13T13:00:00Z,41,
    2026-01-13T14:00:00Z,42.5,
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from openami.headend.switching.blocks import Forecast, ForecastHour
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import require_utc

MAX_FORECAST_OCTETS = 256 * 1024
MAX_HOURS = 24 * 31
COLDEST_F, HOTTEST_F = -150.0, 150.0
LONGEST = timedelta(days=31)
HEADER = "at,temperature_f,heat_index_f"


class ForecastFileError(OpenAmiError):
    """A file that is no forecast. The text names the line."""


def parse_forecast(octets: bytes) -> Forecast:
    """Read a forecast.

    Raises:
        ForecastFileError: not such a file; names the line.
    """
    if len(octets) > MAX_FORECAST_OCTETS:
        raise ForecastFileError(f"a forecast has at most {MAX_FORECAST_OCTETS} octets")
    lines = octets.decode("ascii", "replace").split("\n")
    word, _, issued = lines[0].strip().partition(",")
    if word != "issued" or len(lines) < len(("issued", "header")) or lines[1].strip() != HEADER:
        raise ForecastFileError(f"line 1 is `issued,INSTANT` and line 2 is `{HEADER}`")
    issued_at = _instant(1, issued)
    hours = [_hour(n, line.strip()) for n, line in enumerate(lines[2:], 3) if line.strip()]
    hours.sort(key=lambda hour: hour.at)
    if not 1 <= len(hours) <= MAX_HOURS or hours[-1].at - issued_at > LONGEST:
        raise ForecastFileError(f"a forecast has 1 to {MAX_HOURS} hours, of at most {LONGEST.days} days")
    if len({hour.at for hour in hours}) < len(hours):
        raise ForecastFileError("an hour stands in it twice")
    return Forecast(issued_at, tuple(hours))


def _hour(number: int, line: str) -> ForecastHour:
    parts = line.split(",")
    if len(parts) != len(HEADER.split(",")):
        raise ForecastFileError(f"line {number}: three columns are wanted")
    at, temperature, index = parts
    return ForecastHour(_instant(number, at), _degrees(number, temperature), _degrees(number, index) if index else None)


def _instant(number: int, text: str) -> datetime:
    try:
        return require_utc(datetime.fromisoformat(text))
    except (ValueError, OpenAmiError) as error:
        raise ForecastFileError(f"line {number}: no instant such as 2026-01-13T12:00:00Z") from error


def _degrees(number: int, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not COLDEST_F <= found <= HOTTEST_F:
        raise ForecastFileError(f"line {number}: {text[:20]!r} is no temperature in degrees Fahrenheit")
    return found
