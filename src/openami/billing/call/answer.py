"""Make the answer: pure. Every sentence is true of the two bills, and what is not known is said as that."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.bill.record import Bill, ReadingState
from openami.billing.call.difference import parts_of, split
from openami.billing.call.facts import CallFacts
from openami.billing.call.record import CallAnswer, DayRise, HourRise, Said
from openami.billing.call.rises import day_rises, hour_rises, hours_words
from openami.billing.call.weather import call_weather
from openami.billing.rating.line import LineKind
from openami.billing.statement.charges import estimated_words
from openami.billing.statement.dates import counted, day, days
from openami.billing.statement.hours import joined
from openami.billing.statement.prices import amount, number
from openami.billing.statement.reads import state_words
from openami.kernel.time import local_date, zone_named


def answer_of(facts: CallFacts) -> CallAnswer:
    """Return the answer about one bill."""
    bill, before = facts.bill, facts.before
    is_compared = before is not None and bill.total is not None and before.total is not None
    rises: tuple[DayRise, ...] = ()
    hours: tuple[HourRise, ...] = ()
    if before is not None and facts.now is not None and facts.then is not None:
        rises = day_rises(facts.now, facts.then, bill.span, before.span)
        hours = hour_rises(facts.now, facts.then)
    energy = None if facts.now is None else facts.now.wh.sum(axis=1)
    weather = call_weather(facts.weather, bill, before, energy, is_year_before=facts.is_year_before)
    return CallAnswer(
        bill_id=bill.bill_id,
        service_point_id=bill.service_point_id,
        headline=_headline(facts),
        against=_against(facts),
        parts=parts_of(bill, before) if before is not None and is_compared else (),
        said=tuple(_said(facts, " ".join(weather.said))),
        days=rises,
        hours=hours,
        hours_words=hours_words(hours),
        weather=weather,
    )


def _headline(facts: CallFacts) -> str:
    bill, before = facts.bill, facts.before
    if bill.total is None:
        return f"This bill has not gone out: {bill.hold_reason or 'it has no figures yet'}."
    total = amount(bill.total, bill.currency)
    if before is None or before.total is None:
        return f"This bill is {total} for {counted(bill.span.days, 'day')}; there is none to compare it with."
    change = bill.total - before.total
    other = "the same time last year" if facts.is_year_before else "the bill before"
    if change == 0:
        return f"This bill is {total}, as much as {other}."
    side = "more" if change > 0 else "less"
    words = f"This bill is {total}, {amount(abs(change), bill.currency)} {side} than {other}."
    return f"{words} {_mostly(bill, before, change)}"


def _mostly(bill: Bill, before: Bill, change: Decimal) -> str:
    """Name the part that weighs most in the direction of the change."""
    stretched, energy = split(bill, before)
    rest = change - stretched - energy
    sign = 1 if change > 0 else -1
    by = {"the number of days": stretched, "the electricity used a day": energy, "prices": rest}
    name = max(by, key=lambda n: sign * by[n])
    return f"Mostly it is {name}: {amount(abs(by[name]), bill.currency)} of it."


def _against(facts: CallFacts) -> str:
    before = facts.before
    if before is None:
        return "There is no earlier issued bill of this customer here."
    which = "the same days a year before" if facts.is_year_before else "the bill before it"
    total = "" if before.total is None else f", {amount(before.total, before.currency)}"
    return f"Compared with {which}: {days(before.span)} ({counted(before.span.days, 'day')}{total})."


def _said(facts: CallFacts, weather: str) -> list[Said]:
    bill = facts.bill
    said = [
        Said("Days billed", f"{days(bill.span)}, {counted(bill.span.days, 'day')}."),
        Said("Readings", state_words(bill, estimated_words(bill)) or "The bill has no readings yet."),
    ]
    before = facts.before
    if before is not None and before.reading_state is ReadingState.ESTIMATED:
        said.append(
            Said("Earlier readings", "The bill compared with was an estimated bill: part of it may be settled now.")
        )
    said += [Said("Rate", _rate(facts)), Said("Weather", weather), Said("Meter", _meter(facts))]
    demand = [f"{x.name}: {number(x.quantity)} kW" for x in bill.lines if x.kind == LineKind.DEMAND]
    if demand:
        said.append(Said("Demand", f"{'; '.join(demand)}. One hour sets it for the whole bill."))
    doubts = joined([f.replace("_", " ") for f in facts.findings])
    said.append(
        Said("Checks", f"Open findings in these days: {doubts}." if doubts else "No check of these days is open.")
    )
    return said


def _rate(facts: CallFacts) -> str:
    bill, before = facts.bill, facts.before
    if before is None or before.rate_code == bill.rate_code:
        return f"{bill.rate_name}, as before." if before is not None else f"{bill.rate_name}."
    return f"{bill.rate_name} now; {before.rate_name} then."


def _meter(facts: CallFacts) -> str:
    if facts.meter_since is None:
        return "No meter hangs here by the registry."
    since = local_date(facts.meter_since, zone_named(facts.bill.zone))
    inside = len({p.meter for p in facts.bill.reads}) > 1
    words = f"Meter {facts.serial} has hung here since {day(since)}"
    return f"{words}, within this bill: see both meters' reads." if inside else f"{words}; no exchange in this bill."
