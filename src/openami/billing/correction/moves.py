"""Bills that went out too long: service stopped within their days, and that was entered later.

Such a bill is corrected to end where the service did; the days after it are billed to whoever came. A bill all of whose
days lie after the stop holds nothing that is its account's, and is reversed whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from openami.billing.bill.record import Bill, BillKind, Correction
from openami.billing.correction.ports import CorrectionBook
from openami.billing.cycle.due import holdings_of
from openami.billing.cycle.place import Holding
from openami.billing.ports import BillBook
from openami.billing.rating.terms import PartOf
from openami.billing.rating.usage import BillSpan
from openami.mdm.api import FactKind, MeterData

LATE = timedelta(days=400)
"""A stop that was entered later than this is looked for by a person."""


def unknown_stop(bill: Bill, holdings: Sequence[Holding]) -> date | None:
    """Return the day on which a bill's account stopped, where the bill was made without knowing; None where it was not.

    It stopped before or within the bill's days, on its end though it is no final bill, or within the period that the
    bill is a part of, whose months are then fewer.

    Args:
        bill: in force.
        holdings: accounts of its place as they are known now, by first day.
    """
    own = [h for h in holdings if bill.account_id is not None and h.account_id == bill.account_id]
    begun = [h for h in own if h.first < bill.span.end]
    stop = begun[-1].end if begun else None
    if stop is None or (stop > bill.span.end and stop >= bill.terms.whole(bill.span).end):
        return None
    return None if stop == bill.span.end and bill.ends_service else stop


def stopped_on(bill: Bill, stop: date) -> Bill:
    """Return a bill with the days, kind and period that it should have had.

    Args:
        bill: in force; it begins before that day.
        stop: see :func:`unknown_stop`.
    """
    part, terms = bill.terms.part_of, bill.terms
    if part is not None:
        period = BillSpan(part.period.first, min(part.period.end, stop))
        terms = replace(terms, part_of=PartOf(period, ends_service=True))
    if stop > bill.span.end:
        return replace(bill, terms=terms)
    return replace(bill, span=BillSpan(bill.span.first, stop), kind=BillKind.FINAL, terms=terms)


@dataclass(frozen=True, slots=True)
class LateStops:
    """Finds bills of accounts that stopped within their days.

    Args:
        meters: the registry.
        book: bills.
        bills: the queue.
    """

    meters: MeterData
    book: CorrectionBook
    bills: BillBook

    async def note(self, now: datetime, *, since: datetime | None = None) -> int:
        """Put such bills on the queue; returns how many are new.

        Args:
            now: domain time.
            since: moves entered from then on; None looks at every place.
        """
        facts, among = self.meters.registry.facts, None
        if since is not None:
            among = set(await facts.touched_since((FactKind.ACCOUNT,), since))
            if not among:
                return 0
        zones = {p.id: p.zone for p in await self.meters.registry.service_points(among)}
        holdings = await holdings_of(self.meters, zones, among)
        oldest = now.date() - LATE
        stopped = {p: h for p, h in holdings.items() if any(x.end is not None and x.end > oldest for x in h)}
        if not stopped:
            return 0
        rows = [
            Correction(bill.bill_id, bill.service_point_id, min(max(end, bill.span.first), bill.span.last), 0, 0)
            for bill in await self.book.bills_of(set(stopped))
            if (end := unknown_stop(bill, stopped[bill.service_point_id])) is not None and bill.span.end > oldest
        ]
        return await self.bills.note_corrections(rows, at=now)
