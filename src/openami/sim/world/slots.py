"""The quarter-hours of a local day: 92, 96 or 100 of them, each with the wall-clock quarter that people live by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.day import day_number
from openami.kernel.time import QUARTER_HOUR_S, instant_from_epoch_s, local_day

SLOTS_PER_HOUR = 4
HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True, eq=False)
class DaySlots:
    """The intervals of one local day.

    Args:
        local_day: the calendar day.
        number: days since 1970-01-01, the key of the day's dice.
        start_s: (n,) int64 interval starts, seconds since the epoch.
        hour: (n,) float64 wall-clock hour at the middle of each interval, 0 to 24.
        weekday: 0 Monday to 6 Sunday.
    """

    local_day: date
    number: int
    start_s: npt.NDArray[np.int64]
    hour: npt.NDArray[np.float64]
    weekday: int

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def end_s(self) -> int:
        """End of the day, seconds since the epoch."""
        return int(self.start_s[-1]) + QUARTER_HOUR_S

    @property
    def is_weekend(self) -> bool:
        """Saturday or Sunday."""
        return self.weekday >= 5


def day_slots(day: date, zone: ZoneInfo) -> DaySlots:
    """Return the quarter-hours of a local day.

    >>> len(day_slots(date(2026, 11, 1), ZoneInfo("America/Chicago")))
    100
    """
    period = local_day(day, zone)
    start_s = np.arange(period.start_s, period.end_s, QUARTER_HOUR_S, dtype=np.int64)
    # The offset changes only on the hour, so one look an hour is enough.
    offsets = [_offset_s(int(s), zone) for s in start_s[::SLOTS_PER_HOUR]]
    wall_s = start_s + np.repeat(np.array(offsets, dtype=np.int64), SLOTS_PER_HOUR)[: len(start_s)]
    hour = ((wall_s % 86_400) + QUARTER_HOUR_S / 2) / 3600.0
    return DaySlots(day, day_number(day), start_s, hour.astype(np.float64), day.weekday())


def _offset_s(second: int, zone: ZoneInfo) -> int:
    offset = instant_from_epoch_s(second).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
