"""Sums of validated intervals over hours, local days and periods, for single places and groups. Pure.

Every sum says how much of it is estimated and how much is missing: a total without that is a guess with a straight
face. Sums are integers in the channel's unit; nothing is filled in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.kernel.errors import MisuseError
from openami.kernel.time import Period
from openami.mdm.vee.grid import BOOLS, I64

HOUR_S = 3600
U8 = npt.NDArray[np.uint8]


class Grain(StrEnum):
    """What a sum spans. ``PERIOD`` is whatever periods are given: bill periods."""

    INTERVAL = "interval"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    PERIOD = "period"


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Spans of columns of a matrix: bucket b holds the columns from ``lo[b]`` up to, not including, ``hi[b]``.

    Args:
        start_s, end_s: (B,) the buckets' instants, seconds since the epoch.
        lo, hi: (B,) columns.
    """

    start_s: I64
    end_s: I64
    lo: I64
    hi: I64

    def __len__(self) -> int:
        return len(self.lo)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums of G groups over B buckets, each a (G, B) matrix.

    Args:
        total: counts of the channel's unit.
        estimated: counts of it in state ESTIMATED.
        size: sum of the values' magnitudes, and ``size_estimated`` of the estimated ones: net channels have both signs.
        intervals: intervals expected (places times columns); of them ``estimated_intervals`` and ``missing``.
    """

    total: I64
    estimated: I64
    size: I64
    size_estimated: I64
    intervals: I64
    estimated_intervals: I64
    missing: I64

    @property
    def estimated_share(self) -> npt.NDArray[np.float64]:
        """(G, B) share of the energy that is estimated, 0 to 1; of the intervals where there is no energy."""
        by_count = self.estimated_intervals / np.maximum(self.intervals, 1)
        return np.where(self.size > 0, self.size_estimated / np.maximum(self.size, 1), by_count)

    @property
    def missing_share(self) -> npt.NDArray[np.float64]:
        """(G, B) share of the intervals that have no value, 0 to 1."""
        return np.asarray(self.missing / np.maximum(self.intervals, 1))


def buckets_of(
    start_s: I64,
    day_at: I64,
    interval_s: int,
    grain: Grain,
    *,
    months: Sequence[int] = (),
    periods: Sequence[Period] = (),
) -> Buckets:
    """Return the buckets of a matrix's columns.

    Args:
        start_s: (N,) start of each column.
        day_at: (D + 1,) column at which each local day begins.
        interval_s: of a column [s].
        grain: hours count from local midnight, so a day of 23 hours has 23; months are given by day.
        months: for MONTH, the month number (year * 12 + month) of each day.
        periods: for PERIOD; columns that start in each. They may leave columns out or overlap.

    Raises:
        MisuseError: an hour is not a whole number of intervals.
    """
    if grain is Grain.PERIOD:
        lo = np.searchsorted(start_s, [p.start_s for p in periods])
        hi = np.searchsorted(start_s, [p.end_s for p in periods])
        ends = np.array([p.end_s for p in periods], np.int64)
        return Buckets(np.array([p.start_s for p in periods], np.int64), ends, lo.astype(np.int64), hi.astype(np.int64))
    edges = _edges(day_at, interval_s, grain, months)
    end_s = np.append(start_s, start_s[-1] + interval_s if len(start_s) else 0)
    return Buckets(start_s[edges[:-1]], end_s[edges[1:]], edges[:-1], edges[1:])


def _edges(day_at: I64, interval_s: int, grain: Grain, months: Sequence[int]) -> I64:
    """Return (B + 1,) columns at which buckets begin, and the number of columns."""
    if grain is Grain.DAY:
        return day_at
    if grain is Grain.INTERVAL:
        return np.arange(int(day_at[-1]) + 1, dtype=np.int64)
    if grain is Grain.MONTH:
        turns = np.flatnonzero(np.diff(np.asarray(months, np.int64), prepend=-1))
        return np.append(day_at[turns], day_at[-1])
    if HOUR_S % interval_s:
        raise MisuseError(f"intervals of {interval_s} s do not make an hour")
    step = HOUR_S // interval_s
    column = np.arange(int(day_at[-1]), dtype=np.int64)
    since_midnight = column - np.repeat(day_at[:-1], np.diff(day_at))
    return np.append(column[since_midnight % step == 0], day_at[-1])


def sums_of(values: I64, quality: U8, inside: BOOLS, group: I64, groups: int, buckets: Buckets) -> Sums:
    """Return the sums of groups of rows over buckets of columns.

    Args:
        values: (S, N) counts; 0 where missing.
        quality: (S, N) states.
        inside: (S, N) whether the row belongs to its group in that column: a place may change its transformer.
        group: (S,) group of each row, 0 to ``groups - 1``.
        groups: G.
        buckets: of the columns.
    """
    magnitude = np.abs(values)
    is_estimated = quality == QualityState.ESTIMATED

    def summed(matrix: npt.NDArray[np.generic]) -> I64:
        running = np.zeros((matrix.shape[0], matrix.shape[1] + 1), np.int64)
        np.cumsum(np.where(inside, matrix, 0), axis=1, dtype=np.int64, out=running[:, 1:])
        found = np.zeros((groups, len(buckets)), np.int64)
        np.add.at(found, group, running[:, buckets.hi] - running[:, buckets.lo])
        return found

    return Sums(
        total=summed(values),
        estimated=summed(np.where(is_estimated, values, 0)),
        size=summed(magnitude),
        size_estimated=summed(np.where(is_estimated, magnitude, 0)),
        intervals=summed(np.ones(values.shape, bool)),
        estimated_intervals=summed(is_estimated),
        missing=summed(quality == QualityState.MISSING),
    )
