"""Sentences about the weather of a bill: how much warmer or colder, and a range of energy beside what changed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from openami.billing.bill.record import Bill
from openami.mdm.api import DEGREE_DAY_HUNDREDTHS, DegreeDays

_ALIKE_F = 0.5
_WORTH_DD = 1.0


@dataclass(frozen=True, slots=True)
class Unit:
    """In what a customer reads temperatures."""

    name: str
    per_f: float
    offset: float

    def mean(self, found: DegreeDays) -> float:
        """Return the mean temperature of some days."""
        return found.mean_c * 1.8 * self.per_f + self.offset

    def tenths(self, value_dc: int) -> float:
        """Return a temperature, to a tenth, from tenths of a degree Celsius."""
        return round(value_dc / 10 * 1.8 * self.per_f + self.offset, 1)


_FAHRENHEIT, _CELSIUS = Unit("°F", 1.0, 32.0), Unit("°C", 1 / 1.8, 0.0)


def unit_of(bill: Bill) -> Unit:
    """Return the customer's unit: Fahrenheit where bills are in dollars of the United States."""
    return _FAHRENHEIT if bill.currency == "USD" else _CELSIUS


def warmer(now: DegreeDays, then: DegreeDays, unit: Unit, other: str, days: int) -> str:
    """Say how much warmer or colder it was a day, and what that is in degree days over as many days."""
    here, there = unit.mean(now), unit.mean(then)
    change = here - there
    figures = f"{here:.0f} against {there:.0f} {unit.name} on average"
    if abs(change) < _ALIKE_F * unit.per_f:
        words = f"It was about as warm as {other} ({figures})"
    else:
        size = f"{abs(change):.0f}" if abs(change) >= 1 else f"{abs(change):.1f}"
        side = "warmer" if change > 0 else "colder"
        words = f"It was {size} {unit.name} {side} a day than {other} ({figures})"
    parts = []
    for name, value in zip(("cooling", "heating"), reversed(_change(now, then, days)), strict=True):
        count = value * unit.per_f
        if abs(count) >= _WORTH_DD:
            parts.append(f"{abs(count):,.0f} {'more' if count > 0 else 'fewer'} {name} degree days")
    return f"{words}{': ' + ' and '.join(parts) if parts else ''}."


def compared(low: float, high: float, change: float) -> str:
    """Put the range that the weather alone makes likely beside what changed, all in kWh for as many days.

    >>> compared(90.2, 139.5, 160.0)
    'By the weather alone 90 to 140 kWh more would be usual here, and it was 160 kWh more in as many days: a part has another cause.'
    """  # noqa: E501 - the example is one sentence
    size = f"{abs(change):,.0f} kWh {'more' if change >= 0 else 'less'} in as many days"
    usual = f"By the weather alone {_range(low, high)} would be usual here, and it was {size}"
    if low <= change <= high:
        return f"{usual}: the weather can be all of it."
    if low <= 0 <= high or (low > 0) != (change > 0):
        return f"{usual}: the cause is another."
    return f"{usual}: a part has another cause." if abs(change) > max(abs(low), abs(high)) else f"{usual}."


def _range(low: float, high: float) -> str:
    """Return a range, rounded outward.

    >>> _range(-12.4, 80.1), _range(-80.1, -12.4)
    ('13 kWh less to 81 kWh more', '12 to 81 kWh less')
    """
    if low < 0 < high:
        return f"{math.ceil(-low):,} kWh less to {math.ceil(high):,} kWh more"
    small, large = sorted((abs(low), abs(high)))
    return f"{math.floor(small):,} to {math.ceil(large):,} kWh {'more' if low >= 0 else 'less'}"


def _change(now: DegreeDays, then: DegreeDays, days: int) -> tuple[float, float]:
    """Return by how many Fahrenheit degree days, heating and cooling, some days differ from as many of the others."""
    pairs = ((now.heating, then.heating), (now.cooling, then.cooling))
    heating, cooling = (days * (a / now.days - b / then.days) / DEGREE_DAY_HUNDREDTHS for a, b in pairs)
    return heating, cooling
