"""The command process on the bus: requests from head-ends in core, the road to the gateway in the DMZ.

Core's requests come by request and reply, so a request that finds no command process fails at once. Both connections
are dialed from here; the gateway dials nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from openami.contracts.command import Command, CommandOutcome, decode_outcome
from openami.contracts.errors import ContractError
from openami.contracts.stream import (
    COMMAND_SUBJECT,
    DMZ_COMMAND_SUBJECT,
    DMZ_OUTCOME_SUBJECT,
    OUTCOME_SUBJECT,
    SEALING_SUBJECT,
)
from openami.headend.command.ports import CommandRefusedError, CommandUnavailableError
from openami.headend.command.rekey import KeyRotation
from openami.headend.command.service import CommandService
from openami.headend.command.wire import (
    Reply,
    Status,
    decode_keys,
    decode_prove,
    decode_seal,
    decode_send,
    encode_begun,
)

MAX_AT_ONCE = 256
"""Requests worked on at the same time; more wait in the subscription."""
MAX_WAITING = 10_000
QUEUE = "command"
"""Several command processes share the requests."""
RECORD_TIMEOUT_S = 5.0
log = structlog.get_logger("openami.command")


class NatsRoad:
    """:class:`openami.headend.command.ports.Road`.

    Args:
        dmz: connected as ``command_dmz``.
        core: connected as ``core_command``.
    """

    def __init__(self, dmz: Client, core: Client) -> None:
        self._dmz = dmz
        self._core = core

    async def record(self, command: Command) -> None:
        """Keep a command durably."""
        headers = {"Nats-Msg-Id": str(command.request_id)}
        try:
            stream = self._core.jetstream()
            await stream.publish(COMMAND_SUBJECT, command.encode(), timeout=RECORD_TIMEOUT_S, headers=headers)
        except (NatsError, JetStreamError, TimeoutError, OSError) as error:
            raise CommandUnavailableError(f"the record of commands is away: {type(error).__name__}") from error

    async def send(self, command: Command) -> None:
        """Hand a command to the DMZ."""
        # A command must not wait in the client's buffer for a connection: it would go when nobody waits for it.
        if not self._dmz.is_connected:
            raise CommandUnavailableError("the DMZ's bus is away")
        try:
            await self._dmz.publish(DMZ_COMMAND_SUBJECT, command.encode())
        except (NatsError, OSError) as error:
            raise CommandUnavailableError(f"the DMZ's bus is away: {type(error).__name__}") from error

    async def listen(self, heard: Callable[[CommandOutcome], None]) -> None:
        """Pass outcomes on to core."""

        async def pass_on(message: Msg) -> None:
            try:
                outcome = decode_outcome(message.data)
            except ContractError as error:
                log.warning("outcome_unreadable", problem=str(error))
                return
            heard(outcome)
            try:
                await self._core.publish(OUTCOME_SUBJECT, message.data)
            except (NatsError, OSError) as error:
                log.warning("outcome_lost", cause=type(error).__name__)

        await self._dmz.subscribe(DMZ_OUTCOME_SUBJECT, cb=pass_on, pending_msgs_limit=MAX_WAITING)
        await self._dmz.flush()


class CommandServer:
    """Answers head-ends.

    Args:
        core: connected as ``core_command``.
        service: what seals and sends.
        rotation: what makes new keys.
    """

    def __init__(self, core: Client, service: CommandService, rotation: KeyRotation) -> None:
        self._core = core
        self._service = service
        self._rotation = rotation
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._working: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event, *, on_ready: Callable[[], None]) -> None:
        """Answer until ``stop`` is set, then finish what was begun."""
        subscriptions = [
            await self._core.subscribe(
                f"{SEALING_SUBJECT}.{what}", queue=QUEUE, cb=self._hear(answer), pending_msgs_limit=MAX_WAITING
            )
            for what, answer in self._answers()
        ]
        await self._core.flush()
        on_ready()
        await stop.wait()
        for subscription in subscriptions:
            await subscription.unsubscribe()
        await asyncio.gather(*self._working, return_exceptions=True)

    def _answers(self) -> tuple[tuple[str, Callable[[bytes], Awaitable[bytes]]], ...]:
        return (
            ("seal", self._seal),
            ("prove", self._prove),
            ("send", self._send),
            ("keys_begin", self._begin_keys),
            ("keys_parameter", self._keys_parameter),
            ("keys_proved", self._keys_proved),
        )

    def _hear(self, answer: Callable[[bytes], Awaitable[bytes]]) -> Callable[[Msg], Awaitable[None]]:
        async def hear(message: Msg) -> None:
            await self._turns.acquire()
            task = asyncio.create_task(self._reply(message, answer))
            self._working.add(task)
            task.add_done_callback(self._finished)

        return hear

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._turns.release()
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("request_failed", cause=type(error).__name__)

    async def _reply(self, message: Msg, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        try:
            reply = Reply(Status.DONE, await answer(message.data))
        except CommandRefusedError as error:
            reply = Reply(Status.REFUSED, refusal=error.refusal, text=str(error))
            log.info("refused", refusal=error.refusal.name.lower())
        except CommandUnavailableError as error:
            reply = Reply(Status.UNAVAILABLE, text=str(error))
        except ContractError as error:
            reply = Reply(Status.UNAVAILABLE, text=str(error))
            log.warning("request_unreadable", problem=str(error))
        if message.reply:
            await self._core.publish(message.reply, reply.encode())

    async def _seal(self, octets: bytes) -> bytes:
        request = decode_seal(octets)
        return await self._service.seal(
            request.title, request.plaintext, control=request.control, generation=request.generation
        )

    async def _prove(self, octets: bytes) -> bytes:
        request = decode_prove(octets)
        return await self._service.prove(request.title, request.challenge, generation=request.generation)

    async def _send(self, octets: bytes) -> bytes:
        request = decode_send(octets)
        await self._service.send(
            request.title, request.frame, request_id=request.request_id, expires_at_ms=request.expires_at_ms
        )
        return b""

    async def _begin_keys(self, octets: bytes) -> bytes:
        begun = await self._rotation.begin(decode_keys(octets).title)
        return encode_begun(begun.generation, is_fresh=begun.is_fresh)

    async def _keys_parameter(self, octets: bytes) -> bytes:
        request = decode_keys(octets)
        return await self._rotation.parameter(request.title, request.generation)

    async def _keys_proved(self, octets: bytes) -> bytes:
        request = decode_keys(octets)
        await self._rotation.proved(request.title, request.generation, request.sealed)
        return b""
