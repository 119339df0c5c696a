"""What bills of a place are made with, as the closing of bills takes it: standing facts, approvals, the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.compare.ports import PlaceFacts
from openami.billing.cycle.due import holdings_of
from openami.billing.cycle.open import next_read_day
from openami.billing.cycle.run import BillRun
from openami.billing.cycle.terms import own_facts
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.heard import followed_by, heard_from
from openami.kernel.time import EVER, Period, local_date, local_day, local_midnight, zone_named
from openami.mdm.api import FactKind

METER_KINDS = {"interval": "AMI", "drive_by": "AMR", "by_hand": "manual", "customer": "manual"}
"""What sheets call a meter that is read in such a way. A day before it hangs nothing is known of it."""


class BilledFacts:
    """Implements :class:`~openami.billing.compare.ports.FactsOfPlaces` and ``Accounts``.

    Args:
        run: what bills are closed with.
    """

    def __init__(self, run: BillRun) -> None:
        self._run = run

    async def facts(self, service_point_id: UUID, spans: Sequence[BillSpan]) -> PlaceFacts:
        """See the port. Spans of a comparison are calendar months, each its own revenue month."""
        (point,) = await self._run.meters.registry.service_points({service_point_id})
        whole = BillSpan(min(s.first for s in spans), max(s.end for s in spans))
        found = await own_facts(self._run.meters, {service_point_id: point.zone}, self._run.setting.standing)
        own = found[service_point_id]
        terms, unheard = await self._heard({span: own.terms(span) for span in spans}, whole, zone_named(point.zone))
        kind = await self._meter_kind(service_point_id, whole.last, zone_named(point.zone))
        attributes = {**own.attributes_on(whole.last), **({"meter_kind": kind} if kind else {})}
        is_interconnected = bool(own.terms(whole).approved_w)
        return PlaceFacts(terms, attributes, is_interconnected=is_interconnected, unheard=unheard)

    async def _heard(
        self, terms: dict[BillSpan, BillTerms], whole: BillSpan, zone: ZoneInfo
    ) -> tuple[dict[BillSpan, BillTerms], dict[str, str]]:
        """Return terms with what every rate's signals did, and by rate what of it is not known."""
        by_rate = {code: found for code, s in self._run.rates.items() if (found := followed_by(s, whole))}
        if not by_rate:
            return terms, {}
        followed = list(dict.fromkeys(f for found in by_rate.values() for f in found))
        told = await self._run.book.signals.over([name for _, name in followed], whole.period(zone))
        heard = {span: heard_from(followed, span.period(zone), told).into(own) for span, own in terms.items()}
        lacks = {code: heard_from(found, whole.period(zone), told).lacks for code, found in by_rate.items()}
        return heard, {code: words for code, words in lacks.items() if words}

    async def _meter_kind(self, service_point_id: UUID, day: date, zone: ZoneInfo) -> str:
        """Return what kind of meter hangs at a place, as rates name it; empty is not known."""
        registry, hours = self._run.meters.registry, local_day(day, zone)
        told = await registry.facts.of([service_point_id], hours, kinds=[FactKind.READING])
        if told:
            return METER_KINDS.get(told[-1].value, "")
        hung = await registry.installed([service_point_id], hours)
        # The meter of an imported file is a name: what device counted is not known.
        return METER_KINDS["interval"] if any(not i.meter.is_virtual for i in hung) else ""

    async def account_at(self, service_point_id: UUID, at: datetime | date) -> UUID | None:
        """See the port."""
        (point,) = await self._run.meters.registry.service_points({service_point_id})
        day = local_date(at, zone_named(point.zone)) if isinstance(at, datetime) else at
        found = await holdings_of(self._run.meters, {service_point_id: point.zone}, {service_point_id})
        mine = (
            h.account_id for h in found.get(service_point_id, ()) if h.first <= day and (h.end is None or day < h.end)
        )
        return next(mine, None)

    async def of_present(self, service_point_id: UUID, period: Period, now: datetime) -> tuple[Period, ...]:
        """See the port."""
        present = await self.account_at(service_point_id, now)
        if present is None:
            return (period,)
        (point,) = await self._run.meters.registry.service_points({service_point_id})
        zone = zone_named(point.zone)
        found = await holdings_of(self._run.meters, {service_point_id: point.zone}, {service_point_id})
        own = [
            Period(local_midnight(h.first, zone), EVER.end if h.end is None else local_midnight(h.end, zone))
            for h in found[service_point_id]
            if h.account_id == present
        ]
        return tuple(part for p in own if (part := period.intersection(p)) is not None)

    async def next_read_day(self, service_point_id: UUID, after: date) -> date:
        """See the port; the first of the next month where the calendar knows no read."""
        found = await next_read_day(self._run, service_point_id, after)
        return found or (after.replace(day=28) + timedelta(days=4)).replace(day=1)
