"""Block rules of a jurisdiction from a TOML file: dated, so that a new law is a new line and no code.

Every rule has a ``source``: a number that nobody can trace is not relied on.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from openami.headend.profiles.toml_reader import ProfileProblem, TomlReader
from openami.headend.switching.blocks import HoldRule, StaffRule, SwitchRules, WeatherRule
from openami.headend.switching.order import SwitchReason
from openami.kernel.errors import OpenAmiError

DEFAULT_JURISDICTION = "missouri"
MAX_FILE_CHARACTERS = 200_000
MAX_LOOK_AHEAD_H = 14 * 24
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = re.compile(r"^(\d{2})-(\d{2})$")
_LEAP_YEAR = 2024
_COMMON = frozenset({"source", "from", "to", "reasons"})
_WEATHER = _COMMON | {"name", "season", "look_ahead_h", "below_f", "from_f", "heat_index_from_f"}
_STAFF = _COMMON | {"name", "weekdays", "hours", "next_day", "holidays"}
_HOLD = _COMMON | {"kind"}
_HOTTEST_F = 150


class RulesDataError(OpenAmiError):
    """A file of rules that cannot be used; the text has a line for each thing wrong: file, key, mend."""

    def __init__(self, problems: tuple[ProfileProblem, ...]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


@cache
def rules_of(jurisdiction: str = DEFAULT_JURISDICTION) -> SwitchRules:
    """Return the rules that come with us.

    Raises:
        RulesDataError: there are none of this name.
    """
    place = files("openami.headend.switching").joinpath("data", f"{jurisdiction}.toml")
    if not jurisdiction.isalnum() or not place.is_file():
        problem = ProfileProblem(f"{jurisdiction[:40]}.toml", "file", "no such rules", "name one that is in data")
        raise RulesDataError((problem,))
    return parse_rules(jurisdiction, place.read_text(encoding="utf-8"))


def parse_rules(name: str, text: str) -> SwitchRules:
    """Read a file of rules.

    Args:
        name: of the file, for what is said of it.
        text: its content.

    Raises:
        RulesDataError: something is not as it should be.
    """
    reader = TomlReader(f"{name}.toml")
    document: dict[str, Any] = {}
    if len(text) > MAX_FILE_CHARACTERS:
        reader.refuse("file", f"more than {MAX_FILE_CHARACTERS} characters", "it is no file of rules")
    else:
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            reader.refuse("file", f"not TOML: {error}", "mend the line it names")
    for key in set(document) - {"name", "weather", "staff", "hold"}:
        reader.refuse(key[:40], "unknown key", "known are name, weather, staff, hold")
    rules = SwitchRules(
        reader.text("name", document.get("name", name)) or name,
        tuple(_weather(reader, *row) for row in reader.tables("weather", document.get("weather", []), _WEATHER)),
        tuple(_staff(reader, *row) for row in reader.tables("staff", document.get("staff", []), _STAFF)),
        tuple(_hold(reader, *row) for row in reader.tables("hold", document.get("hold", []), _HOLD)),
    )
    if reader.problems:
        raise RulesDataError(tuple(reader.problems))
    return rules


def _weather(reader: TomlReader, place: str, row: dict[str, Any]) -> WeatherRule:
    bounds = {key: _degrees(reader, f"{place}.{key}", row.get(key)) for key in _WEATHER if key.endswith("_f")}
    if all(bound is None for bound in bounds.values()):
        reader.refuse(place, "no bound", "write below_f, from_f or heat_index_from_f")
    season = row.get("season")
    ends = season if isinstance(season, list) and len(season) == len(("first", "last")) else ["", ""]
    first, last = (_month_day(reader, f"{place}.season", end) for end in ends)
    hours = reader.whole(f"{place}.look_ahead_h", row.get("look_ahead_h"), 1, MAX_LOOK_AHEAD_H) or 1
    return WeatherRule(
        reader.text(f"{place}.name", row.get("name")) or "",
        _reasons(reader, place, row),
        _in_force(reader, place, row),
        (first, last),
        timedelta(hours=hours),
        **bounds,
    )


def _staff(reader: TomlReader, place: str, row: dict[str, Any]) -> StaffRule:
    weekdays = row.get("weekdays")
    if not isinstance(weekdays, list) or not weekdays or not set(weekdays) <= set(_WEEKDAYS):
        reader.refuse(f"{place}.weekdays", "no weekdays", 'write ["mon", "tue"]')
        weekdays = []
    hours = row.get("hours")
    ends = hours if isinstance(hours, list) and len(hours) == len(("from", "to")) else ["", ""]
    first, last = (_time(reader, f"{place}.hours", end) for end in ends)
    holidays = row.get("holidays", [])
    if not isinstance(holidays, list) or not all(type(day) is date for day in holidays):
        reader.refuse(f"{place}.holidays", "no list of days", "write [2026-12-25]")
        holidays = []
    next_day = row.get("next_day", True)
    if not isinstance(next_day, bool):
        reader.refuse(f"{place}.next_day", "neither true nor false", "write true or false")
    return StaffRule(
        reader.text(f"{place}.name", row.get("name")) or "",
        _reasons(reader, place, row),
        _in_force(reader, place, row),
        frozenset(_WEEKDAYS.index(day) for day in weekdays),
        (first, last),
        frozenset(holidays),
        next_day=next_day is True,
    )


def _hold(reader: TomlReader, place: str, row: dict[str, Any]) -> HoldRule:
    kind = reader.text(f"{place}.kind", row.get("kind")) or ""
    return HoldRule(kind, _reasons(reader, place, row), _in_force(reader, place, row))


def _reasons(reader: TomlReader, place: str, row: dict[str, Any]) -> frozenset[SwitchReason]:
    reader.text(f"{place}.source", row.get("source"))
    given = row.get("reasons")
    if not isinstance(given, list) or not given:
        reader.refuse(f"{place}.reasons", "no list of reasons", 'write ["non_payment"]')
        return frozenset()
    found = {reader.choice(f"{place}.reasons", reason, SwitchReason) for reason in given}
    if SwitchReason.SAFETY in found:
        reader.refuse(f"{place}.reasons", "safety passes every block", "leave it out")
    return frozenset(reason for reason in found if reason is not None)


def _in_force(reader: TomlReader, place: str, row: dict[str, Any]) -> tuple[date, date]:
    first, end = row.get("from"), row.get("to", date.max)
    if type(first) is not date or type(end) is not date or first >= end:
        reader.refuse(f"{place}.from", "no days in force", "write from = 2025-08-28, and to after it where it ended")
        return date.max, date.max
    return first, end


def _degrees(reader: TomlReader, place: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_HOTTEST_F <= value <= _HOTTEST_F:
        reader.refuse(place, "no temperature", "write degrees Fahrenheit, for example 32")
        return None
    return float(value)


def _month_day(reader: TomlReader, place: str, value: Any) -> tuple[int, int]:
    found = _DAY.match(value) if isinstance(value, str) else None
    try:
        if found:
            day = date(_LEAP_YEAR, int(found[1]), int(found[2]))
            return day.month, day.day
    except ValueError:
        pass
    reader.refuse(place, "no season", 'write ["11-01", "03-31"]')
    return 1, 1


def _time(reader: TomlReader, place: str, value: Any) -> time:
    try:
        return time.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        reader.refuse(place, "no times of day", 'write ["08:00", "16:00"]')
        return time(0)
