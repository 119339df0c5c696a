"""Prices and amounts in a customer's words: ``34.1 ¢ per kWh``, ``$126.40``."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from openami.billing.tariff.price import Block, BlockUnit

_SIGNS = {"USD": ("$", "¢"), "CAD": ("$", "¢"), "AUD": ("$", "¢"), "EUR": ("€", "ct"), "GBP": ("£", "p")}
_BASES = {BlockUnit.KWH: "a bill", BlockUnit.KWH_DAILY: "a day", BlockUnit.KWH_ANNUAL: "a year"}
_MINUS = "\N{MINUS SIGN}"


def amount(value: Decimal, currency: str) -> str:
    """Return money with its sign and two places; a credit has a minus sign, not a hyphen.

    >>> amount(Decimal("1234.5"), "USD"), amount(Decimal("-3"), "USD")[1:], amount(Decimal(2), "CHF")
    ('$1,234.50', '$3.00', '2.00 CHF')
    """
    sign = _MINUS if value < 0 else ""
    text = f"{abs(value):,.2f}"
    return f"{sign}{_SIGNS[currency][0]}{text}" if currency in _SIGNS else f"{sign}{text} {currency}"


def unit_price(value: Decimal, currency: str) -> str:
    """Return a price of a kWh or a kW: in hundredths below one whole, exactly as the rate has it.

    >>> unit_price(Decimal("0.341"), "USD"), unit_price(Decimal("9.28"), "USD"), unit_price(Decimal("0.0714"), "CHF")
    ('34.1 ¢', '$9.28', '0.0714 CHF')
    """
    sign = _MINUS if value < 0 else ""
    size = abs(value)
    if currency not in _SIGNS:
        return f"{sign}{_plain(size)} {currency}"
    whole, part = _SIGNS[currency]
    if size < 1:
        return f"{sign}{_plain(size * 100)} {part}"
    return f"{sign}{whole}{_plain(size, places=2)}"


def number(value: Decimal, places: int = 0) -> str:
    """Return a number with thousands apart and at least so many places, none of its digits lost.

    >>> number(Decimal("1234.500")), number(Decimal("30")), number(Decimal("1.5"), 2)
    ('1,234.5', '30', '1.50')
    """
    return _plain(value, places=places) if value >= 0 else _MINUS + _plain(-value, places=places)


def blocks_in_words(blocks: Sequence[Block], block_unit: BlockUnit, currency: str, unit: str = "kWh") -> str:
    """Return the price of a period, block after block.

    >>> blocks_in_words([Block(Decimal("0.1062"), Decimal(750)), Block(Decimal("0.0714"))], BlockUnit.KWH, "USD")
    '10.62 ¢ per kWh up to 750 kWh a bill, then 7.14 ¢'
    """
    if len(blocks) == 1:
        return f"{unit_price(blocks[0].price, currency)} per {unit}"
    base = _BASES[block_unit]
    parts = []
    for index, block in enumerate(blocks):
        price = unit_price(block.price, currency)
        per = f" per {unit}" if index == 0 else ""
        parts.append(f"{price}{per}" + ("" if block.up_to is None else f" up to {number(block.up_to)} {unit} {base}"))
    return ", then ".join(parts)


def _plain(value: Decimal, places: int = 0) -> str:
    text = format(value, ",f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, _, fraction = text.partition(".")
    fraction = fraction.ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole
