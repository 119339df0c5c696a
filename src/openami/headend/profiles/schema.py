"""The schema of profile files: what may stand in one, and words for what may not.

Each thing wrong is a :class:`ProfileProblem` that names the file, the key and the mend; reading goes on to the end of
the file, so that a person sees all of them at once. ``docs/protocol/meter-profiles.md`` shows every key with examples.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openami.contracts.channel import CHANNEL_BY_NAME, Channel
from openami.contracts.event import EventKind
from openami.headend.profiles.model import (
    SCALER_MAX,
    SCALER_MIN,
    ClockRule,
    DeviationRule,
    Layout,
    PositionalLayout,
    PushKind,
    ReadableProfile,
    Recognition,
    RowLayout,
    Scale,
    SelectiveAccess,
)
from openami.headend.profiles.toml_reader import MAX_CODE, ProfileProblem, TomlReader
from openami.kernel.obis import Obis

MAX_FILE_CHARACTERS = 200_000
"""Ten times our largest file: a profile is written by hand."""
MAX_BIT = 127
"""The widest status word has 128 bits."""
MAX_SAP = 0x3FFF
"""Client addresses have at most 14 bits."""
LONGEST_PERIOD_S = 31 * 86_400
ANY_LOG = "any"
_CONDITIONS = frozenset({"maker", "title", "list_version", "push_setup", "captures"})
_TITLE = re.compile(r"^([0-9a-f]{2}){1,8}$")
_MAKER = re.compile(r"^[A-Z]{3}$")
_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,39}$")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one file says by itself: parsed values by key, only those that stand in it."""

    name: str
    parent: str | None
    values: Mapping[str, Any]


def read_sheet(name: str, text: str) -> tuple[Sheet, list[ProfileProblem]]:
    """Read one profile file.

    Args:
        name: of the profile; the file is ``<name>.toml``.
        text: its content.

    Returns:
        What it says, and everything that is wrong with it.
    """
    reader = TomlReader(f"{name}.toml")
    document: dict[str, Any] = {}
    if not _NAME.match(name):
        reader.refuse("name", f"{name[:40]!r} is no profile name", "use lower-case letters, digits, - and _")
    if len(text) > MAX_FILE_CHARACTERS:
        reader.refuse("file", f"more than {MAX_FILE_CHARACTERS} characters", "split it into a parent and a child")
    else:
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            reader.refuse("file", f"not TOML: {error}", "mend the line it names")
    values: dict[str, Any] = {}
    for key, value in document.items():
        parse = _PARSERS.get(key)
        if parse is None:
            reader.refuse(key, "unknown key", f"known are {', '.join(sorted(_PARSERS))}")
        else:
            values[key] = parse(reader, key, value)
    parent = values.pop("inherits", None)
    return Sheet(name, parent, values), reader.problems


def _text(reader: TomlReader, key: str, value: Any) -> str | None:
    return reader.text(key, value)


def _recognize(reader: TomlReader, key: str, value: Any) -> tuple[Recognition, ...]:
    found = []
    for place, row in reader.tables(key, value, _CONDITIONS):
        maker = row.get("maker")
        if maker is not None and not (isinstance(maker, str) and _MAKER.match(maker)):
            reader.refuse(f"{place}.maker", "no FLAG letters", 'write three capitals, for example "LGZ"')
            maker = None
        title = row.get("title")
        if title is not None and not (isinstance(title, str) and _TITLE.match(title)):
            reader.refuse(f"{place}.title", "no octets of a system title", 'write them as "2f19"')
            title = None
        version = reader.text(f"{place}.list_version", row["list_version"]) if "list_version" in row else None
        setup = reader.obis(f"{place}.push_setup", row["push_setup"]) if "push_setup" in row else None
        captures = (
            frozenset(reader.obis_list(f"{place}.captures", row["captures"])) if "captures" in row else frozenset()
        )
        if not row:
            reader.refuse(place, "asks nothing, so it would suit every meter", "name at least one condition")
        found.append(Recognition(maker, bytes.fromhex(title) if title else None, version, setup, captures))
    return tuple(found)


