"""What a server answers to requests that are out of turn, too many, too long or not agreed on."""

from __future__ import annotations

import pytest
from tests.pair.protocol.parties import DENIED, ECHO, ENERGY, PROFILE, ROWS, SCRATCH, FakeDevice

from openami.protocol import axdr
from openami.protocol.apdu.acse import Conformance
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import (
    AccessItem,
    AccessKind,
    AccessRequest,
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
    DataBlock,
    GetRequest,
    GetRequestList,
    GetRequestNext,
    GetResponse,
    GetResponseBlock,
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
from openami.protocol.association.channel import ALL_SERVICES
from openami.protocol.association.limits import MAX_SERVED_LIST, MAX_SERVED_VALUE_OCTETS
from openami.protocol.association.lists import encode_values
from openami.protocol.association.server_services import ServerServices
from openami.protocol.axdr import null, octet_string, u32
from openami.protocol.cosem.reference import ActionResult, DataAccessResult, EntrySelection

INVOKE = 0xC5


def services(
    conformance: Conformance = ALL_SERVICES, *, room: int = 200, general: bool = False
) -> tuple[ServerServices, FakeDevice]:
    device = FakeDevice({})
    served = ServerServices(device, 1, conformance=conformance, room_octets=room, has_general_blocks=general)
    return served, device


def block(number: int, octets: bytes, *, is_last: bool = False) -> DataBlock:
    return DataBlock(is_last=is_last, number=number, octets=octets)


def test_a_long_value_is_given_in_turn_and_the_last_block_again_on_request() -> None:
    served, _ = services()
    answer = served.serve(GetRequest(INVOKE, PROFILE))
    parts = b""
    number = 1
    while True:
        assert isinstance(answer, GetResponseBlock)
        assert (answer.invoke, answer.block) == (INVOKE, number)
        assert isinstance(answer.result, bytes)
        parts += answer.result
        if answer.is_last:
            break
        again = served.serve(GetRequestNext(INVOKE, number))
        answer = served.serve(GetRequestNext(INVOKE, number))
        assert answer == again
        number += 1
    assert axdr.decode(parts) == ROWS
    assert number > 10


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (GetRequestNext(INVOKE, 2), DataAccessResult.DATA_BLOCK_NUMBER_INVALID),
        (GetRequestNext(INVOKE, 0), DataAccessResult.DATA_BLOCK_NUMBER_INVALID),
        (GetRequestNext(0xC6, 1), DataAccessResult.DATA_BLOCK_NUMBER_INVALID),
    ],
)
def test_a_block_out_of_turn_ends_the_transfer(request_: GetRequestNext, reason: DataAccessResult) -> None:
    served, _ = services()
    served.serve(GetRequest(INVOKE, PROFILE))
    answer = served.serve(request_)
    assert isinstance(answer, GetResponseBlock)
    assert (answer.is_last, answer.result) == (True, reason)
    gone = served.serve(GetRequestNext(INVOKE, 1))
    assert isinstance(gone, GetResponseBlock)
    assert gone.result is DataAccessResult.NO_LONG_GET_IN_PROGRESS


def test_another_request_ends_a_long_transfer() -> None:
    served, _ = services()
    served.serve(GetRequest(INVOKE, PROFILE))
    assert served.serve(GetRequest(INVOKE, ENERGY)) == GetResponse(INVOKE, u32(123_456))
    gone = served.serve(GetRequestNext(INVOKE, 1))
    assert isinstance(gone, GetResponseBlock)
    assert gone.result is DataAccessResult.NO_LONG_GET_IN_PROGRESS


def test_a_write_in_blocks_takes_a_repeated_block_once() -> None:
    served, device = services()
    octets = axdr.encode(octet_string(b"0123456789"))
    first = SetRequestFirstBlock(INVOKE, SCRATCH, None, block(1, octets[:4]))
    assert served.serve(first) == SetResponseBlock(INVOKE, 1)
    assert served.serve(SetRequestBlock(INVOKE, block(2, octets[4:8]))) == SetResponseBlock(INVOKE, 2)
    assert served.serve(SetRequestBlock(INVOKE, block(2, octets[4:8]))) == SetResponseBlock(INVOKE, 2)
    last = served.serve(SetRequestBlock(INVOKE, block(3, octets[8:], is_last=True)))
    assert last == SetResponseLastBlock(INVOKE, DataAccessResult.SUCCESS, 3)
    assert device.values[SCRATCH] == octet_string(b"0123456789")


