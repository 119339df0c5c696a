"""What is kept with each version of a day: its digests, and the profile of its series so far. Pure.

A mean over four weeks would need their intervals again each night, so the profile moves with each measured day by a
part of the way to it (an exponentially weighted mean): half of it is of the last five measured days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import BOOLS, DAY_S, I64, Grid
from openami.mdm.vee.history import PROFILE_HOURS, U8, U64, History

I32 = npt.NDArray[np.int32]
PROFILE_WEIGHT = 8
"""Each measured day moves the profile by an eighth of the way to it."""
_MEASURED = (QualityState.ACTUAL, QualityState.VERIFIED, QualityState.OUTAGE_ZERO)


@dataclass(frozen=True, slots=True, eq=False)
class DayDigests:
    """Digests of n versions of days, one row each; total and maximum the store makes itself.

    Args:
        base: (n,) the lowest hour, counts.
        digest: (n,) hash of the values in order, below 2^32.
        state: (n,) the worst :class:`~openami.contracts.quality.QualityState`.
        profile: (n, 24) counts by local hour after the day.
    """

    base: I64
    digest: U64
    state: U8
    profile: I32


def profiles(grid: Grid, earlier: I64, values: I64, memory: History, *, first: int = 0) -> I32:
    """Return the profile of each series after each day of the grid, from a first one on.

    A day that was not wholly measured teaches nothing, and neither does one of 23 or 25 hours.

    Args:
        grid: the columns.
        earlier: (S, 24) the profile before the first day; a row of zeros where nothing is known.
        values: (S, N) counts.
        memory: digests of the grid's days.
        first: index of the first day; those before stay zeros.

    Returns:
        (S, D, 24) counts an hour.
    """
    found = np.zeros((len(values), grid.days, PROFILE_HOURS), np.int32)
    limit = np.iinfo(np.int32)
    hours = earlier
    for day in range(first, grid.days):
        lo, hi = int(grid.day_at[day]), int(grid.day_at[day + 1])
        if (hi - lo) * grid.interval_s == DAY_S and grid.interval_s <= DAY_S // PROFILE_HOURS:
            measured: BOOLS = np.asarray(np.isin(memory.state[:, day], _MEASURED))
            # Of one day the memory has the hours already, wherever it was measured.
            day_hours = memory.profile if grid.days == 1 else _hours(values[:, lo:hi])
            hours = _moved(hours, day_hours, measured)
        found[:, day] = np.clip(hours, limit.min, limit.max)
    return found


def digests_at(row: I64, day: I64, memory: History, hours: I32) -> DayDigests:
    """Return the digests of some days of a matrix, and the profiles after them.

    Args:
        row: (n,) series.
        day: (n,) index of the day in the grid.
        memory: digests of all days.
        hours: (S, D, 24) as :func:`profiles` gives them.
    """
    at = (row, day)
    return DayDigests(memory.base[at], memory.digest[at], memory.state[at], hours[at])


def _hours(values: I64) -> I64:
    """Return the counts of each of 24 hours; added column by column, which takes a fifth of the time."""
    step = values.shape[1] // PROFILE_HOURS
    total = values[:, ::step].copy()
    for shift in range(1, step):
        total += values[:, shift::step]
    return total


def _moved(hours: I64, day: I64, measured: BOOLS) -> I64:
    """Return the profile moved towards the measured days."""
    is_first = ~hours.any(axis=1, keepdims=True)
    step = np.where(is_first, day, (day - hours + PROFILE_WEIGHT // 2) // PROFILE_WEIGHT)
    return np.asarray(hours + np.where(measured[:, None], step, 0))
