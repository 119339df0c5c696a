"""Holidays as data: rules that give dates in any year, and what happens when one falls on a weekend.

Which days are holidays is for a rate sheet or a calendar of places to say; this knows only how to date them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

_SUNDAY = 6
_SATURDAY = 5


class Observance(StrEnum):
    """What a holiday on a weekend does to its neighbors."""

    ACTUAL_DAY = "actual_day"
    SUNDAY_TO_MONDAY = "sunday_to_monday"
    NEAREST_WEEKDAY = "nearest_weekday"


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """A date in every year: a fixed day, or the nth weekday of a month (-1 is the last), plus some days.

    >>> HolidayRule("thanksgiving", month=11, weekday=3, nth=4).in_year(2026)
    datetime.date(2026, 11, 26)
    >>> HolidayRule("memorial_day", month=5, weekday=0, nth=-1).in_year(2026)
    datetime.date(2026, 5, 25)
    """

    name: str
    month: int
    day: int = 0
    weekday: int = 0
    nth: int = 0
    plus_days: int = 0

    def in_year(self, year: int) -> date:
        """Return the date in that year."""
        return self._base(year) + timedelta(days=self.plus_days)

    def _base(self, year: int) -> date:
        if self.nth == 0:
            return date(year, self.month, self.day)
        if self.nth > 0:
            first = date(year, self.month, 1)
            return first + timedelta(days=(self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1))
        last = date(year + self.month // 12, self.month % 12 + 1, 1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - self.weekday) % 7)


KNOWN: Mapping[str, HolidayRule] = {
    r.name: r
    for r in (
        HolidayRule("new_years_day", 1, day=1),
        HolidayRule("mlk_day", 1, weekday=0, nth=3),
        HolidayRule("washingtons_birthday", 2, weekday=0, nth=3),
        HolidayRule("memorial_day", 5, weekday=0, nth=-1),
        HolidayRule("juneteenth", 6, day=19),
        HolidayRule("independence_day", 7, day=4),
        HolidayRule("labor_day", 9, weekday=0, nth=1),
        HolidayRule("columbus_day", 10, weekday=0, nth=2),
        HolidayRule("veterans_day", 11, day=11),
        HolidayRule("thanksgiving", 11, weekday=3, nth=4),
        HolidayRule("day_after_thanksgiving", 11, weekday=3, nth=4, plus_days=1),
        HolidayRule("christmas_eve", 12, day=24),
        HolidayRule("christmas", 12, day=25),
    )
}
"""Holidays of the United States that rate files and calendars name."""


@dataclass(frozen=True, slots=True)
class HolidayList:
    """The holidays of a rate or a calendar: rules, single dates, and the observance.

    A list with dates is the whole list of the years that its dates name, and of no other: what stands in no list must
    not be taken for a workday. Rules alone never end.

    Args:
        rules: of every year.
        dates: single days, as they are kept.
        observance: what a rule's day on a weekend does.
        dates_are_extra: the dates only add to the rules, which hold alone in other years.
    """

    rules: tuple[HolidayRule, ...] = ()
    dates: frozenset[date] = frozenset()
    observance: Observance = Observance.ACTUAL_DAY
    dates_are_extra: bool = False

    @property
    def years(self) -> tuple[int, int] | None:
        """The first and last year that the list knows; None where it never ends."""
        if not self.dates or self.dates_are_extra:
            return None
        return min(d.year for d in self.dates), max(d.year for d in self.dates)

    def unknown_year(self, first: date, last: date) -> int | None:
        """Return the first year of the days from first to last whose holidays nobody listed; None where all are known.

        >>> HolidayList(dates=frozenset({date(2027, 12, 24)})).unknown_year(date(2027, 12, 20), date(2028, 1, 20))
        2028
        """
        known = self.years
        asked = range(first.year, last.year + 1)
        return None if known is None else next((y for y in asked if not known[0] <= y <= known[1]), None)

    def between(self, first: date, last: date) -> frozenset[date]:
        """Return the days from first to last, both included, that are kept as holidays."""
        years = range(first.year - 1, last.year + 2)
        named = {observed(r.in_year(y), self.observance) for r in self.rules for y in years}
        return frozenset(d for d in named | self.dates if first <= d <= last)


def observed(day: date, observance: Observance) -> date:
    """Return the day on which a holiday of that date is kept.

    >>> observed(date(2027, 7, 4), Observance.SUNDAY_TO_MONDAY)
    datetime.date(2027, 7, 5)
    """
    if observance is Observance.ACTUAL_DAY:
        return day
    if day.weekday() == _SUNDAY:
        return day + timedelta(days=1)
    if day.weekday() == _SATURDAY and observance is Observance.NEAREST_WEEKDAY:
        return day - timedelta(days=1)
    return day
