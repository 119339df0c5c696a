"""Statements and rows of corrections: what the adapter of the queue and of decisions says to PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from openami.billing.correction.decision import CorrectionDecision, DecidedBill, DecisionHead, DecisionState
from openami.billing.correction.effect import Effect
from openami.billing.correction.ports import TouchedBill
from openami.billing.correction.record import (
    Adjustment,
    AdjustmentLine,
    Cause,
    CauseKind,
    Change,
    DecisionKind,
    Finding,
    Part,
)
from openami.billing.rating.usage import BillSpan

# All that was seen of each changed day; a bill is weighed again where that differs from what was weighed. Those that
# could not be made come after all others, the longest unseen first: however many, they are in nobody's way.
_SEEN = """
    with days as (
        select c.bill_id, c.service_point_id, c.local_day, max(c.seen_version) as version, min(c.found_at) as found_at,
            string_agg(c.local_day::text || '=' || c.seen_version, ',' order by c.seen_version) as told
        from billing.correction c join billing.bill b using (bill_id)
        where c.state = 'open' and b.state = 'issued' {which}
        group by c.bill_id, c.service_point_id, c.local_day
    ), bills as (
        select bill_id, service_point_id, min(found_at) as found_at,
            array_agg(local_day order by local_day) as days, array_agg(version order by local_day) as versions,
            string_agg(told, ',' order by local_day) as told
        from days group by bill_id, service_point_id
    )
    select s.*, b.issued_at from bills s join billing.bill b using (bill_id)
"""
TOUCHED = text(
    _SEEN.format(which="")
    + """
    left join billing.correction_weighing w on w.bill_id = s.bill_id and w.seen = s.told and not w.is_settled
    where w.bill_id is null or w.found = 'unmakable'
    order by w.weighed_at nulls first, s.found_at, s.bill_id limit :most
"""
)
TOUCHED_OF = text(_SEEN.format(which="and c.bill_id = any(:bills)"))
VERSIONS = text("""
    select service_point_id, first_day, max(version) as version from billing.bill
    where service_point_id = any(:places) group by service_point_id, first_day
""")
WEIGHED = text("""
    insert into billing.correction_weighing (bill_id, service_point_id, agreement_id, cause_kind, cause_key,
        cause_words, also, days, seen, versions_digest, after_wh, after_total, found, reason, found_at, weighed_at,
        is_settled, parts, joins)
    values (:bill_id, :service_point_id, :agreement_id, :cause_kind, :cause_key, :cause_words, :also, :days, :seen,
        :versions_digest, :after_wh, :after_total, :found, :reason, :found_at, :at, :is_settled,
        cast(:parts as jsonb), :joins)
    on conflict (bill_id) do update set agreement_id = excluded.agreement_id, cause_kind = excluded.cause_kind,
        cause_key = excluded.cause_key, cause_words = excluded.cause_words, also = excluded.also, days = excluded.days,
        seen = excluded.seen, versions_digest = excluded.versions_digest, after_wh = excluded.after_wh,
        after_total = excluded.after_total, found = excluded.found, reason = excluded.reason,
        found_at = excluded.found_at, weighed_at = excluded.weighed_at, is_settled = excluded.is_settled,
        parts = excluded.parts, joins = excluded.joins
""")
LEAVE_QUEUE = text("""
    update billing.correction set state = :state, decision_id = :decision
    where bill_id = any(:bills) and state = 'open'
""")
SETTLE = text("update billing.correction_weighing set is_settled = true where bill_id = any(:bills)")
CHANGES = text("""
    select w.*, b.rate_code, b.first_day, b.end_day, b.issued_at, b.usage_wh, b.total, b.currency
    from billing.correction_weighing w join billing.bill b using (bill_id)
    where b.state = 'issued' and not w.is_settled and w.found <> 'within_tolerance'
        and (cast(:bills as uuid[]) is null or w.bill_id = any(:bills))
        and (cast(:cause as text) is null or w.cause_kind || ':' || w.cause_key = :cause)
        and (cast(:place as uuid) is null or w.service_point_id = :place)
    order by w.found_at, w.bill_id
