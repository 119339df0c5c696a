"""Units and scalers of the DLMS unit table. A value on the wire is ``integer * 10**scaler`` of a unit.

Source: IEC 62056-6-2, enumeration of physical units (the codes that an electricity meter uses).
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum


class Unit(IntEnum):
    """DLMS unit codes that we name; any other code is carried as its number."""

    YEAR = 1
    MONTH = 2
    WEEK = 3
    DAY = 4
    HOUR = 5
    MINUTE = 6
    SECOND = 7
    DEGREE = 8
    DEGREE_CELSIUS = 9
    METRE = 11
    CUBIC_METRE = 13
    CUBIC_METRE_CORRECTED = 14
    WATT = 27
    VOLT_AMPERE = 28
    VAR = 29
    WATT_HOUR = 30
    VOLT_AMPERE_HOUR = 31
    VAR_HOUR = 32
    AMPERE = 33
    COULOMB = 34
    VOLT = 35
    HERTZ = 44
    COUNT = 255

    @property
    def symbol(self) -> str:
        """The unit as people write it; empty for a count."""
        return _SYMBOLS[self]


_SYMBOLS: dict[Unit, str] = {
    Unit.YEAR: "a", Unit.MONTH: "mo", Unit.WEEK: "wk", Unit.DAY: "d", Unit.HOUR: "h", Unit.MINUTE: "min",
    Unit.SECOND: "s", Unit.DEGREE: "°", Unit.DEGREE_CELSIUS: "°C", Unit.METRE: "m", Unit.CUBIC_METRE: "m³",
    Unit.CUBIC_METRE_CORRECTED: "m³", Unit.WATT: "W", Unit.VOLT_AMPERE: "VA", Unit.VAR: "var",
    Unit.WATT_HOUR: "Wh", Unit.VOLT_AMPERE_HOUR: "VAh", Unit.VAR_HOUR: "varh", Unit.AMPERE: "A", Unit.COULOMB: "C",
    Unit.VOLT: "V", Unit.HERTZ: "Hz", Unit.COUNT: "",
}  # fmt: skip


def unit_symbol(code: int) -> str | None:
    """Return the symbol of a DLMS unit code, or None for one that we do not name.

    >>> unit_symbol(30), unit_symbol(200)
    ('Wh', None)
    """
    try:
        return Unit(code).symbol
    except ValueError:
        return None


def scaled(value: int, power_of_ten: int) -> Decimal:
    """Return ``value * 10**power_of_ten`` exactly.

    >>> scaled(2357, -1)
    Decimal('235.7')
    """
    return Decimal(value).scaleb(power_of_ten)
