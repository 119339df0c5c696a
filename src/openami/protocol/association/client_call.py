"""Calling methods from the client's side: ACTION normal and with blocks both ways, and ACCESS."""

from __future__ import annotations

from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.acse import Conformance
from openami.protocol.apdu.services import (
    AccessItem,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionRequestBlock,
    ActionRequestFirstBlock,
    ActionRequestNext,
    ActionResponse,
    ActionResponseBlock,
    ActionResponseNext,
    DataBlock,
    ServiceApdu,
)
from openami.protocol.association.channel import Channel
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import ActionResult, DataAccessResult, MethodRef
from openami.protocol.errors import PeerError, UsageError


def call(channel: Channel, method: MethodRef, parameter: Data | None) -> Steps[Data | None]:
    """Call a method; see :meth:`openami.protocol.association.client.ClientAssociation.call`."""
    request = ActionRequest(channel.next_invoke(), method, parameter)
    is_long = len(messages.encode(request)) > channel.room_octets
    if is_long and parameter is not None and channel.has(Conformance.BLOCK_TRANSFER_WITH_ACTION):
        response = yield from _send_blocks(channel, request.invoke, method, axdr.encode(parameter))
    else:
        response = yield from channel.ask(request)
    if isinstance(response, ActionResponseBlock):
        return axdr.decode((yield from _collect(channel, request.invoke, response)))
    if not isinstance(response, ActionResponse):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where a call is answered", 0)
    outcome = response.outcome
    if outcome.result is not ActionResult.SUCCESS:
        raise ActionRefusedError(outcome.result)
    if isinstance(outcome.returned, DataAccessResult):
        # Some servers say "success" once more where a method has no value.
        if outcome.returned is DataAccessResult.SUCCESS:
            return None
        raise AccessRefusedError(outcome.returned)
    return outcome.returned


def access(channel: Channel, items: tuple[AccessItem, ...]) -> Steps[tuple[AccessOutcome, ...]]:
    """Read, write and call; see :meth:`openami.protocol.association.client.ClientAssociation.access`."""
    if not channel.has(Conformance.ACCESS):
        raise UsageError("the server has no ACCESS service")
    response = yield from channel.ask(AccessRequest(channel.next_long_invoke(), None, items))
    if not isinstance(response, AccessResponse):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where an ACCESS is answered", 0)
    if [o.kind for o in response.outcomes] != [i.kind for i in items]:
        raise PeerError("wrong_count", "an ACCESS is answered with other parts than were asked for", 0)
    return response.outcomes


def _send_blocks(channel: Channel, invoke: int, method: MethodRef, octets: bytes) -> Steps[ServiceApdu]:
    """Send a long parameter and return the answer to its last block."""
    empty = ActionRequestFirstBlock(invoke, method, DataBlock(is_last=False, number=1, octets=b""))
    size = max(channel.room_octets - len(messages.encode(empty)) - 4, 1)
    pieces = [octets[i : i + size] for i in range(0, len(octets), size)]
    for number, piece in enumerate(pieces, start=1):
        block = DataBlock(is_last=number == len(pieces), number=number, octets=piece)
        if number == 1:
            response = yield from channel.ask(ActionRequestFirstBlock(invoke, method, block))
        else:
            response = yield from channel.ask(ActionRequestBlock(invoke, block))
        if block.is_last:
            return response
        if isinstance(response, ActionResponse) and response.outcome.result is not ActionResult.SUCCESS:
            return response
        if not isinstance(response, ActionResponseNext) or response.block != number:
            raise PeerError("bad_block", f"block {number} of a parameter is not acknowledged", 0)
    raise UsageError("a parameter in blocks has at least one octet")


def _collect(channel: Channel, invoke: int, response: ActionResponseBlock) -> Steps[bytes]:
    """Take a return value in blocks and return its octets."""
    parts = bytearray()
    for number in range(1, channel.settings.max_blocks + 1):
        block = response.block
        if block.number != number or not (block.octets or block.is_last):
            raise PeerError("bad_block", f"block {block.number} where {number} is due, or an empty one", 0)
        parts += block.octets
        if len(parts) > channel.settings.max_value_octets:
            raise PeerError("too_long", f"a value of over {channel.settings.max_value_octets} octets", 0)
        if block.is_last:
            return bytes(parts)
        answer = yield from channel.ask(ActionRequestNext(invoke, number))
        if isinstance(answer, ActionResponse) and answer.outcome.result is not ActionResult.SUCCESS:
            raise ActionRefusedError(answer.outcome.result)
        if not isinstance(answer, ActionResponseBlock):
            raise PeerError("unexpected_apdu", f"{type(answer).__name__} where a block is due", 0)
        response = answer
    raise PeerError("too_long", f"a value of over {channel.settings.max_blocks} blocks", 0)
