"""An issued bill compared with what becomes of it: by how much it changes, why, and if that is too little. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import ReadingState
from openami.billing.correction.group import main_cause
from openami.billing.correction.late_terms import terms_cause
from openami.billing.correction.ports import TouchedBill
from openami.billing.correction.record import Cause, CauseKind, Change, Finding, Part
from openami.billing.correction.remade import Remade
from openami.billing.correction.rules import CorrectionRules
from openami.billing.rating.carried import Carried


def other_cause(one: Remade) -> Cause | None:
    """Return the cause of a bill that is another one now, whatever its readings are."""
    old = one.old
    if one.is_reversed:
        return Cause(CauseKind.REGISTRY, "stop/before", "service stopped before these days, entered after the bill")
    end = one.whole[-1].span.end
    if len(one.unit) == 1 and (stop := _stop(one, end)) is not None:
        words = f"service stopped on {stop}, entered after the bill"
        return Cause(CauseKind.REGISTRY, f"stop/{stop.isoformat()}", words)
    over = [b for b in one.whole if b.span.first < old.span.end and b.span.end > old.span.first]
    other = next((b for b in over if b.own_rate_code != old.own_rate_code), None)
    if other is None:
        is_alone = len(one.bills) == 1 and one.bills[0].span == old.span
        return terms_cause(old, one.bills[0].terms) if is_alone else None
    since = "" if other.span.first <= old.span.first else f" from {other.span.first}"
    words = f"the rate is {other.rate_name or 'none'}{since} now, it was {old.rate_name}"
    return Cause(CauseKind.RATE, f"{old.own_rate_code}>{other.own_rate_code}", words)


def _stop(one: Remade, end: date) -> date | None:
    """Return the day on which service stopped, where a bill went out without knowing; None where it was known."""
    old, last = one.old, one.whole[-1]
    if end != old.span.end or (last.ends_service and not old.ends_service):
        return end
    period = last.terms.whole(last.span).end
    return period if len(one.whole) == 1 and period < old.terms.whole(old.span).end else None


def unexplained_cause(touched: TouchedBill) -> Cause:
    """Return the cause of a bill that was looked at for a mark behind which nothing is found any more."""
    day = touched.found_at.date().isoformat()
    return Cause(CauseKind.READINGS, day, f"what was noted by {day}, and is as it was billed")


def handed_cause(one: Remade, touched: TouchedBill) -> Cause | None:
    """Return the cause of a bill of which nothing changed but what the bill before it hands on.

    Args:
        one: with what becomes of it.
        touched: what changed.
    """
    noted = touched.days and touched.days[0][0] == one.old.span.first and all(seen < 0 for _, seen in touched.days)
    if not noted or len(touched.days) > 1 or one.carried_in is None or one.carried_in == one.old.carried_in:
        return None
    day = one.old.span.first
    words = f"the bill of the days before {day} hands on other credits, peaks or remainders now"
    return Cause(CauseKind.REGISTRY, f"handed/{day.isoformat()}", words)


def finding_of(unit: Sequence[Remade], rules: CorrectionRules) -> Finding:
    """Return how a unit is weighed.

    Args:
        unit: its bills, by first day.
        rules: of the jurisdiction.
    """
    first, last = unit[0], unit[-1].old
    if not first.is_makeable:
        return Finding.UNMAKABLE
    # Days that are another account's now are given up however little they held: that account's bill waits for it.
    if first.is_reversed or first.whole[-1].span.end != last.span.end:
        return Finding.OPEN
    by = sum(((m.total or Decimal(0)) - (m.old.total or Decimal(0)) for m in unit), Decimal(0))
    by_wh = sum(m.usage_wh - (m.old.usage_wh or 0) for m in unit)
    handed = first.carried_out or Carried()
    is_left = rules.tolerances.leaves(by_wh, by) and rules.tolerances.leaves_handed(last.carried_out, handed)
    return Finding.WITHIN_TOLERANCE if is_left else Finding.OPEN


def is_exact(one: Remade, causes: Mapping[Cause, int]) -> bool:
    """Whether the least change counts: what a register counted between two actual reads is charged to the cent."""
    return main_cause(dict(causes))[0].kind is CauseKind.TRUE_UP and one.old.reading_state is ReadingState.ESTIMATED


def change_of(
    one: Remade, touched: TouchedBill, causes: Mapping[Cause, int], agreement_id: UUID, found: Finding
) -> Change:
    """Return a bill compared with what becomes of it.

    Args:
        one: in force, and made again from what is known now; held where it cannot be.
        touched: what changed.
        causes: days by cause.
        agreement_id: whose.
        found: how its unit is weighed.
    """
    old = one.old
    cause, also = main_cause(dict(causes))
    before, before_wh = old.total or Decimal(0), old.usage_wh or 0
    parts, joins = told_parts(one)
    return Change(
        old.bill_id, old.service_point_id, agreement_id, old.rate_code, old.span, touched.issued_at, cause, also,
        len(touched.days), one.digest, before_wh, before_wh if one.total is None else one.usage_wh, before, one.total,
        found, one.reason, touched.found_at, old.currency, parts, joins,
    )  # fmt: skip


def told_parts(one: Remade) -> tuple[tuple[Part, ...], UUID | None]:
    """Return the parts that take a bill's place, where these are not one bill of its days, and the bill it joins."""
    if not one.is_split or not one.is_makeable:
        return (), None
    parts = tuple(Part(b.span, b.rate_code, b.rate_name, b.usage_wh or 0, b.total or Decimal(0)) for b in one.bills)
    if parts:
        return parts, None
    # It begins in none of the new bills: the one that reaches over its days begins in an earlier bill of the unit.
    before = one.unit[: one.unit.index(one.old.bill_id)]
    return (), before[-1] if before else None
