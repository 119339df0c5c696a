"""Counts of time on the air on the DMZ's stream ``DMZ_AIRTIME``, acknowledged and on disk."""

from __future__ import annotations

import nats.errors
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError

from openami.contracts.stream import airtime_subject
from openami.network.ports import FrameStreamError

PUT_TIMEOUT_S = 10.0


class JetStreamAirtime:
    """:class:`openami.network.ports.AirtimeBus` on a connected client of the DMZ account's user ``gateway``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stream = client.jetstream(timeout=PUT_TIMEOUT_S)

    async def put(self, collector_id: int, part: int, octets: bytes) -> None:
        """Publish. Raises FrameStreamError."""
        if not self._client.is_connected:
            raise FrameStreamError("the bus is not connected")
        try:
            await self._stream.publish(airtime_subject(collector_id, part), octets)
        except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
            raise FrameStreamError(f"the bus did not keep a count: {type(error).__name__}") from error
