"""Seasons of a rate: whole months, or days of the year from one date to another, and by which day a bill has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.price import WeekPlan

_LEAP_YEAR = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]


class SeasonRule(StrEnum):
    """Whether each day has its own season, or the whole bill has the season of its revenue month.

    The revenue month is an input of the bill; where it is not given, it is the month of the bill's last day.
    """

    CALENDAR_DAY = "calendar_day"
    BILLING_MONTH = "billing_month"


@dataclass(frozen=True, slots=True, order=True)
class YearDay:
    """A day of any year."""

    month: int
    day: int


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days of the year from ``first`` to ``last``, both included; across the year's end where ``last`` is before."""

    first: YearDay
    last: YearDay

    def has(self, month: int, day: int) -> bool:
        """Tell whether the day of the year is inside."""
        here = YearDay(month, day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last


@dataclass(frozen=True, slots=True)
class Season:
    """Days with one weekly plan of energy prices, and one of each demand charge in the tariff's order.

    Args:
        name: as printed.
        months: whole months, 1 to 12.
        energy: the plan of energy prices.
        demand: the plans of demand charges.
        ranges: days of the year, where a season is not of whole months.
    """

    name: str
    months: frozenset[int]
    energy: WeekPlan
    demand: tuple[WeekPlan, ...] = ()
    ranges: tuple[DayRange, ...] = ()

    def has(self, month: int, day: int) -> bool:
        """Tell whether the season holds a day of the year."""
        return month in self.months or any(r.has(month, day) for r in self.ranges)


def check_seasons(seasons: Sequence[Season], rule: SeasonRule) -> None:
    """Check that every day of the year is in one season.

    Raises:
        TariffError: a day is in none or in two, two seasons have one name, or a revenue month has no one season.
    """
    if all(not s.ranges for s in seasons):
        months = sorted(m for s in seasons for m in s.months)
        if months != list(range(1, 13)):
            raise TariffError("seasons", f"the months 1 to 12 must each be in one season; got {months}")
    elif rule is SeasonRule.BILLING_MONTH:
        raise TariffError("season_rule", "a season by the billing month is of whole months; this one is of dates")
    for day in _LEAP_YEAR:
        found = sum(s.has(day.month, day.day) for s in seasons)
        if found != 1:
            raise TariffError("seasons", f"{day:%B} {day.day} must be in one season; it is in {found}")
    if len({s.name for s in seasons}) != len(seasons):
        raise TariffError("seasons", "two seasons have one name")
