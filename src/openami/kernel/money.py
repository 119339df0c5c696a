"""Money: exact Decimal amounts with a currency and one named rounding point.

Amounts are carried exactly (``exact_amount``) and rounded once, by
:func:`rounded_to_cent`, where a bill line is printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from openami.kernel.errors import OpenAmiError

CENT = Decimal("0.01")


class CurrencyMismatchError(OpenAmiError):
    """Amounts of two currencies were added."""


def rounded_to_cent(amount: Decimal) -> Decimal:
    """Round half away from zero to a cent: the one rounding point of a bill line.

    >>> rounded_to_cent(Decimal("1.005")), rounded_to_cent(Decimal("-1.005"))
    (Decimal('1.01'), Decimal('-1.01'))
    """
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency (ISO 4217 letters)."""

    amount: Decimal
    currency: str = "USD"

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    @property
    def rounded(self) -> Decimal:
        """The amount rounded to a cent."""
        return rounded_to_cent(self.amount)
