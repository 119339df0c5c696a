"""A bill's lines and totals, and the stamps that keep a bill from being issued."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.finding import RatingFinding
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.rounding import TotalRule
from openami.kernel.money import rounded_to_cent


class LineKind(StrEnum):
    """What a line charges for."""

    ENERGY = "energy"
    DEMAND = "demand"
    FIXED = "fixed"
    MINIMUM = "minimum"
    RIDER = "rider"
    TAX = "tax"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill.

    Args:
        kind: what it charges for.
        name: as printed.
        period: the price period's name, or None.
        tier: block number from 1, or None.
        quantity: in ``unit``.
        unit: ``kWh``, ``kW``, ``percent`` (of the quantity, an amount), ``month`` or ``day``.
        price: per unit.
        exact_amount: quantity times price (times the share of days), not rounded.
        amount: the same, rounded to a cent.
        version: index of the price version.
        clause: where in the rate the price stands, for example ``versions[0].riders[FAC].values[2]``.
        days: how many of the bill's days the line stands for; None is all of them.
    """

    kind: LineKind
    name: str
    period: str | None
    tier: int | None
    quantity: Decimal
    unit: str
    price: Decimal
    exact_amount: Decimal
    version: int = 0
    clause: str = ""
    days: int | None = None

    @property
    def amount(self) -> Decimal:
        """The line's amount, rounded to a cent: the one rounding point."""
        return rounded_to_cent(self.exact_amount)


class StampCode(StrEnum):
    """Why a computed bill cannot be issued as it is."""

    BASE_CHARGES_ONLY = "base_charges_only"
    TAX_NOT_KNOWN = "tax_not_known"
    EXPORT_PRICE_NOT_KNOWN = "export_price_not_known"
    HOLIDAYS_NOT_KNOWN = "holidays_not_known"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A mark on a bill that was computed without something: it may be shown and never issued.

    Args:
        code: what is missing.
        clause: where in the rate.
        words: the same for people, with the mend.
    """

    code: StampCode
    clause: str
    words: str


@dataclass(frozen=True, slots=True)
class RatedBill:
    """A bill's lines and totals, with the determinants that they were computed from.

    Args:
        span: its days.
        currency: ISO 4217 letters.
        determinants: what it was computed from.
        lines: in the order of the bill.
        stamps: why it cannot be issued; none if it can.
        carried: what it hands to the next bill.
        total_rule: how the total is made.
        findings: what was noticed; one that holds keeps the bill from being issued.
    """

    span: BillSpan
    currency: str
    determinants: Determinants
    lines: tuple[BillLine, ...]
    stamps: tuple[Stamp, ...] = ()
    carried: Carried = Carried()  # noqa: RUF009 - frozen and neutral
    total_rule: TotalRule = TotalRule.SUM_OF_ROUNDED
    findings: tuple[RatingFinding, ...] = ()

    @property
    def exact_total(self) -> Decimal:
        """Sum of the exact amounts."""
        return sum((line.exact_amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What the customer pays: the sum of the printed lines, or the exact sum rounded, as the rate says."""
        if self.total_rule is TotalRule.ROUNDED_SUM:
            return rounded_to_cent(self.exact_total)
        return sum((line.amount for line in self.lines), Decimal(0))