""")
BILLS_OF = text("""
    select * from billing.bill where service_point_id = any(:places) and state = 'issued'
    order by service_point_id, first_day
""")
BILLS_OVER = text("""
    select * from billing.bill where service_point_id = any(:places) and state in ('issued', 'held')
        and first_day <= :last and end_day > :first order by service_point_id, first_day
""")
LAST_BILLS = text("""
    select distinct on (service_point_id) bill_id from billing.bill
    where service_point_id = any(:places) and state = 'issued' and end_day <= :before
    order by service_point_id, end_day desc
""")
DAYS_LEFT = text("""
    select bill_id, local_day from billing.correction where bill_id = any(:bills)
    group by bill_id, local_day having bool_and(state = 'dismissed')
""")
# The day's readings are the same, its rate is not: what was seen is when that was entered, below zero, so that each
# entry for a day counts anew. One that takes a rate back counts where the bill waits for a person: it is as it was.
# Entries that were decided about before that was so are known by version 0.
NOTE_RATES = text("""
    insert into billing.correction (bill_id, service_point_id, local_day, billed_version, seen_version, state, found_at)
    select b.bill_id, b.service_point_id, greatest(b.first_day, lower(a.days)), 0,
        -floor(extract(epoch from a.entered_at))::bigint, 'open', :at
    from billing.bill b join billing.rate_assignment a on a.service_point_id = b.service_point_id
        and a.days && daterange(b.first_day, b.end_day)
    where b.state = 'issued' and a.entered_at > b.issued_at
        and (a.rate_code <> coalesce(b.terms ->> 'instead_of', b.rate_code) or exists (
            select from billing.correction o where o.bill_id = b.bill_id and o.state = 'open'))
        and (cast(:since as timestamptz) is null or a.entered_at >= :since)
        and not exists (select from billing.correction c where c.bill_id = b.bill_id and c.seen_version = 0
            and c.found_at >= a.entered_at)
    on conflict do nothing returning bill_id
""")
# A bill that went out before the one before it took in what that one handed over then, or nothing: that one was
# corrected later, or its days became known later. Its version, below zero, is what was seen: each counts anew.
NOTE_HANDED = text("""
    insert into billing.correction (bill_id, service_point_id, local_day, billed_version, seen_version, state, found_at)
    select n.bill_id, n.service_point_id, n.first_day, 0, -p.version, 'open', :at
    from billing.bill p join billing.bill n on n.service_point_id = p.service_point_id and n.first_day = p.end_day
        and n.account_id is not distinct from p.account_id
    where p.state = 'issued' and n.state = 'issued' and n.issued_at < p.issued_at
        and n.carried_in <> p.carried_out
        and (cast(:since as timestamptz) is null or p.issued_at >= :since)
    on conflict do nothing returning bill_id
""")
# What was seen is the instant of the actual read, in minutes below zero: each read settles a bill once. The versions
# of bills that NOTE_HANDED keeps there never come near it; the seconds of NOTE_RATES and the marks of late terms lie
# far below, and settle nothing.
ESTIMATED = text("""
    select * from billing.bill b where state = 'issued' and reading_state = 'estimated' and not exists (
        select from billing.correction c where c.bill_id = b.bill_id
            and c.seen_version between -200000000 and -1000000)
    order by service_point_id, first_day
""")
NOTE_TRUE_UPS = text("""
    insert into billing.correction (bill_id, service_point_id, local_day, billed_version, seen_version, state, found_at)
    values (:bill_id, :service_point_id, :local_day, 0, :seen, 'open', :at)
    on conflict do nothing returning bill_id
""")
BILLS = text("select * from billing.bill where bill_id = any(:bills)")
LINES = text("select * from billing.bill_line where bill_id = any(:bills) order by bill_id, number")
SUPERSEDE = text("""
    update billing.bill set state = 'superseded' where bill_id = any(:bills) and state = 'issued' returning bill_id