def _layouts(reader: TomlReader, key: str, value: Any) -> tuple[Layout, ...]:
    known = frozenset({"kind", "push_setup", "interval_s", "columns", "objects"})
    found: list[Layout] = []
    seen: set[object] = set()
    for place, row in reader.tables(key, value, known):
        kind = reader.choice(f"{place}.kind", row.get("kind", "instant"), PushKind)
        setup = reader.obis(f"{place}.push_setup", row["push_setup"]) if "push_setup" in row else None
        if ("columns" in row) == ("objects" in row):
            reader.refuse(place, "needs either columns or objects", "columns for rows, objects for a list by position")
            continue
        if "columns" in row:
            layout: Layout | None = _row_layout(reader, place, row, kind, setup)
        else:
            objects = reader.obis_list(f"{place}.objects", row["objects"])
            layout = PositionalLayout(objects, kind or PushKind.INSTANT, setup)
        if layout is None:
            continue
        mark = setup or len(layout.objects if isinstance(layout, PositionalLayout) else ())
        if mark in seen:
            reader.refuse(place, "a second layout for the same push", "tell them apart by push_setup or keep one")
        seen.add(mark)
        found.append(layout)
    return tuple(found)


def _row_layout(
    reader: TomlReader, place: str, row: Mapping[str, Any], kind: PushKind | None, setup: Obis | None
) -> RowLayout | None:
    columns = reader.obis_list(f"{place}.columns", row["columns"])
    interval_s = reader.whole(f"{place}.interval_s", row.get("interval_s", 0), 0, LONGEST_PERIOD_S) or 0
    if setup is None:
        reader.refuse(place, "rows without a push setup", 'add push_setup = "0.1.25.9.0.255"')
    if (kind is PushKind.LOAD_PROFILE) != (interval_s > 0):
        reader.refuse(f"{place}.interval_s", "intervals have a length and nothing else has", "write it in seconds")
    if columns and columns[0].octets[2:4] != b"\x01\x00":
        reader.refuse(f"{place}.columns", f"the first is {columns[0]} and no clock", "rows begin with 0.0.1.0.0.255")
    if setup is None or kind is None or not columns:
        return None
    return RowLayout(kind, setup, columns, interval_s)


def _scales(reader: TomlReader, key: str, value: Any) -> dict[Obis, Scale]:
    found = {}
    for obis, place, item in reader.obis_keys(key, value):
        if not isinstance(item, list) or len(item) != 2:
            reader.refuse(place, "no scale", "write [scaler, DLMS unit code], for example [0, 30] for Wh")
            continue
        scaler = reader.whole(f"{place}[1]", item[0], SCALER_MIN, SCALER_MAX)
        unit = reader.whole(f"{place}[2]", item[1], 0, 255)
        if scaler is not None and unit is not None:
            found[obis] = Scale(scaler, unit)
    return found


def _channels(reader: TomlReader, key: str, value: Any) -> dict[Obis, Channel]:
    found = {}
    for obis, place, item in reader.obis_keys(key, value):
        if isinstance(item, str) and item in CHANNEL_BY_NAME:
            found[obis] = CHANNEL_BY_NAME[item]
        else:
            known = ", ".join(CHANNEL_BY_NAME)
            reader.refuse(place, f"{str(item)[:40]!r} is no channel", f"write one of {known}")
    return found


def _names(reader: TomlReader, key: str, value: Any) -> dict[Obis, str]:
    found = {obis: reader.text(place, item) for obis, place, item in reader.obis_keys(key, value)}
    return {obis: text for obis, text in found.items() if text is not None}


def _main_b(reader: TomlReader, key: str, value: Any) -> frozenset[int]:
    if not isinstance(value, list):
        reader.refuse(key, "no list of numbers", "write [1]")
        return frozenset()
    found = (reader.whole(f"{key}[{n}]", item, 1, 255) for n, item in enumerate(value, 1))
    return frozenset(b for b in found if b is not None)