SET_FIRST = SetRequestFirstBlock(INVOKE, SCRATCH, None, block(1, b"\x09\x04"))
ACTION_FIRST = ActionRequestFirstBlock(INVOKE, ECHO, block(1, b"\x09\x04"))


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        pytest.param([SetRequestBlock(INVOKE, block(2, b"x"))], "NO_LONG_SET_IN_PROGRESS", id="nothing-begun"),
        pytest.param([SET_FIRST, SetRequestBlock(INVOKE, block(3, b"x"))], "DATA_BLOCK_NUMBER_INVALID", id="gap"),
        pytest.param([SET_FIRST, SetRequestBlock(0xC6, block(2, b"x"))], "NO_LONG_SET_IN_PROGRESS", id="other-invoke"),
        pytest.param([ACTION_FIRST, SetRequestBlock(INVOKE, block(2, b"x"))], "NO_LONG_SET_IN_PROGRESS", id="action"),
        pytest.param(
            [SET_FIRST, SetRequestBlock(INVOKE, block(2, b"xy", is_last=True))], "TYPE_UNMATCHED", id="no-value"
        ),
    ],
)
def test_a_write_in_blocks_that_goes_wrong_writes_nothing(requests: list[ServiceApdu], reason: str) -> None:
    served, device = services()
    answers = [served.serve(r) for r in requests]
    assert isinstance(answers[-1], SetResponseLastBlock)
    assert answers[-1].result is DataAccessResult[reason]
    assert device.values[SCRATCH] == u32(0)


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        pytest.param([ActionRequestBlock(INVOKE, block(2, b"x"))], "NO_LONG_ACTION_IN_PROGRESS", id="nothing-begun"),
        pytest.param([ACTION_FIRST, ActionRequestBlock(INVOKE, block(3, b"x"))], "LONG_ACTION_ABORTED", id="gap"),
        pytest.param([SET_FIRST, ActionRequestBlock(INVOKE, block(2, b"x"))], "NO_LONG_ACTION_IN_PROGRESS", id="set"),
        pytest.param([ActionRequestNext(INVOKE, 1)], "NO_LONG_ACTION_IN_PROGRESS", id="no-answer"),
        pytest.param(
            [ACTION_FIRST, ActionRequestBlock(INVOKE, block(2, b"xy", is_last=True))], "TYPE_UNMATCHED", id="no-value"
        ),
    ],
)
def test_a_call_in_blocks_that_goes_wrong_calls_nothing(requests: list[ServiceApdu], reason: str) -> None:
    served, device = services()
    answers = [served.serve(r) for r in requests]
    assert answers[-1] == ActionResponse(INVOKE, ActionOutcome(ActionResult[reason]))
    assert device.calls == []


def test_a_value_longer_than_a_device_takes_is_refused_before_it_fills_the_memory() -> None:
    served, device = services()
    served.serve(SET_FIRST)
    answer = served.serve(SetRequestBlock(INVOKE, block(2, bytes(MAX_SERVED_VALUE_OCTETS))))
    assert answer == SetResponseLastBlock(INVOKE, DataAccessResult.LONG_SET_ABORTED, 2)
    assert device.values[SCRATCH] == u32(0)


def test_lists_are_written_and_called_in_blocks_too() -> None:
    served, device = services()
    values = encode_values((u32(1), u32(2)))
    items = ((SCRATCH, None), (ENERGY, None))
    assert served.serve(SetRequestListFirstBlock(INVOKE, items, block(1, values[:3]))) == SetResponseBlock(INVOKE, 1)
    answer = served.serve(SetRequestBlock(INVOKE, block(2, values[3:], is_last=True)))
    results = (DataAccessResult.SUCCESS, DataAccessResult.READ_WRITE_DENIED)
    assert answer == SetResponseLastBlockList(INVOKE, results, 2)
    assert device.values[SCRATCH] == u32(1)
    first = ActionRequestListFirstBlock(INVOKE, (ECHO, DENIED), block(1, values[:5]))
    assert served.serve(first) == ActionResponseNext(INVOKE, 1)
    outcomes = served.serve(ActionRequestBlock(INVOKE, block(2, values[5:], is_last=True)))
    assert outcomes == ActionResponseList(
        INVOKE,
        (ActionOutcome(ActionResult.SUCCESS, u32(1)), ActionOutcome(ActionResult.READ_WRITE_DENIED)),
    )


def test_lists_that_do_not_agree_with_themselves_change_nothing() -> None:
    served, device = services()
    first = SetRequestListFirstBlock(INVOKE, ((SCRATCH, None),) * 2, block(1, encode_values((u32(1),)), is_last=True))
    unmatched = DataAccessResult.TYPE_UNMATCHED
    assert served.serve(first) == SetResponseLastBlockList(INVOKE, (unmatched, unmatched), 1)
    calls = ActionRequestListFirstBlock(INVOKE, (ECHO, ECHO), block(1, encode_values((u32(1),)), is_last=True))
    answer = served.serve(calls)
    assert isinstance(answer, ActionResponseList)
    assert [o.result for o in answer.outcomes] == [ActionResult.TYPE_UNMATCHED] * 2
    assert (device.values[SCRATCH], device.calls) == (u32(0), [])


