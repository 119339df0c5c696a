"""Which days and hours rose: against days of the same kind, and hour by hour of the wall clock."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from openami.billing.call.facts import Hourly
from openami.billing.call.record import DayRise, HourRise
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.statement.hours import joined

MOST_DAYS = 5
_SATURDAY = 5
_WORTH_WH = 100
"""An hour that differs by less than this on average is not worth a word to a caller."""


def day_rises(now: Hourly, then: Hourly, span: BillSpan, before: BillSpan) -> tuple[DayRise, ...]:
    """Return the days that rose most over the mean weekday or weekend day of the other bill, the most first."""
    usual = {kind: _mean(then.wh.sum(axis=1), _kinds(before), kind) for kind in (False, True)}
    kinds = _kinds(span)
    totals, estimated = now.wh.sum(axis=1), now.estimated_wh.sum(axis=1)
    rises = [
        DayRise(span.first + timedelta(days=n), int(totals[n]), usual[bool(kinds[n])], int(estimated[n]))
        for n in range(min(now.days, span.days))
    ]
    rises = [r for r in rises if r.wh - r.usual_wh >= _WORTH_WH]
    return tuple(sorted(rises, key=lambda r: (r.usual_wh - r.wh, r.day))[:MOST_DAYS])


def hour_rises(now: Hourly, then: Hourly) -> tuple[HourRise, ...]:
    """Return the mean energy of each hour of the day in both bills."""
    return tuple(
        HourRise(hour, round(float(a)), round(float(b)))
        for hour, (a, b) in enumerate(zip(now.by_hour, then.by_hour, strict=True))
    )


def hours_words(hours: tuple[HourRise, ...]) -> str:
    """Say which hours rose, neighbors together, and whether the lowest hours rose too: something that always runs."""
    if not hours:
        return "The intervals of both bills are not at hand, so the hours cannot be compared."
    risen = [h.hour for h in hours if h.wh - h.usual_wh >= _WORTH_WH]
    if not risen:
        return "No hour of the day rose by more than 0.1 kWh on average."
    runs: list[list[int]] = []
    for hour in risen:
        if runs and runs[-1][-1] == hour - 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    spans = [f"{r[0]:02d}:00 to {r[-1] + 1:02d}:00" for r in runs]
    words = [f"Higher from {joined(spans)}."] if len(risen) < len(hours) else ["Higher at every hour of the day."]
    low, usual_low = min(h.wh for h in hours), min(h.usual_wh for h in hours)
    if low - usual_low >= _WORTH_WH:
        rise = f"from {usual_low / 1000:.1f} to {low / 1000:.1f} kWh"
        words.append(f"Even the lowest hour rose, {rise}: something runs all the time.")
    return " ".join(words)


def _kinds(span: BillSpan) -> I64:
    """Return for each day of a bill whether it is a weekend day."""
    days = [span.first + timedelta(days=n) for n in range(span.days)]
    return np.array([_is_weekend(d) for d in days], dtype=np.int64)


def _is_weekend(day: date) -> bool:
    return day.weekday() >= _SATURDAY


def _mean(totals: I64, kinds: I64, kind: bool) -> int:  # noqa: FBT001 - one of two kinds of day
    size = min(len(totals), len(kinds))
    mine = totals[:size][kinds[:size] == int(kind)]
    chosen = mine if len(mine) else totals
    return round(float(chosen.mean())) if len(chosen) else 0