def _events(reader: TomlReader, key: str, value: Any) -> dict[int | None, dict[int, EventKind]]:
    found: dict[int | None, dict[int, EventKind]] = {}
    for log, codes in reader.table(key, value).items():
        place = f"{key}.{log}"
        if log != ANY_LOG and not (log.isdecimal() and int(log) <= 255):
            reader.refuse(place, "no event log", "write e of 0.0.99.98.e.255, or any")
            continue
        found[None if log == ANY_LOG else int(log)] = reader.codes(place, codes, MAX_CODE)
    return found


def _alarms(reader: TomlReader, key: str, value: Any) -> dict[Obis, dict[int, EventKind]]:
    return {obis: reader.codes(place, bits, MAX_BIT) for obis, place, bits in reader.obis_keys(key, value)}


def _logs(reader: TomlReader, key: str, value: Any) -> dict[int, str]:
    found = {}
    for log, name in reader.table(key, value).items():
        if not (log.isdecimal() and int(log) <= 255):
            reader.refuse(f"{key}.{log}", "no event log", "write e of 0.0.99.98.e.255")
            continue
        found[int(log)] = reader.text(f"{key}.{log}", name) or ""
    return found


def _reads(reader: TomlReader, key: str, value: Any) -> dict[str, ReadableProfile]:
    found: dict[str, ReadableProfile] = {}
    known = frozenset({"name", "obis", "capture_period_s", "columns", "selective_access"})
    for place, row in reader.tables(key, value, known):
        name = reader.text(f"{place}.name", row.get("name"))
        obis = reader.obis(f"{place}.obis", row.get("obis"))
        period_s = reader.whole(f"{place}.capture_period_s", row.get("capture_period_s", 0), 0, LONGEST_PERIOD_S)
        columns = reader.obis_list(f"{place}.columns", row["columns"]) if "columns" in row else ()
        given = row.get("selective_access", [])
        ways = given if isinstance(given, list) else [given]
        access = [reader.choice(f"{place}.selective_access", way, SelectiveAccess) for way in ways]
        if name in found:
            reader.refuse(f"{place}.name", f"{name!r} is listed twice", "keep one of them")
        if name is not None and obis is not None:
            ways_known = frozenset(a for a in access if a is not None)
            found[name] = ReadableProfile(name, obis, period_s or 0, columns, ways_known)
    return found


def _clients(reader: TomlReader, key: str, value: Any) -> dict[str, int]:
    found = {}
    for name, item in reader.table(key, value).items():
        address = reader.whole(f"{key}.{name}", item, 1, MAX_SAP)
        if address is not None:
            found[name] = address
    return found


def _clock(reader: TomlReader, key: str, value: Any) -> ClockRule:
    row = reader.table(key, value, frozenset({"deviation", "trusts_status"}))
    rule = reader.choice(f"{key}.deviation", row.get("deviation", "standard"), DeviationRule)
    trusts = row.get("trusts_status", True)
    if not isinstance(trusts, bool):
        reader.refuse(f"{key}.trusts_status", "neither true nor false", "write true or false")
        trusts = True
    return ClockRule(rule or DeviationRule.STANDARD, trusts)


_PARSERS: Mapping[str, Callable[[TomlReader, str, Any], Any]] = {
    "inherits": _text,
    "about": _text,
    "recognize": _recognize,
    "layout": _layouts,
    "bare": lambda reader, key, value: reader.obis_list(key, value),
    "scale": _scales,
    "registers": _channels,
    "intervals": _channels,
    "names": _names,
    "main_b": _main_b,
    "events": _events,
    "alarms": _alarms,
    "logs": _logs,
    "read": _reads,
    "clients": _clients,
    "clock": _clock,
}
KNOWN_KEYS = frozenset(_PARSERS)
"""Every key that may stand at the top of a file."""
