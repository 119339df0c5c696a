"""What a customer is told of an estimated bill: why, how, how many in a row, what they can do, and what comes next.

Pure. The same sentences stand on the bill's page, on its PDF and in the notice among the bills; what the jurisdiction
says of it (limit, days, whether a notice is due) is its dated rule of the bill's last day. A notice is no second
record: it is given with the bill, which is never altered, and its state follows from the bills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from openami.billing.bill.record import Bill, BillState, ReadingState
from openami.billing.jurisdiction import EstimateCause, EstimateRule, Jurisdiction
from openami.billing.statement.dates import day, kwh
from openami.kernel.time import local_date, zone_named

_WHY = {
    EstimateCause.NO_COMMUNICATION: "your meter could not be reached over the network",
    EstimateCause.NO_ACCESS: "nobody could get to your meter to read it",
    EstimateCause.METER_FAILED: "your meter had failed",
    EstimateCause.WEATHER: "the weather kept us from reading your meter",
    EstimateCause.OTHER: "your meter could not be read",
}
_STAMP = "estimated: "


class NoticeState(StrEnum):
    """How a notice stands."""

    ASKS = "asks"
    """The customer's own read would still take the estimate's place by the day named."""
    PASSED = "passed"
    """That day is over; the next actual read settles it."""
    SETTLED = "settled"
    """A corrected bill stands on actual reads."""


@dataclass(frozen=True, slots=True)
class EstimateNotice:
    """What was told of one estimated bill.

    Args:
        bill_id: the bill.
        given_on: local day on which it went out, and the notice with it.
        title: what it is about.
        words: sentences.
        read_until: last day on which the customer's own read is asked for.
        is_limit_near: whether it warns that few more may follow.
        state: how it stands.
    """

    bill_id: UUID
    given_on: date
    title: str
    words: tuple[str, ...]
    read_until: date
    is_limit_near: bool
    state: NoticeState


def estimate_words(bill: Bill, rule: EstimateRule | None) -> tuple[str, ...]:
    """Return the sentences of an estimated bill; none for any other, or where the rule is not known."""
    if rule is None or not bill.estimates_in_a_row or bill.issued_at is None:
        return ()
    words = [f"This bill is estimated because {_why(bill)}.", _how(bill), _row(bill, rule)]
    if rule.needs_notice:
        words.append(
            "You can read your meter yourself: send us what it shows, on the page of your bills, by "
            f"{day(read_until(bill, rule))}. Your own read takes the place of the estimate."
        )
    words.append(
        "The next actual read settles every period since the last one, each at the prices of its own days. What you "
        "paid too much is given back; what is missing is added, in parts and without interest where it is much."
    )
    return tuple(words)


def notices_of(bills: Sequence[Bill], rules: Jurisdiction, today: date) -> list[EstimateNotice]:
    """Return the notices given with a customer's bills, newest first.

    Args:
        bills: of one customer at one place, those that were replaced too, in any order.
        rules: of the jurisdiction.
        today: local day on which somebody looks.
    """
    replaced_by = {b.supersedes: b for b in bills if b.supersedes is not None}
    found = []
    for bill in sorted(bills, key=lambda b: (b.span.first, b.version), reverse=True):
        rule = rules.on(bill.span.last).estimate
        words = estimate_words(bill, rule)
        if words and rule.needs_notice and bill.issued_at is not None:
            given = local_date(bill.issued_at, zone_named(bill.zone))
            until = read_until(bill, rule)
            is_near = bill.estimates_in_a_row >= rule.warn_at
            state = _state(bill, replaced_by, until, today)
            found.append(EstimateNotice(bill.bill_id, given, _title(bill), words, until, is_near, state))
    return found


def read_until(bill: Bill, rule: EstimateRule) -> date:
    """Return the last day on which the customer's own read of a bill is asked for."""
    issued = bill.issued_at or bill.made_at
    return local_date(issued, zone_named(bill.zone)) + timedelta(days=rule.read_days)


def _state(bill: Bill, replaced_by: dict[UUID, Bill], until: date, today: date) -> NoticeState:
    last = bill
    while last.state is BillState.SUPERSEDED and last.bill_id in replaced_by:
        last = replaced_by[last.bill_id]
    if last is not bill and last.reading_state is not ReadingState.ESTIMATED:
        return NoticeState.SETTLED
    return NoticeState.ASKS if today <= until else NoticeState.PASSED


def _title(bill: Bill) -> str:
    row = bill.estimates_in_a_row
    return "Estimated bill" if row == 1 else f"Estimated bill, the {_ordinal(row)} in a row"


def _why(bill: Bill) -> str:
    told = next((s.removeprefix(_STAMP) for s in bill.stamps if s.startswith(_STAMP)), "")
    known = {c.value: c for c in EstimateCause}
    return _WHY[known.get(told, EstimateCause.OTHER)]


def _how(bill: Bill) -> str:
    if not any(bill.day_versions):
        return (
            "The read at its end was estimated from actual reads of your meter before: from the same season a year ago "
            "at this year's level, or, where that is not known, from the last period."
        )
    guessed = bill.estimated_wh or 0
    if not guessed:
        return "The read at its end was estimated from the quarter-hours that your meter recorded."
    return (
        f"The read at its end was estimated from the quarter-hours: {kwh(guessed)} of them from days like these, "
        "the rest was measured."
    )


def _row(bill: Bill, rule: EstimateRule) -> str:
    row, most = bill.estimates_in_a_row, rule.most_in_a_row
    if row >= most:
        return f"It is the {_ordinal(row)} in a row; no more than {most} may be. The next bill needs an actual read."
    first = "It is the first one in a row" if row == 1 else f"It is the {_ordinal(row)} in a row"
    if row >= rule.warn_at:
        return f"{first}; no more than {most} may be, so we need a read soon."
    return f"{first}; no more than {most} may be."


def _ordinal(number: int) -> str:
    """Return a number as a place in a row.

    >>> [_ordinal(n) for n in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
