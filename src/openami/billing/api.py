"""The face of billing: what the portal, the worker and imports may ask. Nothing else of the room is theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import sqrt
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import structlog

from openami.billing.bill.make import kept_lines
from openami.billing.bill.record import Assignment, Bill, BillState, Correction, KeptLine
from openami.billing.close import SCOPE, CloseReport, close_due, find_corrections, month_before
from openami.billing.compare import Advice, Comparison, RateOutcome, compare_rates
from openami.billing.figures import Figures, figures_of
from openami.billing.ports import BillBook, RateOverlapError
from openami.billing.rating.calendar import KEY_STRIDE, price_keys
from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import I64, BillSpan, Usage, calendar_months
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.load import shipped_rates
from openami.billing.tariff.model import OPEN_SUFFIX, RateSchedule, opened
from openami.contracts.changed import DaysChanged
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period, instant_from_epoch_s, local_date, local_midnight, zone_named
from openami.mdm.api import IntervalSeries, MeterData
from openami.security.access.scope import Scope

__all__ = [
    "Advice", "Assignment", "Bill", "BillSoFar", "BillSpan", "BillState", "Billing", "BillingJob", "CloseReport",
    "Comparison", "Correction", "Figures", "KeptLine", "PricedIntervals", "RateOutcome", "RateOverlapError",
    "TariffError", "UnknownRateError", "shipped_rates",
]  # fmt: skip

_LOG = structlog.get_logger("billing")
BAND_Z = 1.28
"""Four in five outcomes lie within 1.28 standard deviations of the mean."""


class UnknownRateError(OpenAmiError):
    """No rate of that code."""


@dataclass(frozen=True, slots=True)
class BillSoFar:
    """The open bill: priced as if the month ended now, and a forecast of its total.

    Args:
        span: local days of the bill, whole month.
        period: the same in UTC.
        rate_code, rate_name, currency: the rate.
        usage_wh: energy so far.
        total: of the lines so far, fixed charges whole.
        lines: what it charges so far.
        forecast_low, forecast_high: the total at the end, four times in five; None in the first two days.
        estimated_share: of the energy so far.
        through: end of the newest interval in it; None where there is none.
    """

    span: BillSpan
    period: Period
    rate_code: str
    rate_name: str
    currency: str
    usage_wh: int
    total: Decimal
    lines: tuple[KeptLine, ...]
    forecast_low: Decimal | None
    forecast_high: Decimal | None
    estimated_share: float
    through: int | None


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


class Billing:
    """Questions about bills and rates.

    Args:
        meters: validated usage.
        book: assignments and bills.
        rates: by code; the shipped ones by default.
    """

    def __init__(self, *, meters: MeterData, book: BillBook, rates: Mapping[str, RateSchedule] | None = None) -> None:
        self.meters = meters
        self.book = book
        self.rates = dict(shipped_rates() if rates is None else rates)
        self._known = self.rates | {o.code: o for o in map(opened, self.rates.values())}

    async def assign_rate(
        self,
        service_points: Sequence[UUID],
        rate_code: str,
        *,
        first_day: date,
        at: datetime,
        end_day: date | None = None,
    ) -> None:
        """Put service points on a rate for local days ``[first_day, end_day)``; the rate that runs until then ends.

        Raises:
            UnknownRateError: no such rate.
            RateOverlapError: a later assignment is already there.
        """
        if rate_code not in self._known:
            raise UnknownRateError(f"{rate_code!r} is not one of {sorted(self.rates)}")
        await self.book.assign([Assignment(p, rate_code, first_day, end_day) for p in service_points], at=at)

    def code_for(self, rate_code: str, first_day: date) -> str:
        """Return the code under which days from ``first_day`` on can be priced: the rate, or its opened twin.

        Raises:
            UnknownRateError: no such rate.
        """
        if rate_code not in self._known:
            raise UnknownRateError(f"{rate_code!r} is not one of {sorted(self.rates)}")
        begins = self._known[rate_code].versions[0].effective_from
        return rate_code if begins is None or begins <= first_day else rate_code + OPEN_SUFFIX

    async def rate_of(self, service_point_id: UUID, day: date) -> RateSchedule | None:
        """Return the rate in force at a service point on a local day."""
        for row in await self.book.assignments([service_point_id]):
            if row.first_day <= day and (row.end_day is None or day < row.end_day):
                return self._known.get(row.rate_code)
        return None

    async def bills(self, scope: Scope, service_point_id: UUID) -> list[Bill]:
        """Return bills within the scope, newest first, without lines.

        Raises:
            ScopeError: outside the scope.
        """
        return await self.book.bills(scope, service_point_id)

    async def issued_at(self, service_points: Collection[UUID], first: date, last: date) -> list[Bill]:
        """Return issued bills of these places that bill a day from first to last: what a late change would touch."""
        return await self.book.issued_at(service_points, first, last)

    async def bill(self, scope: Scope, bill_id: UUID) -> Bill | None:
        """Return one bill with its lines, or None where there is none within the scope."""
        return await self.book.bill(scope, bill_id)

    async def figures(self, scope: Scope, points: Sequence[UUID], span: BillSpan) -> list[Figures]:
        """Return the billing determinants of service points over local days, in their order, without prices."""
        scope.require(frozenset(points))
        zones = {p.id: p.zone for p in await self.meters.registry.service_points(set(points))}
        rates = {}
        for row in await self.book.assignments(list(points)):
            is_held = row.first_day <= span.last and (row.end_day is None or span.last < row.end_day)
            if is_held and row.rate_code in self._known:
                rates[row.service_point_id] = self._known[row.rate_code]
        found: dict[UUID, Figures] = {}
        for zone in sorted(set(zones.values())):
            mine = [p for p in points if zones.get(p) == zone]
            done = await figures_of(self.meters, scope, rates, mine, span, zone_named(zone))
            found |= {f.service_point_id: f for f in done}
        return [found[p] for p in points if p in found]

    async def bill_so_far(self, scope: Scope, service_point_id: UUID, now: datetime) -> BillSoFar | None:
        """Return the open bill; None where no rate is assigned, or the rate cannot price such intervals.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        zone = zone_named((await self.meters.service_point(scope, service_point_id)).zone)
        today = local_date(now, zone)
        schedule = await self.rate_of(service_point_id, today)
        if schedule is None:
            return None
        next_month = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
        span = BillSpan(today.replace(day=1), next_month)
        begin = span.period(zone).start
        if now <= begin:
            return None
        usage = await self._usage(scope, service_point_id, Period(begin, now))
        try:
            found = determinants(schedule, usage, [span], zone)[0]
        except TariffError as error:
            # The bill at the month's end will be held with this reason; a page has nothing to show until then.
            _LOG.info("bill_so_far.refused", clause=error.clause)
            return None
        rated = rate(schedule, found)
        low, high = _forecast(schedule, usage, found, zone, now)
        return BillSoFar(
            span=span,
            period=span.period(zone),
            rate_code=schedule.code,
            rate_name=schedule.name,
            currency=schedule.currency,
            usage_wh=found.usage_wh,
            total=rated.total,
            lines=kept_lines(schedule, rated, ()),
            forecast_low=low,
            forecast_high=high,
            estimated_share=found.estimated_wh / found.usage_wh if found.usage_wh else 0.0,
            through=int(usage.start_s[-1]) + usage.interval_s if len(usage.start_s) else None,
        )

    async def price(self, service_point_id: UUID, start_s: I64, wh: I64, *, interval_s: int) -> PricedIntervals | None:
        """Price delivered energy by interval under the rate of the last interval's day; None where it cannot be."""
        if not len(start_s):
            return None
        zone = zone_named((await self.meters.service_point(SCOPE, service_point_id)).zone)
        first, last = (local_date(instant_from_epoch_s(int(s)), zone) for s in (start_s[0], start_s[-1]))
        schedule = await self.rate_of(service_point_id, last)
        if schedule is None:
            return None
        span = BillSpan(first, last + timedelta(days=1))
        try:
            _, keys = price_keys(schedule, start_s, interval_s, [span], zone)
        except TariffError:
            return None
        return _priced(schedule, keys, wh)

    async def compare(self, scope: Scope, service_point_id: UUID, now: datetime, *, months: int = 12) -> Comparison:
        """Compare every rate on the service point's own intervals of the last whole months."""
        zone = zone_named((await self.meters.service_point(scope, service_point_id)).zone)
        end = local_date(now, zone).replace(day=1)
        first = _months_before(end, months)
        period = Period(local_midnight(first, zone), local_midnight(end, zone))
        usage = await self._usage(scope, service_point_id, period)
        present = await self.rate_of(service_point_id, end - timedelta(days=1))
        return compare_rates(
            list(self.rates.values()), usage, calendar_months(first, end), zone,
            present=None if present is None else present.code.removesuffix(OPEN_SUFFIX),
        )  # fmt: skip

    async def close_due(self, now: datetime, *, retry_held: bool = True) -> CloseReport:
        """Issue what is due; the worker's job. Safe to repeat and to run beside another worker."""
        async with self.book.turn() as mine:
            if not mine:
                return CloseReport()
            return await close_due(self.meters, self.book, self._known, now, retry_held=retry_held)

    async def find_corrections(self, now: datetime, *, first: date, end: date) -> int:
        """Queue days that changed after they were billed, of bills that begin in ``[first, end)``."""
        return await find_corrections(self.meters, self.book, now, first=first, end=end)

    async def days_changed(self, news: DaysChanged, now: datetime) -> int:
        """Queue the days of issued bills that validation has just given another version; return how many."""
        touched = [d.local_day for d in news.days if d.channel is Channel.DELIVERED]
        if news.many:
            touched = [news.first, news.last]
        if not touched:
            return 0
        # A bill is longer than a month at most by some days, so it begins at most two months before its last day.
        first, _ = month_before(min(touched))
        end = max(touched) + timedelta(days=1)
        places = None if news.many else frozenset(d.service_point_id for d in news.days)
        return await find_corrections(self.meters, self.book, now, first=first, end=end, service_points=places)

    async def _usage(self, scope: Scope, service_point_id: UUID, period: Period) -> Usage:
        """Return the scope's part of the period as usage: missing and negative intervals are left out."""
        parts = scope.granted(service_point_id, period)
        found = [await self.meters.intervals(scope, service_point_id, Channel.DELIVERED, p) for p in parts]
        if not found:
            return Usage(np.zeros(0, np.int64), np.zeros(0, np.int64), 900)
        return _joined(found)


