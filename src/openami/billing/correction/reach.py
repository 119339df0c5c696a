"""How far back a correction reaches. Pure.

The direction is that of the whole: all that one cause changed for one customer within the longer limit is added up. If
that gives money back, all of it is corrected. If it asks for more, only the periods within the shorter limit are. So no
customer loses a credit because a charge stands beside it, and none is charged for a year that the rule protects.

Periods are counted, not months of the calendar: the n billing periods that ended last before the error was discovered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openami.billing.correction.record import Change, Finding
from openami.billing.correction.rules import LookBack
from openami.billing.rating.usage import BillSpan


@dataclass(frozen=True, slots=True)
class Reach:
    """Which bills of one customer and cause are corrected.

    Args:
        rebilled: corrected.
        beyond: left, since they lie further back than the limit.
        limit: in billing periods; None is none.
        by: what the corrected ones come to.
    """

    rebilled: tuple[Change, ...]
    beyond: tuple[Change, ...]
    limit: int | None
    by: Decimal

    @property
    def is_under(self) -> bool:
        """Whether the customer was charged too little."""
        return self.by > 0


def reach_of(
    changes: Sequence[Change],
    periods: Collection[BillSpan],
    limits: LookBack,
    *,
    discovered: date,
    tampering: bool = False,
) -> Reach:
    """Return which of the changes are corrected.

    Args:
        changes: of one customer and one cause, each of which can be made again.
        periods: every billed period of the customer.
        limits: of the jurisdiction, as they hold on the day of discovery.
        discovered: when the error was found, asked about or notified, whichever came first.
        tampering: whether the customer tampered.
    """
    wanted = [c for c in changes if c.found is Finding.OPEN]
    if tampering:
        return _within(wanted, periods, discovered, limits.tampering)
    over = _within(wanted, periods, discovered, limits.over)
    return over if over.by <= 0 else _within(wanted, periods, discovered, limits.under)


def _within(changes: Sequence[Change], periods: Collection[BillSpan], discovered: date, limit: int | None) -> Reach:
    ended = sorted({p.first for p in periods if p.end <= discovered}, reverse=True)
    # A period that was running when the error was found is no past period, and always within reach.
    earliest = date.min if limit is None or len(ended) <= limit else (ended[limit - 1] if limit else date.max)
    rebilled = tuple(c for c in changes if c.span.first >= earliest or c.span.end > discovered)
    gone = set(rebilled)
    beyond = tuple(c for c in changes if c not in gone)
    return Reach(rebilled, beyond, limit, sum((c.by for c in rebilled), Decimal(0)))
