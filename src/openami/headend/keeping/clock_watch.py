"""Meter clocks against ours: how far off, in which band, and what is done about it.

A push says what its meter's clock showed when it was sent; its collector says when it came. The difference is the
clock's error less the time on the way, which is never negative: of many frames the largest difference is nearest the
truth. Before anything is done, the clock is read, where question and answer bound the error.

Source: IEC 62056-6-2, class 8; ours: a clock that is off by more than five minutes is not set by a machine alone: the
command process asks for an approval (requirement R3.6), because setting it may repeat or skip intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
UNKNOWN_S = -(2**40)
"""No frame has told yet."""


class Band(StrEnum):
    """How far a clock is off."""

    UNKNOWN = "unknown"
    OK = "ok"
    WATCH = "watch"
    SET = "set"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """Edges of the bands [s], each included in the band below.

    Args:
        ok_s: nothing is done.
        watch_s: noted.
        set_s: set by the head-end; beyond that a person decides.
    """

    ok_s: float = 10.0
    watch_s: float = 60.0
    set_s: float = 300.0

    def band(self, error_s: float) -> Band:
        """Return the band of an error: what the clock shows too much [s].

        >>> [ClockPolicy().band(e).value for e in (-10, 10.5, -61, 301, UNKNOWN_S)]
        ['ok', 'watch', 'set', 'hold', 'unknown']
        """
        if error_s <= UNKNOWN_S:
            return Band.UNKNOWN
        off = abs(error_s)
        if off <= self.ok_s:
            return Band.OK
        if off <= self.watch_s:
            return Band.WATCH
        return Band.SET if off <= self.set_s else Band.HOLD


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A clock that was read in a session.

    Args:
        shown_s: what it showed, seconds since the epoch.
        asked_at_s, answered_at_s: when the question left and the answer came.
    """

    shown_s: float
    asked_at_s: float
    answered_at_s: float

    @property
    def error_s(self) -> float:
        """What it shows too much [s], supposing that both ways took as long."""
        return self.shown_s - (self.asked_at_s + self.answered_at_s) / 2

    @property
    def doubt_s(self) -> float:
        """How wrong that may be, either way [s]."""
        return (self.answered_at_s - self.asked_at_s) / 2


def should_set(reading: ClockReading, policy: ClockPolicy) -> bool:
    """Tell whether to set a clock: it is in the band for it, and surely off, whatever the way took."""
    return policy.band(reading.error_s) is Band.SET and abs(reading.error_s) - reading.doubt_s > policy.ok_s


@dataclass(slots=True, eq=False)
class ClockErrors:
    """What frames say of clocks: the largest difference of a UTC day and of the one before. Columns of one length n.

    Args:
        today_s, before_s: (n,) largest difference of day ``day`` and of the last day before; :data:`UNKNOWN_S`.
        day: (n,) the UTC day of ``today_s``.
    """

    today_s: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    before_s: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    day: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def grow(self, meters: int) -> None:
        """Make room for that many meters."""
        more = meters - len(self.day)
        if more > 0:
            for name, value in (("today_s", UNKNOWN_S), ("before_s", UNKNOWN_S), ("day", -1)):
                setattr(self, name, np.concatenate([getattr(self, name), np.full(more, value, np.int64)]))

    def note(self, number: I64, difference_s: I64, *, today: int) -> None:
        """Take what frames say: (m,) meters, stamp less collector's clock [s]."""
        heard = np.unique(number)
        stale = heard[self.day[heard] != today]
        self.before_s[stale], self.today_s[stale], self.day[stale] = self.today_s[stale], UNKNOWN_S, today
        np.maximum.at(self.today_s, number, difference_s)

    def settle(self, number: int, error_s: float, *, today: int) -> None:
        """Take what was read in a session: it is better than anything that frames said before."""
        self.today_s[number] = self.before_s[number] = round(error_s)
        self.day[number] = today

    def estimate_s(self) -> I64:
        """Return (n,) estimates [s].

        A day that has just begun may have heard only the slowest frames, so a clock that seems slow is believed only
        when the day before says so too.
        """
        slow = (self.today_s < 0) & (self.before_s == UNKNOWN_S)
        return np.where(slow, UNKNOWN_S, np.maximum(self.today_s, self.before_s))