class BillingJob:
    """The worker's job: closes bills as months end and days are validated.

    Args:
        billing: what to close.
    """

    name = "billing"
    PAUSE = timedelta(minutes=1)
    LONGEST_HELD_PAUSE = timedelta(hours=6)

    def __init__(self, billing: Billing) -> None:
        self._billing = billing
        self._again: datetime | None = None
        self._held_again: datetime | None = None
        self._held_pause = self.PAUSE
        self._checked: date | None = None

    async def run_due(self, now: datetime) -> None:
        """Close what is due at this domain instant; cheap when nothing is."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        retry_held = self._held_again is None or now >= self._held_again
        report = await self._billing.close_due(now, retry_held=retry_held)
        if retry_held:
            # Looking at held bills again reads their month: soon while that frees some, ever more rarely while not.
            self._held_pause = self.PAUSE if report.issued else min(self._held_pause * 2, self.LONGEST_HELD_PAUSE)
            self._held_again = now + self._held_pause
        if report.issued:
            _LOG.info("bills.closed", issued=report.issued, held=report.held, waiting=report.waiting)
        if self._checked != now.date() and not report.waiting:
            self._checked = now.date()
            first, end = month_before(now.date())
            changed = await self._billing.find_corrections(now, first=first, end=end)
            if changed:
                _LOG.info("bills.days_changed", days=changed)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Queue corrections of bills whose days have another version."""
        queued = await self._billing.days_changed(news, now)
        if queued:
            _LOG.info("bills.days_changed", days=queued)


