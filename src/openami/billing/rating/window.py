"""Every demand window of a bill: how much power, in which demand period, and whether actual intervals fill it.

Clock windows begin at whole multiples of their length after local midnight's hour; in the autumn hour that comes
twice, each of the two is a window of its own. Rolling windows begin with every interval and must lie in one demand
period of the bill from end to end. A window that the calendar cuts (a half-hour clock change) is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.rating.calendar import KEY_STRIDE, DayRate, LocalTimes, local_times, minute_keys
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.demand import DemandCharge, WindowAlignment
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

_EPOCH_ORDINAL = 719_163
MINUTES_PER_DAY = 1440
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DemandGrid:
    """The intervals that a bill's days have, filled from usage; every column is (n,).

    Args:
        start_s: interval starts, the usage's own phase.
        interval_s: [s].
        wh: delivered energy, 0 where there is none.
        is_there, is_estimated: of the intervals.
        times: their wall times.
        first_day: of the bill, days since 1970-01-01.
    """

    start_s: I64
    interval_s: int
    wh: I64
    is_there: Flags
    is_estimated: Flags
    times: LocalTimes
    first_day: int


@dataclass(frozen=True, slots=True, eq=False)
class DemandWindows:
    """Windows of one demand charge and price version, in order of time; every column is (w,).

    Args:
        start_s: where they begin.
        minutes: their length.
        watts: mean power of what is there [W], rounded half up.
        period: demand period, an index.
        is_complete: every interval is there and none is an estimate: the window may set a peak.
        has_estimate: some interval is an estimate; a window that is not complete and has none lacks an interval.
    """

    start_s: I64
    minutes: int
    watts: I64
    period: I64
    is_complete: Flags
    has_estimate: Flags


def demand_grid(usage: Usage, span: BillSpan, zone: ZoneInfo) -> DemandGrid:
    """Lay a bill's usage on the intervals that its days have."""
    period = span.period(zone)
    inside = np.flatnonzero((usage.start_s >= period.start_s) & (usage.start_s < period.end_s))
    phase = int(usage.start_s[inside[0]] - period.start_s) % usage.interval_s if len(inside) else 0
    start_s = np.arange(period.start_s + phase, period.end_s, usage.interval_s, dtype=np.int64)
    slot = (usage.start_s[inside] - start_s[0]) // usage.interval_s if len(start_s) else inside
    wh = np.zeros(len(start_s), np.int64)
    is_there, is_estimated = np.zeros(len(start_s), np.bool_), np.zeros(len(start_s), np.bool_)
    wh[slot], is_there[slot] = usage.wh[inside], True
    if usage.estimated is not None:
        is_estimated[slot] = usage.estimated[inside]
    first_day = span.first.toordinal() - _EPOCH_ORDINAL
    return DemandGrid(start_s, usage.interval_s, wh, is_there, is_estimated, local_times(start_s, zone), first_day)


def window_minutes(schedule: RateSchedule, charge: int, version: int, interval_s: int) -> int:
    """Return the length of a demand charge's window in minutes.

    Raises:
        TariffError: the window does not divide an hour (clock) or a day (rolling), or is not a whole number of
            intervals.
    """
    priced = schedule.versions[version].demand[charge]
    minutes = interval_s // 60 if priced.window_minutes is None else priced.window_minutes
    clause = f"{schedule.code}.{priced.name}.window"
    if priced.alignment is WindowAlignment.CLOCK and (minutes <= 0 or 60 % minutes):
        raise TariffError(clause, f"a window of {minutes} minutes does not divide an hour")
    if not 0 < minutes <= MINUTES_PER_DAY:
        raise TariffError(clause, f"a window of {minutes} minutes is not within a day")
    if minutes * 60 % interval_s:
        raise TariffError(clause, f"a window of {minutes} minutes is not a whole number of {interval_s} s intervals")
    return minutes


def demand_windows(
    schedule: RateSchedule, grid: DemandGrid, rates: list[DayRate], charge: int, version: int
) -> DemandWindows:
    """Return every window of a demand charge on the days that a price version prices.

    Args:
        schedule: the rate.
        grid: the bill's intervals.
        rates: how each day of the bill is priced.
        charge: index of the demand charge in the version.
        version: index of the price version.

    Raises:
        TariffError: the window's length does not fit, or a clock window crosses the edge of a demand period.
    """
    minutes = window_minutes(schedule, charge, version, grid.interval_s)
    priced = schedule.versions[version].demand[charge]
    if not len(grid.start_s):
        none = np.zeros(0, np.int64)
        return DemandWindows(none, minutes, none, none, none.astype(np.bool_), none.astype(np.bool_))
    length = minutes * 60 // grid.interval_s
    key = minute_keys(schedule, rates, charge)[grid.times.day - grid.first_day, grid.times.minute].astype(np.int64)
    change = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(key) != 0)])
    if priced.alignment is WindowAlignment.CLOCK:
        heads = _clock_heads(grid, minutes, length)
        crossing = heads[(change[heads] != change[heads + length - 1]) & (key[heads] // KEY_STRIDE == version)]
        if len(crossing):
            raise _crosses(schedule, priced, int(grid.times.minute[crossing[0]]))
    else:
        heads = np.arange(max(0, len(grid.start_s) - length + 1))
        heads = heads[change[heads] == change[heads + length - 1]]
    heads = heads[(key[heads] >= 0) & (key[heads] // KEY_STRIDE == version)]
    good = _sums((grid.is_there & ~grid.is_estimated).astype(np.int64), heads, length)
    energy = _sums(grid.wh, heads, length)
    watts = (energy * 120 + minutes) // (2 * minutes)
    has_estimate = _sums(grid.is_estimated.astype(np.int64), heads, length) > 0
    return DemandWindows(grid.start_s[heads], minutes, watts, key[heads] % KEY_STRIDE, good == length, has_estimate)


def _sums(column: I64, heads: I64, length: int) -> I64:
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(column)])
    return np.asarray(total[heads + length] - total[heads], np.int64)


def _clock_heads(grid: DemandGrid, minutes: int, length: int) -> I64:
    """Return the first interval of each clock window that the calendar leaves whole."""
    local_s = grid.start_s + grid.times.offset_s
    fresh = (np.diff(local_s // (minutes * 60)) != 0) | (np.diff(grid.times.offset_s) != 0)
    heads = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(fresh) + 1])
    sizes = np.diff(np.append(heads, len(grid.start_s)))
    return np.asarray(heads[sizes == length], np.int64)


def _crosses(schedule: RateSchedule, priced: DemandCharge, minute: int) -> TariffError:
    return TariffError(
        f"{schedule.code}.{priced.name}.window",
        f"the window at {minute // 60:02}:{minute % 60:02} crosses the edge of a demand period; "
        "a shorter window, a rolling one, or edges on its minutes are needed",
    )
