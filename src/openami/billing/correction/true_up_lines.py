"""A true-up as its customer reads it: a line for each period, what was billed, what it is, the difference. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.correction.record import Adjustment, CauseKind
from openami.billing.rating.usage import BillSpan


@dataclass(frozen=True, slots=True)
class TrueUpLine:
    """One period.

    Args:
        span: local days.
        before_wh, after_wh: energy as it was estimated, and as it is billed now.
        by: what it adds to what is owed; below zero is given back.
    """

    span: BillSpan
    before_wh: int
    after_wh: int
    by: Decimal


@dataclass(frozen=True, slots=True)
class TrueUp:
    """All periods that one actual read settled.

    Args:
        decision_id: the decision behind it.
        day: accounting day.
        words: which read it was.
        lines: by period, oldest first.
        parts: in how many parts it is paid, one with each bill, without interest; 1 is at once.
        currency: of the money.
    """

    decision_id: UUID
    day: date
    words: str
    lines: tuple[TrueUpLine, ...]
    parts: int
    currency: str

    @property
    def by(self) -> Decimal:
        """What all periods together add to what is owed."""
        return sum((line.by for line in self.lines), Decimal(0))

    @property
    def by_wh(self) -> int:
        """Likewise in energy [Wh]."""
        return sum(line.after_wh - line.before_wh for line in self.lines)


def true_ups_of(adjustments: Sequence[Adjustment], bills: Sequence[Bill]) -> list[TrueUp]:
    """Return the true-ups of a customer at a place, newest first.

    Args:
        adjustments: of the place; others than true-ups are left out, and those about bills that are not among these.
        bills: of the customer, those that were replaced too.
    """
    by_id = {b.bill_id: b for b in bills}
    groups: dict[UUID, list[Adjustment]] = defaultdict(list)
    for one in adjustments:
        if one.cause.kind is CauseKind.TRUE_UP and one.bill_id in by_id:
            groups[one.decision_id].append(one)
    found = []
    for decision_id, some in groups.items():
        lines = tuple(
            TrueUpLine(a.span, (wh := by_id[a.bill_id].usage_wh or 0), wh + a.by_wh, a.by)
            for a in sorted(some, key=lambda a: a.span)
        )
        parts = max(a.installments for a in some)
        found.append(TrueUp(decision_id, some[0].day, some[0].cause.words, lines, parts, some[0].currency))
    return sorted(found, key=lambda t: t.day, reverse=True)
