"""Exact fractions as decimals: a share of days is multiplied first and divided last, in one step."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction


def exact_decimal(amount: Fraction) -> Decimal:
    """Return a fraction as a decimal: exactly where it ends, else to the context's 28 digits.

    >>> exact_decimal(Fraction("0.015") / 3)
    Decimal('0.005')
    """
    return Decimal(amount.numerator) / Decimal(amount.denominator)
