"""The worker's job of billing: closes bills as their read days pass, and hears of days that changed after that."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Protocol

import structlog

from openami.billing.changed_days import month_before
from openami.billing.cycle.close import CloseReport
from openami.contracts.changed import DaysChanged

_LOG = structlog.get_logger("billing")
SWEEP_DAY = 6
"""Each Sunday, when no group is read, a run looks at every place: what was missed is late by a week at most."""


class Closing(Protocol):
    """What the job needs of billing; see :class:`openami.billing.api.Billing`."""

    async def close_due(self, now: datetime, *, retry_held: bool = True, everywhere: bool = False) -> CloseReport:
        """Issue what is due."""
        ...

    async def find_corrections(self, now: datetime, *, first: date, end: date) -> int:
        """Queue days that changed after they were billed."""
        ...

    async def days_changed(self, news: DaysChanged, now: datetime) -> int:
        """Queue the days of issued bills that have another version now."""
        ...


class BillingJob:
    """Closes bills as they are due and days are validated.

    Args:
        billing: what to close.
    """

    name = "billing"
    PAUSE = timedelta(minutes=1)
    LONGEST_HELD_PAUSE = timedelta(hours=6)

    def __init__(self, billing: Closing) -> None:
        self._billing = billing
        self._again: datetime | None = None
        self._held_again: datetime | None = None
        self._held_pause = self.PAUSE
        self._checked: date | None = None
        self._swept: date | None = None

    async def run_due(self, now: datetime) -> None:
        """Close what is due at this domain instant; cheap when nothing is."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        retry_held = self._held_again is None or now >= self._held_again
        everywhere = now.weekday() == SWEEP_DAY and self._swept != now.date()
        report = await self._billing.close_due(now, retry_held=retry_held, everywhere=everywhere)
        if report.elsewhere:
            # A person's run, or another worker's: nothing was looked at here, held bills and the week's look neither.
            return
        if everywhere:
            self._swept = now.date()
        if report.missed:
            _LOG.error("bills.places_missed", places=report.missed)
        if retry_held:
            # Looking at held bills again reads their days: soon while that frees some, ever more rarely while not.
            self._held_pause = self.PAUSE if report.issued else min(self._held_pause * 2, self.LONGEST_HELD_PAUSE)
            self._held_again = now + self._held_pause
        if report.issued:
            _LOG.info("bills.closed", issued=report.issued, held=report.held, waiting=report.waiting)
        if self._checked != now.date() and not report.waiting:
            self._checked = now.date()
            first, end = month_before(now.date())
            changed = await self._billing.find_corrections(now, first=first, end=end)
            if changed:
                _LOG.info("bills.days_changed", days=changed)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Queue corrections of bills whose days have another version."""
        queued = await self._billing.days_changed(news, now)
        if queued:
            _LOG.info("bills.days_changed", days=queued)
