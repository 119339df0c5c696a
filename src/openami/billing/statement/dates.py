"""Days and energy as a customer reads them, the same on every machine: no locale is asked."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from openami.billing.rating.usage import BillSpan

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(value: date, *, with_year: bool = True) -> str:
    """Return a day.

    >>> day(date(2026, 11, 23)), day(date(2026, 11, 23), with_year=False)
    ('Mon 23 Nov 2026', 'Mon 23 Nov')
    """
    text = f"{_DAYS[value.weekday()]} {value.day} {_MONTHS[value.month - 1]}"
    return f"{text} {value.year}" if with_year else text


def days(span: BillSpan) -> str:
    """Return the days of a bill, both ends included.

    >>> days(BillSpan(date(2026, 11, 1), date(2026, 12, 1)))
    'Sun 1 Nov to Mon 30 Nov 2026'
    """
    return f"{day(span.first, with_year=span.first.year != span.last.year)} to {day(span.last)}"


def month(span: BillSpan) -> str:
    """Return the month that holds most of a bill's days.

    >>> month(BillSpan(date(2026, 10, 20), date(2026, 11, 19)))
    'Nov 2026'
    """
    middle = span.first + (span.end - span.first) / 2
    return f"{_MONTHS[middle.month - 1]} {middle.year}"


def moment(value: datetime, zone: ZoneInfo) -> str:
    """Return an instant on the wall clock.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 23, 20, 15, tzinfo=UTC), ZoneInfo("America/Chicago"))
    'Mon 23 Nov 2026, 14:15'
    """
    local = value.astimezone(zone)
    return f"{day(local.date())}, {local:%H:%M}"


def kwh(value_wh: int, places: int = 1) -> str:
    """Return energy.

    >>> kwh(1_234_560), kwh(-20), kwh(812_345, 3)
    ('1,234.6 kWh', '0.0 kWh', '812.345 kWh')
    """
    scaled = round(value_wh / 1000, places) + 0.0
    return f"{scaled:,.{places}f} kWh".replace("-", "\N{MINUS SIGN}")


def counted(count: int, word: str) -> str:
    """Return a number of things.

    >>> counted(1, "day"), counted(30, "day")
    ('1 day', '30 days')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
