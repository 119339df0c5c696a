"""What keeps a bill that could be made from going out, and what a rate does where too little was measured. Pure.

A person may let a bill pass some of these holds, with a reason; see :data:`~openami.billing.bill.hold.RELEASABLE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import BillKind
from openami.billing.jurisdiction.model import BillRules, EstimateCause, ReadingRule
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.line import RatedBill, StampCode
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.coverage import Coverage, Fallback
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.api import ReadKind, ReadPiece

Waits = tuple[HoldCode, str]
_STAMPED = {
    StampCode.TAX_NOT_KNOWN: HoldCode.TAX_NOT_KNOWN,
    StampCode.HOLIDAYS_NOT_KNOWN: HoldCode.HOLIDAYS_NOT_KNOWN,
}
_UNSURE = frozenset({ReadKind.ESTIMATED, ReadKind.MISSING})


def review(
    order: BillOrder,
    rules: BillRules,
    found: Determinants,
    reads: Sequence[ReadPiece],
    in_a_row: int,
    cause: EstimateCause,
    period: Period,
) -> Waits | None:
    """Why a bill waits before it is rated; None where it does not, or a person let it pass.

    Args:
        order: the bill.
        rules: of its last day.
        found: its energy.
        reads: as it prints them.
        in_a_row: how many estimated bills would follow each other with it.
        cause: why it is estimated, if it is.
        period: its days in UTC.
    """
    doubts = _doubts(order, rules, in_a_row, cause)
    doubts.append((HoldCode.REGISTER_DISAGREES, disagreement(found.usage_wh, reads, period, rules.reading)))
    for code, words in doubts:
        if words and not order.has_passed(code):
            return code, words
    return None


def review_rated(order: BillOrder, rated: RatedBill) -> Waits | None:
    """Why a rated bill waits: it lacks a price, or its demand is not sure."""
    if rated.stamps:
        code = _STAMPED.get(rated.stamps[0].code, HoldCode.UNPRICED_RIDER)
        return code, rated.stamps[0].words
    unsure = next((f for f in rated.findings if f.holds), None)
    if unsure is not None and not order.has_passed(HoldCode.ESTIMATED_DEMAND):
        return HoldCode.ESTIMATED_DEMAND, unsure.words
    return None


def coverage_rule(schedule: RateSchedule, span: BillSpan, rule: ReadingRule) -> Coverage | None:
    """Return what is done with too few actual intervals; None for a rate whose price does not ask for the time.

    A rate by time that does not say it waits below the jurisdiction's share.
    """
    tariff = schedule.versions[schedule.version_on(span.last)]
    if tariff.coverage is not None:
        return tariff.coverage
    return Coverage(rule.least_actual_share, Fallback.HOLD) if asks_for_times(tariff) else None


def asks_for_times(tariff: Tariff) -> bool:
    """Tell whether a price depends on the time of day or on the highest power."""
    return bool(tariff.demand) or any(
        len({w.period for plan in s.energy for w in plan}) > 1 for s in tariff.seasons
    )  # fmt: skip


def falls_back(schedule: RateSchedule, found: Determinants, reading: ReadingRule) -> tuple[Coverage, str] | None:
    """Return the rule and words of a bill of which too few intervals are actual; None where enough are."""
    rule = coverage_rule(schedule, found.span, reading)
    if rule is None or not found.intervals:
        return None
    share = Decimal(found.intervals - found.estimated) / found.intervals
    if share >= rule.least_actual_share:
        return None
    words = f"{share:.1%} of the intervals are actual; the rate asks for {rule.least_actual_share:.1%}"
    return rule, words


def estimate_cause(order: BillOrder, reads: Sequence[ReadPiece], *, by_register: bool) -> EstimateCause:
    """Return why a read is estimated: what is known of it, else what its road tells.

    A meter in the network was not heard; one that a person reads was not reached.
    """
    if order.no_read is not None:
        return order.no_read
    by_people = {ReadKind.MANUAL, ReadKind.CUSTOMER}
    by_hand = by_register or any(end.kind in by_people for p in reads for end in (p.begin, p.end))
    return EstimateCause.NO_ACCESS if by_hand else EstimateCause.NO_COMMUNICATION


def _doubts(order: BillOrder, rules: BillRules, in_a_row: int, cause: EstimateCause) -> list[Waits]:
    days, period = order.terms.whole(order.span).days, rules.period
    part = order.terms.part_of
    doubts = []
    # A part of the account's last period is of a final one, whose length nobody limits.
    is_limited = order.kind is BillKind.REGULAR and order.cycle is not None and not (part and part.ends_service)
    if is_limited and not period.allows(days):
        words = f"{days} days from read to read; a regular bill has {period.least_days} to {period.most_days}"
        doubts.append((HoldCode.PERIOD_LENGTH, words))
    if in_a_row > rules.estimate.most_in_a_row:
        words = f"{in_a_row} estimated bills would follow each other; {rules.estimate.most_in_a_row} may"
        doubts.append((HoldCode.TOO_MANY_ESTIMATES, words))
    if in_a_row and cause not in rules.estimate.causes:
        doubts.append((HoldCode.NO_READ, f"a bill may not be estimated for this cause: {cause.value}"))
    return doubts


def disagreement(usage_wh: int, reads: Sequence[ReadPiece], period: Period, rule: ReadingRule) -> str:
    """Say by how much registers and intervals of a bill differ; empty if little, or if it cannot be told.

    It can where every meter has actual reads, one took over where the other went, and the outer two are of the bill's
    own ends, whatever they are called: a bill that ended on its nearest read is asked like any other.
    """
    own = [p for p in reads if p.channel is Channel.DELIVERED]
    if not own or any(end.kind in _UNSURE for p in own for end in (p.begin, p.end)):
        return ""
    ends, begins = [period.start, *(p.end.at for p in own)], [*(p.begin.at for p in own), period.end]
    if ends != begins:
        return ""
    back = next((p for p in own if p.usage_wh is None), None)
    if back is not None:
        return f"the register of meter {back.meter} went back from {back.begin.value} to {back.end.value}"
    counted = sum(p.usage_wh or 0 for p in own)
    allowed = rule.allowed_wh(counted, sum(p.multiplier for p in own))
    if abs(counted - usage_wh) <= allowed:
        return ""
    told = f"the register advanced by {counted / 1000:.1f} kWh, the intervals hold {usage_wh / 1000:.1f} kWh"
    return f"{told}; they may differ by {allowed / 1000:.1f} kWh"
