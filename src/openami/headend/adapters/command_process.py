"""The command process as a head-end reaches it, and the network's word about commands: core's bus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from openami.contracts.command import CommandOutcome, decode_outcome
from openami.contracts.errors import ContractError
from openami.contracts.stream import OUTCOME_SUBJECT, SEALING_SUBJECT
from openami.headend.command.wire import (
    KeysRequest,
    ProveRequest,
    Reply,
    SealRequest,
    SendRequest,
    Status,
    decode_begun,
    decode_reply,
)
from openami.headend.ports import DownlinkUnavailableError, NoAnswerError, SealingRefusedError, SealingUnavailableError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import EPOCH

REQUEST_TIMEOUT_S = 5.0
MAX_WAITING = 10_000
_MS = 1000
log = structlog.get_logger("openami.headend")


class _NoReplyError(SealingUnavailableError):
    """The command process took a request and did not reply."""


class NatsCommandProcess:
    """Asks the command process to seal, to prove and to send.

    Args:
        client: connected as ``core_headend``.
        real_now: the host's clock; what is sent expires by it.
    """

    def __init__(self, client: Client, real_now: Callable[[], datetime]) -> None:
        self._client = client
        self._real_now = real_now

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        """Return ``SC | IC | ciphertext | tag``.

        Raises:
            SealingUnavailableError, SealingRefusedError: see :class:`openami.headend.ports.Sealing`.
        """
        return _done(await self._ask("seal", SealRequest(title, control, plaintext, generation).encode()))

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        """Return ``SC | IC | tag``. Raises as :meth:`seal`."""
        return _done(await self._ask("prove", ProveRequest(title, challenge, generation).encode()))

    async def begin_keys(self, title: SystemTitle) -> tuple[int, bool]:
        """Have new keys made, or find those that wait; see :class:`openami.headend.ports.KeyProcess`."""
        try:
            return decode_begun(_done(await self._ask("keys_begin", KeysRequest(title).encode())))
        except ContractError as error:
            raise SealingUnavailableError(str(error)) from error

    async def keys_parameter(self, title: SystemTitle, generation: int) -> bytes:
        """Return what a meter takes its new keys by."""
        return _done(await self._ask("keys_parameter", KeysRequest(title, generation).encode()))

    async def keys_proved(self, title: SystemTitle, generation: int, sealed: bytes) -> None:
        """Put new keys into use."""
        _done(await self._ask("keys_proved", KeysRequest(title, generation, sealed).encode()))

    async def send(self, title: SystemTitle, frame: bytes, *, request_id: UUID, time_left_s: float) -> None:
        """Have a frame signed and handed to the DMZ.

        Raises:
            SealingRefusedError, DownlinkUnavailableError, NoAnswerError: see
                :class:`openami.headend.ports.CommandSender`.
        """
        now_ms = (self._real_now() - EPOCH) // timedelta(milliseconds=1)
        request = SendRequest(title, request_id, now_ms + max(1, int(time_left_s * _MS)), frame)
        try:
            _done(await self._ask("send", request.encode()))
        except _NoReplyError as error:
            raise NoAnswerError(f"no answer, and nobody knows whether it was sent: {error}") from error
        except SealingUnavailableError as error:
            raise DownlinkUnavailableError(str(error)) from error

    async def _ask(self, what: str, octets: bytes) -> Reply:
        # Nothing may wait in the client's buffer for a connection: whoever asked tries again.
        if not self._client.is_connected:
            raise SealingUnavailableError("the bus is away")
        try:
            message = await self._client.request(f"{SEALING_SUBJECT}.{what}", octets, timeout=REQUEST_TIMEOUT_S)
            return decode_reply(message.data)
        except TimeoutError as error:
            raise _NoReplyError("the command process has not replied in time") from error
        except (NatsError, OSError) as error:
            text = f"the command process does not answer: {type(error).__name__}"
            raise SealingUnavailableError(text) from error
        except ContractError as error:
            raise SealingUnavailableError(f"the command process answers with something else: {error}") from error


async def listen_to_outcomes(client: Client, told: Callable[[CommandOutcome], None]) -> None:
    """Pass the network's word about commands to ``told``, from now on.

    Args:
        client: connected as ``core_headend``.
        told: takes each outcome.
    """

    async def hear(message: Msg) -> None:
        try:
            told(decode_outcome(message.data))
        except ContractError as error:
            log.warning("outcome_unreadable", problem=str(error))

    await client.subscribe(OUTCOME_SUBJECT, cb=hear, pending_msgs_limit=MAX_WAITING)
    await client.flush()


def _done(reply: Reply) -> bytes:
    if reply.status is Status.REFUSED:
        raise SealingRefusedError(reply.text, reply.refusal)
    if reply.status is Status.UNAVAILABLE:
        raise SealingUnavailableError(reply.text)
    return reply.octets
