"""Reading from the client's side: GET normal, with blocks and with a list."""

from __future__ import annotations

from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.acse import Conformance
from openami.protocol.apdu.services import (
    GetRequest,
    GetRequestList,
    GetRequestNext,
    GetResponse,
    GetResponseBlock,
    GetResponseList,
    GetResult,
    SelectedAttribute,
)
from openami.protocol.association.channel import Channel
from openami.protocol.association.limits import MAX_LIST
from openami.protocol.association.lists import decode_results
from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import AttributeRef, DataAccessResult, Selection
from openami.protocol.errors import PeerError


def read(channel: Channel, attribute: AttributeRef, selection: Selection | None) -> Steps[Data]:
    """Read one attribute; see :meth:`openami.protocol.association.client.ClientAssociation.read`."""
    invoke = channel.next_invoke()
    response = yield from channel.ask(GetRequest(invoke, attribute, selection))
    if isinstance(response, GetResponseBlock):
        octets = yield from _collect(channel, invoke, response)
        return axdr.decode(octets)
    if not isinstance(response, GetResponse):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where a read is answered", 0)
    if isinstance(response.result, DataAccessResult):
        raise AccessRefusedError(response.result)
    return response.result


def read_many(channel: Channel, items: tuple[SelectedAttribute, ...]) -> Steps[tuple[GetResult, ...]]:
    """Read several; see :meth:`openami.protocol.association.client.ClientAssociation.read_many`."""
    results: list[GetResult] = []
    rest = items
    while rest:
        part = rest[: _fitting(channel, rest)]
        rest = rest[len(part) :]
        if len(part) == 1:
            results.append((yield from _read_as_result(channel, part[0])))
        else:
            results.extend((yield from _read_list(channel, part)))
    return tuple(results)


def _fitting(channel: Channel, items: tuple[SelectedAttribute, ...]) -> int:
    """Return how many of the items go in one request."""
    if not channel.has(Conformance.MULTIPLE_REFERENCES):
        return 1
    count = min(len(items), MAX_LIST)
    while count > 1 and len(messages.encode(GetRequestList(0, items[:count]))) > channel.room_octets:
        count //= 2
    return count


def _read_as_result(channel: Channel, item: SelectedAttribute) -> Steps[GetResult]:
    try:
        return (yield from read(channel, item[0], item[1]))
    except AccessRefusedError as refused:
        return refused.result


def _read_list(channel: Channel, items: tuple[SelectedAttribute, ...]) -> Steps[tuple[GetResult, ...]]:
    invoke = channel.next_invoke()
    response = yield from channel.ask(GetRequestList(invoke, items))
    if isinstance(response, GetResponseBlock):
        try:
            octets = yield from _collect(channel, invoke, response)
        except AccessRefusedError as refused:
            return (refused.result,) * len(items)
        results = decode_results(octets)
    elif isinstance(response, GetResponseList):
        results = response.results
    elif isinstance(response, GetResponse) and isinstance(response.result, DataAccessResult):
        results = (response.result,) * len(items)
    else:
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where a list is answered", 0)
    if len(results) != len(items):
        raise PeerError("wrong_count", f"{len(results)} answers to {len(items)} reads", 0)
    return results


def _collect(channel: Channel, invoke: int, block: GetResponseBlock) -> Steps[bytes]:
    """Take an answer in blocks and return its octets."""
    parts = bytearray()
    for number in range(1, channel.settings.max_blocks + 1):
        if isinstance(block.result, DataAccessResult):
            raise AccessRefusedError(block.result)
        if block.block != number or not (block.result or block.is_last):
            raise PeerError("bad_block", f"block {block.block} where {number} is due, or an empty one", 0)
        parts += block.result
        if len(parts) > channel.settings.max_value_octets:
            raise PeerError("too_long", f"a value of over {channel.settings.max_value_octets} octets", 0)
        if block.is_last:
            return bytes(parts)
        response = yield from channel.ask(GetRequestNext(invoke, number))
        if isinstance(response, GetResponse) and isinstance(response.result, DataAccessResult):
            raise AccessRefusedError(response.result)
        if not isinstance(response, GetResponseBlock):
            raise PeerError("unexpected_apdu", f"{type(response).__name__} where a block is due", 0)
        block = response
    raise PeerError("too_long", f"a value of over {channel.settings.max_blocks} blocks", 0)
