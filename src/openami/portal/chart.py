"""Chart data: intervals put on a full grid, gathered into hours, days or months, and run-length coded. Pure.

A gap is a bucket without a value, never a zero. The grid ends at the newest reading, or two intervals before now if
readings have stopped, so that an interval on its way is not shown as missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import Method, QualityState
from openami.kernel.time import Period, epoch_s, local_date, local_midnight
from openami.portal.ports import I64, U8, Series
from openami.portal.views.base import Quality
from openami.portal.views.usage import Resolution

MAX_DAYS: dict[Resolution, int] = {
    Resolution.QUARTER: 400,
    Resolution.HOUR: 400,
    Resolution.DAY: 1_100,
    Resolution.MONTH: 3_700,
}
"""Longest range of one answer by resolution; 13 months of quarter-hours are 38,000 values."""

QUALITY_WORDS: dict[int, Quality] = {
    QualityState.ACTUAL: Quality.ACTUAL,
    QualityState.ESTIMATED: Quality.ESTIMATED,
    QualityState.MISSING: Quality.MISSING,
    QualityState.EDITED: Quality.EDITED,
    QualityState.OUTAGE_ZERO: Quality.OUTAGE,
    QualityState.QUESTIONABLE: Quality.QUESTIONABLE,
    # Of these a customer need not know more: the reading counts.
    QualityState.VERIFIED: Quality.ACTUAL,
    QualityState.PARTIAL: Quality.ACTUAL,
    QualityState.DERIVED: Quality.ACTUAL,
    QualityState.FORECAST: Quality.ESTIMATED,
}
# A bucket shows the state that its reader should know of first, if enough of it is in that state: a month with one
# estimated quarter-hour is not an estimated month. The shares of the whole chart are given beside it.
_BY_CONCERN = (
    QualityState.OUTAGE_ZERO,
    QualityState.EDITED,
    QualityState.ESTIMATED,
    QualityState.QUESTIONABLE,
    QualityState.MISSING,
)
NOTABLE_SHARE = 0.05
_WAITS_INTERVALS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Chart columns of length n.

    Args:
        start_s: (n,) bucket starts, epoch seconds.
        end_s: end of the last bucket.
        value: (n,) sum or average.
        is_known: (n,) False where no interval of the bucket has a value.
        quality: (n,) the QualityState of most concern that a twentieth of the bucket or more is in.
        low, high: (n,) edges of the band.
        index: (m,) bucket of each grid interval.
        estimated_share: share of the energy (of the count, where there is no energy) that is estimated.
        missing_share: share of the intervals that have no value.
    """

    start_s: I64
    end_s: int
    value: I64
    is_known: npt.NDArray[np.bool_]
    quality: U8
    low: I64
    high: I64
    index: I64
    estimated_share: float
    missing_share: float


