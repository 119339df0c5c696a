"""Reads the gateway's words about thresholds every second, calls people, keeps the words, and says them in the log.

Several head-ends may watch at once: what they write is the same.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from openami.headend.ports import BusUnavailableError, StateUnavailableError
from openami.headend.thresholds.calling import alerts_of
from openami.headend.thresholds.ports import ThresholdBook, ThresholdWordSource
from openami.security.watch.alert import AlertBook, AlertsUnavailableError

LOOK_EVERY_S = 1.0
"""People are to be called within a minute."""
OVERLAP = timedelta(minutes=10)
"""At a start words are read again from so long before the newest: they may have been kept out of order."""
log = structlog.get_logger("openami.thresholds")


class ThresholdWatch:
    """The loop of one head-end.

    Args:
        source: the gateway's words.
        book: where they are kept.
        alerts: where people are called.
    """

    def __init__(
        self,
        source: ThresholdWordSource,
        book: ThresholdBook,
        alerts: AlertBook,
    ) -> None:
        self._source = source
        self._book = book
        self._alerts = alerts

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``; with an engine away, go on when it is back."""
        try:
            while not stop.is_set():
                try:
                    await self.look()
                except (BusUnavailableError, StateUnavailableError, AlertsUnavailableError) as error:
                    log.warning("thresholds_unwatched", error=str(error))
                await _rest(stop, LOOK_EVERY_S)
        finally:
            await self._source.close()

    async def look(self) -> None:
        """Take what was said since the last look.

        Raises:
            BusUnavailableError, StateUnavailableError, AlertsUnavailableError: an engine does not answer; what was read
                comes again.
        """
        newest = await self._book.newest_at()
        words = await self._source.read(since=newest - OVERLAP if newest else None)
        if not words:
            return
        try:
            # An alert is its words' own, so that the same words again are the same alert: people first, then the book.
            for alert in alerts_of(words):
                await self._alerts.raise_alert(alert)
            new = await self._book.note(words)
        except (StateUnavailableError, AlertsUnavailableError):
            # They are on the stream still: begin again from what is kept.
            await self._source.close()
            raise
        for word in new:
            rule = word.rule.value if word.rule else ""
            log.warning(word.kind.value, rule=rule, reached=word.reached, of=word.limit, version=word.version)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
