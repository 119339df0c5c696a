"""Make the statement of a bill: pure. The same facts give the same statement, to the letter."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.bill.record import Bill, BillState
from openami.billing.statement.charges import (
    dated_rules,
    demand_words,
    estimated_words,
    groups_of,
    periods_of,
    words_in_force,
)
from openami.billing.statement.dates import counted, day, days, kwh, moment
from openami.billing.statement.facts import EndFact, ReadFact, StatementFacts
from openami.billing.statement.prices import amount, number
from openami.billing.statement.record import ReadRow, Statement
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
    reads = tuple(_read(r, bill) for r in facts.reads)
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
        due="" if facts.due is None else day(facts.due),
        headline=_headline(bill),
        marks=_marks(facts),
        state=_state(facts),
        reads=reads,
        reads_note=_reads_note(facts),
        bars=facts.days,
        chart_words=chart_words(facts.days),
        history=history,
        history_words=history_words(history),
        last_year=last_year_words(bill, facts.earlier),
        periods=periods_of(bill, words),
        demand=demand_words(words),
        fixed=(*dict.fromkeys(f for w in words for f in w.fixed), *dated_rules(words)),
        rules=tuple(dict.fromkeys(n for w in words for n in w.notes)),
        groups=groups_of(bill),
        adjustments=facts.adjustments,
        zone=bill.zone,
        made_at=bill.issued_at or bill.made_at,
    )


def _title(bill: Bill) -> str:
    return "Corrected electricity bill" if bill.supersedes is not None else "Electricity bill"


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


def _marks(facts: StatementFacts) -> tuple[str, ...]:
    bill, marks = facts.bill, list(facts.marks)
    if bill.state is BillState.SUPERSEDED:
        marks.append("A corrected bill has replaced this one")
    if bill.state is BillState.HELD:
        marks.append("This bill is held and not to be paid")
    return tuple(dict.fromkeys(marks))


def _state(facts: StatementFacts) -> str:
    bill = facts.bill
    evidence = bill.lines[0].evidence if bill.lines else {}
    estimated = estimated_words(bill, evidence)
    if bill.usage_wh is None:
        return ""
    if not estimated:
        return "Every reading of this bill was measured by the meter."
    return f"{estimated}, because readings did not arrive in time or were not plausible. The rest was measured."


def _read(read: ReadFact, bill: Bill) -> ReadRow:
    used = ""
    if read.begin.value_wh is not None and read.end.value_wh is not None:
        used = kwh(int((read.end.value_wh - read.begin.value_wh) * read.multiplier), 3)
    return ReadRow(
        read.serial, read.register, number(read.multiplier), _end(read.begin, bill), _end(read.end, bill), used
    )


def _end(end: EndFact, bill: Bill) -> tuple[str, str, str]:
    value = "not read" if end.value_wh is None else kwh(end.value_wh, 3)
    return moment(end.at, zone_named(bill.zone)), value, end.how


def _reads_note(facts: StatementFacts) -> str:
    bill = facts.bill
    if not facts.reads:
        return "No register read is kept with this bill; its energy is the sum of its intervals."
    if bill.usage_wh is None:
        return ""
    between = [
        (r.end.value_wh - r.begin.value_wh) * r.multiplier
        for r in facts.reads
        if r.begin.value_wh is not None and r.end.value_wh is not None
    ]
    if len(between) < len(facts.reads):
        return f"Billed: {kwh(bill.usage_wh, 3)}, the sum of the intervals. A register was not read at one end."
    apart = int(sum(between, Decimal(0))) - bill.usage_wh
    if apart == 0:
        return f"Billed: {kwh(bill.usage_wh, 3)}, exactly what the register counted."
    return (
        f"Billed: {kwh(bill.usage_wh, 3)}, the sum of the intervals; the registers counted {kwh(abs(apart), 3)} "
        f"{'more' if apart > 0 else 'less'}."
    )
