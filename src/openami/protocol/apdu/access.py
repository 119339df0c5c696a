"""ACCESS, both ways: reads, writes and calls in one message. Source: IEC 62056-5-3, 8.2 (``Access-Request``).

``D9 | long invoke u32 | date-time | list of what is asked | list of values`` and
``DA | long invoke u32 | date-time | the request again, optional | list of values | list of results``. What is asked is
1 get, 2 set, 3 action, 4 get with a selection, 5 set with a selection.
"""

from __future__ import annotations

from collections.abc import Callable

from openami.protocol import axdr
from openami.protocol.apdu.descriptor import (
    DESCRIPTOR_OCTETS,
    access_octets,
    descriptor_octets,
    list_octets,
    read_access,
    read_access_result,
    read_action_result,
    read_attribute,
    read_list,
    read_method,
    read_values,
    values_octets,
)
from openami.protocol.apdu.services import (
    AccessApdu,
    AccessItem,
    AccessKind,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
)
from openami.protocol.apdu.stamp import read_stamp, stamp_octets
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef, Selection
from openami.protocol.errors import PeerError, UsageError

_GET_SELECTED, _SET_SELECTED = 4, 5
_KIND_OF_CHOICE = {
    1: AccessKind.GET,
    2: AccessKind.SET,
    3: AccessKind.ACTION,
    _GET_SELECTED: AccessKind.GET,
    _SET_SELECTED: AccessKind.SET,
}
_SELECTED_CHOICE = {AccessKind.GET: _GET_SELECTED, AccessKind.SET: _SET_SELECTED}
_Asked = tuple[AccessKind, AttributeRef | MethodRef, Selection | None]
_Answered = tuple[AccessKind, DataAccessResult | ActionResult]


def encode_access(apdu: AccessApdu) -> bytes:
    """Return the octets of an ACCESS request or response.

    Raises:
        UsageError: a number that does not fit, a target or result of another kind, or a value that cannot be encoded.
    """
    if not 0 <= apdu.long_invoke <= 0xFFFF_FFFF:
        raise UsageError("a long invoke id has 32 bits")
    head = apdu.long_invoke.to_bytes(4) + stamp_octets(apdu.at)
    if isinstance(apdu, AccessRequest):
        asked = list_octets(_asked_octets(i) for i in apdu.items)
        return bytes((ApduTag.ACCESS_REQUEST,)) + head + asked + values_octets(i.value for i in apdu.items)
    values = values_octets(o.value for o in apdu.outcomes)
    results = list_octets(_answered_octets(o) for o in apdu.outcomes)
    return bytes((ApduTag.ACCESS_RESPONSE,)) + head + b"\x00" + values + results


def _asked_octets(item: AccessItem) -> bytes:
    if isinstance(item.target, MethodRef) != (item.kind is AccessKind.ACTION):
        raise UsageError("a method is called, an attribute is read or written")
    if item.selection is None:
        return bytes((item.kind,)) + descriptor_octets(item.target)
    choice = _SELECTED_CHOICE.get(item.kind)
    if choice is None:
        raise UsageError("a call has no selection")
    return bytes((choice,)) + descriptor_octets(item.target) + access_octets(item.selection)


def _answered_octets(outcome: AccessOutcome) -> bytes:
    if isinstance(outcome.result, ActionResult) != (outcome.kind is AccessKind.ACTION):
        raise UsageError("a call has an action result, a read or write an access result")
    return bytes((outcome.kind, outcome.result))


def decode_access_request(octets: bytes) -> AccessRequest:
    """Read an ACCESS request that fills the octets.

    Raises:
        PeerError: cut, octets left over, something else asked, or another number of values than of targets.
    """
    reader = Reader(octets, 1)
    long_invoke, at = reader.unsigned(4, "a long invoke id"), read_stamp(reader)
    asked = _read_asked_list(reader)
    values = read_values(reader, len(asked))
    reader.finish("an access-request")
    items = (AccessItem(*one, value) for one, value in zip(asked, values, strict=True))
    return AccessRequest(long_invoke, at, tuple(items))


def decode_access_response(octets: bytes) -> AccessResponse:
    """Read an ACCESS response that fills the octets; the request that some servers repeat in it is passed over.

    Raises:
        PeerError: cut, octets left over, or another number of values than of results.
    """
    reader = Reader(octets, 1)
    long_invoke, at = reader.unsigned(4, "a long invoke id"), read_stamp(reader)
    if reader.flag("the request"):
        _read_asked_list(reader)
    where = reader.offset
    values = read_list(reader, axdr.read, "values")
    answered = read_list(reader, _read_answered, "results", least_octets=2)
    reader.finish("an access-response")
    if len(values) != len(answered):
        raise PeerError("uneven", f"{len(values)} values for {len(answered)} results", where)
    outcomes = (AccessOutcome(kind, result, v) for (kind, result), v in zip(answered, values, strict=True))
    return AccessResponse(long_invoke, at, tuple(outcomes))


def _read_asked_list(reader: Reader) -> tuple[_Asked, ...]:
    return read_list(reader, _read_asked, "parts", least_octets=DESCRIPTOR_OCTETS + 1)


def _read_asked(reader: Reader) -> _Asked:
    at = reader.offset
    choice = reader.unsigned(1, "a part of a request")
    kind = _KIND_OF_CHOICE.get(choice)
    if kind is None:
        raise PeerError("bad_form", f"an access of kind {choice}", at)
    if kind is AccessKind.ACTION:
        return kind, read_method(reader), None
    attribute = read_attribute(reader)
    return kind, attribute, read_access(reader, attribute) if choice in (_GET_SELECTED, _SET_SELECTED) else None


def _read_answered(reader: Reader) -> _Answered:
    at = reader.offset
    kind = _KIND_OF_CHOICE.get(reader.unsigned(1, "a result"))
    if kind is None or reader.octets[at] != kind:
        raise PeerError("bad_form", f"a result of kind {reader.octets[at]}", at)
    read: Callable[[Reader], DataAccessResult | ActionResult]
    read = read_action_result if kind is AccessKind.ACTION else read_access_result
    return kind, read(reader)
