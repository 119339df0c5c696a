"""The gateway's words about thresholds, from the DMZ's stream ``DMZ_THRESHOLD``. Core dials; the gateway never does."""

from __future__ import annotations

from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import Error as JetStreamError

from openami.contracts.errors import ContractError
from openami.contracts.stream import DMZ_THRESHOLD
from openami.contracts.threshold_word import ThresholdWord, decode_word
from openami.headend.ports import BusUnavailableError

MAX_WORDS_A_LOOK = 5_000
FIRST_WAIT_S = 0.2
log = structlog.get_logger("openami.thresholds")


class JetStreamThresholdWords:
    """A :class:`~openami.headend.thresholds.ports.ThresholdWordSource`.

    Args:
        client: connected as ``headend_dmz``.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._subscription: JetStreamContext.PushSubscription | None = None

    async def read(self, *, since: datetime | None) -> list[ThresholdWord]:
        """Return words that came since the last call. Raises BusUnavailableError."""
        words: list[ThresholdWord] = []
        try:
            if self._subscription is None:
                self._subscription = await self._begin(since)
            while len(words) < MAX_WORDS_A_LOOK:
                try:
                    message = await self._subscription.next_msg(timeout=FIRST_WAIT_S)
                except TimeoutError:
                    break
                try:
                    words.append(decode_word(message.data))
                except ContractError as error:
                    # The DMZ is not believed to write well: a word that is none is left out, and told.
                    log.warning("word_unreadable", problem=str(error))
        except (NatsError, JetStreamError, OSError, TimeoutError) as error:
            await self.close()
            raise BusUnavailableError(f"the bus does not answer: {type(error).__name__}") from error
        return words

    async def close(self) -> None:
        """Stop reading."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            await subscription.unsubscribe()
        except (NatsError, JetStreamError, OSError, TimeoutError):
            # The server forgets an ordered consumer by itself.
            return

    async def _begin(self, since: datetime | None) -> JetStreamContext.PushSubscription:
        policy = api.DeliverPolicy.ALL if since is None else api.DeliverPolicy.BY_START_TIME
        config = api.ConsumerConfig(deliver_policy=policy, opt_start_time=since)
        return await self._client.jetstream().subscribe(
            DMZ_THRESHOLD.subjects[0], stream=DMZ_THRESHOLD.name, ordered_consumer=True, config=config
        )
