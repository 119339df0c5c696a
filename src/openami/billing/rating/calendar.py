"""Local wall time of many instants at once, and the price period that each falls in.

The period index depends only on rate, zone and range, so it is made once and used for every service point.
Minutes are of the wall clock: on the autumn day one hour of minutes comes twice, on the spring day one is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.rating.event import KEY_STRIDE, during_events
from openami.billing.rating.memo import Memo
from openami.billing.rating.terms import NO_TERMS, BillTerms, terms_of_each
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import HOLIDAY, MINUTES_PER_DAY, WeekPlan
from openami.billing.tariff.proration import PriceChange
from openami.billing.tariff.season import SeasonRule
from openami.kernel.time import instant_from_epoch_s

__all__ = ["KEY_STRIDE", "DayRate", "LocalTimes", "day_rates", "local_times", "minute_keys", "price_keys"]

DAY_S = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class LocalTimes:
    """Wall time of instants: days since 1970-01-01, minute of the day, and offset from UTC [s]; all (n,)."""

    day: I64
    minute: I64
    offset_s: I64


def local_times(start_s: I64, zone: ZoneInfo) -> LocalTimes:
    """Return the wall time of each instant, exactly as ``datetime.astimezone`` gives it."""
    offset = _offsets(start_s, zone)
    local = start_s + offset
    return LocalTimes(local // DAY_S, local % DAY_S // 60, offset)


@lru_cache(maxsize=1 << 16)
def _offset_at(second: int, zone: ZoneInfo) -> int:
    shift = datetime.astimezone(instant_from_epoch_s(second), zone).utcoffset()
    return 0 if shift is None else int(shift.total_seconds())


def _offsets(start_s: I64, zone: ZoneInfo) -> I64:
    """Offsets change at few instants: find those by halving each day at whose ends the offset differs."""
    if not len(start_s):
        return np.zeros(0, np.int64)
    low, high = int(start_s.min()), int(start_s.max())
    edges, values = [low], [_offset_at(low, zone)]
    for day_start in range(low, high, DAY_S):
        day_end = min(day_start + DAY_S, high)
        after = _offset_at(day_end, zone)
        if after != values[-1]:
            before_s, after_s = day_start, day_end
            while after_s - before_s > 1:
                middle = (before_s + after_s) // 2
                if _offset_at(middle, zone) == values[-1]:
                    before_s = middle
                else:
                    after_s = middle
            edges.append(after_s)
            values.append(after)
    found = np.searchsorted(np.array(edges), start_s, side="right") - 1
    return np.array(values, dtype=np.int64)[found]


@dataclass(frozen=True, slots=True, eq=False)
class _Keyed:
    """Price keys of some intervals, and the intervals' starts."""

    start_s: I64
    bill: I64
    key: I64


@dataclass(frozen=True, slots=True)
class DayRate:
    """How one local day is priced: which version, which of its seasons, and which of a week's eight plans."""

    version: int
    season: int
    kind: int


def version_for(schedule: RateSchedule, span: BillSpan, day: date) -> int:
    """Return the index of the version that prices a day of a bill.

    Raises:
        TariffError: none is in force.
    """
    last = schedule.find_version(span.last)
    if last is not None and schedule.versions[last].price_change is PriceChange.BY_BILL:
        return last
    return schedule.version_on(day)


_RATES: Memo[tuple[DayRate, ...]] = Memo(4096)
_TABLES: Memo[I32] = Memo(64)
_KEYS: Memo[_Keyed] = Memo(16)
"""Months of twelve rates and 21 bill groups; tables of 0.2 MB, and a year's keys of 0.8 MB, for a few rates at work."""


def day_rates(schedule: RateSchedule, span: BillSpan, terms: BillTerms = NO_TERMS) -> list[DayRate]:
    """Return how each day of a bill is priced.

    Raises:
        TariffError: a day has no version in force.
    """
    month = terms.month_of(span)
    return list(_RATES.of(schedule, (span, month), lambda: tuple(_day_rates(schedule, span, month))))


def _day_rates(schedule: RateSchedule, span: BillSpan, month: int) -> list[DayRate]:
    found = []
    holidays = [v.holidays.between(span.first, span.last) for v in schedule.versions]
    for ordinal in range(span.first.toordinal(), span.end.toordinal()):
        day = date.fromordinal(ordinal)
        index = version_for(schedule, span, day)
        tariff = schedule.versions[index]
        if tariff.season_rule is SeasonRule.BILLING_MONTH:
            season = tariff.season_index(month)
        else:
            season = tariff.season_index(day.month, day.day)
        found.append(DayRate(index, season, HOLIDAY if day in holidays[index] else day.weekday()))
    return found


