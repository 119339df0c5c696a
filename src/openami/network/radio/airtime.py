"""Time on the air, counted for each device: its own frames, what it relays for others, and its beacons.

Exposure limits average over 30 minutes, so the worst such window of the day is kept beside the sums. Sendings are
counted by the minute; 31 whole minutes hold any 30, so the worst window is never understated, and overstated by at
most what one minute holds.

Source: 47 CFR 1.1310 (averaging time); duty is counted and not assumed, relays and beacons with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from openami.network.radio.signal import BEACON_OCTETS, air_us

I64 = npt.NDArray[np.int64]
MINUTE_US = 60_000_000
DAY_MINUTES = 1_440
COVERING_MINUTES = 31
WINDOW_US = 30 * MINUTE_US
MAX_PENDING_MINUTES = 1_440
"""Minutes that may be open at once: a frame may be counted a day ahead of the last close, no more."""
BEACON_EVERY_S = 10
"""What keeps hopping radios in step: some 8,640 a day, 58 s on the air."""


class AirUse(IntEnum):
    """What a device was on the air for."""

    OWN = 0
    RELAYED = 1
    BEACON = 2


@dataclass(frozen=True, slots=True, eq=False)
class DayUse:
    """One UTC day of all devices, so far. All arrays are of length n + 1, the collector at 0.

    Args:
        day: days since 1970-01-01.
        own_us, relayed_us, beacon_us: on the air [us].
        worst_us: most within any 30 minutes that ended on the day [us]; an upper bound, see above.
    """

    day: int
    own_us: I64
    relayed_us: I64
    beacon_us: I64
    worst_us: I64


class AirtimeCounters:
    """Counters of the devices of one cell. Memory is bounded by minutes that are open, and two days.

    Args:
        size: nodes, the collector counted.
        beacons: whether the nodes send beacons.
    """

    def __init__(self, size: int, *, beacons: bool = True) -> None:
        self._size = size
        self._beacon_us = air_us(BEACON_OCTETS) * (60 // BEACON_EVERY_S) if beacons else 0
        self._open: dict[int, I64] = {}
        self._window: deque[I64] = deque(maxlen=COVERING_MINUTES)
        self._rolling = np.zeros(size, dtype=np.int64)
        self._minute: int | None = None
        self._days: dict[int, tuple[I64, I64]] = {}
        self.late_us = 0
        """Counted into the minute after, because their own was closed already."""

    def add(self, node: int, use: AirUse, *, at_us: int, on_air_us: int) -> None:
        """Count a sending that begins at an instant (microseconds since the epoch)."""
        minute = at_us // MINUTE_US
        if self._minute is None:
            self._minute = minute
        if minute < self._minute:
            minute = self._minute
            self.late_us += on_air_us
        minute = min(minute, self._minute + MAX_PENDING_MINUTES)
        if minute not in self._open:
            self._open[minute] = np.zeros((len(AirUse), self._size), dtype=np.int64)
        self._open[minute][use, node] += on_air_us

    def close(self, until_us: int) -> None:
        """Say that nothing more is counted before an instant: whole minutes before it are summed up."""
        last = until_us // MINUTE_US
        if self._minute is None:
            self._minute = last
        if last - self._minute > 2 * DAY_MINUTES:
            self._leap(last - 2 * DAY_MINUTES)
        while self._minute < last:
            self._sum_up(self._minute)
            self._minute += 1

    def day(self, day: int) -> DayUse:
        """Return what was summed up of a UTC day so far; zeros where nothing was."""
        sums, worst = self._days.get(day) or self._blank()
        own, relayed, beacon = (sums[use].copy() for use in AirUse)
        return DayUse(day, own, relayed, beacon, np.minimum(worst, WINDOW_US))

    @property
    def days(self) -> list[int]:
        """The days that are at hand, oldest first."""
        return sorted(self._days)

    def _leap(self, minute: int) -> None:
        """Go on from a later minute: a clock that was set ahead by months is not walked through minute by minute."""
        self._minute = minute
        self._open = {m: used for m, used in self._open.items() if m >= minute}
        self._window.clear()
        self._rolling[:] = 0

    def _sum_up(self, minute: int) -> None:
        used = self._open.pop(minute, None)
        if used is None:
            used = np.zeros((len(AirUse), self._size), dtype=np.int64)
        used[AirUse.BEACON] += self._beacon_us
        total = used.sum(axis=0)
        if len(self._window) == COVERING_MINUTES:
            self._rolling -= self._window[0]
        self._window.append(total)
        self._rolling += total
        day = minute // DAY_MINUTES
        if day not in self._days:
            self._days[day] = self._blank()
            for old in [d for d in self._days if d < day - 1]:
                del self._days[old]
        sums, worst = self._days[day]
        sums += used
        np.maximum(worst, self._rolling, out=worst)

    def _blank(self) -> tuple[I64, I64]:
        return np.zeros((len(AirUse), self._size), dtype=np.int64), np.zeros(self._size, dtype=np.int64)
