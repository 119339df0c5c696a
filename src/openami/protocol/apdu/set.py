"""SET, both ways: normal, with a list, and either in blocks. Source: IEC 62056-5-3, 8.2 (``Set-Request``).

``C1 | form | invoke | ..`` asks in the forms 1 normal, 2 first block, 3 block, 4 list, 5 list and first block;
``C5 | form | invoke | ..`` answers in the forms 1 normal, 2 block, 3 last block, 4 last block of a list, 5 list.
"""

from __future__ import annotations

from openami.protocol import axdr
from openami.protocol.apdu.descriptor import (
    DESCRIPTOR_OCTETS,
    bad_form,
    block_octets,
    head_octets,
    list_octets,
    number_octets,
    read_access_result,
    read_block,
    read_list,
    read_number,
    read_selected,
    read_values,
    require_even,
    selected_octets,
    values_octets,
)
from openami.protocol.apdu.services import (
    SelectedAttribute,
    SetApdu,
    SetRequest,
    SetRequestBlock,
    SetRequestFirstBlock,
    SetRequestList,
    SetRequestListFirstBlock,
    SetResponse,
    SetResponseBlock,
    SetResponseLastBlock,
    SetResponseLastBlockList,
    SetResponseList,
)
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.cosem.reference import DataAccessResult

_ASK, _ANSWER = ApduTag.SET_REQUEST, ApduTag.SET_RESPONSE


def encode_set(apdu: SetApdu) -> bytes:  # noqa: C901, PLR0911 - one return for each form of the service
    """Return the octets of any SET request or response.

    Raises:
        UsageError: a number that does not fit, a list with another number of values, or a value that cannot be encoded.
    """
    match apdu:
        case SetRequest():
            item = selected_octets((apdu.attribute, apdu.selection))
            return head_octets(_ASK, 1, apdu.invoke) + item + axdr.encode(apdu.value)
        case SetRequestFirstBlock():
            item = selected_octets((apdu.attribute, apdu.selection))
            return head_octets(_ASK, 2, apdu.invoke) + item + block_octets(apdu.block)
        case SetRequestBlock():
            return head_octets(_ASK, 3, apdu.invoke) + block_octets(apdu.block)
        case SetRequestList():
            require_even(len(apdu.items), len(apdu.values))
            return head_octets(_ASK, 4, apdu.invoke) + _items_octets(apdu.items) + values_octets(apdu.values)
        case SetRequestListFirstBlock():
            return head_octets(_ASK, 5, apdu.invoke) + _items_octets(apdu.items) + block_octets(apdu.block)
        case SetResponse():
            return head_octets(_ANSWER, 1, apdu.invoke) + bytes((apdu.result,))
        case SetResponseBlock():
            return head_octets(_ANSWER, 2, apdu.invoke) + number_octets(apdu.block)
        case SetResponseLastBlock():
            return head_octets(_ANSWER, 3, apdu.invoke) + bytes((apdu.result,)) + number_octets(apdu.block)
        case SetResponseLastBlockList():
            return head_octets(_ANSWER, 4, apdu.invoke) + _results_octets(apdu.results) + number_octets(apdu.block)
        case SetResponseList():
            return head_octets(_ANSWER, 5, apdu.invoke) + _results_octets(apdu.results)


def _items_octets(items: tuple[SelectedAttribute, ...]) -> bytes:
    return list_octets(selected_octets(i) for i in items)


def _results_octets(results: tuple[DataAccessResult, ...]) -> bytes:
    return list_octets(bytes((r,)) for r in results)


def _read_items(reader: Reader) -> tuple[SelectedAttribute, ...]:
    return read_list(reader, read_selected, "attributes", least_octets=DESCRIPTOR_OCTETS + 1)


def _read_results(reader: Reader) -> tuple[DataAccessResult, ...]:
    return read_list(reader, read_access_result, "results")


def decode_set_request(octets: bytes) -> SetApdu:
    """Read a SET request that fills the octets.

    Raises:
        PeerError: cut, octets left over, a form that SET does not have, or another number of values than attributes.
    """
    reader = Reader(octets, 1)
    form, invoke = reader.take(2, "a set-request")
    apdu: SetApdu
    if form == 1:
        apdu = SetRequest(invoke, *read_selected(reader), axdr.read(reader))
    elif form == 2:
        apdu = SetRequestFirstBlock(invoke, *read_selected(reader), read_block(reader))
    elif form == 3:
        apdu = SetRequestBlock(invoke, read_block(reader))
    elif form == 4:
        items = _read_items(reader)
        apdu = SetRequestList(invoke, items, read_values(reader, len(items)))
    elif form == 5:
        apdu = SetRequestListFirstBlock(invoke, _read_items(reader), read_block(reader))
    else:
        raise bad_form(_ASK, form)
    reader.finish("a set-request")
    return apdu


def decode_set_response(octets: bytes) -> SetApdu:
    """Read a SET response that fills the octets.

    Raises:
        PeerError: cut, octets left over, or a form that SET does not have.
    """
    reader = Reader(octets, 1)
    form, invoke = reader.take(2, "a set-response")
    apdu: SetApdu
    if form == 1:
        apdu = SetResponse(invoke, read_access_result(reader))
    elif form == 2:
        apdu = SetResponseBlock(invoke, read_number(reader))
    elif form == 3:
        apdu = SetResponseLastBlock(invoke, read_access_result(reader), read_number(reader))
    elif form == 4:
        apdu = SetResponseLastBlockList(invoke, _read_results(reader), read_number(reader))
    elif form == 5:
        apdu = SetResponseList(invoke, _read_results(reader))
    else:
        raise bad_form(_ANSWER, form)
    reader.finish("a set-response")
    return apdu
