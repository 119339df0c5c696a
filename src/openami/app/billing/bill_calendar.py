"""The read days of a home: for whoever reads, edits or bills by them, without the rest of billing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from openami.app.settings import Settings
from openami.billing.calendar import CalendarError, CycleCalendar, load_calendar
from openami.billing.calendar.load import MOST_GROUPS

CALENDAR_FILE = "calendar.toml"


def billing_calendar(settings: Settings) -> CycleCalendar:
    """Return the home's read days.

    Raises:
        CalendarError: they cannot be read.
    """
    return load_calendar(settings.home.folder("billing") / CALENDAR_FILE)


def read_days_around(settings: Settings) -> Callable[[date], list[tuple[int, date]]]:
    """Return (bill group, read day) of the year before a day and the quarter after it, for whoever asks by day.

    Raises:
        CalendarError: the calendar cannot be read.
    """
    calendar = billing_calendar(settings)

    def around(day: date) -> list[tuple[int, date]]:
        first, end = day - timedelta(days=400), day + timedelta(days=100)
        groups = range(1, MOST_GROUPS + 1)
        return [(g, found.read_on) for g in groups for found in calendar.read_days(g, first, end)]

    return around


def cycle_days(settings: Settings, bill_group: int, month: date) -> tuple[date, date]:
    """Return the days ``[first, end)`` of a group's bill of a revenue month.

    Raises:
        CalendarError: the calendar cannot be read, or does not have this read day and the one before.
    """
    found = billing_calendar(settings).read_days(bill_group, month - timedelta(days=70), month + timedelta(days=70))
    at = next((n for n, d in enumerate(found) if d.revenue_month == month), 0)
    if not at:
        raise CalendarError(f"group {bill_group} has no read day for {month:%Y-%m}, or none before it")
    return found[at - 1].read_on, found[at].read_on
