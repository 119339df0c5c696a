"""What would have to be true for another rate to be the better one: how much to move, or how low to stay.

Solved by rating changed intervals with the engine that bills, both rates on the same changed intervals. The answer is
the least step at which the other rate saves more than noise; a step less it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.compare.habit import DayPrices, capped, day_prices, shifted
from openami.billing.compare.outcome import priced
from openami.billing.compare.setting import Setting
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.model import RateSchedule

STEP_WATTS = 100


class Lever(StrEnum):
    """What would have to change. NONE: it is the better rate as things are."""

    NONE = "none"
    SHIFT = "shift"
    CAP = "cap"


@dataclass(frozen=True, slots=True)
class BreakEven:
    """What would have to be true of one rate.

    Args:
        code: the rate.
        lever: what would have to change.
        reachable: whether any amount of it would do.
        share: SHIFT: of the energy in the dearest hours, to be moved to the cheapest of the same day, 0 to 1.
        wh_per_day: SHIFT: the same on the mean day that has dear hours.
        watts: CAP: the demand not to exceed in any hour that counts.
        now_watts: CAP: the highest there was.
        saving: over the days compared, at that step.
    """

    code: str
    lever: Lever
    reachable: bool
    share: Decimal = Decimal(0)
    wh_per_day: int = 0
    watts: int = 0
    now_watts: int = 0
    saving: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """Both rates, the usage and what counts as a saving; ``steady`` is the present total where no hour changes it."""

    present: RateSchedule
    other: RateSchedule
    usage: Usage
    spans: Sequence[BillSpan]
    zone: ZoneInfo
    setting: Setting
    steady: Decimal | None = None

    def saving(self, usage: Usage | None) -> Decimal | None:
        """Return what the other rate saves on changed usage if that is more than noise; else None."""
        if usage is None:
            return None
        here = self._total(self.present, usage) if self.steady is None else self.steady
        there = self._total(self.other, usage)
        days = sum(s.days for s in self.spans)
        return here - there if here - there >= self.setting.noise(here, days) else None

    def _total(self, schedule: RateSchedule, usage: Usage) -> Decimal:
        return sum((b.total for b in priced(schedule, usage, self.spans, self.zone)), Decimal(0))


def break_evens(
    present: RateSchedule,
    other: RateSchedule,
    usage: Usage,
    spans: Sequence[BillSpan],
    zone: ZoneInfo,
    *,
    setting: Setting,
) -> tuple[BreakEven, ...]:
    """Return what would have to be true for ``other`` to save more than noise against ``present``.

    Args:
        present: the rate that the customer is on.
        other: the rate in question.
        usage: as it was.
        spans: the days compared.
        zone: of the service point.
        setting: what is noise.

    Raises:
        TariffError: one of the rates cannot price these intervals.
    """
    case = _Case(present, other, usage, spans, zone, setting)
    own = day_prices(present, usage, spans, zone)
    if not own.has_periods and not own.demand.any():
        # A rate without hours costs the same whenever in a day the energy is used.
        case = replace(case, steady=sum((b.total for b in priced(present, usage, spans, zone)), Decimal(0)))
    now = case.saving(usage)
    if now is not None:
        return (BreakEven(other.code, Lever.NONE, reachable=True, saving=now),)
    prices = day_prices(other, usage, spans, zone)
    found = []
    if prices.has_periods:
        found.append(_shift(case, prices))
    if prices.demand.any():
        found.append(_cap(case, prices))
    return tuple(found)


def _shift(case: _Case, prices: DayPrices) -> BreakEven:
    def at(percent: int) -> Decimal | None:
        return case.saving(shifted(case.usage, prices, Decimal(percent) / 100))

    percent = _least(at, 100)
    if percent is None:
        return BreakEven(case.other.code, Lever.SHIFT, reachable=False)
    dear = case.usage.wh[prices.dear]
    days = len(np.unique(prices.day[prices.dear]))
    moved = int(dear.sum()) * percent // 100 // max(days, 1)
    share = Decimal(percent) / 100
    return BreakEven(case.other.code, Lever.SHIFT, True, share, moved, saving=at(percent) or Decimal(0))


def _cap(case: _Case, prices: DayPrices) -> BreakEven:
    windows = np.bincount(prices.window, weights=np.where(prices.demand, case.usage.wh, 0))
    size = np.bincount(prices.window)
    highest = int((windows / np.maximum(size, 1)).max() * 3600 / case.usage.interval_s)
    steps = highest // STEP_WATTS

    def at(step: int) -> Decimal | None:
        return case.saving(capped(case.usage, prices, (steps + 1 - step) * STEP_WATTS))

    step = _least(at, steps)
    if step is None:
        return BreakEven(case.other.code, Lever.CAP, reachable=False, now_watts=highest)
    watts = (steps + 1 - step) * STEP_WATTS
    return BreakEven(case.other.code, Lever.CAP, True, watts=watts, now_watts=highest, saving=at(step) or Decimal(0))


def _least(at: Callable[[int], Decimal | None], last: int) -> int | None:
    """Return the first step that does, 1 to ``last``: sought coarsely (far ones may be out of reach), then halved."""
    stride = max(1, last // 8)
    low = 0
    for reach in (*range(stride, last, stride), last):
        if reach > low and at(reach) is not None:
            return _halved(at, low, reach)
        low = reach
    return None


def _halved(at: Callable[[int], Decimal | None], low: int, high: int) -> int:
    """Return the least step in ``(low, high]`` that does where the one before it does not."""
    while high - low > 1:
        middle = (low + high) // 2
        if at(middle) is None:
            low = middle
        else:
            high = middle
    return high
