"""Read days of bill groups: by rule (group n on the n-th business day of a month), or day by day from a list.

With holidays left out, a month after one with a late start could be read after 25 days (October 2018, group 5): such a
read day moves to the first business day that leaves the least number of days. A read day is a local day; the read is
the midnight that it begins with, and the bill ends with the day before. Group 21
in a month of twenty business days is read on the first of the next month, and its bill still counts to the month that
it was scheduled for. Source: research on utility practice, "Billing period, reads, cycle".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import Protocol

from openami.kernel.holiday import KNOWN, HolidayList, Observance

BUSINESS_DAYS = HolidayList(
    rules=tuple(
        KNOWN[n]
        for n in ("new_years_day", "memorial_day", "independence_day", "labor_day", "thanksgiving", "christmas")
    ),
    observance=Observance.SUNDAY_TO_MONDAY,
)
"""Days on which nobody bills, beside Saturdays and Sundays, where a utility names no others."""
_FRIDAY = 4
_LONGEST_MONTH = timedelta(days=62)
_CHAIN_DAYS = 75
"""So far back lies the month from which read days are followed: three months before."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """The place of a bill in the billing calendar.

    Args:
        bill_group: whose read day it is.
        revenue_month: first day of the month that the bill counts to.
        read_on: local day on whose first midnight the registers are read.
    """

    bill_group: int
    revenue_month: date
    read_on: date


@dataclass(frozen=True, slots=True, order=True)
class ReadDay:
    """One group's read of one month.

    Args:
        read_on: local day on whose first midnight registers are read.
        bill_group: number of the group.
        revenue_month: first day of the month that the bill counts to.
    """

    read_on: date
    bill_group: int
    revenue_month: date


class CycleCalendar(Protocol):
    """When bill groups are read."""

    def read_days(self, bill_group: int, first: date, end: date) -> list[ReadDay]:
        """Return the group's read days in ``[first, end)``, rising; none where the calendar knows none."""
        ...


@dataclass(frozen=True, slots=True)
class BusinessDayCalendar:
    """Group n is read on the n-th business day of each month.

    Args:
        groups: how many there are.
        holidays: days that are no business days. In a year that the list does not know nobody is read.
        least_days: so many days lie between two reads at least.
        most_days: and so many at the most; a month of many holidays is read earlier.
    """

    groups: int = 21
    holidays: HolidayList = field(default=BUSINESS_DAYS)
    least_days: int = 26
    most_days: int = 35
    _known: dict[tuple[date, int], ReadDay] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def read_days(self, bill_group: int, first: date, end: date) -> list[ReadDay]:
        """See :class:`CycleCalendar`.

        >>> [r.read_on.isoformat() for r in BusinessDayCalendar().read_days(2, date(2026, 2, 1), date(2026, 4, 1))]
        ['2026-02-03', '2026-03-03']
        """
        if not 1 <= bill_group <= self.groups:
            return []
        # The last groups of a short month are read early in the next one.
        months = _months((first - timedelta(days=31)).replace(day=1), end)
        days = (self._of(m, bill_group) for m in months)
        return [d for d in days if first <= d.read_on < end and self._is_listed(d)]

    def _is_listed(self, found: ReadDay) -> bool:
        """Tell whether the holidays up to a read day are known: of the year after the list nobody can say."""
        return self.holidays.unknown_year(found.revenue_month, found.read_on) is None

    def _of(self, month: date, bill_group: int) -> ReadDay:
        # A fleet asks for the same few months of each group over and over; holidays are reckoned once for each.
        key = month, bill_group
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = ReadDay(self._read_on(month, bill_group), bill_group, month)
        return found

    def _read_on(self, month: date, bill_group: int) -> date:
        # A read day that moves makes the month after it short, or long, as well; no chain is longer than two.
        first, *others = _months((month - timedelta(days=_CHAIN_DAYS)).replace(day=1), month + timedelta(days=1))
        found = _nth(self.holidays, first, bill_group)
        for each in others:
            earliest, latest = found + timedelta(days=self.least_days), found + timedelta(days=self.most_days)
            found = _nth(self.holidays, each, bill_group)
            if found < earliest:
                found = _business_day(self.holidays, earliest)
            elif found > latest:
                found = _business_day(self.holidays, latest, step=-1)
        return found


@dataclass(frozen=True, slots=True)
class DatedCalendar:
    """Read days as a utility wrote them down.

    Args:
        days: of each group, rising.
    """

    days: Mapping[int, Sequence[ReadDay]]

    def read_days(self, bill_group: int, first: date, end: date) -> list[ReadDay]:
        """See :class:`CycleCalendar`."""
        days = self.days.get(bill_group, ())
        return list(days[bisect_left(days, first, key=_read_on) : bisect_left(days, end, key=_read_on)])


def cycle_of(found: ReadDay) -> Cycle:
    """Return what a bill keeps of its read day."""
    return Cycle(found.bill_group, found.revenue_month, found.read_on)


def next_read_day(calendar: CycleCalendar, bill_group: int, after: date) -> ReadDay | None:
    """Return the group's first read day after a day; None where the calendar ends before one."""
    found = calendar.read_days(bill_group, after + timedelta(days=1), after + _LONGEST_MONTH)
    return found[0] if found else None


def last_read_day(calendar: CycleCalendar, bill_group: int, today: date) -> ReadDay | None:
    """Return the group's last read day, today's included; None where the calendar knows none of the last two months."""
    found = calendar.read_days(bill_group, today - _LONGEST_MONTH, today + timedelta(days=1))
    return found[-1] if found else None


def lengths(days: Sequence[ReadDay]) -> list[int]:
    """Return the days of the bills between consecutive read days."""
    return [(b.read_on - a.read_on).days for a, b in pairwise(days)]


_read_on = attrgetter("read_on")


def _months(first: date, end: date) -> Iterator[date]:
    day = first
    while day < end:
        yield day
        day = (day + timedelta(days=32)).replace(day=1)


def _business_day(holidays: HolidayList, day: date, *, step: int = 1) -> date:
    """Return a day, or the next business day after it; with ``step=-1`` the last one before it."""
    closed = holidays.between(day - _LONGEST_MONTH, day + _LONGEST_MONTH)
    while day.weekday() > _FRIDAY or day in closed:
        day += timedelta(days=step)
    return day


@lru_cache(maxsize=4096)
def _nth(holidays: HolidayList, month: date, number: int) -> date:
    closed = holidays.between(month, month + _LONGEST_MONTH)
    left, day = number, month - timedelta(days=1)
    while left:
        day += timedelta(days=1)
        left -= day.weekday() <= _FRIDAY and day not in closed
    return day
