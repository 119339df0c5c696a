"""Read a file of temperatures, whichever of the known formats it is."""

from __future__ import annotations

import re

from openami.mdm.weather.file import MAX_WEATHER_OCTETS, Unit, WeatherFile, WeatherFileError, rows_of
from openami.mdm.weather.ghcn import is_ghcn, parse_ghcn
from openami.mdm.weather.open_meteo import is_open_meteo, parse_open_meteo

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def parse_weather(octets: bytes, unit: Unit | None = None) -> WeatherFile:
    """Read a file.

    Args:
        octets: of the file, UTF-8.
        unit: of its temperatures, where the file does not say it.

    Raises:
        WeatherFileError: it is not taken, as a whole; names the line and the mend.
    """
    if len(octets) > MAX_WEATHER_OCTETS:
        raise WeatherFileError(0, f"the file has more than {MAX_WEATHER_OCTETS:,} octets: load fewer years at a time")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise WeatherFileError(line, "no UTF-8 text: export the file as CSV in UTF-8") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # A name of a station is shown on terminals and on papers: nothing in it may steer them, or turn a line.
    if (found := _STEERING.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise WeatherFileError(line, f"it holds {found.group()!a}, which no page can show: export the file again")
    _, header = next(rows_of(text), (1, []))
    if is_ghcn(header):
        return parse_ghcn(text, unit)
    if is_open_meteo(header):
        if unit is not None:
            raise WeatherFileError(1, "an Open-Meteo file names its unit itself: leave --unit away")
        return parse_open_meteo(text)
    raise WeatherFileError(
        1,
        "neither a GHCN-Daily file of a station (STATION,DATE,...,TMAX,TMIN) nor an Open-Meteo archive (latitude,...)",
    )
