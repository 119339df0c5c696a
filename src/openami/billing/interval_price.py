"""The price period of each interval and, where time alone gives the price, its cost: for charts. Bills are exact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.rating.calendar import KEY_STRIDE, price_keys
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import instant_from_epoch_s, local_date


@dataclass(frozen=True, slots=True, eq=False)
class PricedIntervals:
    """Intervals with the price period each falls in, for charts; bills are exact.

    Args:
        currency: ISO 4217 letters.
        period_names: names of the rate's price periods.
        period: (n,) uint8 index into them.
        cost: (n,) float64 in currency; None where the price depends on more than time (blocks).
    """

    currency: str
    period_names: tuple[str, ...]
    period: npt.NDArray[np.uint8]
    cost: npt.NDArray[np.float64] | None


def priced_intervals(
    schedule: RateSchedule, start_s: I64, wh: I64, interval_s: int, zone: ZoneInfo
) -> PricedIntervals | None:
    """Price delivered energy by interval; None where the rate cannot price such intervals.

    Args:
        schedule: the rate.
        start_s: (n,) starts, rising, at least one.
        wh: (n,) delivered energy.
        interval_s: [s].
        zone: of the service point.
    """
    first, last = (local_date(instant_from_epoch_s(int(s)), zone) for s in (start_s[0], start_s[-1]))
    try:
        _, keys = price_keys(schedule, start_s, interval_s, [BillSpan(first, last + timedelta(days=1))], zone)
    except TariffError:
        return None
    # Keys are few and small, so a table of them finds each one's place quicker than a search would.
    used = np.flatnonzero(np.bincount(keys))
    periods = [schedule.versions[k // KEY_STRIDE].periods[k % KEY_STRIDE] for k in used.tolist()]
    place_of = np.zeros(int(used[-1]) + 1, np.uint8)
    place_of[used] = np.arange(len(used))
    place = place_of[keys]
    if any(len(p.blocks) > 1 for p in periods):
        return PricedIntervals(schedule.currency, tuple(p.name for p in periods), place, None)
    per_wh = np.array([float(p.blocks[0].price) / 1000 for p in periods])
    return PricedIntervals(schedule.currency, tuple(p.name for p in periods), place, wh * per_wh[place])
