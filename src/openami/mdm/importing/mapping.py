"""What the sender of a file must declare about it, as a TOML file; nothing of it is guessed.

Whether a stamp is an interval's beginning or ending, which clock wrote it and what that clock does in spring and
autumn, the unit, whether the multiplier is in the values: each was wrong somewhere by silence. A declaration that is
missing refuses the mapping and says which one. ``docs/protocol/interval-files.md`` has the whole page.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from openami.contracts.channel import CHANNEL_BY_NAME, CHANNELS, Channel
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import UnknownZoneError, zone_named
from openami.mdm.importing.table import QUALITY_WORDS, UNITS

MAX_MAPPING_OCTETS = 65_536
_SECTIONS = {"file", "meter", "time", "value", "quality"}
_KEYS = {
    "file": {"delimiter"},
    "meter": {"column", "name"},
    "time": {"column", "second_column", "form", "marks", "clock", "utc_offset", "zone", "repeated_hour",
             "repeated_column", "repeated_first", "skipped_hour"},
    "value": {"kind", "column", "unit", "interval_s", "channel", "channel_column", "channels", "multiplier_applied",
              "multiplier", "multiplier_column"},
    "quality": {"column", "words"},
}  # fmt: skip


class MappingError(OpenAmiError):
    """A mapping cannot be used: a declaration is missing or cannot be read. The text names it and what to write."""


class Marks(StrEnum):
    """What a stamp marks of its interval."""

    BEGINNING = "beginning"
    ENDING = "ending"


class Kind(StrEnum):
    """What the rows hold."""

    INTERVALS = "intervals"
    REGISTERS = "registers"


@dataclass(frozen=True, slots=True)
class ClockRule:
    """Which clock wrote the stamps.

    Args:
        zone: UTC or a fixed offset, or a zone with daylight saving.
        repeated_hour: ``order``, ``column`` or ``refuse``: how the autumn hour's two passes are told apart.
        repeated_column: column that tells them apart.
        repeated_first: its text in the first pass (daylight saving time).
        skipped_hour: ``refuse`` or ``drop_zeros``: what becomes of stamps that the clock never shows in spring.
    """

    zone: timezone | ZoneInfo
    repeated_hour: str = "order"
    repeated_column: str = ""
    repeated_first: str = ""
    skipped_hour: str = "refuse"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """A whole mapping.

    Args:
        delimiter: between cells.
        meter_column, meter_name: the column that names the meter, or the one name of all rows.
        time_column, second_column, form: where the stamp is (a date and a time may be two columns) and how written.
        marks: beginning or ending.
        clock: whose time.
        kind: intervals or register reads.
        value_column, unit: what and in which unit.
        interval_s: length [s]; 0 for registers.
        channel, channel_column, channels: the one channel of all rows, or a column and its words.
        multiplier_applied: whether it is in the values.
        multiplier, multiplier_column: the multiplier where the values are before it; the registry knows it for
            meters that it knows.
        quality_column, quality: a column and its words as raw quality bits; without a column all rows are good.
    """

    delimiter: str
    meter_column: str
    meter_name: str
    time_column: str
    second_column: str
    form: str
    marks: Marks
    clock: ClockRule
    kind: Kind
    value_column: str
    unit: str
    interval_s: int
    channel: Channel | None
    channel_column: str
    channels: Mapping[str, Channel] = field(default_factory=dict)
    multiplier_applied: bool = True
    multiplier: int = 1
    multiplier_column: str = ""
    quality_column: str = ""
    quality: Mapping[str, int] = field(default_factory=dict)


def parse_mapping(octets: bytes) -> ColumnMapping:
    """Read a mapping of a CSV file.

    Raises:
        MappingError: not TOML, an unknown or missing declaration, or one that cannot be read.
    """
    found = _toml(octets)
    time, value, meter, quality = (_table(found, n) for n in ("time", "value", "meter", "quality"))
    kind = _choice(value, "value", "kind", [k.value for k in Kind], "what the rows hold")
    channel, column, channels = _channels(value)
    marks = Marks.BEGINNING
    if kind == Kind.INTERVALS:
        question = "whether a stamp is the interval's beginning or its ending"
        marks = Marks(_choice(time, "time", "marks", [m.value for m in Marks], question))
    if not meter.get("column") and not meter.get("name"):
        raise _missing("meter", "column", "which column names the meter", '"MeterID"; or name = "..." for one meter')
    is_applied = _flag(value, "value", "multiplier_applied", "whether the multiplier is in the values already")
    return ColumnMapping(
        _text(_table(found, "file"), "file", "delimiter", ","), _text(meter, "meter", "column"),
        _text(meter, "meter", "name"), _needed(time, "time", "column", "which column holds the stamp"),
        _text(time, "time", "second_column"), _needed(time, "time", "form", "how a stamp is written", '"iso"'), marks,
        clock_rule(time), Kind(kind), _needed(value, "value", "column", "which column holds the value"),
        _unit(value), _interval(value) if kind == Kind.INTERVALS else 0, channel, column, channels,
        is_applied, _multiplier(value), _text(value, "value", "multiplier_column"), *_quality(quality),
    )  # fmt: skip


def quality_words(octets: bytes) -> tuple[dict[str, int], ClockRule | None, bool | None]:
    """Read what a mapping declares for a format that has its own columns (CMEP): quality words, clock, multiplier.

    Raises:
        MappingError: it cannot be read.
    """
    found = _toml(octets)
    time, value = _table(found, "time"), _table(found, "value")
    applied = value.get("multiplier_applied")
    if applied is not None:
        applied = _flag(value, "value", "multiplier_applied", "")
    return _words(_table(found, "quality")), clock_rule(time) if "clock" in time else None, applied


def clock_rule(time: Mapping[str, Any]) -> ClockRule:
    """Return the clock of a ``[time]`` table.

    Raises:
        MappingError: it is not declared whole.
    """
    clock = _choice(time, "time", "clock", ["utc", "fixed", "local"], "whether stamps are UTC or local time")
    if clock == "utc":
        return ClockRule(timezone(timedelta(0)))
    if clock == "fixed":
        return ClockRule(timezone(_offset(_needed(time, "time", "utc_offset", "the fixed offset", '"-06:00"'))))
    name = _needed(time, "time", "zone", "which zone the local clock is in", '"America/Chicago"')
    question = "how the hour that the clock shows twice in autumn is told apart"
    repeated = _choice(time, "time", "repeated_hour", ["order", "column", "refuse"], question)
    question = "what to do with stamps in the hour that the clock skips in spring"
    skipped = _choice(time, "time", "skipped_hour", ["refuse", "drop_zeros"], question)
    column = first = ""
    if repeated == "column":
        column = _needed(time, "time", "repeated_column", "which column tells the repeated hour apart")
        first = _needed(time, "time", "repeated_first", "what that column says in the first pass", '"D"')
    try:
        return ClockRule(zone_named(name), repeated, column, first, skipped)
    except UnknownZoneError as error:
        raise MappingError(f"mapping: [time] zone: {error}") from error


def _toml(octets: bytes) -> dict[str, Any]:
    if len(octets) > MAX_MAPPING_OCTETS:
        raise MappingError(f"mapping: over {MAX_MAPPING_OCTETS} octets")
    try:
        found = tomllib.loads(octets.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MappingError(f"mapping: not TOML: {str(error)[:100]}") from error
    for section, table in found.items():
        if section not in _SECTIONS or not isinstance(table, dict):
            raise MappingError(f"mapping: [{section[:20]}] is not one of {', '.join(sorted(_SECTIONS))}")
        for key in table:
            if key not in _KEYS[section]:
                raise MappingError(
                    f"mapping: [{section}] has no {key[:30]}; it has {', '.join(sorted(_KEYS[section]))}"
                )
    return found


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    table: dict[str, Any] = found.get(name, {})
    return table


def _missing(section: str, key: str, question: str, example: str) -> MappingError:
    return MappingError(
        f"mapping: [{section}] {key} is not declared: {question} is not guessed. Write {key} = {example}"
    )


def _text(table: Mapping[str, Any], section: str, key: str, default: str = "") -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or len(value) > 100:
        raise MappingError(f"mapping: [{section}] {key} is not a short text")
    return value


def _needed(table: Mapping[str, Any], section: str, key: str, question: str, example: str = '"..."') -> str:
    value = _text(table, section, key)
    if not value:
        raise _missing(section, key, question, example)
    return value


def _choice(table: Mapping[str, Any], section: str, key: str, words: list[str], question: str) -> str:
    value = _needed(table, section, key, question, " or ".join(f'"{w}"' for w in words))
    if value not in words:
        raise MappingError(f"mapping: [{section}] {key} = {value[:20]!r} is not one of {', '.join(words)}")
    return value


def _flag(table: Mapping[str, Any], section: str, key: str, question: str) -> bool:
    value = table.get(key)
    if value is None:
        raise _missing(section, key, question, "true or false")
    if not isinstance(value, bool):
        raise MappingError(f"mapping: [{section}] {key} is not true or false")
    return value


def _unit(value: Mapping[str, Any]) -> str:
    unit = _needed(value, "value", "unit", "the unit of the values", '"kWh"')
    if unit.lower() not in UNITS:
        raise MappingError(f"mapping: [value] unit {unit[:20]!r} is not one of Wh, kWh, MWh (varh counts as Wh)")
    return unit.lower()


def _interval(value: Mapping[str, Any]) -> int:
    found = value.get("interval_s")
    if found is None:
        raise _missing("value", "interval_s", "the length of an interval", "900")
    if not isinstance(found, int) or isinstance(found, bool) or not 60 <= found <= 86_400:
        raise MappingError("mapping: [value] interval_s is not 60 to 86400 seconds")
    return found


def _multiplier(value: Mapping[str, Any]) -> int:
    found = value.get("multiplier", 1)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= 1_000_000:
        raise MappingError("mapping: [value] multiplier is not a whole number from 1 to 1,000,000")
    return found


def _channels(value: Mapping[str, Any]) -> tuple[Channel | None, str, dict[str, Channel]]:
    column = _text(value, "value", "channel_column")
    if not column:
        words = '"delivered" or "received"; or channel_column'
        name = _needed(value, "value", "channel", "which channel the values are", words)
        return _channel(name), "", {}
    words_of = value.get("channels")
    if not isinstance(words_of, dict) or not words_of:
        raise _missing("value", "channels", "what the words of channel_column mean", '{ KWH = "delivered" }')
    return None, column, {str(k): _channel(str(v)) for k, v in words_of.items()}


def _channel(name: str) -> Channel:
    found = CHANNEL_BY_NAME.get(name)
    if found is None or not CHANNELS[found].is_energy:
        names = ", ".join(s.name for s in CHANNELS.values() if s.is_energy)
        raise MappingError(f"mapping: [value] channel {name[:20]!r} is not one of {names}")
    return found


def _quality(quality: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
    column = _text(quality, "quality", "column")
    words = _words(quality)
    if column and not words:
        raise _missing("quality", "words", "what the words of the quality column mean", '{ A = "actual" }')
    return column, words


def _words(quality: Mapping[str, Any]) -> dict[str, int]:
    words = quality.get("words", {})
    if not isinstance(words, dict) or not all(isinstance(v, str) and v in QUALITY_WORDS for v in words.values()):
        raise MappingError(f"mapping: [quality] words are each one of {', '.join(w for w in QUALITY_WORDS if w)}")
    return {str(k): int(QUALITY_WORDS[v]) for k, v in words.items()}


def _offset(text: str) -> timedelta:
    found = re.fullmatch(r"([+-])(\d\d):(\d\d)", text)
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        raise MappingError(f"mapping: [time] utc_offset {text[:12]!r} is not like -06:00")
    minutes = int(found[2]) * 60 + int(found[3])
    return timedelta(minutes=-minutes if found[1] == "-" else minutes)