def _joined(found: Sequence[IntervalSeries]) -> Usage:
    start = np.concatenate([s.start_s for s in found])
    value = np.concatenate([s.value for s in found])
    quality = np.concatenate([s.quality for s in found])
    good = (quality != QualityState.MISSING) & (value >= 0)
    return Usage(start[good], value[good], found[0].interval_s, quality[good] == QualityState.ESTIMATED)


def _priced(schedule: RateSchedule, keys: I64, wh: I64) -> PricedIntervals:
    used = [int(k) for k in np.unique(keys)]
    periods = [schedule.versions[k // KEY_STRIDE].periods[k % KEY_STRIDE] for k in used]
    place = np.searchsorted(np.array(used), keys).astype(np.uint8)
    if any(len(p.blocks) > 1 for p in periods):
        return PricedIntervals(schedule.currency, tuple(p.name for p in periods), place, None)
    per_wh = np.array([float(p.blocks[0].price) / 1000 for p in periods])
    return PricedIntervals(schedule.currency, tuple(p.name for p in periods), place, wh * per_wh[place])


def _months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _forecast(
    schedule: RateSchedule, usage: Usage, found: Determinants, zone: ZoneInfo, now: datetime
) -> tuple[Decimal | None, Decimal | None]:
    """Scale the energy so far to the month's end by the mean day and its spread, and rate both edges."""
    begin, end = found.span.period(zone).start_s, found.span.period(zone).end_s
    days_past = (now.timestamp() - begin) / 86_400
    if days_past < 2 or not found.usage_wh:
        return None, None
    daily = np.bincount((usage.start_s - begin) // 86_400, weights=usage.wh.astype(np.float64))[: int(days_past)]
    left = (end - now.timestamp()) / 86_400
    mean, spread = float(daily.mean()), float(daily.std(ddof=1)) if len(daily) > 1 else 0.0
    edges = []
    for sign in (-1, 1):
        more = max(0.0, left * mean + sign * BAND_Z * spread * sqrt(left))
        scale = (found.usage_wh + more) / found.usage_wh
        energy = {k: round(v * scale) for k, v in found.energy_wh.items()}
        blocks = {k: round(v * scale) for k, v in found.blocks_wh.items()}
        whole = replace(found, usage_wh=sum(energy.values()), energy_wh=energy, blocks_wh=blocks)
        edges.append(rate(schedule, whole).total)
    return edges[0], edges[1]