""")
WAITING = text("""
    select d.bill_id from billing.correction_decision_bill d where d.bill_id = any(:bills)
        and exists (select from billing.correction_step s where s.decision_id = d.decision_id and s.step = 'waits')
        and not exists (select from billing.correction_step s where s.decision_id = d.decision_id
            and s.step in ('in_force', 'withdrawn'))
    limit 1
""")
DECIDE = text("""
    insert into billing.correction_decision (decision_id, kind, cause_kind, cause_key, cause_words, reason, tampering,
        in_parts, made_by, made_at, effect)
    values (:decision_id, :kind, :cause_kind, :cause_key, :cause_words, :reason, :tampering, :in_parts, :made_by,
        :made_at, cast(:effect as jsonb))
""")
DECIDE_BILL = text("""
    insert into billing.correction_decision_bill (decision_id, bill_id, service_point_id, versions_digest, is_rebilled)
    select :decision_id, b.bill_id, b.service_point_id, :versions_digest, :is_rebilled
    from billing.bill b where b.bill_id = :bill_id
""")
STEP = text("""
    insert into billing.correction_step (decision_id, step, order_id, by_user, at, real_at)
    values (:decision_id, :step, :order_id, :by, :at, :real) on conflict (decision_id, step) do nothing
    returning decision_id
""")
ALONE = text("""
    with mine as (
        select d.decision_id, d.effect, s.at from billing.correction_step s
        join billing.correction_decision d using (decision_id)
        where s.by_user = any(:by) and s.step = 'in_force'
        and s.at >= least(cast(:customer_since as timestamptz), cast(:since as timestamptz))
        and not exists (select from billing.correction_step w where w.decision_id = s.decision_id and w.step = 'waits'))
    select
        coalesce(sum((effect ->> 'most')::numeric) filter (where at >= :customer_since and exists (
            select from billing.correction_decision_bill b where b.decision_id = mine.decision_id
            and b.service_point_id = any(:points))), 0) as most,
        coalesce(sum((effect ->> 'up')::numeric) filter (where at >= :since), 0) as up,
        coalesce(sum((effect ->> 'down')::numeric) filter (where at >= :since), 0) as down,
        coalesce(sum((effect ->> 'left')::numeric) filter (where at >= :since), 0) as "left",
        coalesce(sum((effect ->> 'customers')::integer) filter (where at >= :since), 0)::integer as customers,
        coalesce(sum((effect ->> 'left_customers')::integer) filter (where at >= :since), 0)::integer as left_customers
    from mine
""")
STEPS = text("select step from billing.correction_step where decision_id = :decision_id")
_HEADS = """
    select d.*, w.order_id, f.by_user as in_force_by,
        case when f.step is not null then 'in_force' when x.step is not null then 'withdrawn' else 'waiting' end
            as state,
        (select json_agg(json_build_array(b.bill_id, b.versions_digest, b.is_rebilled) order by b.bill_id)
            from billing.correction_decision_bill b where b.decision_id = d.decision_id) as bills
    from billing.correction_decision d
    left join billing.correction_step w on w.decision_id = d.decision_id and w.step = 'waits'
    left join billing.correction_step f on f.decision_id = d.decision_id and f.step = 'in_force'
    left join billing.correction_step x on x.decision_id = d.decision_id and x.step = 'withdrawn'
"""
HEAD = text(_HEADS + "where d.decision_id = :decision_id")
_LISTED = "select * from (" + _HEADS + ") h where cast(:state as text) is null or h.state = :state "  # noqa: S608
HEADS = text(_LISTED + "order by h.made_at desc, h.decision_id limit :most")
ADJUST = text("""
    insert into billing.adjustment (adjustment_id, agreement_id, service_point_id, bill_id, corrected_bill_id,
        first_day, end_day, decision_id, cause_kind, cause_key, cause_words, by_wh, amount, installments, day, currency,
        more_bills, more_corrected)
    values (:adjustment_id, :agreement_id, :service_point_id, :bill_id, :corrected_bill_id, :first_day, :end_day,
        :decision_id, :cause_kind, :cause_key, :cause_words, :by_wh, :amount, :installments, :day, :currency,
        :more_bills, :more_corrected)
