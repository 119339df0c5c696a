"""One line of the bills of a whole fleet, in columns: integers over one divisor, so that nothing is rounded twice."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.fleet.number import Numbers, decimal_of, fraction_of, rounded
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.usage import I64

_MEAN_PLACES = Decimal("0.000001")


class OwnPrice(Enum):
    """A price that every bill has for itself: what the line comes to, or its mean per unit as printed."""

    AMOUNT = "amount"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, eq=False)
class LineColumn:
    """The same line of n bills.

    Args:
        kind: what it charges for.
        name: as printed.
        period: the price period's name, or None.
        tier: block number from 1, or None.
        unit: of the quantity, as printed.
        price: per unit, or where each bill has its own.
        quantity: (n,) in ``parts`` of the unit.
        numerator: (n,) integers; the exact amount is this over ``divisor``.
        divisor: a positive integer.
        present: (n,) bool, which bills have the line; None is all.
        version: index of the price version.
        clause: where in the rate the price stands.
        days: how many of the bill's days the line stands for; None is all of them.
        parts: how many of ``quantity`` make one unit: 1000 for Wh and W.
    """

    kind: LineKind
    name: str
    period: str | None
    tier: int | None
    unit: str
    price: Decimal | OwnPrice
    quantity: Numbers
    numerator: Numbers
    divisor: int
    present: npt.NDArray[np.bool_] | None = None
    version: int = 0
    clause: str = ""
    days: int | None = None
    parts: int = 1000

    @property
    def cents(self) -> I64:
        """The amounts rounded half away from zero to a cent: (n,) int64, zero where absent."""
        found = rounded(self.numerator, self.divisor)
        return found if self.present is None else found * self.present

    @property
    def exact(self) -> tuple[Numbers, int]:
        """The exact amounts as integers over a divisor: zero where absent."""
        return (self.numerator if self.present is None else self.numerator * self.present), self.divisor

    def of_row(self, row: int) -> BillLine | None:
        """Return the line of one bill; None where it is absent."""
        if self.present is not None and not self.present[row]:
            return None
        quantity = decimal_of(self.quantity, row, self.parts)
        exact = decimal_of(self.numerator, row, self.divisor)
        price = self.price
        if price is OwnPrice.MEAN:
            price = self._mean(row)
        elif isinstance(price, OwnPrice):
            price = exact
        return BillLine(
            self.kind, self.name, self.period, self.tier, quantity, self.unit, price,
            exact, self.version, self.clause, self.days,
        )  # fmt: skip

    def _mean(self, row: int) -> Decimal:
        quantity = fraction_of(self.quantity, row, self.parts)
        if not quantity:
            return Decimal(0)
        return exact_decimal(fraction_of(self.numerator, row, self.divisor) / quantity).quantize(_MEAN_PLACES)


FleetLine = LineColumn | BillLine
"""A line in columns, or one line that is the same on every bill."""


def cents_of(line: FleetLine, rows: int) -> I64:
    """Return the printed amounts of a line: (rows,) cents."""
    return line.cents if isinstance(line, LineColumn) else np.full(rows, int(line.amount * 100), np.int64)


def exact_of(line: FleetLine, rows: int) -> tuple[Numbers, int]:
    """Return the exact amounts of a line: (rows,) integers over a divisor."""
    if isinstance(line, LineColumn):
        return line.exact
    amount = Fraction(line.exact_amount)
    small = abs(amount.numerator) < 2**62
    return np.full(rows, amount.numerator, np.int64 if small else object), amount.denominator
