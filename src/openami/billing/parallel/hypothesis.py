"""Ways in which another system may have come to its quantities: each is our side made differently, and a cause.

The order is from what a bill says of itself (rate, days, multiplier) to readings of the rate sheet (season, holiday,
clock, blocks, demand). The first whose quantities are theirs is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.parallel.cause import Cause
from openami.billing.parallel.ours import OurSide
from openami.billing.parallel.theirs import TheirBill
from openami.billing.rating.usage import Usage
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import BlockScope, BlockUnit
from openami.billing.tariff.season import SeasonRule
from openami.kernel.holiday import KNOWN, HolidayList, Observance
from openami.kernel.time import HOUR_S

Supposed = tuple[Cause, OurSide]
_WINDOWS = (15, 30, 60)


def stated(theirs: TheirBill, side: OurSide, rates: Mapping[str, RateSchedule]) -> Iterator[Supposed]:
    """Yield what the bill itself says to be different."""
    if theirs.rate != side.schedule.code and theirs.rate in rates:
        yield Cause.RATE, side.on(rates[theirs.rate])
    if theirs.span != side.span:
        yield Cause.READ_DATE, side.of_days(theirs.span)
    if theirs.multiplier is not None and theirs.multiplier != side.multiplier:
        yield Cause.MULTIPLIER, side.with_usage(_times(side, theirs))
    if side.then is not None:
        yield Cause.LATE_DATA, side.with_usage(side.then)


def understood(side: OurSide) -> Iterator[Supposed]:
    """Yield other readings of the rate sheet, and of the clock."""
    if side.usage.received_wh is not None and side.usage.received_wh.any():
        yield Cause.EXPORT, side.on(_each(side.schedule, lambda v: replace(v, export=None)))
        yield Cause.EXPORT, side.with_usage(_netted(side.usage))
    yield from _guarded(_seasons(side))
    yield from _guarded(_holidays(side))
    yield from _clocks(side)
    yield from _guarded(_blocks(side))
    yield from _guarded(_demands(side))


def _times(side: OurSide, theirs: TheirBill) -> Usage:
    """Return the usage by their multiplier: whole Wh, as a register that is multiplied gives them."""
    factor = (theirs.multiplier or side.multiplier) / side.multiplier
    wh = np.array([int(w * factor) for w in side.usage.wh.tolist()], np.int64)
    return replace(side.usage, wh=wh)


def _netted(usage: Usage) -> Usage:
    received = np.zeros_like(usage.wh) if usage.received_wh is None else usage.received_wh
    return replace(usage, wh=np.maximum(usage.wh - received, 0), received_wh=None)


def _guarded(found: Iterator[Supposed]) -> Iterator[Supposed]:
    """Leave out what the rate's model refuses: a reading that cannot be is nobody's."""
    while True:
        try:
            one = next(found)
        except StopIteration:
            return
        except TariffError:
            return
        yield one


def _each(schedule: RateSchedule, change: Callable[[Tariff], Tariff]) -> RateSchedule:
    return replace(schedule, versions=tuple(change(v) for v in schedule.versions))


def _seasons(side: OurSide) -> Iterator[Supposed]:
    by_day = _each(side.schedule, lambda v: replace(v, season_rule=SeasonRule.CALENDAR_DAY))
    yield Cause.SEASON, side.on(by_day)
    by_month = _each(side.schedule, lambda v: replace(v, season_rule=SeasonRule.BILLING_MONTH))
    for month in range(1, 13):
        yield Cause.SEASON, side.on(by_month).in_month(date(side.span.last.year, month, 1))


def _holidays(side: OurSide) -> Iterator[Supposed]:
    yield Cause.HOLIDAY, side.on(_each(side.schedule, lambda v: replace(v, holidays=HolidayList())))
    for observance in Observance:
        every = HolidayList(tuple(KNOWN.values()), observance=observance)
        yield Cause.HOLIDAY, side.on(_each(side.schedule, lambda v, e=every: replace(v, holidays=e)))  # type: ignore[misc]
    for rule in KNOWN.values():
        one = HolidayList((rule,), observance=Observance.SUNDAY_TO_MONDAY)
        yield Cause.HOLIDAY, side.on(_each(side.schedule, lambda v, o=one: replace(v, holidays=o)))  # type: ignore[misc]


def _clocks(side: OurSide) -> Iterator[Supposed]:
    for shift_s in (HOUR_S, -HOUR_S, side.usage.interval_s, -side.usage.interval_s):
        yield Cause.CLOCK, side.with_usage(replace(side.usage, start_s=side.usage.start_s + shift_s))
    offset = datetime(side.span.first.year, 1, 1, tzinfo=side.zone).utcoffset()
    if offset is not None and offset.total_seconds() % HOUR_S == 0:
        # A system that knows no summer time; the sign of these names is the other way around.
        yield Cause.CLOCK, replace(side, zone=ZoneInfo(f"Etc/GMT{-int(offset.total_seconds() // HOUR_S):+d}"))


def _blocks(side: OurSide) -> Iterator[Supposed]:
    if all(len(p.blocks) == 1 for v in side.schedule.versions for p in v.periods):
        return
    for scope in BlockScope:
        yield Cause.BLOCK, side.on(_each(side.schedule, lambda v, s=scope: replace(v, scope=s)))  # type: ignore[misc]
    for unit in BlockUnit:
        yield Cause.BLOCK, side.on(_each(side.schedule, lambda v, u=unit: replace(v, block_unit=u)))  # type: ignore[misc]


def _demands(side: OurSide) -> Iterator[Supposed]:
    if not any(v.demand for v in side.schedule.versions):
        return
    for minutes in _WINDOWS:

        def windowed(charge: DemandCharge, minutes: int = minutes) -> DemandCharge:
            return replace(charge, window_minutes=minutes)

        def changed(v: Tariff) -> Tariff:
            return replace(v, demand=tuple(windowed(d) for d in v.demand))

        yield Cause.DEMAND, side.on(_each(side.schedule, changed))
    if side.usage.estimated is not None and side.usage.estimated.any():
        yield Cause.DEMAND, side.with_usage(replace(side.usage, estimated=None))
