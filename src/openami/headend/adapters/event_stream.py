"""Events from core's stream ``CORE_EVENT``, by a durable consumer that several head-ends share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import Error as JetStreamError

from openami.contracts.errors import ContractError
from openami.contracts.event import DeviceEvent, decode_events
from openami.contracts.stream import CORE_EVENT
from openami.headend.ports import BusUnavailableError

DURABLE = "headend-events"
MESSAGES = 64
WAIT_S = 2.0
ACK_WAIT_S = 60
BACK = timedelta(hours=1)
log = structlog.get_logger("openami.events")


class JetStreamEvents:
    """A :class:`~openami.headend.events.ports.EventSource`.

    Args:
        client: connected as ``core_headend``.
        real_now: the host's clock.
    """

    def __init__(self, client: Client, real_now: Callable[[], datetime]) -> None:
        self._client = client
        self._real_now = real_now
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._read: list[Msg] = []

    async def read(self) -> list[DeviceEvent]:
        """Return events that nobody has dealt with. Raises BusUnavailableError."""
        found: list[DeviceEvent] = []
        try:
            if self._subscription is None:
                self._subscription = await self._begin()
            try:
                self._read = await self._subscription.fetch(MESSAGES, timeout=WAIT_S)
            except TimeoutError:
                self._read = []
        except (NatsError, JetStreamError, OSError) as error:
            self._subscription = None
            raise BusUnavailableError(f"the bus does not answer: {type(error).__name__}") from error
        for message in self._read:
            try:
                found += decode_events(message.data)
            except ContractError as error:
                log.error("events_unreadable", problem=str(error))  # noqa: TRY400 - the text names the field
        return found

    async def done(self) -> None:
        """Acknowledge what was read last. Raises BusUnavailableError."""
        read, self._read = self._read, []
        try:
            for message in read:
                await message.ack()
        except (NatsError, JetStreamError, OSError) as error:
            raise BusUnavailableError(f"the bus does not answer: {type(error).__name__}") from error

    async def _begin(self) -> JetStreamContext.PullSubscription:
        config = api.ConsumerConfig(
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=4 * MESSAGES,
            # What lay there long before anybody watched is no news, and would look like a storm of this hour.
            deliver_policy=api.DeliverPolicy.BY_START_TIME,
            opt_start_time=self._real_now() - BACK,
        )
        stream = self._client.jetstream()
        return await stream.pull_subscribe(
            CORE_EVENT.subjects[0], durable=DURABLE, stream=CORE_EVENT.name, config=config
        )
