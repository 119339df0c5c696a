"""What is known of a meter model's radios, from files: the values of the equipment grant, and nothing measured.

Pure: texts in, values out. Who reads the files is the wiring's business.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from openami.network.exposure.density import Emitter
from openami.network.exposure.error import ExposureError
from openami.network.exposure.limit import limit_uw_cm2

MAX_RADIOS_A_METER = 8
_TEXTS, _NUMBERS = ("name", "does", "grant"), ("power_w", "gain_dbi", "low_mhz", "high_mhz")
_KEYS = frozenset({*_TEXTS, *_NUMBERS, "meters"})


@dataclass(frozen=True, slots=True)
class RadioGrant:
    """One radio of a meter model.

    Args:
        name: as people may read it.
        does: what it is for, a part of a sentence.
        emitter: its power, gain, and that end of its band at which the limit is lower.
        low_mhz, high_mhz: its band.
        grant: number of the equipment authorization, or why there is none.
        meters: head-end profiles of the meters that have it.
    """

    name: str
    does: str
    emitter: Emitter
    low_mhz: float
    high_mhz: float
    grant: str
    meters: frozenset[str]


def own_texts() -> dict[str, str]:
    """Return the files that come with the program, by name."""
    folder = files("openami.network.exposure") / "data"
    return {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}


def radio_grants(texts: Mapping[str, str]) -> tuple[RadioGrant, ...]:
    """Return the radios of files; of one name for one meter the file that comes last wins.

    Args:
        texts: content by file name, in order.

    Raises:
        ExposureError: a file is not of the form; the text names file, radio, key and mend.
    """
    found: dict[tuple[str, frozenset[str]], RadioGrant] = {}
    for file, text in texts.items():
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ExposureError(f"{file}: no TOML: {error}") from error
        rows = document.get("radio", [])
        if set(document) - {"radio"} or not isinstance(rows, list):
            raise ExposureError(f"{file}: give [[radio]] tables and nothing else")
        for number, row in enumerate(rows, 1):
            radio = _radio(f"{file}: radio {number}", row)
            found[radio.name, radio.meters] = radio
    return tuple(found.values())


def radios_of(grants: Sequence[RadioGrant], profiles: Sequence[str]) -> tuple[RadioGrant, ...]:
    """Return the radios of a meter: those of the first of its profiles that any file speaks of.

    Args:
        grants: every radio known.
        profiles: the meter's profile and those that it inherits from, the nearest first.
    """
    for profile in profiles:
        own = [g for g in grants if profile in g.meters]
        if own:
            return tuple({g.name: g for g in own}.values())[:MAX_RADIOS_A_METER]
    return ()


def _radio(place: str, row: Any) -> RadioGrant:
    if not isinstance(row, dict) or set(row) != _KEYS:
        odd = sorted(_KEYS.symmetric_difference(row)) if isinstance(row, dict) else ["radio"]
        raise ExposureError(f"{place}: {', '.join(odd)}: missing or unknown; give {', '.join(sorted(_KEYS))}")
    for key in _TEXTS:
        if not isinstance(row[key], str) or not 0 < len(row[key]) <= 300:
            raise ExposureError(f"{place}: {key}: give a text of at most 300 letters")
    for key in _NUMBERS:
        if isinstance(row[key], bool) or not isinstance(row[key], int | float):
            raise ExposureError(f"{place}: {key}: give a number")
    meters = row["meters"]
    if not isinstance(meters, list) or not meters or not all(isinstance(m, str) and m for m in meters):
        raise ExposureError(f"{place}: meters: give a list of meter profiles")
    low, high = float(row["low_mhz"]), float(row["high_mhz"])
    if not low <= high:
        raise ExposureError(f"{place}: high_mhz: give at least low_mhz")
    try:
        stricter = min((low, high), key=limit_uw_cm2)
        emitter = Emitter(float(row["power_w"]), float(row["gain_dbi"]), stricter)
    except ExposureError as error:
        raise ExposureError(f"{place}: {error}") from error
    return RadioGrant(row["name"], row["does"], emitter, low, high, row["grant"], frozenset(meters))
