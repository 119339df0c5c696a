"""The gateway's words about collectors, from the DMZ's stream ``DMZ_HEALTH``."""

from __future__ import annotations

import structlog
from nats.aio.client import Client

from openami.contracts.errors import ContractError
from openami.contracts.health import CollectorWord
from openami.contracts.stream import DMZ_HEALTH
from openami.headend.adapters.latest_messages import LatestMessages

MAX_WORDS_A_LOOK = 20_000
"""One of each collector that a gateway holds."""
log = structlog.get_logger("openami.collectors")


class JetStreamWords:
    """A :class:`~openami.headend.collectors.ports.WordSource`.

    Args:
        client: connected as ``headend_dmz``.
    """

    def __init__(self, client: Client) -> None:
        self._messages = LatestMessages(client, DMZ_HEALTH, most=MAX_WORDS_A_LOOK)

    async def read(self) -> list[CollectorWord]:
        """Return words that came since the last call. Raises BusUnavailableError."""
        words: list[CollectorWord] = []
        for octets in await self._messages.read():
            try:
                words.append(CollectorWord.decode(octets))
            except ContractError as error:
                # The DMZ is not believed to write well: a word that is none is left out, and told.
                log.warning("word_unreadable", problem=str(error))
        return words

    async def close(self) -> None:
        """Stop reading."""
        await self._messages.close()
