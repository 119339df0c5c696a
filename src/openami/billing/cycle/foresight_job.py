"""The worker's job of dry runs: at noon it foresees the bills of the next day's cycle, once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from openami.billing.cycle.foresight import ForesightBook, foresee
from openami.billing.cycle.run import BillRun
from openami.contracts.changed import DaysChanged

_LOG = structlog.get_logger("billing")
NOON = 12


class ForesightJob:
    """Foresees the next read day.

    Args:
        run: what bills are closed with.
        book: where dry runs are kept.
        zone: of the utility, whose noon it is.
    """

    name = "foresight"

    def __init__(self, run: BillRun, book: ForesightBook, zone: ZoneInfo) -> None:
        self._run = run
        self._book = book
        self._zone = zone
        self._done: date | None = None

    async def run_due(self, now: datetime) -> None:
        """Foresee tomorrow's cycle after noon; cheap when that is done."""
        here = now.astimezone(self._zone)
        tomorrow = here.date() + timedelta(days=1)
        if here.hour < NOON or self._done == tomorrow:
            return
        self._done = tomorrow
        if await self._book.has(tomorrow):
            return
        rows = await foresee(self._run, tomorrow, now)
        if rows:
            await self._book.keep(rows, tomorrow, at=now)
            _LOG.info("bills.foreseen", bills=len(rows), held=sum(r.code is not None for r in rows))

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """A dry run is what was known at noon: later news is what it is scored by."""
