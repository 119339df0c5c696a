"""The client's end of an association: what was agreed on, and one request with its answer.

States: IDLE (nothing agreed), PENDING (the server took us and waits for our proof), ASSOCIATED. A request in another
state than ASSOCIATED is our misuse. A message that does not pass leaves the state as it is: whoever forged it must not
be able to end an association; the caller decides whether to go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import Conformance, Mechanism
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import AccessRequest, AccessResponse, ServiceApdu
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.association.errors import ServiceRefusedError
from openami.protocol.association.form import Form
from openami.protocol.association.limits import (
    CIPHERING_OCTETS,
    GENERAL_OCTETS,
    MAX_BLOCKS,
    MAX_VALUE_OCTETS,
    MIN_PDU_OCTETS,
)
from openami.protocol.association.steps import Exchange, Open, Seal, Steps
from openami.protocol.envelope.blocks import Block, BlockReceiver, BlockSender, build_block, is_block, parse_block
from openami.protocol.envelope.limits import MAX_APDU_OCTETS, MAX_SEGMENTS
from openami.protocol.errors import PeerError, UsageError

CONFIRMED_HIGH = 0xC0
"""Invoke-id-and-priority of our requests without the id: confirmed, high priority."""
INVOKE_MASK = 0x0F
LONG_INVOKE_MASK = 0x00FF_FFFF
_BLOCK_HEAD_OCTETS = 10

ALL_SERVICES = (
    Conformance.GENERAL_PROTECTION
    | Conformance.GENERAL_BLOCK_TRANSFER
    | Conformance.GET
    | Conformance.SET
    | Conformance.ACTION
    | Conformance.ACCESS
    | Conformance.SELECTIVE_ACCESS
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.BLOCK_TRANSFER_WITH_SET
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.DATA_NOTIFICATION
    | Conformance.EVENT_NOTIFICATION
    | Conformance.PRIORITY
)
"""Every service that both ends here can do."""


class ClientState(Enum):
    """Where the client's end stands."""

    IDLE = "idle"
    PENDING = "pending"
    ASSOCIATED = "associated"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the client proposes and insists on.

    Args:
        mechanism: authentication mechanism.
        control: security control octet of every message (0x10, 0x20 or 0x30 and the suite); 0 for none.
        form: how messages are protected once associated; PLAIN exactly where control is 0.
        own_title: our system title; needed where anything is protected.
        expected_title: the meter's system title; None to take the one it names.
        secret: password of the low mechanism.
        dedicated_key: key of this association alone; needed by the DED forms, and known to the protection.
        conformance: services proposed.
        max_pdu_octets: largest APDU that we take, 64 to 65535.
        certificate: our signing certificate, sent along; None where the meter has it.
        max_value_octets: largest value taken in blocks.
        max_blocks: most blocks of one value.
    """

    mechanism: Mechanism = Mechanism.NONE
    control: int = 0
    form: Form = Form.PLAIN
    own_title: bytes | None = None
    expected_title: bytes | None = None
    secret: bytes | None = field(default=None, repr=False)
    dedicated_key: bytes | None = field(default=None, repr=False)
    conformance: Conformance = ALL_SERVICES
    max_pdu_octets: int = 0xFFFF
    certificate: bytes | None = field(default=None, repr=False)
    max_value_octets: int = MAX_VALUE_OCTETS
    max_blocks: int = MAX_BLOCKS

    def __post_init__(self) -> None:
        """Refuse settings that contradict themselves.

        Raises:
            UsageError: they do.
        """
        if (self.form is Form.PLAIN) != (self.control == 0):
            raise UsageError("a form is protected exactly where a security control is set")
        if (self.control or self.mechanism >= Mechanism.HIGH) and self.own_title is None:
            raise UsageError("protection and high mechanisms need our system title")
        if self.mechanism is Mechanism.LOW and self.secret is None:
            raise UsageError("the low mechanism needs a password")
        if self.form.is_dedicated != (self.dedicated_key is not None):
            raise UsageError("the dedicated forms, and they alone, need a dedicated key")
        if not MIN_PDU_OCTETS <= self.max_pdu_octets <= MAX_APDU_OCTETS:
            raise UsageError(f"a largest APDU of {MIN_PDU_OCTETS} to {MAX_APDU_OCTETS} octets")


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both ends agreed on.

    Args:
        conformance: services that both have.
        max_pdu_octets: largest APDU that the server takes.
        peer_title: the server's system title; None where nothing is protected.
    """

    conformance: Conformance
    max_pdu_octets: int
    peer_title: bytes | None


