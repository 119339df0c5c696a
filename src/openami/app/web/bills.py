"""Bills and prices for the portal, from billing, seen through row security with the eyes of the reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from openami.billing.api import Bill, Billing, BillProof, CallAnswer, KeptLine, ReadingProof, Statement, TariffError
from openami.billing.correction.record import Adjustment
from openami.billing.correction.true_up_lines import TrueUp, true_ups_of
from openami.billing.document import money, plain
from openami.billing.statement.estimate import notices_of
from openami.billing.statement.setting import SettingError
from openami.kernel.clock import Clock
from openami.kernel.time import Period, epoch_s, local_date, zone_named
from openami.mdm.api import StoreError
from openami.portal.ports import I64, PricedIntervals, RefusedError, SourceUnavailableError
from openami.portal.views.bill import BillLineView, BillSummaryView, BillView, MadeAgainView
from openami.portal.views.own_read import EstimateNoticeView, NoticeStateName, TrueUpLineView, TrueUpView
from openami.portal.views.usage import BillSoFarView
from openami.security.access.row import RowSettings, of_scope, seen_as
from openami.security.access.scope import Scope

T = TypeVar("T")


class AdjustmentBook(Protocol):
    """What is asked of corrections."""

    async def adjustments(self, *, service_points: Collection[UUID] | None = None) -> list[Adjustment]:
        """Return adjustments of these places, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class PortalBills:
    """Implements :class:`~openami.portal.ports.Bills`.

    Args:
        billing: over a bill book connected as ``openami_portal``.
        domain: domain time, for the rate in force today.
        adjustments: what links replaced bills and corrected ones; None shows none.
    """

    billing: Billing
    domain: Clock
    adjustments: AdjustmentBook | None = None

    async def so_far(self, scope: Scope, service_point_id: UUID, now: datetime) -> BillSoFarView | None:
        """Return the open bill and its forecast; None for whoever has moved out, whose place has another's now."""
        if not scope.granted(service_point_id, Period(now, now + timedelta(seconds=1))):
            return None
        with seen_as(of_scope(scope)):
            try:
                found = await self.billing.bill_so_far(scope, service_point_id, now)
            except DBAPIError as error:
                raise _unavailable() from error
        if found is None:
            return None
        return BillSoFarView(
            period_from=found.period.start_s,
            period_to=found.period.end_s,
            rate_name=found.rate_name,
            currency=found.currency,
            usage_wh=found.usage_wh,
            total=money(found.total),
            forecast_low=None if found.forecast_low is None else money(found.forecast_low),
            forecast_high=None if found.forecast_high is None else money(found.forecast_high),
            estimated_share=min(1.0, max(0.0, found.estimated_share)),
        )

    async def bills(self, scope: Scope, service_point_id: UUID) -> list[BillSummaryView]:
        """Return the bills of the reader's own time."""
        with seen_as(of_scope(scope)):
            try:
                found = await self.billing.bills(scope, service_point_id)
            except DBAPIError as error:
                raise _unavailable() from error
        return [BillSummaryView(**_summary(b)) for b in found if _is_theirs(scope, b)]

    async def true_ups(self, scope: Scope, service_point_id: UUID) -> list[TrueUpView]:
        """Return what actual reads settled of the reader's own estimated bills."""
        if self.adjustments is None:
            return []
        with seen_as(of_scope(scope)):
            try:
                bills = await self.billing.bills(scope, service_point_id)
                told = await self.adjustments.adjustments(service_points=[service_point_id])
            except DBAPIError as error:
                raise _unavailable() from error
        return [_true_up(t) for t in true_ups_of(told, [b for b in bills if _is_theirs(scope, b)])]

    async def notices(self, scope: Scope, service_point_id: UUID) -> list[EstimateNoticeView]:
        """Return the notices given with the reader's own estimated bills."""
        with seen_as(of_scope(scope)):
            try:
                found = await self.billing.bills(scope, service_point_id)
            except DBAPIError as error:
                raise _unavailable() from error
        own = [b for b in found if _is_theirs(scope, b)]
        if not own:
            return []
        today = local_date(self.domain.now(), zone_named(own[0].zone))
        return [
            EstimateNoticeView(
                bill_id=n.bill_id, given_on=n.given_on, title=n.title, words=list(n.words), read_until=n.read_until,
                is_limit_near=n.is_limit_near, state=NoticeStateName(n.state.value),
            )
            for n in notices_of(own, self.billing.setting.rules, today)
        ]  # fmt: skip

    async def bill(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillView | None:
        """Return one bill of the reader's own time with its lines."""
        with seen_as(of_scope(scope)):
            try:
                found = await self.billing.bill(scope, bill_id)
            except DBAPIError as error:
                raise _unavailable() from error
        if found is None or found.service_point_id != service_point_id or not _is_theirs(scope, found):
            return None
        return BillView(
            **_summary(found),
            service_point_id=service_point_id,
            begin_register_wh=found.begin_register_wh,
            end_register_wh=found.end_register_wh,
            exact_total=None if found.exact_total is None else plain(found.exact_total),
            estimated_share=found.estimated_share,
            supersedes=found.supersedes,
            lines=[_line(line) for line in found.lines],
        )

    async def statement(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> Statement | None:
        """Return a bill of the reader's own time as its customer reads it."""
        papers = self.billing.papers
        return await self._paper(scope, service_point_id, bill_id, lambda: papers.statement(scope, bill_id))

    async def document(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, addressee: tuple[str, ...]
    ) -> bytes | None:
        """Return the PDF of a bill of the reader's own time."""
        papers = self.billing.papers
        return await self._paper(
            scope, service_point_id, bill_id, lambda: papers.pdf(scope, bill_id, addressee=addressee)
        )

    async def answer(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> CallAnswer | None:
        """Return why a bill of the reader's own time is as high as it is."""
        papers = self.billing.papers
        return await self._paper(scope, service_point_id, bill_id, lambda: papers.answer(scope, bill_id))

    async def proof(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillProof | None:
        """Return the proof of a bill of the reader's own time."""
        papers = self.billing.papers
        return await self._paper(scope, service_point_id, bill_id, lambda: papers.proof(scope, bill_id))

    async def readings(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, day: date
    ) -> Sequence[ReadingProof] | None:
        """Return the readings behind a day of a bill of the reader's own time."""
        papers = self.billing.papers
        return await self._paper(scope, service_point_id, bill_id, lambda: papers.readings(scope, bill_id, day))

    async def made_again(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> MadeAgainView | None:
        """Make a bill of the reader's own time again."""
        papers = self.billing.papers
        found = await self._paper(scope, service_point_id, bill_id, lambda: papers.rebuilt(scope, bill_id))
        if found is None:
            return None
        return MadeAgainView(bill_id=bill_id, differences=list(found[0].differences), same_document=found[1])

    async def _paper(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, ask: Callable[[], Awaitable[T | None]]
    ) -> T | None:
        """Return what is asked of a bill that the reader may see; None where it is not theirs."""
        if await self.bill(scope, service_point_id, bill_id) is None:
            return None
        with seen_as(of_scope(scope)):
            try:
                return await ask()
            except (DBAPIError, StoreError) as error:
                raise _unavailable() from error
            except (TariffError, SettingError) as error:
                raise RefusedError(str(error)) from error

    async def rate_name(self, service_point_id: UUID) -> str | None:
        """Return the name of the rate in force today."""
        with seen_as(RowSettings("viewer", None, frozenset({service_point_id}))):
            try:
                point = await self.billing.meters.registry.service_point(service_point_id)
                today = local_date(self.domain.now(), zone_named(point.zone))
                schedule = await self.billing.rate_of(service_point_id, today)
            except DBAPIError as error:
                raise _unavailable() from error
        return schedule.name if schedule else None

    async def price(
        self, service_point_id: UUID, start_s: I64, value_wh: I64, *, interval_s: int
    ) -> PricedIntervals | None:
        """Price delivered energy by interval."""
        with seen_as(RowSettings("viewer", None, frozenset({service_point_id}))):
            try:
                found = await self.billing.price(service_point_id, start_s, value_wh, interval_s=interval_s)
            except DBAPIError as error:
                raise _unavailable() from error
        if found is None:
            return None
        return PricedIntervals(found.currency, found.period_names, found.period, found.cost)


def _is_theirs(scope: Scope, bill: Bill) -> bool:
    """Tell whether the whole bill lies in the reader's time: a month shared with another occupant is nobody's."""
    return scope.granted(bill.service_point_id, bill.period) == (bill.period,)


def _summary(bill: Bill) -> dict[str, Any]:
    return {
        "bill_id": bill.bill_id,
        "period_from": bill.period.start_s,
        "period_to": bill.period.end_s,
        "rate_name": bill.rate_name,
        "state": bill.state.value,
        "usage_wh": bill.usage_wh,
        "total": None if bill.total is None else money(bill.total),
        "currency": bill.currency,
        "issued_at": epoch_s(bill.issued_at) if bill.issued_at else None,
        "hold_reason": bill.hold_reason,
    }


def _line(line: KeptLine) -> BillLineView:
    return BillLineView(
        kind=line.kind,
        name=line.name,
        period=line.period,
        tier=line.tier,
        quantity=plain(line.quantity),
        unit=line.unit,
        price=plain(line.price),
        exact_amount=plain(line.exact_amount),
        amount=money(line.amount),
        evidence=dict(line.evidence),
    )


def _true_up(found: TrueUp) -> TrueUpView:
    lines = [
        TrueUpLineView(
            first_day=line.span.first, last_day=line.span.last, before_kwh=_kwh(line.before_wh),
            after_kwh=_kwh(line.after_wh), by=money(line.by),
        )
        for line in found.lines
    ]  # fmt: skip
    return TrueUpView(
        decision_id=found.decision_id, day=found.day, words=found.words, lines=lines, by_kwh=_kwh(found.by_wh),
        by=money(found.by), parts=found.parts, currency=found.currency,
    )  # fmt: skip


def _kwh(value_wh: int) -> str:
    return f"{Decimal(value_wh) / 1000:.3f}"


def _unavailable() -> SourceUnavailableError:
    return SourceUnavailableError("billing does not answer")
