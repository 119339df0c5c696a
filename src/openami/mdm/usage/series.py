"""One channel of one service point as columns: validated days, then the raw tail marked preliminary. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import Method, QualityState, RawQuality
from openami.kernel.time import Period, instant_from_epoch_s, local_date
from openami.mdm.vee.grid import BOOLS, I64, grid_of

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class IntervalSeries:
    """Intervals of one channel, by start. All columns have one length n.

    Args:
        service_point_id: where.
        channel: what; its table gives unit and power of ten of a count.
        interval_s: length of an interval [s].
        start_s: (n,) int64 start, seconds since the epoch.
        value: (n,) int64 counts; 0 where the state is MISSING.
        quality: (n,) uint8 :class:`~openami.contracts.quality.QualityState`.
        method: (n,) uint8 :class:`~openami.contracts.quality.Method`.
        low, high: (n,) int64 uncertainty band; equal to the value where it was measured.
        preliminary: (n,) bool, True where no validated day is there yet and the value is raw.
    """

    service_point_id: UUID
    channel: Channel
    interval_s: int
    start_s: I64
    value: I64
    quality: U8
    method: U8
    low: I64
    high: I64
    preliminary: BOOLS

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def estimated_share(self) -> float:
        """Share of the energy that is estimated, 0 to 1; of the intervals where there is no energy."""
        return estimated_share(self.value, self.quality)


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """Usage of a local day or month.

    Args:
        first, last: calendar days, both included.
        total: counts.
        intervals, estimated, missing: numbers of intervals; estimated and missing are part of intervals.
        estimated_total: counts that are estimated.
    """

    first: date
    last: date
    total: int
    intervals: int
    estimated: int
    missing: int
    estimated_total: int


def estimated_share(value: I64, quality: U8) -> float:
    """Return the share of energy in state ESTIMATED, 0 to 1; of the intervals where there is no energy.

    >>> estimated_share(np.array([3, 1]), np.array([0, 1], np.uint8))
    0.25
    """
    mask = quality == QualityState.ESTIMATED
    total = int(np.abs(value).sum())
    if total:
        return float(np.abs(value[mask]).sum()) / total
    return float(np.count_nonzero(mask)) / max(len(mask), 1)


def series_of_days(days: DayTable, *, service_point_id: UUID, channel: Channel, interval_s: int) -> IntervalSeries:
    """Return one service point's day rows as one series, by start.

    Rows of another interval length than the first one's are left out: a series has one length.
    """
    order = np.argsort(days.local_day, kind="stable")
    if len(order):
        interval_s = int(days.interval_s[order[0]])
    order = order[days.interval_s[order] == interval_s]
    lengths = np.diff(days.offsets)[order]
    # Of each interval the day's row, its place within the day, and its place in the columns of all days.
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    start_s = np.repeat(days.start_utc[order], lengths) + interval_s * within
    is_whole = len(order) == len(days) and bool((order[1:] > order[:-1]).all())
    cells = slice(None) if is_whole else np.repeat(days.offsets[:-1][order], lengths) + within
    return IntervalSeries(
        service_point_id=service_point_id,
        channel=channel,
        interval_s=interval_s,
        start_s=start_s,
        value=days.values[cells].astype(np.int64, copy=False),
        quality=days.quality[cells].astype(np.uint8, copy=False),
        method=days.method[cells].astype(np.uint8, copy=False),
        low=days.band_low[cells].astype(np.int64, copy=False),
        high=days.band_high[cells].astype(np.int64, copy=False),
        preliminary=np.zeros(len(start_s), bool),
    )


def raw_tail(series: IntervalSeries, *, start_s: I64, value: I64, flags: npt.NDArray[np.uint16]) -> IntervalSeries:
    """Return raw readings, by start, as a preliminary series of the same place and channel."""
    count = len(start_s)
    quality = np.full(count, QualityState.ACTUAL, np.uint8)
    zero = ((flags & RawQuality.POWER_DOWN) != 0) & (value == 0)
    quality[(flags & RawQuality.ESTIMATED_AT_SOURCE) != 0] = QualityState.ESTIMATED
    quality[zero] = QualityState.OUTAGE_ZERO
    return IntervalSeries(
        service_point_id=series.service_point_id,
        channel=series.channel,
        interval_s=series.interval_s,
        start_s=start_s,
        value=value,
        quality=quality,
        method=np.full(count, Method.MEASURED, np.uint8),
        low=value,
        high=value,
        preliminary=np.ones(count, bool),
    )


def joined_series(first: IntervalSeries, second: IntervalSeries) -> IntervalSeries:
    """Return both series as one, by start; of equal starts the first series' interval stays."""
    fresh = ~np.isin(second.start_s, first.start_s)
    start = np.concatenate([first.start_s, second.start_s[fresh]])
    order = np.argsort(start, kind="stable")

    def column(name: str) -> npt.NDArray[np.generic]:
        return np.asarray(np.concatenate([getattr(first, name), getattr(second, name)[fresh]])[order])

    return IntervalSeries(
        service_point_id=first.service_point_id,
        channel=first.channel,
        interval_s=first.interval_s,
        start_s=start[order],
        value=column("value").astype(np.int64),
        quality=column("quality").astype(np.uint8),
        method=column("method").astype(np.uint8),
        low=column("low").astype(np.int64),
        high=column("high").astype(np.int64),
        preliminary=column("preliminary").astype(np.bool_),
    )


