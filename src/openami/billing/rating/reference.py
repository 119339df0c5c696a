"""The engine that reads like the rate sheet: one interval at a time, in local wall time. Slow and plain on purpose.

It shares no calendar code with the columnar engine of :mod:`openami.billing.rating.determinant`; a property test
holds the two equal.
"""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from openami.billing.rating.calendar import day_rates
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.piece import piece_edges
from openami.billing.rating.pool import Pool, pools
from openami.billing.rating.reference_demand import demand_by_hand
from openami.billing.rating.reference_received import Flow, received_by_hand
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import BlockScope, WeekPlan
from openami.billing.tariff.proration import PriceChange
from openami.billing.tariff.season import SeasonRule
from openami.kernel.holiday import HolidayList
from openami.kernel.time import instant_from_epoch_s


def determinants_by_hand(
    schedule: RateSchedule, usage: Usage, span: BillSpan, zone: ZoneInfo, terms: BillTerms = NO_TERMS
) -> Determinants:
    """Return one bill's determinants by looking every interval up in the rate sheet.

    Raises:
        TariffError: no version in force, or a demand window does not fit the intervals.
    """
    ladder = pools(schedule, span, day_rates(schedule, span, terms), terms)
    energy: dict[tuple[int, int], int] = {}
    blocks: dict[tuple[int, int, int], int] = {}
    filled: dict[Pool, int] = {}
    signals: dict[tuple[int, int], Fraction] = {}
    total = received = count = estimated = estimated_wh = 0
    edges = piece_edges(schedule, span, day_rates(schedule, span, terms), terms)
    pieces = dict.fromkeys(edges, 0) if len(edges) > 1 else {}
    flows: list[Flow] = []
    for index, second in enumerate(usage.start_s.tolist()):
        wall = instant_from_epoch_s(second).astimezone(zone)
        if not span.first <= wall.date() < span.end:
            continue
        wh = int(usage.wh[index])
        version, period = _price_of(schedule, wall, span, terms, None)
        period = _during_event(schedule.versions[version], period, wall, terms)
        sent = 0 if usage.received_wh is None else int(usage.received_wh[index])
        flows.append(Flow(wall, (version, period), wh, sent))
        total += wh
        count += 1
        received += sent
        if usage.estimated is not None and usage.estimated[index]:
            estimated += 1
            estimated_wh += wh
    export = received_by_hand(schedule, flows, terms, lambda day: _version_of(schedule, span, day), usage.interval_s)
    for flow in flows:
        wall, (version, period), wh = flow.wall, flow.price, flow.delivered_wh
        energy[version, period] = energy.get((version, period), 0) + wh
        signal = schedule.versions[version].periods[period].signal
        if signal:
            amount = wh * _price_at(signal, wall, terms) / 1000
            signals[version, period] = signals.get((version, period), Fraction(0)) + amount
        if pieces:
            pieces[max(edge for edge in edges if edge <= wall.date())] += wh
        if schedule.versions[version].scope is BlockScope.RUNNING:
            pool = next(p for p in ladder if p.version == version and period in p.periods)
            for block, part in _climb(filled.get(pool, 0), wh, pool.ends_wh):
                blocks[version, period, block] = blocks.get((version, period, block), 0) + part
            filled[pool] = filled.get(pool, 0) + wh
    demand = demand_by_hand(
        schedule, usage, span, zone,
        lambda day: _version_of(schedule, span, day),
        lambda wall, charge: _price_of(schedule, wall, span, terms, charge),
        terms.coincident,
    )  # fmt: skip
    expected = span.expected_intervals(zone, usage.interval_s)
    return Determinants(
        span, total, energy, blocks, demand.peaks, received, count, expected, estimated, estimated_wh,
        piece_wh=pieces, signal_amounts=signals, windows=demand.windows, left_out=demand.left_out,
        credited_wh=export.credited_wh, uncredited_wh=export.uncredited_wh, uncredited_days=export.uncredited_days,
    )  # fmt: skip


def _price_of(
    schedule: RateSchedule, wall: datetime, span: BillSpan, terms: BillTerms, charge: int | None
) -> tuple[int, int]:
    """Look up the version in force that day, its season, its plan for that kind of day, and the minute's window."""
    version = _version_of(schedule, span, wall.date())
    tariff = schedule.versions[version]
    by_bill = tariff.season_rule is SeasonRule.BILLING_MONTH
    season = tariff.season_of(terms.month_of(span)) if by_bill else tariff.season_of(wall.month, wall.day)
    week: WeekPlan = season.energy if charge is None else season.demand[charge]
    plan = week[7] if wall.date() in _holidays(tariff, span) else week[wall.weekday()]
    minute = wall.hour * 60 + wall.minute
    return version, next(w.period for w in plan if w.start_minute <= minute < w.end_minute)


def _during_event(tariff: Tariff, period: int, wall: datetime, terms: BillTerms) -> int:
    """Look up what is charged instead while an event runs."""
    for price in tariff.events:
        runs = any(e.signal == price.signal and e.start <= wall < e.end for e in terms.events)
        if runs and period in price.replaces:
            return price.replaces[period]
    return period


def _price_at(signal: str, wall: datetime, terms: BillTerms) -> Fraction:
    """Look a price up in its series."""
    for series in terms.prices:
        step = int((wall - series.start).total_seconds()) // series.interval_s
        if series.signal == signal and 0 <= step < len(series.prices):
            return Fraction(series.prices[step])
    raise TariffError(f"signal {signal}", f"no price is given for {wall.isoformat()}")


def _version_of(schedule: RateSchedule, span: BillSpan, day: date) -> int:
    """New prices begin on their day, or with the first bill whose last day has them."""
    at_end = schedule.find_version(span.last)
    if at_end is not None and schedule.versions[at_end].price_change is PriceChange.BY_BILL:
        return at_end
    return schedule.version_on(day)


@lru_cache(maxsize=64)
def _holidays_of(holidays: HolidayList, span: BillSpan) -> frozenset[date]:
    return holidays.between(span.first, span.last)


def _holidays(tariff: Tariff, span: BillSpan) -> frozenset[date]:
    return _holidays_of(tariff.holidays, span)


def _climb(before: int, wh: int, ends_wh: tuple[int, ...]) -> list[tuple[int, int]]:
    """Split one interval's energy over the blocks that the running total passes, a block edge inside included."""
    parts, low = [], before
    for block, end in enumerate((*ends_wh, before + wh)):
        high = min(end, before + wh) if block < len(ends_wh) else before + wh
        parts.append((block, max(0, high - low)))
        low = max(low, high)
    return parts


def price_at(tariff: Tariff, wall: datetime) -> tuple[object, ...]:
    """Return the blocks of the energy price at a wall time: for comparing two files of one rate."""
    season = tariff.season_of(wall.month, wall.day)
    minute = wall.hour * 60 + wall.minute
    plan = season.energy[wall.weekday()]
    return tariff.periods[next(w.period for w in plan if w.start_minute <= minute < w.end_minute)].blocks
