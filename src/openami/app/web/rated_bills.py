"""The portal's bills port over the billing room: views made from records, nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from openami.billing.api import Bill, Billing, KeptLine
from openami.billing.document import money, plain
from openami.kernel.clock import Clock
from openami.kernel.time import local_date, zone_named
from openami.portal.ports import I64, PricedIntervals
from openami.portal.views.bill import BillLineView, BillSummaryView, BillView
from openami.portal.views.usage import BillSoFarView
from openami.security.access.scope import Purpose, Scope, system_scope


class RatedBills:
    """Implements :class:`~openami.portal.ports.Bills`.

    Args:
        billing: the room; its book reads under the portal's role, so row security holds as well.
        clock: domain time.
    """

    def __init__(self, billing: Billing, clock: Clock) -> None:
        self._billing = billing
        self._clock = clock

    async def so_far(self, scope: Scope, service_point_id: UUID, now: datetime) -> BillSoFarView | None:
        """See the port."""
        found = await self._billing.bill_so_far(scope, service_point_id, now)
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
            estimated_share=found.estimated_share,
        )

    async def bills(self, scope: Scope, service_point_id: UUID) -> Sequence[BillSummaryView]:
        """See the port."""
        return [BillSummaryView(**_summary(b)) for b in await self._billing.bills(scope, service_point_id)]

    async def bill(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillView | None:
        """See the port."""
        found = await self._billing.bill(scope, bill_id)
        if found is None or found.service_point_id != service_point_id:
            return None
        return BillView(
            **_summary(found),
            service_point_id=found.service_point_id,
            begin_register_wh=found.begin_register_wh,
            end_register_wh=found.end_register_wh,
            exact_total=None if found.exact_total is None else plain(found.exact_total),
            estimated_share=found.estimated_share,
            supersedes=found.supersedes,
            lines=[_line(line) for line in found.lines],
        )

    async def rate_name(self, service_point_id: UUID) -> str | None:
        """See the port."""
        scope = system_scope(process="web", purpose=Purpose.BILLING)
        zone = zone_named((await self._billing.meters.service_point(scope, service_point_id)).zone)
        found = await self._billing.rate_of(service_point_id, local_date(self._clock.now(), zone))
        return None if found is None else found.name

    async def price(self, service_point_id: UUID, start_s: I64, value_wh: I64) -> PricedIntervals | None:
        """See the port."""
        if not len(start_s):
            return None
        interval_s = int((start_s[1:] - start_s[:-1]).min()) if len(start_s) > 1 else 900
        found = await self._billing.price(service_point_id, start_s, value_wh, interval_s=interval_s)
        if found is None:
            return None
        return PricedIntervals(found.currency, found.period_names, found.period, found.cost)


def _summary(bill: Bill) -> dict[str, object]:
    return {
        "bill_id": bill.bill_id,
        "period_from": bill.period.start_s,
        "period_to": bill.period.end_s,
        "rate_name": bill.rate_name,
        "state": bill.state.value,
        "usage_wh": bill.usage_wh,
        "total": None if bill.total is None else money(bill.total),
        "currency": bill.currency,
        "issued_at": None if bill.issued_at is None else int(bill.issued_at.timestamp()),
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