def week_of(tariff: Tariff, season_index: int, charge: int | None) -> WeekPlan:
    """Return the weekly plan of energy prices (``charge`` None) or of a demand charge in a season."""
    season = tariff.seasons[season_index]
    return season.energy if charge is None else season.demand[charge]


def minute_keys(schedule: RateSchedule, rates: list[DayRate], charge: int | None) -> I32:
    """Return the price key of every minute of every day: (days, 1440) int32; -1 where a version lacks the charge."""
    return _TABLES.of(schedule, (tuple(rates), charge), lambda: _minute_keys(schedule, rates, charge))


def _minute_keys(schedule: RateSchedule, rates: list[DayRate], charge: int | None) -> I32:
    cache: dict[DayRate, I32] = {}
    for rate in set(rates):
        row = np.full(MINUTES_PER_DAY, -1, np.int32)
        tariff = schedule.versions[rate.version]
        if charge is None or charge < len(tariff.demand):
            for window in week_of(tariff, rate.season, charge)[rate.kind]:
                row[window.start_minute : window.end_minute] = rate.version * KEY_STRIDE + window.period
        cache[rate] = row
    table = np.stack([cache[r] for r in rates])
    table.flags.writeable = False
    return table


def price_keys(
    schedule: RateSchedule,
    start_s: I64,
    interval_s: int,
    spans: list[BillSpan],
    zone: ZoneInfo,
    terms: BillTerms | Sequence[BillTerms] = NO_TERMS,
) -> tuple[I64, I64]:
    """Return for each interval the bill it belongs to (-1: none) and its price key; both (n,) int64.

    Raises:
        TariffError: an interval crosses the edge of a price period, so its energy cannot be split exactly.
    """
    each = terms_of_each(terms, spans)
    months = tuple((own.month_of(span), own.events) for span, own in zip(spans, each, strict=True))
    edges = (int(start_s[0]), int(start_s[-1])) if len(start_s) else (0, 0)
    key = (len(start_s), edges, interval_s, tuple(spans), zone.key, months)
    # Whoever's intervals they are: two homes of one grid and calendar have the same keys.
    found = _KEYS.of(
        schedule, key, lambda: _price_keys(schedule, start_s, interval_s, spans, zone, each),
        holds=lambda kept: np.array_equal(kept.start_s, start_s),
    )  # fmt: skip
    return found.bill, found.key


def _price_keys(
    schedule: RateSchedule,
    start_s: I64,
    interval_s: int,
    spans: list[BillSpan],
    zone: ZoneInfo,
    terms: Sequence[BillTerms],
) -> _Keyed:
    bill = np.full(len(start_s), -1, np.int64)
    key = np.full(len(start_s), -1, np.int64)
    times = local_times(start_s, zone)
    ends = local_times(start_s + (interval_s - 1), zone)
    for index, (span, own) in enumerate(zip(spans, terms, strict=True)):
        first = span.first.toordinal() - _EPOCH_ORDINAL
        table = minute_keys(schedule, day_rates(schedule, span, own), None)
        inside = np.flatnonzero((times.day >= first) & (times.day < first + span.days))
        found = table[times.day[inside] - first, times.minute[inside]].astype(np.int64)
        # Minutes of one price in a row are one run: both ends of an interval must lie in the same.
        run = np.cumsum(np.diff(table.ravel(), prepend=table[0, 0]) != 0).reshape(table.shape)
        last_day = np.minimum(ends.day[inside] - first, span.days - 1)
        at_end = run[last_day, ends.minute[inside]]
        same_bill = ends.day[inside] - first < span.days
        crossing = np.flatnonzero((run[times.day[inside] - first, times.minute[inside]] != at_end) & same_bill)
        if len(crossing):
            where = instant_from_epoch_s(int(start_s[inside[crossing[0]]])).isoformat()
            raise TariffError(
                f"{schedule.code}.seasons", f"the interval of {interval_s} s at {where} crosses a price period's edge"
            )
        bill[inside] = index
        key[inside] = during_events(schedule, own.events, start_s[inside], interval_s, found)
    bill.flags.writeable = key.flags.writeable = False
    return _Keyed(start_s.copy(), bill, key)
