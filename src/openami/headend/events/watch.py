"""Reads events from the bus, calls people, and counts. What was read is done with only when all of that is kept.

Several head-ends may watch: the bus gives each message to one of them, and alerts have ids of their own. What a kill
interrupted comes again: an alert is said once all the same, a count may be higher by one message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog

from openami.contracts.event import DeviceEvent
from openami.headend.events.ports import EventBook, EventSource
from openami.headend.events.tally import calls_of, counts_of, mass_of
from openami.headend.ports import BusUnavailableError, StateUnavailableError
from openami.security.watch.alert import AlertBook, AlertsUnavailableError

RETRY_S = 2.0
log = structlog.get_logger("openami.events")


class EventWatch:
    """The loop of one head-end.

    Args:
        source: events.
        book: their counts.
        alerts: where people are called.
        real_now: the host's clock.
        title_of: returns a meter's system title, hexadecimal; empty where it is not known.
    """

    def __init__(
        self,
        source: EventSource,
        book: EventBook,
        alerts: AlertBook,
        *,
        real_now: Callable[[], datetime],
        title_of: Callable[[UUID], str],
    ) -> None:
        self._source = source
        self._book = book
        self._alerts = alerts
        self._real_now = real_now
        self._title_of = title_of

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``; with an engine away, go on when it is back."""
        while not stop.is_set():
            try:
                await self.look()
            except (BusUnavailableError, StateUnavailableError, AlertsUnavailableError) as error:
                log.warning("events_unwatched", error=str(error))
                try:
                    await asyncio.wait_for(stop.wait(), RETRY_S)
                except TimeoutError:
                    continue

    async def look(self) -> None:
        """Deal with what came since the last look.

        Raises:
            BusUnavailableError, StateUnavailableError, AlertsUnavailableError: an engine does not answer; what was
                read comes again.
        """
        events = await self._source.read()
        if events:
            await self._deal_with(events)
        # Also what cannot be read: it would come for ever.
        await self._source.done()

    async def _deal_with(self, events: Sequence[DeviceEvent]) -> None:
        now = self._real_now()
        alerts = calls_of(events, now=now, title_of=self._title_of)
        totals = await self._book.add(counts_of(events, now=now))
        alerts += [a for hour, total in totals.items() if (a := mass_of(hour, total, now=now)) is not None]
        for alert in alerts:
            await self._alerts.raise_alert(alert)
