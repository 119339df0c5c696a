"""What a rate's cost is made of: energy by price period, demand, and what does not depend on use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from openami.billing.rating.line import BillLine, LineKind, RatedBill


@dataclass(frozen=True, slots=True)
class CostPart:
    """One part of a cost.

    Args:
        kind: what is charged for.
        name: the price period, or the line's own name where there is none.
        quantity: in ``unit``; of demand the sum over bills, which is what the price multiplies.
        unit: ``kWh``, ``kW``, ``month`` ...
        amount: of the printed lines.
        low_price, high_price: least and highest price of its lines: blocks and price changes differ.
    """

    kind: LineKind
    name: str
    quantity: Decimal
    unit: str
    amount: Decimal
    low_price: Decimal
    high_price: Decimal


@dataclass(frozen=True, slots=True)
class BillSpread:
    """The least, the mean and the highest bill: a rate that is cheaper on average may hold one bad month."""

    low: Decimal
    mean: Decimal
    high: Decimal


def split_of(bills: Sequence[RatedBill]) -> tuple[CostPart, ...]:
    """Return the parts of the bills' cost in order of first appearance; they add up to the bills' line amounts."""
    found: dict[tuple[LineKind, str, str], list[BillLine]] = {}
    for bill in bills:
        for line in bill.lines:
            found.setdefault((line.kind, line.period or line.name, line.unit), []).append(line)
    parts = [_part(kind, name, unit, lines) for (kind, name, unit), lines in found.items()]
    order = list(LineKind)
    return tuple(sorted(parts, key=lambda p: order.index(p.kind)))


def _part(kind: LineKind, name: str, unit: str, lines: list[BillLine]) -> CostPart:
    prices = [line.price for line in lines]
    quantity = sum((line.quantity for line in lines), Decimal(0))
    amount = sum((line.amount for line in lines), Decimal(0))
    return CostPart(kind, name, quantity, unit, amount, min(prices), max(prices))


def spread_of(bills: Sequence[RatedBill]) -> BillSpread:
    """Return the least, mean and highest bill; the mean is exact.

    Raises:
        ValueError: no bill.
    """
    totals = [b.total for b in bills]
    return BillSpread(min(totals), sum(totals, Decimal(0)) / len(totals), max(totals))
