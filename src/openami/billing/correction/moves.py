"""Bills that went out too long: service stopped within their days, and that was entered later.

Such a bill is corrected to end where the service did; the days after it are billed to whoever came. A bill all of whose
days lie after the stop holds nothing that is its account's, and is reversed whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from openami.billing.bill.record import Bill, Correction
from openami.billing.correction.ports import CorrectionBook
from openami.billing.cycle.due import holdings_of
from openami.billing.cycle.place import Holding
from openami.billing.ports import BillBook
from openami.mdm.api import MeterData
from openami.security.access.scope import Purpose, system_scope

SCOPE = system_scope(process="corrections", purpose=Purpose.BILLING)
LATE = timedelta(days=400)
"""A stop that was entered later than this is looked for by a person."""


def right_end(bill: Bill, holdings: Sequence[Holding]) -> date | None:
    """Return the day on which a bill's account stopped within its days, or before; None where it did neither.

    Args:
        bill: in force.
        holdings: accounts of its place as they are known now, by first day.
    """
    own = [h for h in holdings if bill.account_id is not None and h.account_id == bill.account_id]
    begun = [h for h in own if h.first < bill.span.end]
    if not begun or begun[-1].end is None or begun[-1].end >= bill.span.end:
        return None
    return begun[-1].end


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

    async def note(self, now: datetime) -> int:
        """Put such bills on the queue; returns how many are new."""
        zones = {p.id: p.zone for p in await self.meters.service_points(SCOPE)}
        holdings = await holdings_of(self.meters, zones, None)
        oldest = now.date() - LATE
        stopped = {p: h for p, h in holdings.items() if any(x.end is not None and x.end > oldest for x in h)}
        if not stopped:
            return 0
        rows = [
            Correction(bill.bill_id, bill.service_point_id, max(end, bill.span.first), 0, 0)
            for bill in await self.book.bills_of(set(stopped))
            if (end := right_end(bill, stopped[bill.service_point_id])) is not None and bill.span.end > oldest
        ]
        return await self.bills.note_corrections(rows, at=now)


def shortened(bills: Sequence[Bill], holdings: Mapping[UUID, Sequence[Holding]]) -> dict[UUID, date]:
    """Return the right end of bills that are too long, by bill."""
    found = {b.bill_id: right_end(b, holdings.get(b.service_point_id, ())) for b in bills}
    return {bill_id: end for bill_id, end in found.items() if end is not None}
