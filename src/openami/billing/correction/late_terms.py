"""Bills that went out with other terms than are known now: taxed where, of which class, feeding in, a rate's signal.

Such a bill is put on the queue of corrections and weighed like any other; nothing is rewritten. The worker remembers
since when it looked; after a start it looks back :data:`AT_START`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from openami.billing.bill.record import Bill, Correction
from openami.billing.bill.terms_document import terms_document
from openami.billing.correction.record import Cause, CauseKind
from openami.billing.cycle.terms import Standing, own_facts
from openami.billing.ports import BillBook
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.heard import Followed, followed_by, heard_from
from openami.billing.signal.statement import Statement
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import zone_named
from openami.mdm.api import FactKind, MeterData

AT_START = timedelta(days=35)
LATE = timedelta(days=400)
"""Terms of bills that ended earlier are looked for by a person."""
LONGEST_BILL = timedelta(days=100)
CHUNK = 500
"""Bills in memory at once."""
_KINDS = (FactKind.MUNICIPALITY, FactKind.CUSTOMER_CLASS, FactKind.INTERCONNECTION)
_BELOW = 2**40
"""Versions of the queue below this are marks of terms; no version of readings is."""


@dataclass(frozen=True, slots=True)
class LateTerms:
    """Finds bills whose terms are others now.

    Args:
        meters: the registry.
        bills: issued ones, the queue, and statements of signals.
        rates: by code.
        standing: what holds of every place.
    """

    meters: MeterData
    bills: BillBook
    rates: Mapping[str, RateSchedule]
    standing: Standing = field(default_factory=Standing)

    async def note(self, now: datetime, *, since: datetime | None = None) -> int:
        """Put such bills on the queue; returns how many are new.

        Args:
            now: domain time.
            since: facts and statements entered from then on.
        """
        begin = since or now - AT_START
        places = await self.meters.registry.facts.touched_since(_KINDS, begin)
        noted = await self._of_places(sorted(places), now)
        for statement in await self.bills.signals.entered_since(begin):
            noted += await self._of_signal(statement, now)
        return noted

    async def _of_places(self, places: Sequence[UUID], now: datetime) -> int:
        noted = 0
        for at in range(0, len(places), CHUNK):
            part = frozenset(places[at : at + CHUNK])
            first = now.date() - LATE
            bills = await self.bills.issued(first - LONGEST_BILL, now.date(), service_points=part, bills_from=first)
            noted += await self._noted(bills, now)
        return noted

    async def _of_signal(self, one: Statement, now: datetime) -> int:
        first, end = one.period.start.date() - timedelta(days=1), one.period.end.date() + timedelta(days=2)
        noted = 0
        # A month of many places at once is too much; bills begin on some day of it.
        for n in range((min(end, now.date()) - (first - LONGEST_BILL)).days):
            day = first - LONGEST_BILL + timedelta(days=n)
            begun = await self.bills.issued(day, day + timedelta(days=1), bills_from=first)
            bills = [b for b in begun if (one.kind, one.signal) in self._followed(b)]
            noted += await self._noted(bills, now)
        return noted

    async def _noted(self, bills: Sequence[Bill], now: datetime) -> int:
        rows = []
        for at in range(0, len(bills), CHUNK):
            part = bills[at : at + CHUNK]
            known = await self.known(part)
            rows += [_row(b, known[b.bill_id]) for b in part if differs(b.terms, known[b.bill_id])]
        return await self.bills.note_corrections(rows, at=now)

    async def known(self, bills: Sequence[Bill]) -> dict[UUID, BillTerms]:
        """Return each bill's terms as they are known now."""
        own = await own_facts(self.meters, {b.service_point_id: b.zone for b in bills}, self.standing)
        found = {}
        for bill in bills:
            facts = own[bill.service_point_id].terms(bill.span)
            terms = replace(
                bill.terms, municipality=facts.municipality, annexed=facts.annexed, attributes=facts.attributes,
                approved_w=facts.approved_w,
            )  # fmt: skip
            if followed := self._followed(bill):
                period = bill.span.period(zone_named(bill.zone))
                told = await self.bills.signals.over([name for _, name in followed], period)
                terms = heard_from(followed, period, told).into(terms)
            found[bill.bill_id] = terms
        return found

    def _followed(self, bill: Bill) -> Sequence[Followed]:
        schedule = self.rates.get(bill.own_rate_code)
        return [] if schedule is None else followed_by(schedule, bill.span)


def differs(old: BillTerms, new: BillTerms) -> bool:
    """Tell whether terms say something else of place, class or signals."""
    return _compared(old) != _compared(new)


def terms_cause(old: Bill, made: BillTerms) -> Cause | None:
    """Return the cause of a bill whose terms are others now; None where they are the same."""
    before, after = old.terms, made
    if (before.municipality, before.annexed) != (after.municipality, after.annexed):
        was, now = (_towns(t, old.span) for t in (before, after))
        return Cause(CauseKind.REGISTRY, f"municipality/{now}"[:120], f"it is taxed in {now} now, it was in {was}")
    if dict(before.attributes) != dict(after.attributes):
        told = ", ".join(f"{k} {v}" for k, v in sorted(after.attributes.items()))
        return Cause(CauseKind.REGISTRY, f"attributes/{told}"[:120], f"its facts are now: {told or 'none'}"[:300])
    if before.approved_w != after.approved_w:
        was, now = (_approved(t) for t in (before, after))
        return Cause(
            CauseKind.REGISTRY, f"interconnection/{now}"[:120], f"feeding in is approved {now} now, it was {was}"
        )
    if differs(before, after):
        source = "; ".join(after.sources)
        return Cause(CauseKind.RATE, f"signal/{source}"[:120], f"what the rate follows was stated anew: {source}"[:300])
    return None


def _approved(terms: BillTerms) -> str:
    told = [f"from {a.first}{f' to {a.end}' if a.end else ''} for {a.capacity_w:,} W" for a in terms.approved_w]
    return " and ".join(told) or "not at all"


def _compared(terms: BillTerms) -> tuple[object, ...]:
    return (
        terms.municipality, terms.annexed, dict(terms.attributes), terms.events, terms.coincident, terms.approved_w,
        sorted(_each_price(terms)),
    )  # fmt: skip


def _each_price(terms: BillTerms) -> list[tuple[str, int, int, object]]:
    """Return the price of each instant, however the series were cut; where two hold one, the first counts."""
    found: dict[tuple[str, int], tuple[int, object]] = {}
    for series in terms.prices:
        begin = int(series.start.timestamp())
        for n, price in enumerate(series.prices):
            found.setdefault((series.signal, begin + n * series.interval_s), (series.interval_s, price))
    return [(signal, at, length, price) for (signal, at), (length, price) in found.items()]


def _towns(terms: BillTerms, span: BillSpan) -> str:
    return ", then ".join(name or "a municipality that is not known" for name in terms.municipalities(span))


def _row(bill: Bill, known: BillTerms) -> Correction:
    """Return the row of the queue; its mark changes with the terms, so that the same find is noted once."""
    text = repr(sorted(terms_document(replace(known, sources=(), part_of=None)).items()))
    mark = int.from_bytes(sha256(text.encode()).digest()[:4], "big")
    return Correction(bill.bill_id, bill.service_point_id, bill.span.first, 0, -_BELOW - mark)
