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

from openami.billing.correction.periods import period_with
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
        periods: billing periods that the corrected ones lie in; parts of one period are one.
    """

    rebilled: tuple[Change, ...]
    beyond: tuple[Change, ...]
    limit: int | None
    by: Decimal
    periods: int = 0

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
        periods: every billed period of the customer, see :func:`~openami.billing.correction.periods.periods_of`.
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
    # A period is corrected whole, or not: a bill that is a part of it goes with the others.
    whole = {c.bill_id: period_with(c.span, periods) for c in changes}
    runs = {whole[c.bill_id] for c in changes if c.span.end > discovered}
    within = {p for p in whole.values() if p.first >= earliest or p.end > discovered} | runs
    rebilled = tuple(c for c in changes if whole[c.bill_id] in within)
    beyond = tuple(c for c in changes if whole[c.bill_id] not in within)
    by = sum((c.by for c in rebilled), Decimal(0))
    return Reach(rebilled, beyond, limit, by, len({whole[c.bill_id] for c in rebilled}))
