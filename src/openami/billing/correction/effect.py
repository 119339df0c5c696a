"""What a decision about bills would do, in sums, and how much of it one person may do alone. Pure.

To leave bills as they are moves money as well: whoever owed it keeps it. So what is left counts like what is changed.
What a person decided alone before counts with it: a large correction in slices is a large correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
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
        most: the largest change of one customer, either way, made or left.
        up_wh, down_wh: energy billed more, and less [Wh], by bill.
        in_parts: customers who repay in parts.
        left, left_customers: money that stays as it was though a bill would change by it, ups and downs added, and
            whose; of a decision to leave bills.
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
    left: Decimal = Decimal(0)
    left_customers: int = 0

    @property
    def touched(self) -> int:
        """Customers whose money it decides about."""
        return self.customers + self.left_customers


@dataclass(frozen=True, slots=True)
class CorrectionLimits:
    """What one person may decide alone.

    Args:
        customer: most that one customer's bills may change by, either way.
        total: most that all together may, ups and downs added.
        customers: most customers at once.
        customer_span: how long what one person decided alone about a customer is remembered; a bill and a half.
        total_span: how long what one person decided alone about anybody is remembered; a working day.
    """

    customer: Decimal = Decimal(500)
    total: Decimal = Decimal(5_000)
    customers: int = 100
    customer_span: timedelta = timedelta(days=45)
    total_span: timedelta = timedelta(days=1)

    def needs_second(self, effect: Effect, before: Effect | None = None) -> str | None:
        """Return why a second person must approve, in words; None where one person is enough.

        Args:
            effect: what the preview says.
            before: what this person decided alone lately: ``most`` about the same customers, the rest about anybody.
        """
        return self._beyond(effect) or (None if before is None else self._with(effect, before))

    def _with(self, effect: Effect, before: Effect) -> str | None:
        if not effect.touched:
            return None
        found = self._beyond(
            replace(
                effect, most=effect.most + before.most, up=effect.up + before.up, down=effect.down + before.down,
                left=effect.left + before.left, customers=effect.customers + before.customers,
                left_customers=effect.left_customers + before.left_customers,
            )
        )  # fmt: skip
        return found and f"with what the same person decided alone lately, {found}"

    def _beyond(self, effect: Effect) -> str | None:
        if effect.most > self.customer:
            return f"one customer's bills change by {effect.most:,.2f}, the limit is {self.customer:,.2f}"
        moved = effect.up + effect.down + effect.left
        if moved > self.total:
            return f"{moved:,.2f} change in all, the limit is {self.total:,.2f}"
        if effect.touched > self.customers:
            return f"bills of {effect.touched:,} customers change, the limit is {self.customers:,}"
        return None


def effect_of_leaving(reaches: Sequence[Reach], *, unmakable: int) -> Effect:
    """Return the sums of what one decision leaves as it is.

    Args:
        reaches: one of each customer, of what the rules would correct.
        unmakable: bills that cannot be made again now.
    """
    by = [r.by for r in reaches if r.rebilled]
    return Effect(
        unmakable=unmakable,
        beyond=sum(len(r.beyond) for r in reaches),
        most=max((abs(b) for b in by), default=Decimal(0)),
        left=sum((abs(b) for b in by), Decimal(0)),
        left_customers=len(by),
    )


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
