"""The data services from the server's side: requests to a device, answers in one piece or in blocks.

One long transfer at a time is under way; any other request ends it. What the device refuses is an answer, what a client
gets wrong is an answer too where the service has one, else an exception-response.

Source: IEC 62056-5-3, 6.6 to 6.9 (GET, SET, ACTION, ACCESS) and 9.4.
"""

from __future__ import annotations

from typing import TypeAlias

from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.acse import Conformance
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import (
    AccessItem,
    AccessKind,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    ActionOutcome,
    ActionRequest,
    ActionRequestBlock,
    ActionRequestFirstBlock,
    ActionRequestList,
    ActionRequestListFirstBlock,
    ActionRequestNext,
    ActionResponse,
    ActionResponseList,
    ActionResponseNext,
    DataBlock,
    GetRequest,
    GetRequestList,
    GetRequestNext,
    GetResponse,
    GetResponseBlock,
    GetResponseList,
    GetResult,
    ServiceApdu,
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
from openami.protocol.association.limits import MAX_SERVED_LIST
from openami.protocol.association.lists import decode_values, encode_results
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError, Device
from openami.protocol.association.server_transfers import BLOCK_ANSWER_OCTETS, Incoming, LongAction, LongSet, Outgoing
from openami.protocol.axdr import Data, Tag
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef, Selection
from openami.protocol.errors import PeerError

SERVICE_NOT_ALLOWED = 1
SERVICE_UNKNOWN = 2
OPERATION_NOT_POSSIBLE = 1
SERVICE_NOT_SUPPORTED = 2
PDU_TOO_LONG = 4
_GET_ANSWER_OCTETS = 4
"""Octets of an answer before its value: tag, form, invoke, choice."""
Answer: TypeAlias = ServiceApdu | ExceptionResponse


class ServerServices:
    """Serves one client's requests.

    Args:
        device: the objects.
        client: the client's address.
        conformance: services agreed on.
        room_octets: largest plaintext answer that reaches the client in one piece.
        has_general_blocks: whether a longer answer may leave here, because general blocks carry it.
    """

    __slots__ = ("_client", "_conformance", "_device", "_has_general_blocks", "_incoming", "_outgoing", "_room")

    def __init__(
        self, device: Device, client: int, *, conformance: Conformance, room_octets: int, has_general_blocks: bool
    ) -> None:
        self._device = device
        self._client = client
        self._conformance = conformance
        self._room = room_octets
        self._has_general_blocks = has_general_blocks
        self._outgoing: Outgoing | None = None
        self._incoming: Incoming | None = None

    def serve(self, request: ServiceApdu) -> Answer:
        """Return the answer to a request."""
        needed = _NEEDED.get(type(request))
        if needed is None:
            return ExceptionResponse(SERVICE_UNKNOWN, SERVICE_NOT_SUPPORTED)
        if self._conformance & needed != needed:
            return ExceptionResponse(SERVICE_NOT_ALLOWED, SERVICE_NOT_SUPPORTED)
        if _list_length(request) > MAX_SERVED_LIST:
            return ExceptionResponse(SERVICE_NOT_ALLOWED, PDU_TOO_LONG)
        answer = self._continued(request)
        if answer is not None:
            return answer
        self._outgoing = self._incoming = None
        return self._served(request)

    def _continued(self, request: ServiceApdu) -> Answer | None:
        """Go on with a long transfer; None where the request begins something."""
        if isinstance(request, GetRequestNext):
            return self._next_of_get(request)
        if isinstance(request, ActionRequestNext):
            return self._next_of_action(request)
        if isinstance(request, SetRequestBlock):
            return self._block_of_set(request.invoke, request.block)
        if isinstance(request, ActionRequestBlock):
            return self._block_of_action(request.invoke, request.block)
        return None

    def _served(self, request: ServiceApdu) -> Answer:
        if isinstance(request, GetRequest):
            answer = self._give(request.invoke, self._read(request.attribute, request.selection))
        elif isinstance(request, GetRequestList):
            answer = self._give_list(request.invoke, tuple(self._read(a, s) for a, s in request.items))
        elif isinstance(request, SetRequest):
            answer = SetResponse(request.invoke, self._write(request.attribute, request.selection, request.value))
        elif isinstance(request, SetRequestList):
            answer = SetResponseList(request.invoke, self._write_all(request.items, request.values))
        elif isinstance(request, ActionRequest):
            answer = self._give_outcome(request.invoke, self._invoke(request.method, request.parameter))
        elif isinstance(request, ActionRequestList):
            answer = self._give_outcomes(request.invoke, request.methods, request.parameters)
        elif isinstance(request, AccessRequest):
            outcomes = tuple(self._access(item) for item in request.items)
            answer = self._fitting(AccessResponse(request.long_invoke, None, outcomes))
        else:
            answer = self._first_block(request)
        return answer

    def _first_block(self, request: ServiceApdu) -> Answer:
        if isinstance(request, SetRequestFirstBlock | SetRequestListFirstBlock):
            self._incoming = Incoming(request)
            return self._block_of_set(request.invoke, request.block)
        if isinstance(request, ActionRequestFirstBlock | ActionRequestListFirstBlock):
            self._incoming = Incoming(request)
            return self._block_of_action(request.invoke, request.block)
        return ExceptionResponse(SERVICE_UNKNOWN, SERVICE_NOT_SUPPORTED)

    # What the device says, as results.

    def _read(self, attribute: AttributeRef, selection: Selection | None) -> GetResult:
        if selection is not None and not self._conformance & Conformance.SELECTIVE_ACCESS:
            return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        try:
            return self._device.read(self._client, attribute, selection)
        except AccessRefusedError as refused:
            return refused.result

    def _write(self, attribute: AttributeRef, selection: Selection | None, value: Data) -> DataAccessResult:
        try:
            self._device.write(self._client, attribute, selection, value)
        except AccessRefusedError as refused:
            return refused.result
        return DataAccessResult.SUCCESS

    def _write_all(
        self, items: tuple[tuple[AttributeRef, Selection | None], ...], values: tuple[Data, ...]
    ) -> tuple[DataAccessResult, ...]:
        if len(items) != len(values):
            return (DataAccessResult.TYPE_UNMATCHED,) * len(items)
        return tuple(self._write(a, s, v) for (a, s), v in zip(items, values, strict=True))

    def _invoke(self, method: MethodRef, parameter: Data | None) -> ActionOutcome:
        try:
            returned = self._device.invoke(self._client, method, parameter)
        except ActionRefusedError as refused:
            return ActionOutcome(refused.result)
        return ActionOutcome(ActionResult.SUCCESS, returned)

    def _access(self, item: AccessItem) -> AccessOutcome:
        nothing = axdr.null()
        if item.kind is AccessKind.ACTION and isinstance(item.target, MethodRef):
            outcome = self._invoke(item.target, None if item.value.tag is Tag.NULL else item.value)
            returned = outcome.returned if isinstance(outcome.returned, Data) else nothing
            return AccessOutcome(item.kind, outcome.result, returned)
        if not isinstance(item.target, AttributeRef):
            return AccessOutcome(item.kind, DataAccessResult.TYPE_UNMATCHED, nothing)
        if item.kind is AccessKind.SET:
            return AccessOutcome(item.kind, self._write(item.target, item.selection, item.value), nothing)
        result = self._read(item.target, item.selection)
        if isinstance(result, DataAccessResult):
            return AccessOutcome(item.kind, result, nothing)
        return AccessOutcome(item.kind, DataAccessResult.SUCCESS, result)

    # Answers that fit, and answers that do not.

    def _give(self, invoke: int, result: GetResult) -> Answer:
        answer = GetResponse(invoke, result)
        if isinstance(result, DataAccessResult):
            return answer
        octets = axdr.encode(result)
        if len(octets) + _GET_ANSWER_OCTETS <= self._room:
            return answer
        if self._conformance & Conformance.BLOCK_TRANSFER_WITH_GET:
            return self._begin(invoke, octets, is_action=False)
        return self._fitting(answer)

    def _give_list(self, invoke: int, results: tuple[GetResult, ...]) -> Answer:
        answer = GetResponseList(invoke, results)
        if len(messages.encode(answer)) <= self._room:
            return answer
        if self._conformance & Conformance.BLOCK_TRANSFER_WITH_GET:
            return self._begin(invoke, encode_results(results), is_action=False)
        return self._fitting(answer)

    def _give_outcome(self, invoke: int, outcome: ActionOutcome) -> Answer:
        answer = ActionResponse(invoke, outcome)
        if not isinstance(outcome.returned, Data) or len(messages.encode(answer)) <= self._room:
            return answer
        if self._conformance & Conformance.BLOCK_TRANSFER_WITH_ACTION:
            return self._begin(invoke, axdr.encode(outcome.returned), is_action=True)
        return self._fitting(answer)

    def _give_outcomes(self, invoke: int, methods: tuple[MethodRef, ...], values: tuple[Data, ...]) -> Answer:
        if len(methods) != len(values):
            refused = ActionOutcome(ActionResult.TYPE_UNMATCHED)
            return ActionResponseList(invoke, (refused,) * len(methods))
        outcomes = (self._invoke(m, None if v.tag is Tag.NULL else v) for m, v in zip(methods, values, strict=True))
        return self._fitting(ActionResponseList(invoke, tuple(outcomes)))

    def _fitting(self, answer: ServiceApdu) -> Answer:
        if self._has_general_blocks or len(messages.encode(answer)) <= self._room:
            return answer
        return ExceptionResponse(SERVICE_NOT_ALLOWED, PDU_TOO_LONG)

    def _begin(self, invoke: int, octets: bytes, *, is_action: bool) -> Answer:
        size = max(self._room - BLOCK_ANSWER_OCTETS, 1)
        self._outgoing = Outgoing(invoke, octets, size, is_action)
        return self._outgoing.give(1)

    def _next_of_get(self, request: GetRequestNext) -> Answer:
        outgoing = self._outgoing if self._outgoing is not None and not self._outgoing.is_action else None
        answer = outgoing.after(request.invoke, request.block) if outgoing is not None else None
        if answer is not None:
            return answer
        self._outgoing = None
        reason = DataAccessResult.NO_LONG_GET_IN_PROGRESS
        if outgoing is not None:
            reason = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        return GetResponseBlock(request.invoke, is_last=True, block=request.block, result=reason)

    def _next_of_action(self, request: ActionRequestNext) -> Answer:
        outgoing = self._outgoing if self._outgoing is not None and self._outgoing.is_action else None
        answer = outgoing.after(request.invoke, request.block) if outgoing is not None else None
        if answer is not None:
            return answer
        self._outgoing = None
        return ActionResponse(request.invoke, ActionOutcome(ActionResult.NO_LONG_ACTION_IN_PROGRESS))

    # Requests that come in blocks.

    def _block_of_set(self, invoke: int, block: DataBlock) -> Answer:
        incoming, reason = self._incoming, DataAccessResult.NO_LONG_SET_IN_PROGRESS
        if incoming is not None and not isinstance(incoming.first, LongAction):
            reason = incoming.take(invoke, block)
        if incoming is None or isinstance(incoming.first, LongAction) or reason is not DataAccessResult.SUCCESS:
            self._incoming = None
            return SetResponseLastBlock(invoke, reason, block.number)
        if not block.is_last:
            return SetResponseBlock(invoke, block.number)
        self._incoming = None
        first, octets = incoming.first, bytes(incoming.parts)
        try:
            if isinstance(first, SetRequestFirstBlock):
                result = self._write(first.attribute, first.selection, axdr.decode(octets))
                return SetResponseLastBlock(invoke, result, block.number)
            results = self._write_all(first.items, decode_values(octets))
            return SetResponseLastBlockList(invoke, results, block.number)
        except PeerError:
            return SetResponseLastBlock(invoke, DataAccessResult.TYPE_UNMATCHED, block.number)

    def _block_of_action(self, invoke: int, block: DataBlock) -> Answer:
        incoming, reason = self._incoming, DataAccessResult.NO_LONG_SET_IN_PROGRESS
        if incoming is not None and not isinstance(incoming.first, LongSet):
            reason = incoming.take(invoke, block)
        if incoming is None or isinstance(incoming.first, LongSet) or reason is not DataAccessResult.SUCCESS:
            self._incoming = None
            is_absent = reason is DataAccessResult.NO_LONG_SET_IN_PROGRESS
            refused = ActionResult.NO_LONG_ACTION_IN_PROGRESS if is_absent else ActionResult.LONG_ACTION_ABORTED
            return ActionResponse(invoke, ActionOutcome(refused))
        if not block.is_last:
            return ActionResponseNext(invoke, block.number)
        self._incoming = None
        first, octets = incoming.first, bytes(incoming.parts)
        try:
            if isinstance(first, ActionRequestFirstBlock):
                return self._give_outcome(invoke, self._invoke(first.method, axdr.decode(octets)))
            return self._give_outcomes(invoke, first.methods, decode_values(octets))
        except PeerError:
            return ActionResponse(invoke, ActionOutcome(ActionResult.TYPE_UNMATCHED))


_MANY, _GET_BLOCKS = Conformance.MULTIPLE_REFERENCES, Conformance.BLOCK_TRANSFER_WITH_GET
_SET_BLOCKS, _ACTION_BLOCKS = Conformance.BLOCK_TRANSFER_WITH_SET, Conformance.BLOCK_TRANSFER_WITH_ACTION
_NEEDED: dict[type, Conformance] = {
    GetRequest: Conformance.GET,
    GetRequestNext: Conformance.GET | _GET_BLOCKS,
    GetRequestList: Conformance.GET | _MANY,
    SetRequest: Conformance.SET,
    SetRequestFirstBlock: Conformance.SET | _SET_BLOCKS,
    SetRequestBlock: Conformance.SET | _SET_BLOCKS,
    SetRequestList: Conformance.SET | _MANY,
    SetRequestListFirstBlock: Conformance.SET | _MANY | _SET_BLOCKS,
    ActionRequest: Conformance.ACTION,
    ActionRequestNext: Conformance.ACTION | _ACTION_BLOCKS,
    ActionRequestList: Conformance.ACTION | _MANY,
    ActionRequestFirstBlock: Conformance.ACTION | _ACTION_BLOCKS,
    ActionRequestBlock: Conformance.ACTION | _ACTION_BLOCKS,
    ActionRequestListFirstBlock: Conformance.ACTION | _MANY | _ACTION_BLOCKS,
    AccessRequest: Conformance.ACCESS,
}
"""The services a request needs; a message that is not here is no request."""


def _list_length(request: ServiceApdu) -> int:
    if isinstance(request, GetRequestList | SetRequestList | SetRequestListFirstBlock | AccessRequest):
        return len(request.items)
    if isinstance(request, ActionRequestList | ActionRequestListFirstBlock):
        return len(request.methods)
    return 1
