"""Reads the gateway's words, keeps them, and settles findings every few seconds.

Several head-ends may watch at once: what they write is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from openami.headend.collectors.calling import alert_of
from openami.headend.collectors.judge import judge
from openami.headend.collectors.ports import CollectorBook, NothingStolen, StolenBook, WordSource
from openami.headend.ports import BusUnavailableError, StateUnavailableError
from openami.kernel.time import EPOCH
from openami.security.watch.alert import Alert, AlertBook, AlertsUnavailableError

JUDGE_EVERY_S = 5.0
"""A silence is told at most this late."""
log = structlog.get_logger("openami.collectors")


class CollectorWatch:
    """The loop of one head-end.

    Args:
        source: the gateway's words.
        book: where they and the findings are kept.
        real_now: the host's clock.
        reports: which collectors are stolen; None: nobody reports.
        alerts: where people are called; None: findings alone tell them.
    """

    def __init__(
        self,
        source: WordSource,
        book: CollectorBook,
        *,
        real_now: Callable[[], datetime],
        reports: StolenBook | None = None,
        alerts: AlertBook | None = None,
    ) -> None:
        self._source = source
        self._book = book
        self._real_now = real_now
        self._reports: StolenBook = reports or NothingStolen()
        self._alerts = alerts
        self._untold: list[Alert] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``; with an engine away, go on when it is back."""
        try:
            while not stop.is_set():
                await _rest(stop, JUDGE_EVERY_S)
                try:
                    await self.look()
                except (BusUnavailableError, StateUnavailableError, AlertsUnavailableError) as error:
                    log.warning("collectors_unwatched", error=str(error))
        finally:
            await self._source.close()

    async def look(self) -> None:
        """Take what was said since the last look, and judge.

        Raises:
            BusUnavailableError, StateUnavailableError: an engine does not answer.
            AlertsUnavailableError: people could not be called; they are at the next look.
        """
        words = await self._source.read()
        if words:
            await self._book.note(words)
        now_ms = (self._real_now() - EPOCH) // timedelta(milliseconds=1)
        found = judge(await self._book.fleet(), now_ms=now_ms, stolen=await self._reports.stolen())
        for new in await self._book.settle(found, now_ms=now_ms):
            log.warning(new.rule.value, collector=new.collector_id, severity=new.severity.value, **new.evidence)
            if self._alerts is not None and (alert := alert_of(new)) is not None:
                self._untold.append(alert)
        while self._untold and self._alerts is not None:
            await self._alerts.raise_alert(self._untold[0])
            del self._untold[0]


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
