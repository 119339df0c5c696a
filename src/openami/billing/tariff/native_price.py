"""Read prices, weeks, seasons and events of a rate file of our own format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from openami.billing.tariff.clause import Clause
from openami.billing.tariff.price import HOLIDAY, Block, DayPlan, EventPrice, PricePeriod, WeekPlan, Window
from openami.billing.tariff.season import DayRange, Season, YearDay

ANY_PERIOD = "any"
"""Stands for every price period on the left of an event's ``replaces``."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holiday")
_GROUPS = {"every_day": range(7), "weekday": range(5), "weekend": range(5, 7)}
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_YEAR_DAY = re.compile(r"(\d\d)-(\d\d)")
_LEAP_YEAR = 2024


def read_period(clause: Clause) -> PricePeriod:
    """Return a price period.

    Raises:
        TariffError: a clause is missing or malformed.
    """
    blocks = tuple(_block(b) for b in clause.at("blocks").items())
    period = PricePeriod(
        clause.at("name").text(),
        blocks,
        clause.get("signal", Clause.text, ""),
        clause.get("factor", Clause.number, Decimal(1)),
    )
    clause.close()
    return period


def _block(clause: Clause) -> Block:
    block = Block(clause.at("price").number(), clause.get("up_to", lambda c: c.number(), None))
    clause.close()
    return block


def read_season(clause: Clause, names: Sequence[str], demand_names: Sequence[Sequence[str]]) -> Season:
    """Return a season of whole months or of days of the year.

    Args:
        clause: where it stands.
        names: keys of the price periods.
        demand_names: keys of the demand periods of each demand charge.

    Raises:
        TariffError: a clause is missing or malformed.
    """
    plans = clause.each("demand")
    demand = tuple(read_week(plan, demand_names[i] if i < len(demand_names) else ()) for i, plan in enumerate(plans))
    season = Season(
        clause.at("name").text(),
        frozenset(_month(m) for m in clause.each("months")),
        read_week(clause.at("days"), names),
        demand,
        tuple(_range(r) for r in clause.each("ranges")),
    )
    clause.close()
    return season


def _month(clause: Clause) -> int:
    month = clause.whole()
    if not 1 <= month <= 12:
        raise clause.refuse(f"{month} is no month")
    return month


def _range(clause: Clause) -> DayRange:
    ends = clause.items()
    if len(ends) != 2:
        raise clause.refuse('two days are needed: ["06-01", "09-30"], both included')
    return DayRange(_year_day(ends[0]), _year_day(ends[1]))


def _year_day(clause: Clause) -> YearDay:
    found = _YEAR_DAY.fullmatch(clause.text())
    try:
        day = date(_LEAP_YEAR, int(found.group(1)), int(found.group(2))) if found else None
    except ValueError:
        day = None
    if day is None:
        raise clause.refuse(f"{clause.text()[:10]!r} is no day of a year; MM-DD is")
    return YearDay(day.month, day.day)


def read_week(clause: Clause, names: Sequence[str]) -> WeekPlan:
    """Return the eight plans of a week; the holiday's is Sunday's where it is left out."""
    plans: dict[int, DayPlan] = {}
    for group, indexes in _GROUPS.items():
        if clause.has(group):
            plans |= dict.fromkeys(indexes, _plan(clause.at(group), names))
    for index, name in enumerate(_DAYS):
        if clause.has(name):
            plans[index] = _plan(clause.at(name), names)
    clause.close()
    missing = [n for i, n in enumerate(_DAYS[:HOLIDAY]) if i not in plans]
    if missing:
        raise clause.refuse(f"days not priced: {', '.join(missing)}")
    plans.setdefault(HOLIDAY, plans[HOLIDAY - 1])
    return tuple(plans[i] for i in range(HOLIDAY + 1))


def _plan(clause: Clause, names: Sequence[str]) -> DayPlan:
    windows = []
    for row in clause.items():
        parts = row.items()
        if len(parts) != 3:
            raise row.refuse('a window is ["15:00", "19:00", "name of a period"]')
        name = parts[2].text()
        if name not in names:
            raise parts[2].refuse(f"period {name[:40]!r} has no price; there are {list(names)}")
        windows.append(Window(_minute(parts[0]), _minute(parts[1]), names.index(name)))
    return tuple(windows)


def _minute(clause: Clause) -> int:
    text = clause.text()
    if not _CLOCK.fullmatch(text):
        raise clause.refuse(f"{text[:10]!r} is no time of day; HH:MM is, up to 24:00")
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def read_event(clause: Clause, names: Sequence[str]) -> EventPrice:
    """Return an event's prices.

    Raises:
        TariffError: it points at a period that is not there.
    """
    replaces: dict[int, int] = {}
    for before, after in clause.at("replaces").pairs():
        if after.text() not in names or (before != ANY_PERIOD and before not in names):
            raise after.refuse(f"{before[:40]!r} or {after.text()[:40]!r} has no price; there are {list(names)}")
        index = names.index(after.text())
        ordinary = [i for i in range(len(names)) if i != index] if before == ANY_PERIOD else [names.index(before)]
        replaces |= dict.fromkeys(ordinary, index)
    event = EventPrice(clause.at("name").text(), clause.at("signal").text(), replaces)
    clause.close()
    return event
