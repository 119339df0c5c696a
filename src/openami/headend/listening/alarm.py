"""Calls people about refused frames that a person must look at: a meter whose counter fell (attack A4).

One alert a meter and day, however many of its frames are refused: they lie with the refused frames. What is taken is
kept in memory until it is told; a kill loses it, and the meter's next frame says it again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

import structlog

from openami.contracts.deadletter import DeadLetter, RefusalReason
from openami.security.watch.alert import Alert, AlertBook, AlertsUnavailableError

MAX_WAITING = 10_000
LOOK_EVERY_S = 1.0
COUNTER_LOWERED = "counter_lowered"
_NAMESPACE = UUID("0d6a6f7e-8f0c-4f43-8a55-6f2f7d3d4c21")
log = structlog.get_logger("openami.headend")


class LetterAlarm:
    """Turns letters into alerts.

    Args:
        alerts: where people are called.
        real_now: the host's clock.
    """

    def __init__(self, alerts: AlertBook, real_now: Callable[[], datetime]) -> None:
        self._alerts = alerts
        self._real_now = real_now
        self._waiting: dict[UUID, Alert] = {}
        self._told: dict[UUID, None] = {}

    def take(self, letters: Sequence[DeadLetter]) -> None:
        """Take letters as they were written; does not wait."""
        for letter in letters:
            if letter.reason is RefusalReason.COUNTER_LOWERED and len(self._waiting) < MAX_WAITING:
                alert = self._alert(letter)
                if alert.alert_id not in self._told:
                    self._waiting.setdefault(alert.alert_id, alert)

    async def look(self) -> None:
        """Tell what waits. Raises AlertsUnavailableError: it waits on."""
        for alert_id, alert in list(self._waiting.items()):
            await self._alerts.raise_alert(alert)
            log.warning(COUNTER_LOWERED, device=alert.device)
            del self._waiting[alert_id]
            self._told[alert_id] = None
            if len(self._told) > MAX_WAITING:
                del self._told[next(iter(self._told))]

    async def run(self, stop: asyncio.Event) -> None:
        """Tell every second until ``stop``, and once more."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
            try:
                await self.look()
            except AlertsUnavailableError as error:
                log.warning("alarm_waits", error=str(error))

    def _alert(self, letter: DeadLetter) -> Alert:
        now = self._real_now()
        words = (
            f"The counter of meter {letter.system_title} fell to {letter.invocation_counter}: it was reset, or another "
            "device has its keys. Its frames are refused: send somebody, and give it new keys."
        )
        alert_id = uuid5(_NAMESPACE, f"{letter.system_title} {now.date()}")
        return Alert(alert_id, now, COUNTER_LOWERED, words, device=letter.system_title)
