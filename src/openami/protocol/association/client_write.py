"""Writing from the client's side: SET normal, with blocks and with a list."""

from __future__ import annotations

from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.acse import Conformance
from openami.protocol.apdu.services import (
    DataBlock,
    SetRequest,
    SetRequestBlock,
    SetRequestFirstBlock,
    SetRequestList,
    SetResponse,
    SetResponseBlock,
    SetResponseLastBlock,
    SetResponseList,
)
from openami.protocol.association.channel import Channel
from openami.protocol.association.limits import MAX_LIST
from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import AttributeRef, DataAccessResult, Selection
from openami.protocol.errors import PeerError


def write(channel: Channel, attribute: AttributeRef, value: Data, selection: Selection | None) -> Steps[None]:
    """Set one attribute; see :meth:`openami.protocol.association.client.ClientAssociation.write`."""
    request = SetRequest(channel.next_invoke(), attribute, selection, value)
    is_long = len(messages.encode(request)) > channel.room_octets
    if is_long and channel.has(Conformance.BLOCK_TRANSFER_WITH_SET):
        result = yield from _write_blocks(channel, request)
    else:
        response = yield from channel.ask(request)
        if not isinstance(response, SetResponse):
            raise PeerError("unexpected_apdu", f"{type(response).__name__} where a write is answered", 0)
        result = response.result
    if result is not DataAccessResult.SUCCESS:
        raise AccessRefusedError(result)


def write_many(channel: Channel, items: tuple[tuple[AttributeRef, Data], ...]) -> Steps[tuple[DataAccessResult, ...]]:
    """Set several; see :meth:`openami.protocol.association.client.ClientAssociation.write_many`."""
    results: list[DataAccessResult] = []
    rest = items
    while rest:
        part = rest[: _fitting(channel, rest)]
        rest = rest[len(part) :]
        if len(part) == 1:
            results.append((yield from _write_as_result(channel, *part[0])))
        else:
            results.extend((yield from _write_list(channel, _list_request(channel.next_invoke(), part))))
    return tuple(results)


def _list_request(invoke: int, items: tuple[tuple[AttributeRef, Data], ...]) -> SetRequestList:
    return SetRequestList(invoke, tuple((a, None) for a, _ in items), tuple(v for _, v in items))


def _fitting(channel: Channel, items: tuple[tuple[AttributeRef, Data], ...]) -> int:
    """Return how many of the items go in one request; one that does not fit alone goes in blocks."""
    if not channel.has(Conformance.MULTIPLE_REFERENCES):
        return 1
    count = min(len(items), MAX_LIST)
    while count > 1 and len(messages.encode(_list_request(0, items[:count]))) > channel.room_octets:
        count //= 2
    return count


def _write_as_result(channel: Channel, attribute: AttributeRef, value: Data) -> Steps[DataAccessResult]:
    try:
        yield from write(channel, attribute, value, None)
    except AccessRefusedError as refused:
        return refused.result
    return DataAccessResult.SUCCESS


def _write_list(channel: Channel, request: SetRequestList) -> Steps[tuple[DataAccessResult, ...]]:
    response = yield from channel.ask(request)
    if not isinstance(response, SetResponseList):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where a list is answered", 0)
    if len(response.results) != len(request.items):
        raise PeerError("wrong_count", f"{len(response.results)} answers to {len(request.items)} writes", 0)
    return response.results


def _write_blocks(channel: Channel, request: SetRequest) -> Steps[DataAccessResult]:
    octets, invoke = axdr.encode(request.value), request.invoke
    empty = SetRequestFirstBlock(
        invoke, request.attribute, request.selection, DataBlock(is_last=False, number=1, octets=b"")
    )
    # Four octets more for the length of the block than of an empty one.
    size = max(channel.room_octets - len(messages.encode(empty)) - 4, 1)
    pieces = [octets[i : i + size] for i in range(0, len(octets), size)]
    for number, piece in enumerate(pieces, start=1):
        block = DataBlock(is_last=number == len(pieces), number=number, octets=piece)
        if number == 1:
            part = SetRequestFirstBlock(invoke, request.attribute, request.selection, block)
            response = yield from channel.ask(part)
        else:
            response = yield from channel.ask(SetRequestBlock(invoke, block))
        if isinstance(response, SetResponseLastBlock):
            if not block.is_last and response.result is DataAccessResult.SUCCESS:
                raise PeerError("bad_block", "the write is said to be done before its last block", 0)
            return response.result
        if isinstance(response, SetResponse) and response.result is not DataAccessResult.SUCCESS:
            return response.result
        if not isinstance(response, SetResponseBlock) or response.block != number or block.is_last:
            raise PeerError("bad_block", f"block {number} of a write is not acknowledged", 0)
    raise PeerError("bad_block", "the last block of a write is not answered", 0)
