"""When a price holds, in words: ``weekdays 15:00 to 19:00``. Local wall time on a 24-hour clock, as everywhere here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openami.billing.tariff.price import HOLIDAY, MINUTES_PER_DAY, WeekPlan
from openami.billing.tariff.season import YearDay

_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_GROUPS = {frozenset(range(5)): "weekdays", frozenset({5, 6}): "weekends", frozenset(range(7)): "every day"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
Spans = tuple[tuple[int, int], ...]
"""Minutes ``[start, end)`` of a day, apart and rising."""


def joined(parts: Sequence[str], *, last: str = "and") -> str:
    """Return parts as a list in a sentence.

    >>> joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return f" {last} ".join(p for p in (", ".join(parts[:-1]), *parts[-1:]) if p)


def clock(minute: int) -> str:
    """Return a minute of the day as the clock shows it; the day's end is 24:00.

    >>> clock(390), clock(1440)
    ('06:30', '24:00')
    """
    return f"{minute // 60:02d}:{minute % 60:02d}"


def months(chosen: Iterable[int]) -> str:
    """Return months in words, over the turn of the year where they run over it; empty for all twelve.

    >>> months({6, 7, 8, 9}), months({10, 11, 12, 1, 2, 3, 4, 5}), months({1, 7}), months(range(1, 13))
    ('June to September', 'October to May', 'January and July', '')
    """
    found = set(chosen)
    if len(found) == len(_MONTHS):
        return ""
    starts = sorted(m for m in found if (m - 2) % 12 + 1 not in found)
    runs = []
    for start in starts:
        end = start
        while end % 12 + 1 in found:
            end = end % 12 + 1
        runs.append(_MONTHS[start - 1] if start == end else f"{_MONTHS[start - 1]} to {_MONTHS[end - 1]}")
    return joined(runs)


def year_day(day: YearDay) -> str:
    """Return a day of any year.

    >>> year_day(YearDay(6, 15))
    '15 June'
    """
    return f"{day.day} {_MONTHS[day.month - 1]}"


def spans_of(week: WeekPlan, period: int) -> tuple[Spans, ...]:
    """Return the minutes of each of a week's eight days that have a price period, neighbors made one."""
    days = []
    for plan in week:
        spans: list[tuple[int, int]] = []
        for window in plan:
            if window.period != period:
                continue
            if spans and spans[-1][1] == window.start_minute:
                spans[-1] = (spans[-1][0], window.end_minute)
            else:
                spans.append((window.start_minute, window.end_minute))
        days.append(tuple(spans))
    return tuple(days)


def minutes_of(week: WeekPlan, period: int) -> int:
    """Return how many minutes of an ordinary week have a price period."""
    return sum(end - start for spans in spans_of(week, period)[:HOLIDAY] for start, end in spans)


def hours_in_words(week: WeekPlan, period: int, *, has_holidays: bool) -> str:
    """Return when a period holds: days that are alike together, holidays where the rate has some.

    Args:
        week: eight plans.
        period: index of the price period.
        has_holidays: whether the rate names holidays; without them the eighth plan never holds.

    Returns:
        Words, empty where the period never holds in this week.
    """
    spans = spans_of(week, period)
    alike: dict[Spans, list[int]] = {}
    for day, found in enumerate(spans[:HOLIDAY]):
        if found:
            alike.setdefault(found, []).append(day)
    parts = []
    for found, days in alike.items():
        named = _days(days)
        if has_holidays:
            named = _with_holidays(named, days, is_same=spans[HOLIDAY] == found)
        parts.append(_join_once(named, _spans_words(found, is_daily=len(days) == HOLIDAY)))
    if has_holidays and spans[HOLIDAY] and spans[HOLIDAY] not in alike:
        parts.append(f"holidays {_spans_words(spans[HOLIDAY], is_daily=False)}")
    return "; ".join(parts)


def _join_once(days: str, hours: str) -> str:
    return "all day, every day" if days == "every day" and hours == "all day" else f"{days} {hours}"


def _days(days: list[int]) -> str:
    return _GROUPS.get(frozenset(days)) or joined([_NAMES[d] for d in days])


def _with_holidays(named: str, days: list[int], *, is_same: bool) -> str:
    if len(days) == HOLIDAY:
        return named if is_same else f"{named} except holidays"
    if is_same:
        return f"{named} and holidays"
    # Weekends without a word on holidays are understood; a weekday that is a holiday must be named.
    return f"{named} except holidays" if any(d < HOLIDAY - 2 for d in days) else named


def _spans_words(spans: Spans, *, is_daily: bool) -> str:
    if spans == ((0, MINUTES_PER_DAY),):
        return "all day"
    runs_over = is_daily and len(spans) > 1 and spans[0][0] == 0 and spans[-1][1] == MINUTES_PER_DAY
    if runs_over:
        # Every day is alike, so the evening's end is the next morning's begin: 22:00 to 06:00.
        spans = (*spans[1:-1], (spans[-1][0], spans[0][1]))
    return joined([f"{clock(a)} to {clock(b)}" for a, b in spans])
