"""The worker's job of corrections: weighs what changed, so that a person finds it with its cause and its money."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Protocol

import structlog

from openami.billing.correction.weigh import AT_ONCE, Weigher
from openami.contracts.changed import DaysChanged

_LOG = structlog.get_logger("corrections")


class RateChanges(Protocol):
    """Finds bills that stand on something else than they went out with: another rate, or another hand-over."""

    async def note_rates(self, *, at: datetime, since: datetime | None = None) -> int:
        """Put issued bills on the queue whose days are on another rate now; returns how many are new.

        Args:
            at: domain time.
            since: rates entered from then on; None looks at all.
        """
        ...

    async def note_handed(self, *, at: datetime, since: datetime | None = None) -> int:
        """Put bills on the queue that went out before the bill before them, and took in something else.

        That one was corrected later, or its days became known later: then they had taken in nothing.

        Args:
            at: domain time.
            since: bills that went out from then on; None looks at all.

        Returns:
            How many are new.
        """
        ...


class Stops(Protocol):
    """Finds bills of accounts that stopped within their days."""

    async def note(self, now: datetime, *, since: datetime | None = None) -> int:
        """Put such bills on the queue; returns how many are new.

        Args:
            now: domain time.
            since: moves entered from then on; None looks at every place.
        """
        ...


class Terms(Protocol):
    """Finds bills whose terms are others now: where the place is taxed, its class, what the rate's signals did."""

    async def note(self, now: datetime, *, since: datetime | None = None) -> int:
        """Put such bills on the queue; returns how many are new.

        Args:
            now: domain time.
            since: entered from then on; None looks some weeks back.
        """
        ...


class CorrectionJob:
    """Weighs the queue.

    Args:
        weigher: of the queue.
        rates: finds rates entered back-dated.
        stops: finds stops entered back-dated.
        terms: finds other facts entered back-dated; None where nobody keeps them.
    """

    name = "corrections"
    PAUSE = timedelta(minutes=15)
    ALL_STOPS = timedelta(days=7)

    def __init__(self, weigher: Weigher, rates: RateChanges, stops: Stops, terms: Terms | None = None) -> None:
        self._weigher = weigher
        self._rates = rates
        self._stops = stops
        self._terms = terms
        self._again: datetime | None = None
        self._rates_at: datetime | None = None
        self._stops_on: date | None = None

    async def run_due(self, now: datetime) -> None:
        """Weigh what is new; at most every quarter of an hour of domain time."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        await self._rates.note_rates(at=now, since=self._rates_at)
        await self._rates.note_handed(at=now, since=self._rates_at)
        if self._terms is not None:
            await self._terms.note(now, since=self._rates_at)
        # Every account is asked about at the start and once a week; in between, those that were told of since.
        is_whole = self._stops_on is None or now.date() - self._stops_on >= self.ALL_STOPS
        await self._stops.note(now, since=None if is_whole else self._rates_at)
        if is_whole:
            self._stops_on = now.date()
        self._rates_at = now - self.PAUSE
        counts = [0, 0, 0]
        while True:
            found = await self._weigher.weigh(now)
            told = [found.open, found.tolerated, found.unmakable]
            counts = [a + b for a, b in zip(counts, told, strict=True)]
            # Bills that cannot be made now are looked at again next time: only what leaves the queue makes room.
            if sum(told) < AT_ONCE or not (found.open or found.tolerated):
                break
        if any(counts):
            _LOG.info("corrections.weighed", open=counts[0], tolerated=counts[1], unmakable=counts[2])

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Look at the queue at the next turn, which another job has filled by then."""
        self._again = None
