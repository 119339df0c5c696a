"""Says the words about thresholds to core, in order, as soon as the bus takes them."""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from openami.contracts.threshold_word import ThresholdWord
from openami.network.ports import FrameStreamError, ThresholdBus

MAX_WAITING = 20_000
"""Words that wait for a bus that is away, some 500 octets each; then the oldest go. They are in the log, too."""
MAX_AT_ONCE = 256
RETRY_S = 1.0
_log = structlog.get_logger(__name__)


class ThresholdTelling:
    """Words of one gateway on their way.

    Args:
        bus: takes them; None: they stay in the log.
    """

    def __init__(self, bus: ThresholdBus | None) -> None:
        self._bus = bus
        self._waiting: deque[ThresholdWord] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()

    def say(self, word: ThresholdWord) -> None:
        """Take a word; does not wait."""
        if self._bus is not None:
            self._waiting.append(word)
            self._news.set()

    async def run(self) -> None:
        """Say words until cancelled; what the bus did not keep is said again."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                words = [self._waiting[place] for place in range(min(MAX_AT_ONCE, len(self._waiting)))]
                if not await self._said(words):
                    await asyncio.sleep(RETRY_S)

    async def _said(self, words: list[ThresholdWord]) -> bool:
        assert self._bus is not None
        try:
            await self._bus.tell(words)
        except FrameStreamError as error:
            _log.warning("gateway.threshold_not_told", problem=str(error))
            return False
        said = set(map(id, words))
        # The oldest may have gone for want of room while the bus took these.
        while self._waiting and id(self._waiting[0]) in said:
            self._waiting.popleft()
        return True
