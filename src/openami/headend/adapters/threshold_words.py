"""The gateway's words about thresholds, from the DMZ's stream ``DMZ_THRESHOLD``."""

from __future__ import annotations

from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.js import api

from openami.contracts.errors import ContractError
from openami.contracts.stream import DMZ_THRESHOLD
from openami.contracts.threshold_word import ThresholdWord, decode_word
from openami.headend.adapters.dmz_reader import DmzReader

MAX_WORDS_A_LOOK = 5_000
log = structlog.get_logger("openami.thresholds")


class JetStreamThresholdWords:
    """A :class:`~openami.headend.thresholds.ports.ThresholdWordSource`.

    Args:
        client: connected as ``headend_dmz``.
    """

    def __init__(self, client: Client) -> None:
        self._reader = DmzReader(client, DMZ_THRESHOLD, most=MAX_WORDS_A_LOOK)

    async def read(self, *, since: datetime | None) -> list[ThresholdWord]:
        """Return words that came since the last call. Raises BusUnavailableError."""
        policy = api.DeliverPolicy.ALL if since is None else api.DeliverPolicy.BY_START_TIME
        words: list[ThresholdWord] = []
        for body in await self._reader.read(api.ConsumerConfig(deliver_policy=policy, opt_start_time=since)):
            try:
                words.append(decode_word(body))
            except ContractError as error:
                # The DMZ is not believed to write well: a word that is none is left out, and told.
                log.warning("word_unreadable", problem=str(error))
        return words

    async def close(self) -> None:
        """Stop reading."""
        await self._reader.close()
