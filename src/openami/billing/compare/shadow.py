"""Shadow bills: what another rate would have charged for the very intervals that an issued bill was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from openami.billing.bill.make import Making
from openami.billing.bill.making import bills_of
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill
from openami.billing.compare.ports import FactsOfPlaces
from openami.billing.jurisdiction import Jurisdiction
from openami.billing.rating.terms import NO_TERMS
from openami.billing.tariff.model import RateSchedule, opened
from openami.kernel.time import zone_named
from openami.mdm.api import MeterData


class ShadowMaker:
    """Implements :class:`~openami.billing.compare.work.Shadows` by the one road on which bills are made.

    Args:
        meters: validated usage.
        rates: by code.
        facts: what bills are made with.
        rules: what the jurisdiction says of bills.
    """

    def __init__(
        self, *, meters: MeterData, rates: Mapping[str, RateSchedule], facts: FactsOfPlaces, rules: Jurisdiction
    ) -> None:
        self._meters, self._rates, self._facts, self._rules = meters, rates, facts, rules

    async def total(self, bill: Bill, rate_code: str, now: datetime) -> tuple[Decimal | None, str]:
        """See the port. It is made from what was known when the bill was; what could not be issued is no shadow."""
        schedule = self._rates.get(rate_code)
        if schedule is None:
            return None, f"the rate {rate_code} is not known"
        facts = await self._facts.facts(bill.service_point_id, [bill.span])
        if rate_code in facts.unheard:
            return None, facts.unheard[rate_code]
        terms = facts.terms.get(bill.span, NO_TERMS)
        if bill.cycle is not None:
            terms = replace(terms, revenue_month=bill.cycle.revenue_month)
        order = BillOrder(
            bill.service_point_id, bill.span, kind=bill.kind, account_id=bill.account_id, cycle=bill.cycle,
            terms=terms, version=bill.version, released=bill.released,
        )  # fmt: skip
        making = Making(opened(schedule), zone_named(bill.zone), now, self._rules)
        (shadow,) = await bills_of(self._meters, making, [order], known_at=bill.made_at)
        if shadow.total is None:
            return None, shadow.hold_reason or "it would be held"
        if shadow.stamps:
            return None, str(shadow.stamps[0])
        return shadow.total, ""
