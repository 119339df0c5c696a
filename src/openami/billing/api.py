"""The face of billing: what the portal, the worker and imports may ask. Nothing else of the room is theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.hold import Hold, HoldCode
from openami.billing.bill.record import (
    Assignment,
    Bill,
    BillKind,
    BillState,
    Correction,
    KeptLine,
    ReadingState,
)
from openami.billing.calendar.cycle import Cycle
from openami.billing.call.record import CallAnswer
from openami.billing.changed_days import days_changed, find_corrections
from openami.billing.cycle.close import CloseReport, close_due
from openami.billing.cycle.open import next_read_day, open_span
from openami.billing.cycle.run import BillRun, BillSetting
from openami.billing.cycle.terms import own_facts
from openami.billing.edition.ports import EditionBook
from openami.billing.figures import Figures, figures_of
from openami.billing.interval_price import PricedIntervals, priced_intervals
from openami.billing.job import BillingJob
from openami.billing.open_bill import BillSoFar, so_far
from openami.billing.papers import Papers
from openami.billing.place_usage import usage_of
from openami.billing.ports import BillBook, RateOverlapError
from openami.billing.proof.record import ReadingProof
from openami.billing.proof.trace import BillProof
from openami.billing.rates import Rates, UnknownRateError
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.signal.heard import heard_of
from openami.billing.statement.record import Statement
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.load import shipped_rates
from openami.billing.tariff.model import RateSchedule
from openami.contracts.changed import DaysChanged
from openami.kernel.time import Period, local_date, zone_named
from openami.mdm.api import MeterData
from openami.security.access.scope import Scope

__all__ = [
    "Assignment", "Bill", "BillKind", "BillProof", "BillSetting", "BillSoFar", "BillSpan", "BillState",
    "Billing", "BillingJob", "CallAnswer", "CloseReport", "Correction", "Cycle", "Figures", "Hold",
    "HoldCode", "KeptLine", "PricedIntervals", "RateOverlapError", "ReadingProof", "ReadingState",
    "Statement", "TariffError", "UnknownRateError", "shipped_rates",
]  # fmt: skip


class Billing:
    """Questions about bills and rates.

    Args:
        meters: validated usage.
        book: assignments and bills.
        rates: by code; the shipped ones by default.
        setting: calendar, rules, standing facts and postings; what is shipped by default.
        editions: texts of rates as they were known; None shows bills by the rates as they are now.
    """

    def __init__(
        self, *, meters: MeterData, book: BillBook, rates: Mapping[str, RateSchedule] | None = None,
        setting: BillSetting | None = None, editions: EditionBook | None = None,
    ) -> None:  # fmt: skip
        self.meters = meters
        self.book = book
        self._rates = Rates(book, rates)
        self.setting = setting or BillSetting()
        self.rules = self.setting.rules
        self.run = BillRun(meters, book, self._rates.known, self.setting)
        self.rates = self._rates.by_code
        self.assign_rate = self._rates.assign
        self.reassign_rate = self._rates.reassign
        self.code_for = self._rates.code_for
        self.rate_of = self._rates.on_day
        self.papers = Papers(meters, book, self._rates, self.rules, editions)

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
        rates = await self._rates.on_day_of(points, span.last)
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
        span = await open_span(self.run, service_point_id, today)
        if schedule is None or span is None or now <= (begin := span.period(zone).start):
            return None
        usage = await usage_of(self.meters, scope, service_point_id, Period(begin, now))
        own = await own_facts(self.meters, {service_point_id: zone.key}, self.setting.standing)
        heard = await heard_of(self.book.signals, schedule, span, zone)
        return so_far(schedule, usage, span, zone, now, heard.into(own[service_point_id].terms(span)))

    async def next_read_day(self, service_point_id: UUID, after: date) -> date | None:
        """Return the local day of a place's next billing read after a day: from then on another rate applies."""
        return await next_read_day(self.run, service_point_id, after)

    async def price(self, service_point_id: UUID, start_s: I64, wh: I64, *, interval_s: int) -> PricedIntervals | None:
        """Price delivered energy by interval under the rate of the last interval's day; None where it cannot be."""
        if not len(start_s):
            return None
        zone = await self.meters.zone_of(service_point_id)
        last = local_date(datetime.fromtimestamp(int(start_s[-1]), tz=zone), zone)
        schedule = await self.rate_of(service_point_id, last)
        return None if schedule is None else priced_intervals(schedule, start_s, wh, interval_s, zone)

    async def close_due(self, now: datetime, *, retry_held: bool = True, everywhere: bool = False) -> CloseReport:
        """Issue what is due; the worker's job. Safe to repeat and to run beside another worker.

        Args:
            now: domain time.
            retry_held: whether to look at held bills again.
            everywhere: whether to look at every place, and count those that the short way missed.
        """
        async with self.book.turn() as mine:
            if not mine:
                return CloseReport(elsewhere=True)
            return await close_due(self.run, now, retry_held=retry_held, everywhere=everywhere)

    async def find_corrections(self, now: datetime, *, first: date, end: date) -> int:
        """Queue days that changed after they were billed, of bills that begin in ``[first, end)``."""
        return await find_corrections(self.meters, self.book, now, first=first, end=end)

    async def days_changed(self, news: DaysChanged, now: datetime) -> int:
        """Queue the days of issued bills that validation has just given another version; return how many."""
        return await days_changed(self.meters, self.book, news, now)
