"""Commands from core and the word back, by plain NATS subjects of the DMZ account.

No stream and no acknowledgement: a command that finds no gateway is for nobody, and whoever asked stops waiting when
its time is over. Core dials the DMZ to say it; the gateway listens on its own bus and dials nobody.

Source: docs/adr/0003-two-accounts-on-the-bus.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from openami.contracts.command import MAX_COMMAND_OCTETS, CommandOutcome
from openami.contracts.stream import DMZ_COMMAND_SUBJECT, DMZ_OUTCOME_SUBJECT

MAX_WAITING_COMMANDS = 4_096
"""Commands that came and were not looked at yet; more are dropped by the client and end by their time."""
MAX_WAITING_OCTETS = 64 * MAX_COMMAND_OCTETS
MAX_TELLING = 4_096
_log = structlog.get_logger(__name__)


class NatsCommandBus:
    """:class:`openami.network.ports.CommandBus` on a connected client of the DMZ account's user ``gateway``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._telling: set[asyncio.Task[None]] = set()

    async def subscribe(self, take: Callable[[bytes], None]) -> None:
        """Call ``take`` with each command from now on."""

        async def hear(message: Msg) -> None:
            take(message.data)

        await self._client.subscribe(
            DMZ_COMMAND_SUBJECT,
            cb=hear,
            pending_msgs_limit=MAX_WAITING_COMMANDS,
            pending_bytes_limit=MAX_WAITING_OCTETS,
        )
        await self._client.flush()

    def tell(self, outcome: CommandOutcome) -> None:
        """Send the word about a command, or lose it."""
        if not self._client.is_connected or len(self._telling) >= MAX_TELLING:
            return
        task = asyncio.create_task(self._publish(outcome.encode()))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _publish(self, octets: bytes) -> None:
        try:
            await self._client.publish(DMZ_OUTCOME_SUBJECT, octets)
        except (nats.errors.Error, OSError) as error:
            _log.warning("gateway.outcome_lost", cause=type(error).__name__)
