"""What rating takes in: interval energy in whole Wh, and the spans of local days that bills cover."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.rating.errors import UsageError
from openami.kernel.time import HOUR_S, Period, local_midnight

I64 = npt.NDArray[np.int64]
MAX_WH = 2**52
"""Sums of Wh stay exact in a double below 2**53; a home uses about 2**24 Wh a year."""


@dataclass(frozen=True, slots=True, order=True)
class BillSpan:
    """Local days ``[first, end)`` that one bill covers.

    Raises:
        UsageError: the span holds no day.
    """

    first: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.first:
            raise UsageError(f"a bill from {self.first} to {self.end} holds no day")

    @property
    def days(self) -> int:
        """Number of local days."""
        return (self.end - self.first).days

    @property
    def last(self) -> date:
        """The last day billed."""
        return self.end - timedelta(days=1)

    def period(self, zone: ZoneInfo) -> Period:
        """Return the span in UTC."""
        return Period(local_midnight(self.first, zone), local_midnight(self.end, zone))

    def expected_intervals(self, zone: ZoneInfo, interval_s: int) -> int:
        """Return how many intervals fill the span: 92 and 100 quarter-hour days count as they are."""
        return self.period(zone).duration_s // interval_s


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """Interval energy of one service point, in order of time, gaps allowed.

    Args:
        start_s: (n,) int64 interval starts, seconds since the epoch, rising.
        wh: (n,) int64 delivered energy, not negative.
        interval_s: length of every interval [s], 60 to 86,400.
        estimated: (n,) bool, where the value was estimated; None is nowhere.
        received_wh: (n,) int64 received energy, not negative; None is not measured.

    Raises:
        UsageError: shapes differ, starts do not rise, or energy is negative.
    """

    start_s: I64
    wh: I64
    interval_s: int
    estimated: npt.NDArray[np.bool_] | None = None
    received_wh: I64 | None = None

    def __post_init__(self) -> None:
        if not 60 <= self.interval_s <= 24 * HOUR_S:
            raise UsageError(f"intervals of {self.interval_s} s cannot be rated; 60 to 86,400 s can")
        for column in (self.wh, self.estimated, self.received_wh):
            if column is not None and column.shape != self.start_s.shape:
                raise UsageError("the columns of usage differ in length")
        if len(self.start_s) > 1 and int(np.diff(self.start_s).min()) < self.interval_s:
            index = int(np.argmin(np.diff(self.start_s))) + 1
            raise UsageError(f"interval {index} starts before the one ahead of it ends")
        for column in (self.wh, self.received_wh):
            if column is not None and len(column) and (int(column.min()) < 0 or int(column.sum()) > MAX_WH):
                index = int(np.argmin(column))
                raise UsageError(f"interval {index} holds energy that cannot be billed (negative, or beyond 2**52 Wh)")


def calendar_months(first: date, end: date) -> list[BillSpan]:
    """Return one span for each calendar month of ``[first, end)``, the outer ones cut.

    >>> [s.days for s in calendar_months(date(2026, 1, 15), date(2026, 3, 1))]
    [17, 28]
    """
    if end <= first:
        raise UsageError(f"from {first} to {end} holds no day")
    edges = [first]
    while edges[-1] < end:
        day = edges[-1]
        edges.append(min(end, date(day.year + day.month // 12, day.month % 12 + 1, 1)))
    return [BillSpan(a, b) for a, b in itertools.pairwise(edges)]