def test_a_long_return_value_is_given_in_blocks() -> None:
    served, _ = services()
    long = octet_string(bytes(500))
    answer = served.serve(ActionRequest(INVOKE, ECHO, long))
    parts = b""
    while isinstance(answer, ActionResponseBlock):
        parts += answer.block.octets
        if answer.block.is_last:
            break
        answer = served.serve(ActionRequestNext(INVOKE, answer.block.number))
    assert axdr.decode(parts) == long


ACCESS = AccessRequest(5, None, (AccessItem(AccessKind.GET, ENERGY, None, null()),))
NEEDS = [
    (GetRequest(INVOKE, ENERGY), Conformance.GET),
    (GetRequestList(INVOKE, ((ENERGY, None),)), Conformance.MULTIPLE_REFERENCES),
    (GetRequestNext(INVOKE, 1), Conformance.BLOCK_TRANSFER_WITH_GET),
    (SetRequest(INVOKE, SCRATCH, None, u32(1)), Conformance.SET),
    (SetRequestList(INVOKE, ((SCRATCH, None),), (u32(1),)), Conformance.MULTIPLE_REFERENCES),
    (SET_FIRST, Conformance.BLOCK_TRANSFER_WITH_SET),
    (ActionRequest(INVOKE, ECHO), Conformance.ACTION),
    (ActionRequestList(INVOKE, (ECHO,), (null(),)), Conformance.MULTIPLE_REFERENCES),
    (ACTION_FIRST, Conformance.BLOCK_TRANSFER_WITH_ACTION),
    (ACCESS, Conformance.ACCESS),
]


@pytest.mark.parametrize(("request_", "needed"), NEEDS, ids=lambda v: getattr(type(v), "__name__", None))
def test_a_service_that_was_not_agreed_on_is_not_served(request_: ServiceApdu, needed: Conformance) -> None:
    served, device = services(ALL_SERVICES & ~needed)
    assert served.serve(request_) == ExceptionResponse(1, 2)
    assert (device.calls, device.values[SCRATCH]) == ([], u32(0))
    assert services()[0].serve(request_) != ExceptionResponse(1, 2)


def test_a_selection_that_was_not_agreed_on_is_refused() -> None:
    served, _ = services(ALL_SERVICES & ~Conformance.SELECTIVE_ACCESS)
    answer = served.serve(GetRequest(INVOKE, PROFILE, EntrySelection(1, 2)))
    assert answer == GetResponse(INVOKE, DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)


@pytest.mark.parametrize(
    "request_",
    [
        GetRequestList(INVOKE, ((ENERGY, None),) * (MAX_SERVED_LIST + 1)),
        SetRequestList(INVOKE, ((SCRATCH, None),) * (MAX_SERVED_LIST + 1), (u32(1),) * (MAX_SERVED_LIST + 1)),
        ActionRequestList(INVOKE, (ECHO,) * (MAX_SERVED_LIST + 1), (null(),) * (MAX_SERVED_LIST + 1)),
        AccessRequest(5, None, ACCESS.items * (MAX_SERVED_LIST + 1)),
    ],
    ids=lambda r: type(r).__name__,
)
def test_a_list_longer_than_the_limit_is_not_served(request_: ServiceApdu) -> None:
    served, device = services(room=60_000)
    assert served.serve(request_) == ExceptionResponse(1, 4)
    assert (device.calls, device.values[SCRATCH]) == ([], u32(0))


@pytest.mark.parametrize(
    "request_",
    [GetRequest(INVOKE, PROFILE), ActionRequest(INVOKE, ECHO, octet_string(bytes(500)))],
    ids=["get", "call"],
)
def test_an_answer_that_no_block_carries_is_too_long(request_: ServiceApdu) -> None:
    served, _ = services(Conformance.GET | Conformance.ACTION)
    assert served.serve(request_) == ExceptionResponse(1, 4)
    general, _ = services(Conformance.GET | Conformance.ACTION, general=True)
    assert isinstance(general.serve(request_), GetResponse | ActionResponse)


@pytest.mark.parametrize("answer", [GetResponse(INVOKE, u32(1)), SetResponse(INVOKE, DataAccessResult.SUCCESS)])
def test_an_answer_is_no_request(answer: ServiceApdu) -> None:
    served, _ = services()
    assert served.serve(answer) == ExceptionResponse(2, 2)


def test_short_lists_are_answered_in_one_piece() -> None:
    served, _ = services()
    request = SetRequestList(INVOKE, ((SCRATCH, None), (ENERGY, None)), (u32(1), u32(2)))
    results = (DataAccessResult.SUCCESS, DataAccessResult.READ_WRITE_DENIED)
    assert served.serve(request) == SetResponseList(INVOKE, results)
