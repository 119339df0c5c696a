"""Directives as the gateway hears them: the DMZ's stream ``DMZ_DIRECTIVE``, which keeps the newest of each subject.

New ones are heard live; all are read at the start, after each reconnection and every so often, because the live way
promises nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from openami.contracts.directive import PARTS
from openami.contracts.stream import DMZ_DIRECTIVE, directive_subject

READ_TIMEOUT_S = 5.0
LOOK_EVERY_S = 30.0
MAX_WAITING = 256
_log = structlog.get_logger(__name__)


class NatsDirectives:
    """:class:`openami.network.ports.DirectiveBus` on a connected client of the DMZ account's user ``gateway``."""

    def __init__(self, client: Client, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._client = client
        self._stream = client.jetstream(timeout=READ_TIMEOUT_S)
        self._look_every_s = look_every_s
        self._read_to = (-1, 0)

    async def listen(self, take: Callable[[bytes], object]) -> None:
        """Call ``take`` with each directive until cancelled; first with all that there are."""

        async def hear(message: Msg) -> None:
            take(message.data)

        await self._client.subscribe(DMZ_DIRECTIVE.subjects[0], cb=hear, pending_msgs_limit=MAX_WAITING)
        await self._client.flush()
        while True:
            await self.read(take)
            await asyncio.sleep(self._look_every_s)

    async def read(self, take: Callable[[bytes], object]) -> None:
        """Call ``take`` with the newest directive of each kind and part; a bus that is away is tried again later.

        With nothing new in the stream since the last time, none: the titles of a million meters are ten megaoctets.
        """
        try:
            state = (await self._stream.stream_info(DMZ_DIRECTIVE.name)).state
        except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
            _log.info("gateway.directives_unread", cause=type(error).__name__)
            return
        extent = (state.last_seq, state.messages)
        if extent == self._read_to:
            return
        for kind, parts in PARTS.items():
            for part in range(parts):
                try:
                    subject = directive_subject(kind, part)
                    message = await self._stream.get_last_msg(DMZ_DIRECTIVE.name, subject, direct=True)
                except NotFoundError:
                    continue
                except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
                    _log.info("gateway.directives_unread", cause=type(error).__name__)
                    return
                take(message.data or b"")
        self._read_to = extent
