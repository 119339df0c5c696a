"""Months that nobody has seen: a year's cost as a range, from the months that were.

Each unseen month is priced once with every seen month's own days lent to it, weekday for weekday and hour for hour.
The least and the most of those are its range. This says what the months seen would cost then; a season not seen may
lie outside, and whoever shows the range says so. No weather model stands behind it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.compare.outcome import RateOutcome, YearRange, priced
from openami.billing.rating.calendar import DAY_S, local_times
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

WHOLE_YEAR_DAYS = 360
"""Twelve bills of a cycle calendar hold 360 to 370 days."""
MONTH_SEEN_DAYS = 25
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Months of the year not seen, and what each rate would charge for them by month and lending month.

    Args:
        months: the unseen ones.
        totals: by rate code, (month, lender) amounts; a rate that cannot price them is absent.
    """

    months: tuple[BillSpan, ...] = ()
    totals: Mapping[str, tuple[tuple[Decimal, ...], ...]] | None = None

    def year_of(self, outcome: RateOutcome) -> YearRange | None:
        """Return the range of a rate's year; None where it cannot be told."""
        return self._range(outcome.total, self._rows(outcome)) if not outcome.refused else None

    def saving(self, present: RateOutcome, other: RateOutcome) -> YearRange | None:
        """Return the range of a year's saving: both rates on the same lent months, so that it is not too wide."""
        here, there = self._rows(present), self._rows(other)
        if here is None or there is None:
            return None
        rows = tuple(tuple(a - b for a, b in zip(x, y, strict=True)) for x, y in zip(here, there, strict=True))
        return self._range(present.total - other.total, rows)

    def _rows(self, outcome: RateOutcome) -> tuple[tuple[Decimal, ...], ...] | None:
        return () if not self.months else (self.totals or {}).get(outcome.schedule.code)

    @staticmethod
    def _range(known: Decimal, rows: tuple[tuple[Decimal, ...], ...] | None) -> YearRange | None:
        if rows is None:
            return None
        low = sum((min(r) for r in rows), known)
        return YearRange(low, sum((max(r) for r in rows), known))


def unseen_of(
    outcomes: Sequence[RateOutcome], usage: Mapping[str, Usage], used: Sequence[BillSpan], zone: ZoneInfo
) -> Unseen:
    """Return the months of a year that the used days do not hold, priced by every rate.

    Args:
        outcomes: the rates; refused ones are passed over.
        usage: what was priced, by rate code.
        used: the bills' days that were compared.
        zone: of the service point.
    """
    if not used or sum(s.days for s in used) >= WHOLE_YEAR_DAYS:
        return Unseen()
    first = min(s.first for s in used)
    missing = [m for m in _year_before(max(s.last for s in used)) if _days_in(m, used) < MONTH_SEEN_DAYS]
    # Before the first reading the prices of the year to come are the ones that matter, and the ones in force.
    months = tuple(sorted(m if m.end > first else _year_later(m) for m in missing))
    if not months:
        return Unseen()
    lent: dict[int, list[Usage]] = {}
    totals: dict[str, tuple[tuple[Decimal, ...], ...]] = {}
    for outcome in outcomes:
        own = usage[outcome.schedule.code]
        if id(own) not in lent:
            days = (_days_of(own, s, zone) for s in used)
            lent[id(own)] = [_lent(d, months, zone, own.interval_s) for d in days if d is not None]
        if outcome.refused or not lent[id(own)]:
            continue
        try:
            columns = [[b.total for b in priced(outcome.schedule, u, months, zone)] for u in lent[id(own)]]
        except TariffError:
            # A version may not reach forward that far: the year of this rate cannot be told.
            continue
        totals[outcome.schedule.code] = tuple(zip(*columns, strict=True))
    return Unseen(months, totals)


def seasons_unseen(schedule: RateSchedule, used: Sequence[BillSpan], months: Sequence[BillSpan]) -> tuple[str, ...]:
    """Return the seasons of a rate that lie in the unseen months and of which no used day is: nothing stands for them.

    Raises:
        TariffError: the rate has no version in force in one of the months.
    """
    seen = {_season(schedule, day) for s in used for day in (s.first, s.last)}
    return tuple(sorted({_season(schedule, m.first) for m in months} - seen))


def _season(schedule: RateSchedule, day: date) -> str:
    return schedule.versions[schedule.version_on(day)].season_of(day.month, day.day).name


def _year_before(last: date) -> list[BillSpan]:
    """Return the twelve calendar months that end with the month of a day."""
    number = last.year * 12 + last.month - 12
    firsts = [date(n // 12, n % 12 + 1, 1) for n in range(number, number + 13)]
    return [BillSpan(a, b) for a, b in itertools.pairwise(firsts)]


def _year_later(month: BillSpan) -> BillSpan:
    return BillSpan(month.first.replace(year=month.first.year + 1), month.end.replace(year=month.end.year + 1))


def _days_in(month: BillSpan, used: Sequence[BillSpan]) -> int:
    return sum(max(0, (min(month.end, s.end) - max(month.first, s.first)).days) for s in used)


_Days = dict[int, list[I64]]


def _days_of(usage: Usage, span: BillSpan, zone: ZoneInfo) -> _Days | None:
    """Return the span's complete days of ordinary length by weekday; None where it has none."""
    period = span.period(zone)
    low, high = np.searchsorted(usage.start_s, [period.start_s, period.end_s]).tolist()
    times = local_times(usage.start_s[low:high], zone)
    slots = DAY_S // usage.interval_s
    found: _Days = {}
    for number in np.unique(times.day):
        wh = usage.wh[low:high][times.day == number]
        if len(wh) == slots:
            weekday = (_EPOCH + timedelta(days=int(number))).weekday()
            found.setdefault(weekday, []).append(wh)
    return found or None


def _lent(days: _Days, months: Sequence[BillSpan], zone: ZoneInfo, interval_s: int) -> Usage:
    """Return usage of whole months made of lent days, in turn for each weekday."""
    every = [d for weekday in sorted(days) for d in days[weekday]]
    starts: list[I64] = []
    values: list[npt.NDArray[np.int64]] = []
    for month in months:
        period = month.period(zone)
        start = np.arange(period.start_s, period.end_s, interval_s, dtype=np.int64)
        times = local_times(start, zone)
        rows = []
        for n in range(month.days):
            day = month.first + timedelta(days=n)
            mine = days.get(day.weekday(), every)
            rows.append(mine[(day.day - 1) // 7 % len(mine)])
        table = np.stack(rows)
        starts.append(start)
        values.append(table[times.day - (month.first - _EPOCH).days, times.minute * 60 // interval_s])
    return Usage(np.concatenate(starts), np.concatenate(values), interval_s)