def owned_series(series: IntervalSeries, periods: Sequence[Period]) -> IntervalSeries:
    """Return the intervals that lie wholly in one of the periods: one that straddles a move belongs to neither side."""
    inside = np.zeros(len(series.start_s), bool)
    for period in periods:
        inside |= (series.start_s >= period.start_s) & (series.start_s + series.interval_s <= period.end_s)
    if inside.all():
        return series
    columns = ("start_s", "value", "quality", "method", "low", "high", "preliminary")
    return replace(series, **{name: getattr(series, name)[inside] for name in columns})


def cut_series(series: IntervalSeries, period: Period) -> IntervalSeries:
    """Return the intervals that start in the period."""
    lo, hi = np.searchsorted(series.start_s, [period.start_s, period.end_s])
    span = slice(int(lo), int(hi))
    return IntervalSeries(
        service_point_id=series.service_point_id,
        channel=series.channel,
        interval_s=series.interval_s,
        start_s=series.start_s[span],
        value=series.value[span],
        quality=series.quality[span],
        method=series.method[span],
        low=series.low[span],
        high=series.high[span],
        preliminary=series.preliminary[span],
    )


def monthly_totals(series: IntervalSeries, zone: ZoneInfo) -> list[UsageTotal]:
    """Return totals by calendar month of the zone, for the days that the series holds."""
    return _totals(series, zone, by_month=True)


def daily_totals(series: IntervalSeries, zone: ZoneInfo) -> list[UsageTotal]:
    """Return totals by local day."""
    return _totals(series, zone, by_month=False)


def _totals(series: IntervalSeries, zone: ZoneInfo, *, by_month: bool) -> list[UsageTotal]:
    if not len(series):
        return []
    first = local_date(instant_from_epoch_s(int(series.start_s[0])), zone)
    last = local_date(instant_from_epoch_s(int(series.start_s[-1])), zone)
    grid = grid_of(zone, first, last, series.interval_s)
    day_of = grid.day_of[grid.floor_column(series.start_s)]
    keys = [(d.year, d.month, 0 if by_month else d.day) for d in map(grid.day, day_of.tolist())]
    totals = []
    begin = 0
    for end in range(1, len(keys) + 1):
        if end < len(keys) and keys[end] == keys[begin]:
            continue
        value, quality = series.value[begin:end], series.quality[begin:end]
        estimated = quality == QualityState.ESTIMATED
        totals.append(
            UsageTotal(
                first=grid.day(int(day_of[begin])),
                last=grid.day(int(day_of[end - 1])),
                total=int(value.sum()),
                intervals=end - begin,
                estimated=int(np.count_nonzero(estimated)),
                missing=int(np.count_nonzero(quality == QualityState.MISSING)),
                estimated_total=int(value[estimated].sum()),
            )
        )
        begin = end
    return totals
