"""Exact arithmetic on columns of whole numbers over a divisor: 64 bits where they hold the products, else Python's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.usage import I64

Numbers = npt.NDArray[Any]
"""Numbers (n,): int64, or whole numbers and fractions of Python where 64 bits do not hold them."""
LARGEST = 2**62


def fraction_of(numbers: Numbers, row: int, divisor: int) -> Fraction:
    """Return one row's number over the divisor."""
    number = numbers[row]
    return (number if isinstance(number, Fraction) else Fraction(int(number))) / divisor


def decimal_of(numbers: Numbers, row: int, divisor: int) -> Decimal:
    """Return one row's number over the divisor: exactly where it ends, else to the context's 28 digits."""
    number = numbers[row]
    if isinstance(number, Fraction):
        return exact_decimal(number / divisor)
    return Decimal(int(number)) / divisor


def scaled(numbers: Numbers, factor: int) -> Numbers:
    """Multiply by a whole factor."""
    if numbers.dtype == object:
        return np.asarray(numbers * factor, object)
    highest = int(np.abs(numbers).max()) if numbers.size else 0
    if highest * abs(factor) >= LARGEST or abs(factor) >= LARGEST:
        return np.asarray(numbers.astype(object) * factor, object)
    return np.asarray(numbers * np.int64(factor))


def multiplied(numbers: Numbers, divisor: int, factor: Decimal | Fraction) -> tuple[Numbers, int]:
    """Multiply numbers over a divisor by an exact factor: numbers and their divisor."""
    exact = Fraction(factor)
    return scaled(numbers, exact.numerator), divisor * exact.denominator


def summed(terms: Iterable[tuple[Numbers, int]], rows: int) -> tuple[Numbers, int]:
    """Add columns of different divisors up: numbers over one divisor."""
    known = list(terms)
    divisor = math.lcm(1, *(d for _, d in known))
    total: Numbers = np.zeros(rows, np.int64)
    for numbers, own in known:
        total = added(total, scaled(numbers, divisor // own))
    return total, divisor


def added(left: Numbers, right: Numbers) -> Numbers:
    """Add two columns of one divisor."""
    if left.dtype.hasobject or right.dtype.hasobject or not left.size:
        return np.asarray(left + right)
    if int(np.abs(left).max()) + int(np.abs(right).max()) >= LARGEST:
        return np.asarray(left.astype(object) + right, object)
    return np.asarray(left + right)


def rounded(numerator: Numbers, divisor: int) -> I64:
    """Return hundredths of ``numerator / divisor`` rounded half away from zero: (n,) int64."""
    # Half a cent must be a whole number to be seen: one more factor makes it so.
    factor = 1 if divisor % 200 == 0 else 200
    number, cent = scaled(numerator, factor), divisor * factor // 100
    if number.dtype != object and (cent >= LARGEST or int(np.abs(number).max(initial=0)) + cent >= LARGEST):
        number = number.astype(object)
    whole = (np.abs(number) + cent // 2) // cent
    return np.asarray(np.where(number < 0, -whole, whole), np.int64)
