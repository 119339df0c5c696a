"""Change when energy is used, never how much: move it out of the dearest hours, or cap the highest ones.

Every change conserves each local day's energy to the Wh. What is changed stays whole Wh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.rating.calendar import KEY_STRIDE, day_rates, local_times, minute_keys, price_keys
from openami.billing.rating.demand import window_minutes
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.model import RateSchedule

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, eq=False)
class DayPrices:
    """Where a rate is dear and where cheap, for the intervals of some usage.

    Args:
        day: (n,) number of the local day from 0; -1 outside the bills.
        dear: (n,) whether the interval has the day's highest price; nowhere on a day of one price.
        cheap: (n,) whether it has the day's lowest.
        demand: (n,) whether a demand charge counts the interval.
        window: (n,) number of the demand window that it lies in, rising; of one interval where there is no demand.
    """

    day: I64
    dear: npt.NDArray[np.bool_]
    cheap: npt.NDArray[np.bool_]
    demand: npt.NDArray[np.bool_]
    window: I64

    @property
    def has_periods(self) -> bool:
        """Whether any day has more than one price."""
        return bool(self.dear.any())


def day_prices(schedule: RateSchedule, usage: Usage, spans: Sequence[BillSpan], zone: ZoneInfo) -> DayPrices:
    """Return where a rate is dear and cheap.

    Raises:
        TariffError: the rate cannot price these intervals.
    """
    bills, keys = price_keys(schedule, usage.start_s, usage.interval_s, list(spans), zone)
    times = local_times(usage.start_s, zone)
    inside = bills >= 0
    day = np.where(inside, times.day - int(times.day.min()), -1) if len(keys) else keys
    price = np.zeros(len(keys))
    for key in np.unique(keys[inside]).tolist():
        # The first block's price orders the periods: blocks of one season have the same order in any sane rate.
        block = schedule.versions[key // KEY_STRIDE].periods[key % KEY_STRIDE].blocks[0]
        price[keys == key] = float(block.price)
    days = int(day.max()) + 1 if len(day) else 0
    top, bottom = np.full(days, -np.inf), np.full(days, np.inf)
    np.maximum.at(top, day[inside], price[inside])
    np.minimum.at(bottom, day[inside], price[inside])
    varied = inside & (top[day] > bottom[day])
    demand, window = _demand(schedule, usage, spans, zone)
    return DayPrices(day, varied & (price == top[day]), varied & (price == bottom[day]), demand, window)


def _demand(
    schedule: RateSchedule, usage: Usage, spans: Sequence[BillSpan], zone: ZoneInfo
) -> tuple[npt.NDArray[np.bool_], I64]:
    """Return which intervals a demand charge with a price counts, and the window each lies in."""
    counted = np.zeros(len(usage.start_s), np.bool_)
    times = local_times(usage.start_s, zone)
    minutes = usage.interval_s // 60
    for span in spans:
        first = span.first.toordinal() - _EPOCH_ORDINAL
        rows = np.flatnonzero((times.day >= first) & (times.day < first + span.days))
        rates = day_rates(schedule, span)
        for version in sorted({r.version for r in rates}):
            for charge, terms in enumerate(schedule.versions[version].demand):
                minutes = max(minutes, window_minutes(schedule, charge, version, usage.interval_s))
                priced = [
                    version * KEY_STRIDE + n for n, p in enumerate(terms.periods) if any(b.price for b in p.blocks)
                ]
                table = minute_keys(schedule, rates, charge)
                counted[rows] |= np.isin(table[times.day[rows] - first, times.minute[rows]], priced)
    local = (usage.start_s + times.offset_s) // (minutes * 60)
    fresh = np.concatenate([np.zeros(1, np.int64), ((np.diff(local) != 0) | (np.diff(times.offset_s) != 0))])
    return counted, np.cumsum(fresh[: len(usage.start_s)])


def shifted(usage: Usage, prices: DayPrices, share: Decimal) -> Usage:
    """Move a share of each dear interval's energy into the same day's cheapest intervals, spread evenly.

    Args:
        usage: as it is.
        prices: of the rate whose hours are meant.
        share: 0 to 1.
    """
    thousandths = int(share * 1000)
    moved = np.where(prices.dear, usage.wh * thousandths // 1000, 0)
    wh = usage.wh - moved
    return _with(usage, _spread(wh, moved, prices.cheap, prices.day))


def capped(usage: Usage, prices: DayPrices, watts: int) -> Usage | None:
    """Cap every counted demand window; what is over goes where the same day has room, outside the dearest hours.

    Args:
        usage: as it is.
        prices: of the rate whose demand is meant.
        watts: the cap, above 0.

    Returns:
        None where a day has no room for what is over.
    """
    limit = watts * usage.interval_s // 3600
    if limit < 1:
        return None
    windows = int(prices.window[-1]) + 1 if len(prices.window) else 0
    counted = prices.demand & (prices.day >= 0)
    total = np.bincount(prices.window, weights=np.where(counted, usage.wh, 0), minlength=windows).astype(np.int64)
    size = np.bincount(prices.window, weights=counted.astype(np.float64), minlength=windows).astype(np.int64)
    over = (total > size * limit)[prices.window] & counted
    # Within a window that is over, each interval comes down to the cap: their sum is then the cap at most.
    wh = np.where(over, np.minimum(usage.wh, limit), usage.wh)
    excess = usage.wh - wh
    # A window that counts is filled evenly, so that it stays under the cap; outside, a home may draw what it is known
    # to draw in some interval.
    spare = np.maximum(0, size * limit - total) // np.maximum(size, 1)
    room = np.where(counted, spare[prices.window], int(usage.wh.max()) - wh)
    room[prices.dear | over] = 0
    days = int(prices.day.max()) + 1
    inside = prices.day >= 0
    wanted = np.bincount(prices.day[inside], weights=excess[inside], minlength=days)
    free = np.bincount(prices.day[inside], weights=room[inside], minlength=days)
    if bool((wanted > free).any()):
        return None
    return _with(usage, _filled(wh, room, wanted.astype(np.int64), prices.day))


def _spread(wh: I64, moved: I64, onto: npt.NDArray[np.bool_], day: I64) -> I64:
    inside = day >= 0
    days = int(day.max()) + 1 if len(day) else 0
    total = np.bincount(day[inside], weights=moved[inside], minlength=days).astype(np.int64)
    places = np.bincount(day[onto], minlength=days)
    at = np.flatnonzero(onto)
    if not len(at):
        return wh + moved
    rank = _rank(day[at])
    each, spare = total // np.maximum(places, 1), total % np.maximum(places, 1)
    out = wh.copy()
    out[at] += each[day[at]] + (rank < spare[day[at]])
    return out


def _filled(wh: I64, room: I64, wanted: I64, day: I64) -> I64:
    """Add each day's wanted energy in proportion to its room; what rounding leaves goes to the first rooms."""
    inside = np.flatnonzero((day >= 0) & (room > 0))
    free = np.bincount(day[inside], weights=room[inside], minlength=len(wanted)).astype(np.int64)
    part = room[inside] * wanted[day[inside]] // np.maximum(free[day[inside]], 1)
    left = wanted - np.bincount(day[inside], weights=part, minlength=len(wanted)).astype(np.int64)
    # A part is rounded down, so an interval with room has at least one Wh of it left wherever something is left over.
    more = (part < room[inside]).astype(np.int64)
    seen = np.cumsum(more)
    first = np.searchsorted(day[inside], np.arange(len(wanted)))
    before = np.where(first > 0, seen[np.minimum(first, len(seen)) - 1], 0) if len(seen) else np.zeros(len(wanted))
    part += more * ((seen - before[day[inside]]) <= left[day[inside]])
    out = wh.copy()
    out[inside] += part
    return out


def _rank(day: I64) -> I64:
    """Return each element's number within its day; days rise."""
    first = np.searchsorted(day, day)
    return np.arange(len(day)) - first


def _with(usage: Usage, wh: I64) -> Usage:
    return Usage(usage.start_s, wh, usage.interval_s, usage.estimated, usage.received_wh)
