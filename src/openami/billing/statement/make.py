"""Make the statement of a bill: pure. The same facts give the same statement, to the letter."""

from __future__ import annotations

from openami.billing.bill.record import Bill, BillKind
from openami.billing.statement.charges import (
    dated_rules,
    demand_words,
    estimated_words,
    groups_of,
    periods_of,
    rules_of,
    words_in_force,
)
from openami.billing.statement.dates import counted, day, days, kwh
from openami.billing.statement.estimate import estimate_words
from openami.billing.statement.facts import StatementFacts
from openami.billing.statement.prices import amount
from openami.billing.statement.reads import TITLES, marks_of, read_rows, reads_note, state_words
from openami.billing.statement.record import Statement
from openami.billing.statement.usage import chart_words, history_of, history_words, last_year_words
from openami.kernel.time import local_date, zone_named


def statement_of(facts: StatementFacts) -> Statement:
    """Return a bill's statement.

    Args:
        facts: the bill with its lines, and what stands around it.
    """
    bill, schedule = facts.bill, facts.schedule
    words = words_in_force(bill, schedule)
    history = history_of(bill, facts.earlier)
    return Statement(
        bill_id=bill.bill_id,
        service_point_id=bill.service_point_id,
        title=_title(bill),
        utility="" if schedule is None else schedule.utility,
        rate_name=bill.rate_name,
        addressee=facts.addressee,
        period=days(bill.span),
        days=counted(bill.span.days, "day"),
        issued=_issued(bill),
        total="" if bill.total is None else amount(bill.total, bill.currency),
        due="" if bill.due_on is None else day(bill.due_on),
        headline=_headline(bill),
        marks=marks_of(bill, facts.marks),
        state=state_words(bill, estimated_words(bill), entered_wh=sum(b.entered_wh for b in facts.days)),
        reads=read_rows(bill),
        reads_note=reads_note(bill),
        bars=facts.days,
        chart_words=chart_words(facts.days),
        history=history,
        history_words=history_words(history),
        last_year=last_year_words(bill, facts.earlier),
        periods=periods_of(bill, words),
        demand=demand_words(words),
        fixed=(*dict.fromkeys(f for w in words for f in w.fixed), *dated_rules(words)),
        rules=rules_of(bill, words),
        groups=groups_of(bill),
        adjustments=facts.adjustments,
        zone=bill.zone,
        made_at=bill.issued_at or bill.made_at,
        estimate=estimate_words(bill, facts.estimates),
    )


def _title(bill: Bill) -> str:
    return TITLES[BillKind.CORRECTED if bill.supersedes is not None else bill.kind]


def _issued(bill: Bill) -> str:
    if bill.issued_at is None:
        return "not issued"
    return day(local_date(bill.issued_at, zone_named(bill.zone)))


def _headline(bill: Bill) -> str:
    if bill.total is None or bill.usage_wh is None:
        return f"This bill waits: {bill.hold_reason or 'it has no figures yet'}."
    used = f"{kwh(bill.usage_wh)} in {counted(bill.span.days, 'day')}"
    if bill.total < 0:
        return f"You have {amount(-bill.total, bill.currency)} to your credit for {used}."
    return f"Your electricity cost {amount(bill.total, bill.currency)}: {used}."
