"""ACTION, both ways: normal, with a list, and either in blocks. Source: IEC 62056-5-3, 8.2 (``Action-Request``).

``C3 | form | invoke | ..`` asks in the forms 1 normal, 2 next block, 3 list, 4 first block, 5 list and first block,
6 block; ``C7 | form | invoke | ..`` answers in the forms 1 normal, 2 block, 3 list, 4 next block.
"""

from __future__ import annotations

from openami.protocol import axdr
from openami.protocol.apdu.descriptor import (
    DESCRIPTOR_OCTETS,
    bad_form,
    block_octets,
    descriptor_octets,
    head_octets,
    list_octets,
    number_octets,
    read_action_result,
    read_block,
    read_list,
    read_method,
    read_number,
    read_result,
    read_values,
    require_even,
    result_octets,
    values_octets,
)
from openami.protocol.apdu.services import (
    ActionApdu,
    ActionOutcome,
    ActionRequest,
    ActionRequestBlock,
    ActionRequestFirstBlock,
    ActionRequestList,
    ActionRequestListFirstBlock,
    ActionRequestNext,
    ActionResponse,
    ActionResponseBlock,
    ActionResponseList,
    ActionResponseNext,
)
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.cosem.reference import MethodRef

_ASK, _ANSWER = ApduTag.ACTION_REQUEST, ApduTag.ACTION_RESPONSE


def encode_action(apdu: ActionApdu) -> bytes:  # noqa: C901, PLR0911 - one return for each form of the service
    """Return the octets of any ACTION request or response.

    Raises:
        UsageError: a number that does not fit, a list with another number of parameters, or a value that cannot be
            encoded.
    """
    match apdu:
        case ActionRequest():
            parameter = b"\x00" if apdu.parameter is None else b"\x01" + axdr.encode(apdu.parameter)
            return head_octets(_ASK, 1, apdu.invoke) + descriptor_octets(apdu.method) + parameter
        case ActionRequestNext():
            return head_octets(_ASK, 2, apdu.invoke) + number_octets(apdu.block)
        case ActionRequestList():
            require_even(len(apdu.methods), len(apdu.parameters))
            return head_octets(_ASK, 3, apdu.invoke) + _methods_octets(apdu.methods) + values_octets(apdu.parameters)
        case ActionRequestFirstBlock():
            return head_octets(_ASK, 4, apdu.invoke) + descriptor_octets(apdu.method) + block_octets(apdu.block)
        case ActionRequestListFirstBlock():
            return head_octets(_ASK, 5, apdu.invoke) + _methods_octets(apdu.methods) + block_octets(apdu.block)
        case ActionRequestBlock():
            return head_octets(_ASK, 6, apdu.invoke) + block_octets(apdu.block)
        case ActionResponse():
            return head_octets(_ANSWER, 1, apdu.invoke) + _outcome_octets(apdu.outcome)
        case ActionResponseBlock():
            return head_octets(_ANSWER, 2, apdu.invoke) + block_octets(apdu.block)
        case ActionResponseList():
            return head_octets(_ANSWER, 3, apdu.invoke) + list_octets(_outcome_octets(o) for o in apdu.outcomes)
        case ActionResponseNext():
            return head_octets(_ANSWER, 4, apdu.invoke) + number_octets(apdu.block)


def _methods_octets(methods: tuple[MethodRef, ...]) -> bytes:
    return list_octets(descriptor_octets(m) for m in methods)


def _read_methods(reader: Reader) -> tuple[MethodRef, ...]:
    return read_list(reader, read_method, "methods", least_octets=DESCRIPTOR_OCTETS)


def _outcome_octets(outcome: ActionOutcome) -> bytes:
    returned = b"\x00" if outcome.returned is None else b"\x01" + result_octets(outcome.returned)
    return bytes((outcome.result,)) + returned


def _read_outcome(reader: Reader) -> ActionOutcome:
    result = read_action_result(reader)
    return ActionOutcome(result, read_result(reader) if reader.flag("a return value") else None)


def decode_action_request(octets: bytes) -> ActionApdu:
    """Read an ACTION request that fills the octets.

    Raises:
        PeerError: cut, octets left over, a form that ACTION does not have, or another number of parameters than of
            methods.
    """
    reader = Reader(octets, 1)
    form, invoke = reader.take(2, "an action-request")
    apdu: ActionApdu
    if form == 1:
        method = read_method(reader)
        apdu = ActionRequest(invoke, method, axdr.read(reader) if reader.flag("a parameter") else None)
    elif form == 2:
        apdu = ActionRequestNext(invoke, read_number(reader))
    elif form == 3:
        methods = _read_methods(reader)
        apdu = ActionRequestList(invoke, methods, read_values(reader, len(methods)))
    elif form == 4:
        apdu = ActionRequestFirstBlock(invoke, read_method(reader), read_block(reader))
    elif form == 5:
        apdu = ActionRequestListFirstBlock(invoke, _read_methods(reader), read_block(reader))
    elif form == 6:
        apdu = ActionRequestBlock(invoke, read_block(reader))
    else:
        raise bad_form(_ASK, form)
    reader.finish("an action-request")
    return apdu


def decode_action_response(octets: bytes) -> ActionApdu:
    """Read an ACTION response that fills the octets.

    Raises:
        PeerError: cut, octets left over, or a form that ACTION does not have.
    """
    reader = Reader(octets, 1)
    form, invoke = reader.take(2, "an action-response")
    apdu: ActionApdu
    if form == 1:
        apdu = ActionResponse(invoke, _read_outcome(reader))
    elif form == 2:
        apdu = ActionResponseBlock(invoke, read_block(reader))
    elif form == 3:
        apdu = ActionResponseList(invoke, read_list(reader, _read_outcome, "outcomes", least_octets=2))
    elif form == 4:
        apdu = ActionResponseNext(invoke, read_number(reader))
    else:
        raise bad_form(_ANSWER, form)
    reader.finish("an action-response")
    return apdu
