"""Make bills of many service points of one rate from validated days: pure, on a matrix; issued, or held with why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.bill.fallback import in_stead, kept_peaks
from openami.billing.bill.fleet_usage import FleetUsage, hold_reasons, rated_of, received_reason
from openami.billing.bill.hold import Hold, HoldCode
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import ends_estimated, printed_reads, reading_state
from openami.billing.bill.record import Bill, BillState, KeptLine, ReadingState, bill_id_of
from openami.billing.bill.review import estimate_cause, falls_back, review, review_rated
from openami.billing.jurisdiction.model import Jurisdiction
from openami.billing.rating.demand_finding import left_out_of
from openami.billing.rating.line import LineKind, RatedBill
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.coverage import Coverage, Fallback
from openami.billing.tariff.model import RateSchedule
from openami.contracts.channel import Channel
from openami.kernel.time import local_date
from openami.mdm.api import ReadPiece


@dataclass(frozen=True, slots=True)
class Making:
    """What all bills of one run are made under.

    Args:
        schedule: the rate.
        zone: of the service points.
        now: domain time.
        rules: what the jurisdiction says of bills; it is asked for the rules of each bill's last day.
        others: rates by code, for one that falls back to another.
    """

    schedule: RateSchedule
    zone: ZoneInfo
    now: datetime
    rules: Jurisdiction
    others: Mapping[str, RateSchedule] = field(default_factory=dict)


def ruled(terms: BillTerms, making: Making, span: BillSpan) -> BillTerms:
    """Return terms with what the jurisdiction says of demand windows without actual intervals on a bill's last day."""
    share = making.rules.on(span.last).reading.demand_left_out
    return terms if share == terms.most_left_out else replace(terms, most_left_out=share)


def make_bills(
    making: Making,
    usage: FleetUsage,
    span: BillSpan,
    orders: Mapping[UUID, BillOrder],
    pieces: Mapping[UUID, Sequence[ReadPiece]],
) -> list[Bill]:
    """Return one bill for each service point: issued, or held with the reason.

    Raises:
        TariffError: the rate cannot price the span; nothing of it can be billed.
    """
    schedule = making.schedule
    terms = [orders[p].terms for p in usage.service_points]
    carried = [orders[p].carried for p in usage.service_points]
    all_rated = rated_of(schedule, usage, span, making.zone, terms, carried)
    reasons = hold_reasons(usage, span)
    bills = []
    for row, point in enumerate(usage.service_points):
        order = orders[point]
        versions = usage.versions[row]
        is_counted = _counts_received(pieces.get(point, ()))
        reason = reasons[row] or received_reason(schedule, usage, row, order.terms, making.zone, is_counted=is_counted)
        if reason is not None:
            bills.append(held_bill(making, order, *reason, versions=versions.tolist()))
            continue
        low = falls_back(schedule, all_rated[row].determinants, making.rules.on(span.last).reading)
        if low is not None and low[0].fallback is not Fallback.BILL_ANYWAY:
            bills.append(_by_fallback(making, order, usage.part([row]), all_rated[row], *low, pieces.get(point, ())))
            continue
        stamps = (f"estimated split: {low[1]}",) if low else ()
        bills.append(_metered(making, order, all_rated[row], versions.tolist(), pieces.get(point, ()), stamps))
    return bills


def _counts_received(pieces: Sequence[ReadPiece]) -> bool:
    """Tell whether a meter with a register of received energy hung there."""
    return any(p.channel is Channel.RECEIVED and p.has_register for p in pieces)


def _by_fallback(
    making: Making, order: BillOrder, usage: FleetUsage, own: RatedBill, rule: Coverage, words: str,
    pieces: Sequence[ReadPiece],
) -> Bill:  # fmt: skip
    """Do what a rate by time says of a bill of which too little was measured: wait, or bill by another rate's price."""
    versions = usage.versions[0].tolist()
    flat = making.others.get(rule.flat_rate)
    if rule.fallback is Fallback.HOLD and not order.has_passed(HoldCode.LOW_COVERAGE):
        return held_bill(making, order, HoldCode.LOW_COVERAGE, words, versions=versions)
    if rule.fallback is Fallback.FLAT_PRICE and flat is None:
        words = f"{words}; it falls back to the rate {rule.flat_rate}, which is not known"
        return held_bill(making, order, HoldCode.UNKNOWN_RATE, words, versions=versions)
    if flat is None:
        return _metered(making, order, own, versions, pieces, (f"estimated split: {words}",))
    home = making.schedule
    instead = replace(making, schedule=in_stead(home, flat, order.span.last))
    order = replace(order, terms=replace(order.terms, instead_of=home.code))
    (rated,) = rated_of(instead.schedule, usage, order.span, making.zone, [order.terms], [order.carried])
    stamps = [f"billed by {flat.code}: {words}"]
    if order.carried.bank or rated.determinants.credited_wh:
        stamps.append(f"energy sent out and credits stay by the terms of {home.code}")
    return _metered(instead, order, kept_peaks(rated, own), versions, pieces, tuple(stamps))


