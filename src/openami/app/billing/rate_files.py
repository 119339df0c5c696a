"""The rates of a home: those that ship, those in its folder ``rates``, and the values in ``rates/values``.

A rate of the folder takes the place of a shipped one of its code. Values (riders, taxes, credits) come last, so new
filings are one small file. Read when a process starts: after a change, start the platform again.
"""

from __future__ import annotations

from pathlib import Path

from openami.app.settings import Home
from openami.billing.tariff import RateSchedule, TariffError, parse_rate, shipped_rates
from openami.billing.tariff.load import MAX_OCTETS
from openami.billing.tariff.values import assumed_values, parse_values, with_values

FOLDER, VALUES = "rates", "values"
_SUFFIXES = (".json", ".toml")
MOST_FILES = 1_000
"""In one folder: a utility has some hundred rates, and files values a dozen times a year."""


def home_rates(home: Home) -> dict[str, RateSchedule]:
    """Return the rates of a home, by code.

    Raises:
        TariffError: a file cannot be read or names what is not there; the file is named.
    """
    folder = home.path / FOLDER
    rates = shipped_rates()
    for place in _files(folder):
        try:
            schedule = parse_rate(_octets(place), code=place.stem)
        except TariffError as error:
            raise TariffError(f"{place}: {error.clause}", error.reason) from error
        rates[schedule.code] = schedule
    for place in _files(folder / VALUES):
        try:
            rates = with_values(rates, parse_values(_octets(place)))
        except TariffError as error:
            raise TariffError(f"{place}: {error.clause}", error.reason) from error
    return rates


def assume_values(home: Home) -> None:
    """Write the assumed values of riders into a home, for a demonstration that issues bills. A repeat keeps them."""
    home.folder(FOLDER)
    place = home.folder(f"{FOLDER}/{VALUES}") / "assumed-for-demonstration.toml"
    if not place.exists():
        place.write_bytes(assumed_values())


def _octets(place: Path) -> bytes:
    try:
        # A pipe would never end, and a device is no file of ours.
        if not place.is_file():
            raise TariffError("file", "it is no regular file")
        if (size := place.stat().st_size) > MAX_OCTETS:
            raise TariffError("file", f"{size} octets, the limit is {MAX_OCTETS}; split it")
        return place.read_bytes()
    except OSError as error:
        raise TariffError("file", error.strerror or "cannot be read") from error


def _files(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.glob("*") if p.suffix in _SUFFIXES) if folder.is_dir() else []
    if len(found) > MOST_FILES:
        raise TariffError(str(folder), f"{len(found)} files of rates or values, the limit is {MOST_FILES}")
    return found
