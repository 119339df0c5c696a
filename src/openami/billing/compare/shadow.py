"""Shadow bills from the store: what another rate would have charged for the very intervals of a bill."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from openami.billing.compare.outcome import priced
from openami.billing.compare.ports import FactsOfPlaces
from openami.billing.compare.service import joined_usage
from openami.billing.rating.terms import NO_TERMS
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, opened
from openami.contracts.channel import Channel
from openami.kernel.time import zone_named
from openami.mdm.api import MeterData
from openami.security.access.scope import Purpose, system_scope

_SCOPE = system_scope(process="shadow", purpose=Purpose.BILLING)


class ShadowMaker:
    """Implements :class:`~openami.billing.compare.work.Shadows`.

    Args:
        meters: validated usage.
        rates: by code.
        facts: what bills are made with.
    """

    def __init__(self, *, meters: MeterData, rates: Mapping[str, RateSchedule], facts: FactsOfPlaces) -> None:
        self._meters, self._rates, self._facts = meters, rates, facts

    async def total(self, service_point_id: UUID, rate_code: str, span: BillSpan) -> tuple[Decimal | None, str]:
        """See the port. A gap in the intervals, or a charge without a price, makes no shadow."""
        schedule = self._rates.get(rate_code)
        if schedule is None:
            return None, f"the rate {rate_code} is not known"
        zone = zone_named((await self._meters.service_point(_SCOPE, service_point_id)).zone)
        period = span.period(zone)
        series = [
            await self._meters.intervals(_SCOPE, service_point_id, channel, period)
            for channel in (Channel.DELIVERED, Channel.RECEIVED)
        ]
        facts = await self._facts.facts(service_point_id, [span])
        try:
            (bill,) = priced(opened(schedule), joined_usage([series]), [span], zone, facts.terms.get(span, NO_TERMS))
        except TariffError as error:
            return None, str(error)
        if bill.determinants.missing:
            return None, f"{bill.determinants.missing} intervals of {span.first} to {span.last} are missing"
        if bill.stamps:
            return None, bill.stamps[0].words
        return bill.total, ""
