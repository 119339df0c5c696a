"""Degree days, exactly: whole hundredths of a degree Fahrenheit.

A day's temperature is the mean of its highest and lowest; below 65 °F (18.3 °C) the difference is heating degree days,
above it cooling degree days. Source: National Weather Service, "What are heating and cooling degree days" (climate
reports, base 65 °F); ASHRAE Handbook, Fundamentals, chapter 14. The service rounds each day's mean to a whole degree
first; nothing is rounded here, so that sums of months differ from its reports by a few degree days either way.

With temperatures in tenths of a degree Celsius the mean in Fahrenheit is ``9 (min + max) / 100 + 32``, so the distance
from 65 °F is ``(9 (min + max) - 3300) / 100``: a whole number of hundredths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from openami.mdm.weather.record import DayTemperature

_BASE = 3300
HUNDREDTHS = 100


@dataclass(frozen=True, slots=True)
class DegreeDays:
    """Degree days of some days.

    Args:
        days: how many days have a temperature.
        heating, cooling: hundredths of a Fahrenheit degree day, 0 or more.
        sum_dc: sum of the lowest and highest temperatures of the days, tenths of a degree Celsius.
    """

    days: int = 0
    heating: int = 0
    cooling: int = 0
    sum_dc: int = 0

    @property
    def mean_c(self) -> float:
        """Mean temperature [°C]; of no day 0."""
        return self.sum_dc / (20 * self.days) if self.days else 0.0


def degree_days(day: DayTemperature) -> tuple[int, int]:
    """Return heating and cooling degree days of a day, in hundredths of a Fahrenheit degree day.

    >>> degree_days(DayTemperature(date(2026, 7, 1), 211, 322)), degree_days(DayTemperature(date(2026, 1, 9), -50, 50))
    ((0, 1497), (3300, 0))
    """
    beyond = 9 * (day.min_dc + day.max_dc) - _BASE
    return max(-beyond, 0), max(beyond, 0)


def degree_days_of(days: Iterable[DayTemperature], first: date, end: date) -> DegreeDays:
    """Return the degree days of local days ``[first, end)``; days without a temperature are not counted."""
    count = heating = cooling = total = 0
    for day in days:
        if first <= day.day < end:
            cold, warm = degree_days(day)
            count, heating, cooling = count + 1, heating + cold, cooling + warm
            total += day.min_dc + day.max_dc
    return DegreeDays(count, heating, cooling, total)