""")
ADJUST_LINE = text("""
    insert into billing.adjustment_line (adjustment_id, number, service_point_id, kind, name, period, tier, unit,
        before_quantity, after_quantity, before_amount, after_amount)
    values (:adjustment_id, :number, :service_point_id, :kind, :name, :period, :tier, :unit, :before_quantity,
        :after_quantity, :before_amount, :after_amount)
""")
ADJUSTMENTS = text("""
    select a.*, (select json_agg(json_build_array(l.kind, l.name, l.period, l.tier, l.before_amount::text,
            l.after_amount::text, l.before_quantity::text, l.after_quantity::text, l.unit) order by l.number)
        from billing.adjustment_line l where l.adjustment_id = a.adjustment_id) as lines
    from billing.adjustment a
    where (cast(:places as uuid[]) is null or a.service_point_id = any(:places))
        and (cast(:bills as uuid[]) is null or a.bill_id = any(:bills) or a.corrected_bill_id = any(:bills)
            or a.more_bills && :bills or a.more_corrected && :bills)
    order by a.day desc, a.first_day, a.adjustment_id
""")


def weighing_row(change: Change, seen: str) -> dict[str, Any]:
    """Return a weighed bill as a row."""
    return _cause_row(change.cause) | {
        "bill_id": change.bill_id, "service_point_id": change.service_point_id, "agreement_id": change.agreement_id,
        "also": list(change.also), "days": change.days, "seen": seen, "versions_digest": change.versions_digest,
        "after_wh": change.after_wh, "after_total": change.after, "found": change.found.value,
        "reason": change.reason, "found_at": change.found_at,
        "is_settled": change.found is Finding.WITHIN_TOLERANCE, "joins": change.joins,
        "parts": json.dumps([_part_row(p) for p in change.parts]),
    }  # fmt: skip


def change_of(row: Any) -> Change:
    """Return a weighed bill of a row."""
    return Change(
        bill_id=row["bill_id"], service_point_id=row["service_point_id"], agreement_id=row["agreement_id"],
        rate_code=row["rate_code"], span=BillSpan(row["first_day"], row["end_day"]), issued_at=row["issued_at"],
        cause=_cause(row), also=tuple(row["also"]), days=row["days"], versions_digest=row["versions_digest"],
        before_wh=row["usage_wh"] or 0, after_wh=row["after_wh"], before=row["total"], after=row["after_total"],
        found=Finding(row["found"]), reason=row["reason"], found_at=row["found_at"], currency=row["currency"],
        parts=tuple(_part_of(p) for p in row["parts"]), joins=row["joins"],
    )  # fmt: skip


def touched_of_row(row: Any) -> TouchedBill:
    """Return a touched bill of a row."""
    days = tuple(zip(row["days"], row["versions"], strict=True))
    return TouchedBill(row["bill_id"], row["service_point_id"], days, row["found_at"], row["issued_at"], row["told"])


def _part_row(part: Part) -> dict[str, Any]:
    return {
        "first_day": part.span.first.isoformat(), "end_day": part.span.end.isoformat(), "rate_code": part.rate_code,
        "rate_name": part.rate_name, "wh": part.wh, "total": str(part.total),
    }  # fmt: skip


def _part_of(told: Any) -> Part:
    span = BillSpan(date.fromisoformat(told["first_day"]), date.fromisoformat(told["end_day"]))
    return Part(span, told["rate_code"], told["rate_name"], told["wh"], Decimal(told["total"]))


def decision_row(decision: CorrectionDecision, effect: Effect) -> dict[str, Any]:
    """Return a decision as a row."""
    return _cause_row(decision.cause) | {
        "decision_id": decision.decision_id, "kind": decision.kind.value, "reason": decision.reason,
        "tampering": decision.tampering, "in_parts": decision.in_parts, "made_by": decision.by,
        "made_at": decision.at, "effect": json.dumps(asdict(effect), default=str),
    }  # fmt: skip


def decided_rows(decision: CorrectionDecision) -> list[dict[str, Any]]:
    """Return the bills of a decision as rows."""
    return [asdict(bill) | {"decision_id": decision.decision_id} for bill in decision.bills]


def head_of(row: Any) -> DecisionHead:
    """Return a decision with how it stands."""
    state, told = DecisionState(row["state"]), row["effect"]
    second = row["in_force_by"] if row["in_force_by"] != row["made_by"] else None
    decision = CorrectionDecision(
        row["decision_id"], DecisionKind(row["kind"]), _cause(row),
        tuple(DecidedBill(UUID(b), digest, is_rebilled) for b, digest, is_rebilled in row["bills"]), row["reason"],
        row["made_by"], row["made_at"], tampering=row["tampering"], in_parts=row["in_parts"], approved_by=second,
    )  # fmt: skip
    # Decisions of before they were counted tell nothing of what they left.
    money = {name: Decimal(told.get(name, 0)) for name in ("up", "down", "most", "left")}
    return DecisionHead(decision, state, Effect(**(told | money)), row["order_id"])


def adjustment_row(one: Adjustment) -> dict[str, Any]:
    """Return an adjustment as a row."""
    return _cause_row(one.cause) | {
        "adjustment_id": one.adjustment_id, "agreement_id": one.agreement_id,
        "service_point_id": one.service_point_id, "bill_id": one.bill_id,
        "corrected_bill_id": one.corrected_bill_id, "first_day": one.span.first, "end_day": one.span.end,
        "decision_id": one.decision_id, "by_wh": one.by_wh, "amount": one.by, "installments": one.installments,
        "day": one.day, "currency": one.currency, "more_bills": list(one.more_bills),
        "more_corrected": list(one.more_corrected),
    }  # fmt: skip


def adjustment_line_rows(adjustments: Sequence[Adjustment]) -> list[dict[str, Any]]:
    """Return the lines of adjustments as rows."""
    return [
        {
            "adjustment_id": one.adjustment_id, "number": number, "service_point_id": one.service_point_id,
            "kind": line.kind, "name": line.name, "period": line.period, "tier": line.tier, "unit": line.unit,
            "before_quantity": line.before_quantity, "after_quantity": line.after_quantity,
            "before_amount": line.before, "after_amount": line.after,
        }
        for one in adjustments
        for number, line in enumerate(one.lines, 1)
    ]  # fmt: skip


def adjustment_of_row(row: Any) -> Adjustment:
    """Return an adjustment with its lines."""
    lines = tuple(
        AdjustmentLine(k, name, period, tier, Decimal(b), Decimal(a), Decimal(bq), Decimal(aq), unit)
        for k, name, period, tier, b, a, bq, aq, unit in row["lines"] or ()
    )
    return Adjustment(
        row["adjustment_id"], row["agreement_id"], row["service_point_id"], row["bill_id"], row["corrected_bill_id"],
        BillSpan(row["first_day"], row["end_day"]), row["decision_id"], _cause(row), row["by_wh"], row["amount"],
        row["installments"], row["day"], row["currency"], lines, tuple(row["more_bills"]), tuple(row["more_corrected"]),
    )  # fmt: skip


def _cause(row: Any) -> Cause:
    return Cause(CauseKind(row["cause_kind"]), row["cause_key"], row["cause_words"])


def _cause_row(cause: Cause) -> dict[str, str]:
    return {"cause_kind": cause.kind.value, "cause_key": cause.key, "cause_words": cause.words}
