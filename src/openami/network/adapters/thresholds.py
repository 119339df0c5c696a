"""Words about thresholds on the DMZ's stream ``DMZ_THRESHOLD``, acknowledged and on disk. The gateway dials nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import nats.errors
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError

from openami.contracts.stream import threshold_subject
from openami.contracts.threshold_word import ThresholdWord
from openami.network.ports import FrameStreamError

TELL_TIMEOUT_S = 10.0


class JetStreamThresholds:
    """:class:`openami.network.ports.ThresholdBus` on a connected client of the DMZ account's user ``gateway``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stream = client.jetstream(timeout=TELL_TIMEOUT_S)

    async def tell(self, words: Sequence[ThresholdWord]) -> None:
        """Publish words in their order. Raises FrameStreamError."""
        if not self._client.is_connected:
            raise FrameStreamError("the bus is not connected")
        said = [self._stream.publish(threshold_subject(word.gateway_id), word.encode()) for word in words]
        for answer in await asyncio.gather(*said, return_exceptions=True):
            if isinstance(answer, nats.errors.Error | JetStreamError | OSError | TimeoutError):
                raise FrameStreamError(f"the bus did not keep a word: {type(answer).__name__}") from answer
            if isinstance(answer, BaseException):
                raise answer
