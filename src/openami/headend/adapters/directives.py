"""The stream of directives in the DMZ, as the command process publishes into it: ``DMZ_DIRECTIVE``."""

from __future__ import annotations

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from openami.contracts.directive import Directive, DirectiveKind, decode_directive
from openami.contracts.errors import ContractError
from openami.contracts.stream import DMZ_DIRECTIVE, directive_subject
from openami.headend.command.ports import CommandUnavailableError
from openami.headend.command.standing import Published

TIMEOUT_S = 5.0
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class NatsDirectiveRoad:
    """:class:`openami.headend.command.standing.DirectiveRoad` on a client connected as ``command_dmz``."""

    def __init__(self, dmz: Client) -> None:
        self._dmz = dmz
        self._stream = dmz.jetstream(timeout=TIMEOUT_S)

    async def extent(self) -> tuple[int, int]:
        """Return the sequence of the last directive that was ever published, and how many are kept.

        Raises:
            CommandUnavailableError: the bus does not answer.
        """
        self._require_connection()
        try:
            state = (await self._stream.stream_info(DMZ_DIRECTIVE.name)).state
        except (NatsError, JetStreamError, OSError, TimeoutError) as error:
            raise CommandUnavailableError(f"the DMZ's directives are away: {type(error).__name__}") from error
        return state.last_seq, state.messages

    async def newest(self, kind: DirectiveKind, part: int) -> Published | None:
        """Return what is published now; what cannot be read is as if it were not there, and is replaced.

        Raises:
            CommandUnavailableError: the bus does not answer.
        """
        self._require_connection()
        try:
            message = await self._stream.get_last_msg(DMZ_DIRECTIVE.name, directive_subject(kind, part), direct=True)
            return Published(decode_directive(message.data or b""), int(message.seq or 0))
        except (NotFoundError, ContractError):
            return None
        except (NatsError, JetStreamError, OSError, TimeoutError) as error:
            raise CommandUnavailableError(f"the DMZ's directives are away: {type(error).__name__}") from error

    async def publish(self, directive: Directive, *, after: int) -> None:
        """Publish a directive.

        Raises:
            CommandUnavailableError: the bus did not keep it, or another process was faster.
        """
        self._require_connection()
        headers = {_EXPECTED: str(after)} if after else None
        subject = directive_subject(*directive.place)
        try:
            await self._stream.publish(subject, directive.encode(), timeout=TIMEOUT_S, headers=headers)
        except (NatsError, JetStreamError, OSError, TimeoutError) as error:
            raise CommandUnavailableError(f"the DMZ's directives are away: {type(error).__name__}") from error

    def _require_connection(self) -> None:
        if not self._dmz.is_connected:
            raise CommandUnavailableError("the DMZ's bus is away")
