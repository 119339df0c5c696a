"""Read a billing calendar's file: TOML, ``openami-calendar/1``, with read days by group, or a rule for all.

A file gives either ``groups`` and ``holidays`` (names, or dates) for the rule by business days, or ``[[read]]`` rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from openami.billing.calendar.cycle import BusinessDayCalendar, CycleCalendar, DatedCalendar, ReadDay
from openami.kernel.errors import OpenAmiError
from openami.kernel.holiday import KNOWN, HolidayList, Observance
from openami.kernel.toml import TomlError, parse_toml

SCHEMA = "openami-calendar/1"
MOST_OCTETS = 2_000_000
MOST_GROUPS = 99
_WIDEST_DAYS = 62


class CalendarError(OpenAmiError):
    """A billing calendar cannot be read; the text names the place."""


def load_calendar(path: Path | None) -> CycleCalendar:
    """Return the calendar of a file, or 21 groups by business days where there is none.

    Raises:
        CalendarError: the file cannot be read.
    """
    if path is None or not path.exists():
        return BusinessDayCalendar()
    return parse_calendar(path.read_bytes(), name=path.name)


def parse_calendar(octets: bytes, *, name: str) -> CycleCalendar:
    """Return what a file says.

    Raises:
        CalendarError: it is none.
    """
    try:
        told = parse_toml(octets, limit_octets=MOST_OCTETS)
    except TomlError as error:
        raise CalendarError(f"{name}: {error}") from error
    if told.get("schema") != SCHEMA:
        raise CalendarError(f"{name}: schema is {told.get('schema')!r}, it must be {SCHEMA!r}")
    if "read" in told:
        _require_only(told, {"schema", "read"}, name)
        return _dated(told["read"], name)
    _require_only(told, {"schema", "groups", "holidays", "observance", "dates_are_extra"}, name)
    return BusinessDayCalendar(_group(told.get("groups", 21), f"{name}: groups"), _holidays(told, name))


def _dated(rows: object, name: str) -> DatedCalendar:
    if not isinstance(rows, list) or not rows:
        raise CalendarError(f"{name}: [[read]] must be there at least once")
    found: dict[int, list[ReadDay]] = {}
    for number, row in enumerate(rows):
        place = f"{name}: read[{number}]"
        if not isinstance(row, dict):
            raise CalendarError(f"{place}: a table must stand here")
        _require_only(row, {"group", "revenue_month", "read_on"}, place)
        month = _date(row, "revenue_month", place)
        if month.day != 1:
            raise CalendarError(f"{place}.revenue_month: {month} is not the first of a month")
        group = _group(row.get("group"), f"{place}.group")
        found.setdefault(group, []).append(ReadDay(_date(row, "read_on", place), group, month))
    for group, days in found.items():
        days.sort()
        _require_order(days, f"{name}: group {group}")
    return DatedCalendar(found)


def _require_order(days: list[ReadDay], place: str) -> None:
    for before, after in pairwise(days):
        if before.read_on == after.read_on or before.revenue_month >= after.revenue_month:
            raise CalendarError(f"{place}: {after.read_on} comes twice, or its revenue month does not follow")
        if (after.read_on - before.read_on).days > _WIDEST_DAYS:
            raise CalendarError(f"{place}: nothing is read between {before.read_on} and {after.read_on}")


def _holidays(told: Mapping[str, Any], name: str) -> HolidayList:
    is_extra = told.get("dates_are_extra", False)
    if not isinstance(is_extra, bool):
        raise CalendarError(f"{name}: dates_are_extra: true or false must stand here")
    if "holidays" not in told:
        return BusinessDayCalendar().holidays
    rows = told["holidays"]
    if not isinstance(rows, list):
        raise CalendarError(f"{name}: holidays: a list of names and dates must stand here")
    dates = frozenset(d for d in rows if isinstance(d, date))
    names = [n for n in rows if not isinstance(n, date)]
    strange = [n for n in names if n not in KNOWN]
    if strange:
        raise CalendarError(f"{name}: holidays: {strange[0]!r} is no date and not one of {', '.join(KNOWN)}")
    observance = told.get("observance", Observance.SUNDAY_TO_MONDAY.value)
    if observance not in {o.value for o in Observance}:
        raise CalendarError(f"{name}: observance: {observance!r} is not one of {', '.join(Observance)}")
    rules = tuple(KNOWN[n] for n in names)
    return HolidayList(rules, dates, Observance(observance), is_extra)


def _group(value: object, place: str) -> int:
    if type(value) is not int or not 1 <= value <= MOST_GROUPS:
        raise CalendarError(f"{place}: {value!r} is no number of a group, 1 to {MOST_GROUPS}")
    return value


def _date(row: Mapping[str, Any], name: str, place: str) -> date:
    value = row.get(name)
    if type(value) is not date:
        raise CalendarError(f"{place}.{name}: a date must stand here, as 2026-01-31")
    return value


def _require_only(table: Mapping[str, Any], known: set[str], place: str) -> None:
    strange = sorted(set(table) - known)
    if strange:
        raise CalendarError(f"{place}: {strange[0]!r} is not one of {', '.join(sorted(known))}")