def on_grid(series: Series, period: Period, *, now_s: int) -> Series:
    """Return the series with every interval of the period to the grid's end; what is not there is MISSING."""
    step = series.interval_s
    last_end = int(series.start_s[-1]) + step if len(series.start_s) else period.start_s
    stopped = now_s - _WAITS_INTERVALS * step
    end = min(period.end_s, max(last_end, period.start_s + (stopped - period.start_s) // step * step))
    start = np.arange(period.start_s, max(end, period.start_s), step, dtype=np.int64)
    if np.array_equal(start, series.start_s):
        return series
    at = np.searchsorted(start, series.start_s)
    fits = (at < len(start)) & (start[np.minimum(at, max(len(start) - 1, 0))] == series.start_s) if len(start) else None

    def spread(column: npt.NDArray[np.generic], fill: int) -> npt.NDArray[np.generic]:
        out = np.full(len(start), fill, column.dtype)
        if fits is not None:
            out[at[fits]] = column[fits]
        return out

    return Series(
        start_s=start,
        value=spread(series.value, 0).astype(np.int64),
        quality=spread(series.quality, QualityState.MISSING).astype(np.uint8),
        low=spread(series.low, 0).astype(np.int64),
        high=spread(series.high, 0).astype(np.int64),
        preliminary=spread(series.preliminary, fill=True).astype(np.bool_),
        interval_s=step,
        method=spread(series.methods, Method.NONE).astype(np.uint8),
    )


def boundaries(first: date, last: date, zone: ZoneInfo, resolution: Resolution) -> I64:
    """Return bucket starts from first to last (both included) and the end of the last, epoch seconds."""
    end = epoch_s(local_midnight(last + timedelta(days=1), zone))
    start = epoch_s(local_midnight(first, zone))
    if resolution is Resolution.HOUR:
        starts = list(range(start, end, 3600))
    elif resolution is Resolution.DAY:
        days = range((last - first).days + 1)
        starts = [epoch_s(local_midnight(first + timedelta(days=d), zone)) for d in days]
    else:
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        starts = [max(start, epoch_s(local_midnight(date(m // 12, m % 12 + 1, 1), zone))) for m in months]
    return np.array([*starts, end], dtype=np.int64)


def gathered(series: Series, edges: I64 | None, *, is_energy: bool) -> Buckets:
    """Gather intervals into buckets.

    Args:
        series: intervals on a full grid.
        edges: (k + 1,) bucket starts and the end, or None to keep each interval its own bucket.
        is_energy: energy is summed, anything else averaged.
    """
    count = len(series.start_s)
    index = np.arange(count) if edges is None else np.searchsorted(edges, series.start_s, side="right") - 1
    starts = series.start_s if edges is None else edges[:-1]
    known = series.quality != QualityState.MISSING
    size = len(starts)
    if edges is not None and count:
        # Only buckets that hold an interval of the grid: the range may begin before a move-in and end after now.
        first, size = int(index[0]), int(index[-1]) + 1
        starts, index, size = starts[first:size], index - first, size - first
    elif not count:
        starts, size = starts[:0], 0
    # The index rises: each bucket is a run of intervals, between two places of a running sum.
    bounds = np.searchsorted(index, np.arange(size + 1))
    held = _sums(known, bounds)

    def total(column: I64) -> I64:
        if column is not series.value and np.array_equal(column, series.value):
            return value
        sums = _sums(np.where(known, column, 0), bounds)
        if is_energy or edges is None:
            return sums
        return np.where(held > 0, np.rint(sums / np.maximum(held, 1)), 0).astype(np.int64)

    value = total(series.value)
    end = int(series.start_s[-1]) + series.interval_s if count else 0
    if edges is not None and count:
        end = int(edges[np.searchsorted(edges, series.start_s[-1], side="right")])
    return Buckets(
        start_s=starts,
        end_s=end,
        value=value,
        is_known=held > 0,
        quality=_notable_states(series.quality, index, size),
        low=total(series.low),
        high=total(series.high),
        index=index,
        estimated_share=estimated_share(series),
        missing_share=float((~known).sum()) / max(1, count),
    )


def _sums(column: npt.NDArray[np.generic], bounds: I64) -> I64:
    """Return the sum of each run of a column, exactly, from the places at which runs begin and end."""
    running = np.zeros(len(column) + 1, np.int64)
    np.cumsum(column, out=running[1:])
    return running[bounds[1:]] - running[bounds[:-1]]


def _notable_states(quality: U8, index: I64, size: int) -> U8:
    """Return the (size,) state of each bucket: of most concern among those that are notable in it."""
    whole = np.bincount(index, minlength=size)
    out = np.full(size, QualityState.ACTUAL, np.uint8)
    for state in _BY_CONCERN:
        mine = quality == state
        if not mine.any():
            continue
        share = np.bincount(index[mine], minlength=size) / np.maximum(whole, 1)
        out[share >= NOTABLE_SHARE] = state
    return out


def estimated_share(series: Series) -> float:
    """Return the share of energy that is estimated, 0 to 1; of intervals where the energy is zero."""
    known = series.quality != QualityState.MISSING
    estimated = series.quality == QualityState.ESTIMATED
    energy = int(np.abs(series.value[known]).sum())
    if energy:
        return float(np.abs(series.value[estimated]).sum()) / energy
    return float(estimated.sum()) / max(1, int(known.sum()))


def run_lengths(column: npt.NDArray[np.generic]) -> list[tuple[int, int]]:
    """Return (value, count) of each run.

    >>> run_lengths(np.array([0, 0, 1, 0]))
    [(0, 2), (1, 1), (0, 1)]
    """
    if not len(column):
        return []
    edges = np.flatnonzero(column[1:] != column[:-1]) + 1
    bounds = [0, *edges.tolist(), len(column)]
    return [(int(column[a]), b - a) for a, b in pairwise(bounds)]


def quality_runs(quality: U8) -> list[tuple[Quality, int]]:
    """Return quality as (word, count) runs."""
    return [(QUALITY_WORDS[state], count) for state, count in run_lengths(quality)]


def with_gaps(value: npt.NDArray[np.generic], is_known: npt.NDArray[np.bool_]) -> list[Any]:
    """Return values as a list of plain numbers with None in the gaps."""
    out: list[Any] = value.tolist()
    for i in np.flatnonzero(~is_known).tolist():
        out[i] = None
    return out


def day_lengths_h(first: date, last: date, zone: ZoneInfo) -> tuple[list[date], list[int]]:
    """Return the local days from first to last and how many hours each has (rounded to whole hours)."""
    days = [first + timedelta(days=d) for d in range((last - first).days + 1)]
    return days, list(_lengths_h(first, last, zone))


@lru_cache(maxsize=256)
def _lengths_h(first: date, last: date, zone: ZoneInfo) -> tuple[int, ...]:
    edges = [local_midnight(first + timedelta(days=d), zone) for d in range((last - first).days + 2)]
    return tuple(round((b - a).total_seconds() / 3600) for a, b in pairwise(edges))


def local_dates(period: Period, zone: ZoneInfo) -> tuple[date, date]:
    """Return the first and last local day that the period touches."""
    return local_date(period.start, zone), local_date(period.end - timedelta(microseconds=1), zone)