def held_bill(
    making: Making, order: BillOrder, code: HoldCode, reason: str, *, versions: Sequence[int] = (),
    reads: tuple[ReadPiece, ...] = (),
) -> Bill:  # fmt: skip
    """Return a bill that cannot be made yet."""
    schedule, span = making.schedule, order.span
    return Bill(
        bill_id=bill_id_of(order.service_point_id, span.first, order.version),
        service_point_id=order.service_point_id, span=span, zone=making.zone.key, rate_code=schedule.code,
        rate_name=schedule.name, currency=schedule.currency, state=BillState.HELD,
        day_versions=tuple(versions) or (0,) * span.days, made_at=making.now, version=order.version,
        hold=Hold(code, reason, making.now), supersedes=order.supersedes, replaces=order.replaces, kind=order.kind,
        account_id=order.account_id, cycle=order.cycle, reads=reads, carried_in=order.carried, terms=order.terms,
    )  # fmt: skip


def _metered(
    making: Making,
    order: BillOrder,
    rated: RatedBill,
    versions: Sequence[int],
    pieces: Sequence[ReadPiece],
    stamps: tuple[str, ...] = (),
) -> Bill:
    """Return the bill of a place with intervals."""
    found = rated.determinants
    energy = {Channel.DELIVERED: found.usage_wh, Channel.RECEIVED: found.received_wh}
    reads = printed_reads(pieces, order, energy, order.span.period(making.zone))
    return reviewed_bill(making, order, rated, versions, reads, stamps)


def row_of_estimates(order: BillOrder, reads: Sequence[ReadPiece]) -> int:
    """Return how many estimated periods follow each other up to a bill.

    Limits and notices speak of periods from read to read: of one that a change of rate parts, the part before has
    counted already.
    """
    if not ends_estimated(reads):
        return 0
    is_later_part = order.span.first > order.terms.whole(order.span).first
    return max(order.estimates_before + (not is_later_part), 1)


def reviewed_bill(
    making: Making,
    order: BillOrder,
    rated: RatedBill,
    versions: Sequence[int],
    reads: tuple[ReadPiece, ...],
    stamps: tuple[str, ...] = (),
) -> Bill:
    """Return the bill of rated determinants and reads: issued, or held by what is reviewed."""
    schedule, span, found = making.schedule, order.span, rated.determinants
    rules = making.rules.on(span.last)
    state = reading_state(reads, found.estimated)
    in_a_row = row_of_estimates(order, reads)
    cause = estimate_cause(order, reads, by_register=not any(versions))
    waits = review(order, rules, found, reads, in_a_row, cause, span.period(making.zone))
    if waits is not None:
        return held_bill(making, order, *waits, versions=versions, reads=reads)
    waits = review_rated(order, rated)
    if waits is not None:
        held = held_bill(making, order, *waits, versions=versions, reads=reads)
        return replace(held, stamps=tuple(s.code.value for s in rated.stamps))
    if state is ReadingState.ESTIMATED:
        stamps = (*stamps, f"estimated: {cause.value}")
    return Bill(
        bill_id=bill_id_of(order.service_point_id, span.first, order.version),
        service_point_id=order.service_point_id,
        span=span,
        zone=making.zone.key,
        rate_code=schedule.code,
        rate_name=schedule.name,
        currency=schedule.currency,
        state=BillState.ISSUED,
        day_versions=tuple(versions),
        made_at=making.now,
        issued_at=making.now,
        version=order.version,
        supersedes=order.supersedes,
        replaces=order.replaces,
        begin_register_wh=_shown(reads, first=True),
        end_register_wh=_shown(reads, first=False),
        usage_wh=found.usage_wh,
        received_wh=found.received_wh,
        estimated_wh=found.estimated_wh,
        exact_total=rated.exact_total,
        total=rated.total,
        lines=kept_lines(schedule, rated, versions),
        kind=order.kind,
        account_id=order.account_id,
        cycle=order.cycle,
        reading_state=state,
        reads=reads,
        estimates_in_a_row=in_a_row,
        carried_in=order.carried,
        carried_out=rated.carried,
        due_on=local_date(making.now, making.zone) + timedelta(days=rules.due_days),
        terms=order.terms,
        released=order.words,
        stamps=stamps,
    )


def _shown(reads: Sequence[ReadPiece], *, first: bool) -> int | None:
    """Return what the display of the delivered register showed at one end of the bill."""
    delivered = [p for p in reads if p.channel is Channel.DELIVERED]
    if not delivered:
        return None
    return delivered[0].begin.value if first else delivered[-1].end.value


def kept_lines(schedule: RateSchedule, rated: RatedBill, versions: Sequence[int]) -> tuple[KeptLine, ...]:
    """Return a bill's lines with what they were computed from."""
    found = rated.determinants
    base: dict[str, int | str | None] = {
        "first_day": rated.span.first.isoformat(),
        "last_day": rated.span.last.isoformat(),
        "lowest_day_version": min(versions, default=0),
        "highest_day_version": max(versions, default=0),
        "intervals": found.intervals,
        "estimated_intervals": found.estimated,
        "estimated_wh": found.estimated_wh,
    }
    lines = []
    for line in rated.lines:
        begins = schedule.versions[line.version].effective_from
        evidence = base | {
            "price_from": None if begins is None else begins.isoformat(),
            "clause": line.clause,
            "version": line.version,
        }
        if line.days is not None:
            evidence["days"] = line.days
        if line.kind is LineKind.DEMAND:
            windows, left_out = left_out_of(schedule, found, line.clause)
            evidence |= {"windows": windows, "left_out_windows": sum(r.windows for r in left_out)}
        lines.append(
            KeptLine(
                line.kind.value, line.name, line.period, line.tier, line.quantity, line.unit, line.price,
                line.exact_amount, line.amount, evidence,
            )
        )  # fmt: skip
    return tuple(lines)
