"""The pictures of a statement in numbers and in words: its days, earlier bills, the same days a year before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from openami.billing.bill.record import Bill, BillState
from openami.billing.statement.dates import counted, day, kwh, month
from openami.billing.statement.record import BillBar, DayBar

MOST_BILLS = 13
_NEAR_DAYS = 16
"""Bills of two years are compared if they begin so near the same date: bill groups shift by some days."""
_ALIKE = 0.02


def daily_wh(bill: Bill) -> int | None:
    """Return a bill's energy a day; None where it has none yet."""
    return None if bill.usage_wh is None else bill.usage_wh // bill.span.days


def year_before(bill: Bill, earlier: Sequence[Bill]) -> Bill | None:
    """Return the issued bill of the same days a year before, if the place had one."""
    wanted = bill.span.first - timedelta(days=365)
    near = [b for b in earlier if _counts(b) and abs((b.span.first - wanted).days) <= _NEAR_DAYS]
    return min(near, key=lambda b: (abs((b.span.first - wanted).days), -b.version), default=None)


def last_year_words(bill: Bill, earlier: Sequence[Bill]) -> str:
    """Compare a bill with the one of a year before, day for day, so that longer bills do not look dearer."""
    now, before = daily_wh(bill), year_before(bill, earlier)
    if now is None:
        return ""
    then = None if before is None else daily_wh(before)
    if before is None or then is None:
        return "There is no bill of these days a year ago to compare with."
    base = f"In the {counted(before.span.days, 'day')} from {day(before.span.first)} it was {kwh(then)} a day"
    if then == 0:
        return f"You used {kwh(now)} a day. {base}."
    change = now / then - 1
    if abs(change) < _ALIKE:
        return f"You used {kwh(now)} a day, about as much as a year ago. {base}."
    return f"You used {kwh(now)} a day, {abs(change):.0%}".replace("%", " %") + (
        f" {'more' if change > 0 else 'less'} than a year ago. {base}."
    )


def history_of(bill: Bill, earlier: Sequence[Bill]) -> tuple[BillBar, ...]:
    """Return this bill and the newest version of earlier ones, oldest first, at most thirteen."""
    before = year_before(bill, earlier)
    newest: dict[object, Bill] = {}
    for one in (bill, *earlier):
        if _counts(one) and one.span.first <= bill.span.first:
            kept = newest.get(one.span.first)
            if kept is None or (one.version > kept.version and kept is not bill):
                newest[one.span.first] = one
    chosen = sorted(newest.values(), key=lambda b: b.span.first)[-MOST_BILLS:]
    return tuple(
        BillBar(label, daily_wh(b) or 0, b is bill, before is not None and b.bill_id == before.bill_id)
        for b, label in zip(chosen, _labels(chosen), strict=True)
    )


def _labels(bills: Sequence[Bill]) -> list[str]:
    """Return the month of each bill; of two in one month, the day that each begins on.

    A first bill up to a read day early in a month shares it with the whole one after it.
    """
    months = [month(b.span) for b in bills]
    return [
        one if months.count(one) == 1 else day(b.span.first).partition(" ")[2]
        for b, one in zip(bills, months, strict=True)
    ]


def history_words(bars: Sequence[BillBar]) -> str:
    """Say the history in words."""
    if len(bars) < 2:
        return "This is the first bill here."
    parts = [f"{b.label} {kwh(b.wh_per_day)}" for b in bars]
    return f"Electricity a day in the last {len(bars)} bills: {', '.join(parts)}."


def chart_words(bars: Sequence[DayBar]) -> str:
    """Say the days in words: the most, the least, and what was estimated or is missing."""
    if not bars:
        return "The days of this bill are not at hand."
    most, least = max(bars, key=lambda b: b.wh), min(bars, key=lambda b: b.wh)
    high, low = (f"on {day(b.day)} with {kwh(b.wh)}" for b in (most, least))
    words = [f"Electricity by day: most {high}, least {low}."]
    estimated = sum(b.estimated_wh > 0 for b in bars)
    if estimated:
        words.append(f"{counted(estimated, 'day')} partly estimated.")
    missing = sum(b.is_missing for b in bars)
    if missing:
        words.append(f"{counted(missing, 'day')} without all readings.")
    return " ".join(words)


def _counts(bill: Bill) -> bool:
    return bill.state is not BillState.HELD and bill.usage_wh is not None
