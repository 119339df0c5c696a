"""GET, both ways: normal, next block, and with a list. Source: IEC 62056-5-3, 8.2 (``Get-Request``, ``Get-Response``).

``C0 | form | invoke | ..`` asks, ``C4 | form | invoke | ..`` answers; the forms are 1 normal, 2 block, 3 list.
"""

from __future__ import annotations

from openami.protocol.apdu.descriptor import (
    DESCRIPTOR_OCTETS,
    bad_form,
    head_octets,
    list_octets,
    number_octets,
    read_access_result,
    read_list,
    read_number,
    read_result,
    read_selected,
    result_octets,
    selected_octets,
)
from openami.protocol.apdu.services import (
    GetApdu,
    GetRequest,
    GetRequestList,
    GetRequestNext,
    GetResponse,
    GetResponseBlock,
    GetResponseList,
)
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.cosem.reference import DataAccessResult
from openami.protocol.envelope.length import encode_length

_ASK, _ANSWER = ApduTag.GET_REQUEST, ApduTag.GET_RESPONSE
_NORMAL, _BLOCK, _LIST = 1, 2, 3


def encode_get(apdu: GetApdu) -> bytes:
    """Return the octets of any GET request or response.

    Raises:
        UsageError: a number that does not fit, or a value that cannot be encoded.
    """
    match apdu:
        case GetRequest():
            return head_octets(_ASK, _NORMAL, apdu.invoke) + selected_octets((apdu.attribute, apdu.selection))
        case GetRequestNext():
            return head_octets(_ASK, _BLOCK, apdu.invoke) + number_octets(apdu.block)
        case GetRequestList():
            return head_octets(_ASK, _LIST, apdu.invoke) + list_octets(selected_octets(i) for i in apdu.items)
        case GetResponse():
            return head_octets(_ANSWER, _NORMAL, apdu.invoke) + result_octets(apdu.result)
        case GetResponseBlock():
            return head_octets(_ANSWER, _BLOCK, apdu.invoke) + _block_octets(apdu)
        case GetResponseList():
            return head_octets(_ANSWER, _LIST, apdu.invoke) + list_octets(result_octets(r) for r in apdu.results)


def _block_octets(apdu: GetResponseBlock) -> bytes:
    head = (b"\x01" if apdu.is_last else b"\x00") + number_octets(apdu.block)
    if isinstance(apdu.result, DataAccessResult):
        return head + bytes((1, apdu.result))
    return head + b"\x00" + encode_length(len(apdu.result)) + apdu.result


def decode_get_request(octets: bytes) -> GetRequest | GetRequestNext | GetRequestList:
    """Read a GET request that fills the octets.

    Raises:
        PeerError: cut, octets left over, or a form that GET does not have.
    """
    reader = Reader(octets, 1)
    form, invoke = reader.take(2, "a get-request")
    apdu: GetRequest | GetRequestNext | GetRequestList
    if form == _NORMAL:
        apdu = GetRequest(invoke, *read_selected(reader))
    elif form == _BLOCK:
        apdu = GetRequestNext(invoke, read_number(reader))
    elif form == _LIST:
        items = read_list(reader, read_selected, "attributes", least_octets=DESCRIPTOR_OCTETS + 1)
        apdu = GetRequestList(invoke, items)
    else:
        raise bad_form(_ASK, form)
    reader.finish("a get-request")
    return apdu


def decode_get_response(octets: bytes) -> GetResponse | GetResponseBlock | GetResponseList:
    """Read a GET response that fills the octets.

    Raises:
        PeerError: cut, octets left over, or a form that GET does not have.
    """
    reader = Reader(octets, 1)
    form, invoke = reader.take(2, "a get-response")
    apdu: GetResponse | GetResponseBlock | GetResponseList
    if form == _NORMAL:
        apdu = GetResponse(invoke, read_result(reader))
    elif form == _BLOCK:
        is_last, number = reader.boolean("a block"), read_number(reader)
        result = read_access_result(reader) if reader.flag("an access result") else reader.string("a block")
        apdu = GetResponseBlock(invoke, is_last, number, result)
    elif form == _LIST:
        apdu = GetResponseList(invoke, read_list(reader, read_result, "results", least_octets=2))
    else:
        raise bad_form(_ANSWER, form)
    reader.finish("a get-response")
    return apdu
