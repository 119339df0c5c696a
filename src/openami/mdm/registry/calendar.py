"""Calendars by name: which local days are holidays where validation and estimation choose like days.

A utility's own calendar is days in the registry. The calendars shipped here are rules, good for any year.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from openami.kernel.holiday import KNOWN, HolidayList, Observance

DEFAULT_CALENDAR = "us"
"""The calendar of a service point that names none."""
SHIPPED: Mapping[str, HolidayList] = {
    # The six holidays of NERC's off-peak definition; one on a Sunday is kept on Monday.
    "us": HolidayList(
        rules=tuple(
            KNOWN[n]
            for n in ("new_years_day", "memorial_day", "independence_day", "labor_day", "thanksgiving", "christmas")
        ),
        observance=Observance.SUNDAY_TO_MONDAY,
    ),
    "none": HolidayList(),
}


def shipped_holidays(name: str, first: date, last: date) -> frozenset[date]:
    """Return the holidays of a shipped calendar from first to last, both included; none for another name.

    >>> sorted(shipped_holidays("us", date(2027, 7, 1), date(2027, 7, 31)))
    [datetime.date(2027, 7, 5)]
    """
    known = SHIPPED.get(name)
    return known.between(first, last) if known is not None else frozenset()