class Channel:
    """State of the client's end.

    Args:
        settings: what the client proposes and insists on.
    """

    __slots__ = ("_invoke", "_long_invoke", "negotiated", "settings", "state")

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self.state = ClientState.IDLE
        self.negotiated = Negotiated(Conformance(0), MAX_APDU_OCTETS, settings.expected_title)
        self._invoke = 0
        self._long_invoke = 0

    def has(self, service: Conformance) -> bool:
        """Whether both ends agreed on a service."""
        return bool(self.negotiated.conformance & service)

    def next_invoke(self) -> int:
        """Return the invoke-id-and-priority octet of the next request."""
        self._invoke = (self._invoke + 1) & INVOKE_MASK
        return CONFIRMED_HIGH | self._invoke

    def next_long_invoke(self) -> int:
        """Return the long invoke-id-and-priority of the next ACCESS."""
        self._long_invoke = (self._long_invoke + 1) & LONG_INVOKE_MASK
        return 0xC000_0000 | self._long_invoke

    @property
    def room_octets(self) -> int:
        """Largest plaintext APDU that reaches the server in one piece."""
        if not self.settings.control:
            return self.negotiated.max_pdu_octets
        general = self.settings.form in {Form.GENERAL, Form.SIGNED}
        room = self.negotiated.max_pdu_octets - (GENERAL_OCTETS if general else CIPHERING_OCTETS)
        # A server that takes less than the protection adds still gets its blocks, each a little over its limit.
        return max(room, MIN_PDU_OCTETS - CIPHERING_OCTETS)

    def ask(self, request: ServiceApdu, *, pending: bool = False) -> Steps[ServiceApdu]:
        """Send a request and return its answer, whose invoke id is the request's.

        Args:
            request: the request.
            pending: whether it is the proof that ends the association's beginning.

        Raises:
            PeerError: the answer does not pass or answers something else.
            ServiceRefusedError: the server could not serve it.
            UsageError: not associated, or a request longer than the server takes.
        """
        if self.state is not (ClientState.PENDING if pending else ClientState.ASSOCIATED):
            raise UsageError(f"a request in state {self.state.value}")
        plain = messages.encode(request)
        if len(plain) > self.room_octets and not self.has(Conformance.GENERAL_BLOCK_TRANSFER):
            raise UsageError(f"a request of {len(plain)} octets, the server takes {self.room_octets}")
        reply = yield from self.exchange(plain)
        response = messages.decode(reply)
        if isinstance(response, ExceptionResponse):
            raise ServiceRefusedError(response.state_error, response.service_error, response.expected_counter)
        if not isinstance(response, ServiceApdu):
            raise PeerError("unexpected_apdu", f"{type(response).__name__} where a service is answered", 0)
        if not _answers(request, response):
            raise PeerError("wrong_invoke", "the answer belongs to another request", 0)
        return response

    def exchange(self, plain: bytes) -> Steps[bytes]:
        """Protect an APDU, send it, and return the plaintext of what answers it.

        Raises:
            PeerError: the answer does not pass.
            ServiceRefusedError: the server could not open or serve it.
        """
        settings, title = self.settings, self.negotiated.peer_title
        message = plain
        if settings.control:
            message = yield Seal(plain, settings.form, settings.control, title)
        reply = yield from self._transfer(message)
        if not settings.control:
            return reply
        if reply[:1] == bytes((ApduTag.EXCEPTION_RESPONSE,)):
            refused = messages.decode(reply)
            if isinstance(refused, ExceptionResponse):
                raise ServiceRefusedError(refused.state_error, refused.service_error, refused.expected_counter)
        opened: bytes = yield Open(reply, settings.control, title)
        return opened

    def _transfer(self, message: bytes) -> Steps[bytes]:
        """Send a message, in general blocks where it is too long, and return the one that answers it."""
        limit = self.negotiated.max_pdu_octets
        if len(message) <= limit or not self.has(Conformance.GENERAL_BLOCK_TRANSFER):
            reply: bytes = yield Exchange(message)
        else:
            reply = yield from self._send_blocks(message, limit - _BLOCK_HEAD_OCTETS)
        if is_block(reply):
            return (yield from self._collect(parse_block(reply)))
        return reply

    def _send_blocks(self, message: bytes, size: int) -> Steps[bytes]:
        """Send a message in general blocks, one at a time, and return what answers the last."""
        sender, number = BlockSender(message, block_octets=size, window=1), 0
        while True:
            reply: bytes = yield Exchange(sender.send()[0])
            number += 1
            if not is_block(reply):
                return reply
            block = parse_block(reply)
            if block.acknowledged != number:
                raise PeerError("bad_block", f"block {number} was sent, {block.acknowledged} is acknowledged", 4)
            sender.acknowledge(number)
            if sender.is_done:
                return reply
            if block.data:
                raise PeerError("bad_block", "blocks of an answer before the request has come", 0)

    def _collect(self, block: Block) -> Steps[bytes]:
        """Take an answer that comes in general blocks, one at a time."""
        receiver = BlockReceiver(window=1)
        for number in range(1, MAX_SEGMENTS + 1):
            if block.number != number or not block.data:
                raise PeerError("bad_block", f"block {block.number} where {number} is due, or an empty one", 2)
            whole = receiver.receive(block)
            if whole is not None:
                return whole
            reply: bytes = yield Exchange(build_block(Block(number, number, b"", is_last=True, window=1)))
            block = parse_block(reply)
        raise PeerError("too_long", f"an answer of over {MAX_SEGMENTS} blocks", 2)


def _answers(request: ServiceApdu, response: ServiceApdu) -> bool:
    """Tell whether a response carries the invoke id of a request."""
    if isinstance(request, AccessRequest | AccessResponse) or isinstance(response, AccessRequest | AccessResponse):
        return (
            isinstance(request, AccessRequest)
            and isinstance(response, AccessResponse)
            and (request.long_invoke ^ response.long_invoke) & LONG_INVOKE_MASK == 0
        )
    return (request.invoke ^ response.invoke) & INVOKE_MASK == 0
