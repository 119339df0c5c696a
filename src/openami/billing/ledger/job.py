"""The worker's job of the ledger: books every issued bill that it lacks, and accrues at each month's end.

Progress is in the tables: what a crash left out is found again, what is there already counts once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from openami.billing.bill.record import Bill
from openami.billing.ledger.accrue import Accrual
from openami.billing.ledger.ports import Postings
from openami.contracts.changed import DaysChanged
from openami.kernel.time import local_date

_LOG = structlog.get_logger("ledger")
AT_ONCE = 2_000
SETTLED = 2
"""Day of a month from which the last day of the month before is validated."""


class UnpostedBills(Protocol):
    """Finds bills that the ledger lacks."""

    async def unposted(self, *, since: datetime | None, limit: int) -> list[UUID]:
        """Return issued bills that charge something and have no entry, oldest first.

        Args:
            since: issued from then on; None looks at all.
            limit: at most so many.
        """
        ...


class BillsWithLines(Protocol):
    """Reads bills."""

    async def bills(self, bill_ids: Collection[UUID]) -> list[Bill]:
        """Return these bills with their lines."""
        ...


class LedgerJob:
    """Books bills and accrues.

    Args:
        found: bills that the ledger lacks.
        bills: reads them.
        postings: books them.
        accrual: of month ends.
        zone: the utility's.
    """

    name = "ledger"
    PAUSE = timedelta(minutes=1)

    def __init__(
        self, found: UnpostedBills, bills: BillsWithLines, postings: Postings, accrual: Accrual, zone: ZoneInfo
    ) -> None:
        self._found = found
        self._bills = bills
        self._postings = postings
        self._accrual = accrual
        self._zone = zone
        self._again: datetime | None = None
        self._since: datetime | None = None
        self._accrued: date | None = None

    async def run_due(self, now: datetime) -> None:
        """Book what is not booked; cheap when nothing is."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        booked = 0
        while ids := await self._found.unposted(since=self._since, limit=AT_ONCE):
            new = await self._postings.post(await self._bills.bills(ids), at=now)
            booked += new
            if not new:
                break
        # A bill of an import or of a slow worker may carry an earlier instant; all are looked at when we start anew.
        self._since = now - timedelta(days=2)
        if booked:
            _LOG.info("ledger.booked", entries=booked)
        await self._accrue(now)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Nothing: corrections book what changes."""

    async def _accrue(self, now: datetime) -> None:
        today = local_date(now, self._zone)
        month_end = today.replace(day=1) - timedelta(days=1)
        if today.day < SETTLED or self._accrued == month_end:
            return
        places = await self._accrual.month_end(month_end, at=now)
        self._accrued = month_end
        if places:
            _LOG.info("ledger.accrued", month_end=month_end.isoformat(), places=places)
