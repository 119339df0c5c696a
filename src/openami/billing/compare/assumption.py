"""Assumptions laid on top of what was measured: a vehicle, a heat pump, a habit. Each carries its label in words.

Nothing here was measured, and nothing of it reaches a bill. A comparison that holds an assumption says so beside every
figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.compare.habit import day_prices, shifted
from openami.billing.rating.calendar import DAY_S, local_times
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import MINUTES_PER_DAY
from openami.kernel.errors import OpenAmiError

MAX_VEHICLE_KWH_PER_DAY = Decimal(150)
MAX_HEAT_PUMP_KWH_PER_YEAR = Decimal(40_000)
HEATING_SHARES = {1: 23, 2: 18, 3: 13, 4: 6, 5: 1, 9: 0, 10: 6, 11: 13, 12: 20}
"""Percent of a heating year by month in a cold-winter climate. An assumption: no weather record stands behind it."""


class AssumptionError(OpenAmiError):
    """An assumption is out of its range."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """An electric vehicle that charges every day.

    Args:
        kwh_per_day: 0 < kWh <= 150.
        start_minute, end_minute: local window, 0 to 1439; an end not after the start is on the next morning.

    Raises:
        AssumptionError: out of range.
    """

    kwh_per_day: Decimal
    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        if not 0 < self.kwh_per_day <= MAX_VEHICLE_KWH_PER_DAY:
            raise AssumptionError(f"a vehicle takes more than 0 and at most {MAX_VEHICLE_KWH_PER_DAY} kWh a day")
        if not all(0 <= m < MINUTES_PER_DAY for m in (self.start_minute, self.end_minute)):
            raise AssumptionError("charging starts and ends at a time of day, 00:00 to 23:59")
        if self.start_minute == self.end_minute:
            raise AssumptionError("charging needs an end that is not its start")

    @property
    def label(self) -> str:
        """The assumption in words."""
        first, last = _clock(self.start_minute), _clock(self.end_minute)
        return f"Assumed: an electric vehicle takes {self.kwh_per_day} kWh every day from {first} to {last}"

    def added_wh(self, minute: I64, month: I64, interval_s: int) -> I64:
        """Return what is added to each interval [Wh], spread evenly over the window."""
        if self.start_minute < self.end_minute:
            inside = (minute >= self.start_minute) & (minute < self.end_minute)
            length = self.end_minute - self.start_minute
        else:
            inside = (minute >= self.start_minute) | (minute < self.end_minute)
            length = MINUTES_PER_DAY - self.start_minute + self.end_minute
        each = int(self.kwh_per_day * 1000 * interval_s / (length * 60))
        return np.where(inside, each, 0) + 0 * month


@dataclass(frozen=True, slots=True)
class HeatPump:
    """A heat pump, spread over the heating months by :data:`HEATING_SHARES` and evenly over the day.

    Args:
        kwh_per_year: 0 < kWh <= 40,000.

    Raises:
        AssumptionError: out of range.
    """

    kwh_per_year: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.kwh_per_year <= MAX_HEAT_PUMP_KWH_PER_YEAR:
            raise AssumptionError(f"a heat pump takes more than 0 and at most {MAX_HEAT_PUMP_KWH_PER_YEAR} kWh a year")

    @property
    def label(self) -> str:
        """The assumption in words."""
        return f"Assumed: a heat pump takes {self.kwh_per_year} kWh a year, most of it from November to March"

    def added_wh(self, minute: I64, month: I64, interval_s: int) -> I64:
        """Return what is added to each interval [Wh]; a month counts 30.4 days."""
        shares = np.array([HEATING_SHARES.get(m, 0) for m in range(13)], np.int64)
        per_interval = float(self.kwh_per_year) * 1000 * interval_s / (30.4 * DAY_S)
        added: I64 = (per_interval * shares[month] / 100).astype(np.int64)
        return added + 0 * minute


@dataclass(frozen=True, slots=True)
class Shift:
    """A habit: a share of what is used in the dearest hours moves to the cheapest hours of the same day.

    Args:
        share: 0 < share <= 1.

    Raises:
        AssumptionError: out of range.
    """

    share: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise AssumptionError("a share of more than 0 and at most 100 % can be moved")

    @property
    def label(self) -> str:
        """The assumption in words."""
        percent = f"{self.share * 100:.0f}"
        return f"Assumed: on each rate you move {percent} % of what you use in its dearest hours to its cheapest ones"


Assumption = Vehicle | HeatPump | Shift


def assumed(
    schedule: RateSchedule, usage: Usage, spans: Sequence[BillSpan], zone: ZoneInfo, assumptions: Sequence[Assumption]
) -> Usage:
    """Return usage with the assumptions laid on top: loads first, then habits by the rate's own hours.

    Raises:
        TariffError: a habit is assumed and the rate cannot price these intervals.
    """
    loads = [a for a in assumptions if not isinstance(a, Shift)]
    if loads and len(usage.start_s):
        times = local_times(usage.start_s, zone)
        months = times.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
        more = sum((a.added_wh(times.minute, months, usage.interval_s) for a in loads), np.zeros(len(months), np.int64))
        usage = Usage(usage.start_s, usage.wh + more, usage.interval_s, usage.estimated, usage.received_wh)
    for habit in (a for a in assumptions if isinstance(a, Shift)):
        usage = shifted(usage, day_prices(schedule, usage, spans, zone), habit.share)
    return usage


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
