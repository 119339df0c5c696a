"""What a decision about bills would do, in sums, and how much of it one person may do alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from openami.billing.correction.reach import Reach


@dataclass(frozen=True, slots=True)
class Effect:
    """The sums of a preview, kept with the decision.

    Args:
        customers: who get at least one corrected bill.
        bills: corrected.
        beyond: left, since they lie beyond the look-back limit.
        unmakable: left, since they cannot be made again now.
        up, down: money charged more, and given back; both not below zero, by customer.
        most: the largest change of one customer, either way.
        up_wh, down_wh: energy billed more, and less [Wh], by bill.
        in_parts: customers who repay in parts.
    """

    customers: int = 0
    bills: int = 0
    beyond: int = 0
    unmakable: int = 0
    up: Decimal = Decimal(0)
    down: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    up_wh: int = 0
    down_wh: int = 0
    in_parts: int = 0


@dataclass(frozen=True, slots=True)
class CorrectionLimits:
    """What one person may decide alone.

    Args:
        customer: most that one customer's bills may change by, either way.
        total: most that all together may, ups and downs added.
        customers: most customers at once.
    """

    customer: Decimal = Decimal(500)
    total: Decimal = Decimal(5_000)
    customers: int = 100

    def needs_second(self, effect: Effect) -> str | None:
        """Return why a second person must approve, in words; None where one person is enough."""
        if effect.most > self.customer:
            return f"one customer's bills change by {effect.most:,.2f}, the limit is {self.customer:,.2f}"
        moved = effect.up + effect.down
        if moved > self.total:
            return f"{moved:,.2f} change in all, the limit is {self.total:,.2f}"
        if effect.customers > self.customers:
            return f"bills of {effect.customers:,} customers change, the limit is {self.customers:,}"
        return None


def effect_of(reaches: Sequence[Reach], *, unmakable: int, in_parts: int) -> Effect:
    """Return the sums of what one decision does to customers.

    Args:
        reaches: one of each customer.
        unmakable: bills that cannot be made again now.
        in_parts: customers who repay in parts.
    """
    by = [r.by for r in reaches if r.rebilled]
    wh = [c.by_wh for r in reaches for c in r.rebilled]
    return Effect(
        customers=len(by),
        bills=len(wh),
        beyond=sum(len(r.beyond) for r in reaches),
        unmakable=unmakable,
        up=sum((b for b in by if b > 0), Decimal(0)),
        down=-sum((b for b in by if b < 0), Decimal(0)),
        most=max((abs(b) for b in by), default=Decimal(0)),
        up_wh=sum(w for w in wh if w > 0),
        down_wh=-sum(w for w in wh if w < 0),
        in_parts=in_parts,
    )
