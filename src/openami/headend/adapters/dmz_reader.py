"""Read a DMZ stream in order, call by call. Core dials; the gateway never does."""

from __future__ import annotations

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import Error as JetStreamError

from openami.contracts.stream import StreamSpec
from openami.headend.ports import BusUnavailableError

FIRST_WAIT_S = 0.2


class DmzReader:
    """One reader of one stream, by an ordered consumer that begins anew after any fault.

    Args:
        client: connected as ``headend_dmz``.
        spec: the stream; its first subject is read.
        most: messages of one call.
    """

    def __init__(self, client: Client, spec: StreamSpec, *, most: int) -> None:
        self._client = client
        self._spec = spec
        self._most = most
        self._subscription: JetStreamContext.PushSubscription | None = None

    async def read(self, begin: api.ConsumerConfig) -> list[bytes]:
        """Return the bodies that came since the last call.

        Args:
            begin: where to begin, for the first call and after a fault.

        Raises:
            BusUnavailableError: the bus does not answer; the next call begins anew.
        """
        bodies: list[bytes] = []
        try:
            if self._subscription is None:
                self._subscription = await self._client.jetstream().subscribe(
                    self._spec.subjects[0], stream=self._spec.name, ordered_consumer=True, config=begin
                )
            while len(bodies) < self._most:
                try:
                    message = await self._subscription.next_msg(timeout=FIRST_WAIT_S)
                except TimeoutError:
                    break
                bodies.append(message.data)
        except (NatsError, JetStreamError, OSError, TimeoutError) as error:
            await self.close()
            raise BusUnavailableError(f"the bus does not answer: {type(error).__name__}") from error
        return bodies

    async def close(self) -> None:
        """Stop reading. Never raises."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            await subscription.unsubscribe()
        except (NatsError, JetStreamError, OSError, TimeoutError):
            # The server forgets an ordered consumer by itself.
            return
