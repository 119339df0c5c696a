"""How much a place uses by day, from reads alone: the last period, and the same season a year ago. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from openami.mdm.hand_reads.read import PastRead, Register

YEAR = timedelta(days=365)
SEASON = timedelta(days=20)
"""How far the middle of a period may lie from that of a year ago."""
MIN_PERIOD = timedelta(days=7)
"""A shorter period says little of a day."""
LEVEL_BOUNDS = (0.5, 2.0)
"""This year's level against last year's moves an estimate no farther than that."""


@dataclass(frozen=True, slots=True)
class Span:
    """Use between two actual reads.

    Args:
        start, end: of the reads.
        counts: between them, through a rollover.
    """

    start: datetime
    end: datetime
    counts: int

    @property
    def days(self) -> float:
        """Length [days]."""
        return (self.end - self.start) / timedelta(days=1)

    @property
    def per_day(self) -> float:
        """Counts a day."""
        return self.counts / self.days

    @property
    def middle(self) -> datetime:
        """The instant half way."""
        return self.start + (self.end - self.start) / 2


def advance(earlier: int, later: int, hours: float, register: Register) -> int | None:
    """Return the counts between two reads; None where the register cannot have gone so.

    A register that shows less has rolled over, if it can have come that far in the time and that is less than half its
    way round: one that shows a little less after a long time was read or guessed wrongly, and did not go all the way.
    """
    counts, most = later - earlier, register.limit_per_hour * hours + register.resolution
    if counts < 0 and register.capacity is not None:
        counts, most = counts + register.capacity, min(most, register.capacity // 2)
    return counts if 0 <= counts <= most else None


def spans(reads: Sequence[PastRead], register: Register) -> list[Span]:
    """Return the periods between consecutive actual reads, by start, but those that cannot have been."""
    actual = sorted((r for r in reads if not r.is_estimate), key=lambda r: r.at)
    found = []
    for a, b in pairwise(actual):
        if b.at - a.at < MIN_PERIOD:
            continue
        counts = advance(a.value, b.value, (b.at - a.at) / timedelta(hours=1), register)
        if counts is not None:
            found.append(Span(a.at, b.at, counts))
    return found


@dataclass(frozen=True, slots=True)
class Levels:
    """Counts a day to compare a period with; None where there is no such period.

    Args:
        last: of the last period before it.
        last_year: of the period nearest to a year ago.
        expected: what it is expected to be: last year's, at this year's level; else the last period's.
    """

    last: float | None
    last_year: float | None
    expected: float | None


def levels(reads: Sequence[PastRead], register: Register, *, start: datetime, end: datetime) -> Levels:
    """Return what is known to compare the period from start to end with."""
    known = [s for s in spans(reads, register) if s.end <= start]
    if not known:
        return Levels(None, None, None)
    last, middle = known[-1], start + (end - start) / 2
    same = _nearest(known, middle - YEAR)
    if same is None:
        return Levels(last.per_day, None, last.per_day)
    # How this year has gone against last year, where the last period has a sibling too.
    before = _nearest(known, last.middle - YEAR)
    low, high = LEVEL_BOUNDS
    ratio = min(max(last.per_day / before.per_day, low), high) if before is not None and before.counts > 0 else 1.0
    return Levels(last.per_day, same.per_day, same.per_day * ratio)


def _nearest(known: Sequence[Span], middle: datetime) -> Span | None:
    near = [s for s in known if abs(s.middle - middle) <= SEASON]
    return min(near, key=lambda s: abs(s.middle - middle)) if near else None
