"""Every form of GET, SET, ACTION and ACCESS octet by octet, written by hand from the standard's ASN.1."""

from __future__ import annotations

from typing import get_args

import pytest

from openami.kernel.obis import Obis
from openami.protocol import apdu
from openami.protocol.apdu import services as s
from openami.protocol.apdu.codec import Apdu
from openami.protocol.axdr import MAX_ELEMENTS, Data, Tag, array, null, octet_string, structure, u8, u16, u32
from openami.protocol.cosem import decode_date_time
from openami.protocol.cosem.reference import (
    ActionResult,
    AttributeRef,
    CaptureObject,
    DataAccessResult,
    EntrySelection,
    MethodRef,
    OtherSelection,
    RangeSelection,
)
from openami.protocol.errors import PeerError, UsageError

CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
PROFILE = AttributeRef(7, Obis.from_text("1.0.99.1.0.255"), 2)
CLOCK_WIRE, PROFILE_WIRE = "0008 0000010000ff 02", "0007 0100630100ff 02"
SWITCH = MethodRef(70, Obis.from_text("0.0.96.3.10.255"), 1)
SWITCH_WIRE = "0046 000060030aff 01"
FROM, TO = (octet_string(bytes.fromhex(h)) for h in ("07ea0301ff000000ff800000", "07ea0302ff000000ff800000"))
BY_CLOCK = CaptureObject(8, CLOCK.instance, 2)
BY_CLOCK_WIRE = "0204 120008 09060000010000ff 0f02 120000"
IMPORT = CaptureObject(3, Obis.from_text("1.0.1.8.0.255"), 2)
IMPORT_WIRE = "0204 120003 09060100010800ff 0f02 120000"
RANGE = RangeSelection(BY_CLOCK, FROM, TO)
RANGE_WIRE = f"01 0204 {BY_CLOCK_WIRE} 090c07ea0301ff000000ff800000 090c07ea0302ff000000ff800000 0100"
RANGE_OF_ONE = RangeSelection(BY_CLOCK, FROM, TO, (IMPORT,))
RANGE_OF_ONE_WIRE = RANGE_WIRE.removesuffix("00") + f"01 {IMPORT_WIRE}"
ENTRY_WIRE = "02 0204 0600000001 0600000060 120001 120000"
ENTRY = EntrySelection(1, 96, 1, 0)
BLOCK, BLOCK_WIRE = s.DataBlock(True, 2, b"\x09\x01"), "01 00000002 02 0901"
LONG_BLOCK, LONG_BLOCK_WIRE = s.DataBlock(False, 1, bytes(300)), f"00 00000001 82012c {'00' * 300}"
STAMP, STAMP_WIRE = decode_date_time(bytes.fromhex("07ea03010706000000016800")), "0c 07ea03010706000000016800"
DENIED, OK = DataAccessResult.READ_WRITE_DENIED, DataAccessResult.SUCCESS
GET, SET, CALL = s.AccessKind

EXAMPLES: list[tuple[str, Apdu]] = [
    (f"c001 c1 {CLOCK_WIRE} 00", s.GetRequest(0xC1, CLOCK)),
    (f"c001 c1 {PROFILE_WIRE} 01 {RANGE_WIRE}", s.GetRequest(0xC1, PROFILE, RANGE)),
    (f"c001 c1 {PROFILE_WIRE} 01 {RANGE_OF_ONE_WIRE}", s.GetRequest(0xC1, PROFILE, RANGE_OF_ONE)),
    (f"c001 c1 {PROFILE_WIRE} 01 {ENTRY_WIRE}", s.GetRequest(0xC1, PROFILE, ENTRY)),
    (f"c001 c1 {PROFILE_WIRE} 01 07 00", s.GetRequest(0xC1, PROFILE, OtherSelection(7, null()))),
    ("c002 c1 00000001", s.GetRequestNext(0xC1, 1)),
    (
        f"c003 81 02 {CLOCK_WIRE} 00 {PROFILE_WIRE} 01 {ENTRY_WIRE}",
        s.GetRequestList(0x81, ((CLOCK, None), (PROFILE, ENTRY))),
    ),
    ("c401 c1 00 06000003e8", s.GetResponse(0xC1, u32(1000))),
    ("c401 c1 01 03", s.GetResponse(0xC1, DENIED)),
    ("c402 c1 00 00000001 00 02 0901", s.GetResponseBlock(0xC1, False, 1, b"\x09\x01")),
    (f"c402 c1 01 00000002 00 8180 {'00' * 128}", s.GetResponseBlock(0xC1, True, 2, bytes(128))),
    ("c402 c1 01 00000003 01 0f", s.GetResponseBlock(0xC1, True, 3, DataAccessResult.LONG_GET_ABORTED)),
    ("c403 c1 03 00 1101 01 04 00 00", s.GetResponseList(0xC1, (u8(1), DataAccessResult.OBJECT_UNDEFINED, null()))),
    (f"c101 c1 {CLOCK_WIRE} 00 120005", s.SetRequest(0xC1, CLOCK, None, u16(5))),
    (f"c101 c1 {PROFILE_WIRE} 01 {ENTRY_WIRE} 00", s.SetRequest(0xC1, PROFILE, ENTRY, null())),
    (f"c102 c1 {CLOCK_WIRE} 00 {LONG_BLOCK_WIRE}", s.SetRequestFirstBlock(0xC1, CLOCK, None, LONG_BLOCK)),
    (f"c103 c1 {BLOCK_WIRE}", s.SetRequestBlock(0xC1, BLOCK)),
    (
        f"c104 c1 02 {CLOCK_WIRE} 00 {PROFILE_WIRE} 01 {ENTRY_WIRE} 02 1101 1102",
        s.SetRequestList(0xC1, ((CLOCK, None), (PROFILE, ENTRY)), (u8(1), u8(2))),
    ),
    (f"c105 c1 01 {CLOCK_WIRE} 00 {BLOCK_WIRE}", s.SetRequestListFirstBlock(0xC1, ((CLOCK, None),), BLOCK)),
    ("c501 c1 00", s.SetResponse(0xC1, OK)),
    ("c502 c1 00000001", s.SetResponseBlock(0xC1, 1)),
    ("c503 c1 03 00000002", s.SetResponseLastBlock(0xC1, DENIED, 2)),
    ("c504 c1 02 00 03 00000002", s.SetResponseLastBlockList(0xC1, (OK, DENIED), 2)),
    ("c505 c1 02 00 03", s.SetResponseList(0xC1, (OK, DENIED))),
    (f"c301 c1 {SWITCH_WIRE} 00", s.ActionRequest(0xC1, SWITCH)),
    (f"c301 c1 {SWITCH_WIRE} 01 0f00", s.ActionRequest(0xC1, SWITCH, Data(Tag.INTEGER, 0))),
    ("c302 c1 00000001", s.ActionRequestNext(0xC1, 1)),
    (
        f"c303 c1 02 {SWITCH_WIRE} {SWITCH_WIRE} 02 00 1101",
        s.ActionRequestList(0xC1, (SWITCH, SWITCH), (null(), u8(1))),
    ),
    (f"c304 c1 {SWITCH_WIRE} {LONG_BLOCK_WIRE}", s.ActionRequestFirstBlock(0xC1, SWITCH, LONG_BLOCK)),
    (f"c305 c1 01 {SWITCH_WIRE} {BLOCK_WIRE}", s.ActionRequestListFirstBlock(0xC1, (SWITCH,), BLOCK)),
    (f"c306 c1 {BLOCK_WIRE}", s.ActionRequestBlock(0xC1, BLOCK)),
    ("c701 c1 00 00", s.ActionResponse(0xC1, s.ActionOutcome(ActionResult.SUCCESS))),
    ("c701 c1 00 01 00 0901aa", s.ActionResponse(0xC1, s.ActionOutcome(ActionResult.SUCCESS, octet_string(b"\xaa")))),
    ("c701 c1 00 01 01 03", s.ActionResponse(0xC1, s.ActionOutcome(ActionResult.SUCCESS, DENIED))),
    (f"c702 c1 {BLOCK_WIRE}", s.ActionResponseBlock(0xC1, BLOCK)),
    (
        "c703 c1 02 00 00 03 01 00 1101",
        s.ActionResponseList(
            0xC1,
            (s.ActionOutcome(ActionResult.SUCCESS), s.ActionOutcome(ActionResult.READ_WRITE_DENIED, u8(1))),
        ),
    ),
    ("c704 c1 00000001", s.ActionResponseNext(0xC1, 1)),
    (
        (
            f"d9 40000001 00 05 01 {CLOCK_WIRE} 02 {CLOCK_WIRE} 03 {SWITCH_WIRE} 04 {PROFILE_WIRE} {ENTRY_WIRE}"
            f" 05 {PROFILE_WIRE} {RANGE_WIRE} 05 00 1105 0f00 00 0100"
        ),
        s.AccessRequest(
            0x40000001,
            None,
            (
                s.AccessItem(GET, CLOCK, None, null()),
                s.AccessItem(SET, CLOCK, None, u8(5)),
                s.AccessItem(CALL, SWITCH, None, Data(Tag.INTEGER, 0)),
                s.AccessItem(GET, PROFILE, ENTRY, null()),
                s.AccessItem(SET, PROFILE, RANGE, array()),
            ),
        ),
    ),
    (
        f"da 40000001 {STAMP_WIRE} 00 03 1105 00 00 03 01 00 02 03 03 00",
        s.AccessResponse(
            0x40000001,
            STAMP,
            (
                s.AccessOutcome(GET, OK, u8(5)),
                s.AccessOutcome(SET, DENIED, null()),
                s.AccessOutcome(CALL, ActionResult.SUCCESS, null()),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("octets", "message"), [pytest.param(o, m, id=o[:36]) for o, m in EXAMPLES])
def test_a_form_reads_and_writes(octets: str, message: Apdu) -> None:
    assert apdu.decode(bytes.fromhex(octets)) == message
    assert apdu.encode(message).hex() == octets.replace(" ", "")


def test_every_form_is_in_the_table() -> None:
    assert {type(m) for _, m in EXAMPLES} == set(get_args(s.ServiceApdu))


def test_an_access_response_may_repeat_the_request() -> None:
    repeated = f"da 00000001 00 01 01 04 {PROFILE_WIRE} {ENTRY_WIRE} 01 1105 01 01 00"
    assert apdu.decode(bytes.fromhex(repeated)) == s.AccessResponse(1, None, (s.AccessOutcome(GET, OK, u8(5)),))


@pytest.mark.parametrize(("code", "result"), [(5, DataAccessResult.OTHER_REASON), (250, DataAccessResult.OTHER_REASON)])
def test_a_result_of_a_maker_is_some_other_reason(code: int, result: DataAccessResult) -> None:
    assert apdu.decode(bytes((0xC4, 1, 0xC1, 1, code))) == s.GetResponse(0xC1, result)
    outcome = s.ActionOutcome(ActionResult.OTHER_REASON)
    assert apdu.decode(bytes((0xC7, 1, 0xC1, code, 0))) == s.ActionResponse(0xC1, outcome)


@pytest.mark.parametrize(
    ("attribute", "selector", "parameters"),
    [
        pytest.param(PROFILE, 1, structure(), id="no members"),
        pytest.param(PROFILE, 1, null(), id="no structure"),
        pytest.param(PROFILE, 1, structure(u8(1), u8(1), u8(1), array()), id="a range by no object"),
        pytest.param(PROFILE, 2, structure(u8(1), u8(1), u8(1), u8(1)), id="entries of other types"),
        pytest.param(PROFILE, 2, structure(u32(1), u32(2), u16(1)), id="three members"),
        pytest.param(CLOCK, 2, structure(u32(1), u32(2), u16(1), u16(0)), id="entries of a clock"),
    ],
)
def test_a_selection_that_means_nothing_is_carried_as_sent(
    attribute: AttributeRef, selector: int, parameters: Data
) -> None:
    request = s.GetRequest(0xC1, attribute, OtherSelection(selector, parameters))
    assert apdu.decode(apdu.encode(request)) == request


LIST_OF_COMPACT_NOTHING = "13 02 02 11 01 ffff 00 01 01"
"""A compact array of eleven octets that holds 65,538 values."""


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        pytest.param(f"c004 c1 {CLOCK_WIRE} 00", "bad_form", id="a get of form 4"),
        pytest.param("c400 c1 00 00", "bad_form", id="a get-response of form 0"),
        pytest.param("c106 c1", "bad_form", id="a set of form 6"),
        pytest.param("c506 c1", "bad_form", id="a set-response of form 6"),
        pytest.param("c307 c1", "bad_form", id="an action of form 7"),
        pytest.param("c705 c1", "bad_form", id="an action-response of form 5"),
        pytest.param(f"d9 00000001 00 01 06 {CLOCK_WIRE} 01 00", "bad_form", id="an access of kind 6"),
        pytest.param("da 00000001 00 00 01 00 01 04 00", "bad_form", id="an access result of kind 4"),
        pytest.param(f"c104 c1 01 {CLOCK_WIRE} 00 02 00 00", "uneven", id="two values for one attribute"),
        pytest.param(f"c303 c1 01 {SWITCH_WIRE} 00", "uneven", id="no parameter for a method"),
        pytest.param(f"d9 00000001 00 01 01 {CLOCK_WIRE} 00", "uneven", id="no value for an access"),
        pytest.param("da 00000001 00 00 00 01 01 00", "uneven", id="no value for an access result"),
        pytest.param(f"c001 c1 {CLOCK_WIRE} 02", "bad_flag", id="a presence of two"),
        pytest.param("c401 c1 02 00", "bad_flag", id="a result of choice two"),
        pytest.param("d9 00000001 0b 00 00", "bad_date_time", id="a date-time of eleven octets"),
        pytest.param(f"c003 c1 84ffffffff {CLOCK_WIRE} 00", "cut", id="four billion attributes"),
        pytest.param("c402 c1 00 00000001 00 84ffffffff 00", "cut", id="a block of four billion octets"),
        pytest.param(
            "c403 c1 02" + f" 00 {LIST_OF_COMPACT_NOTHING}" * 2, "too_many", id="two compact arrays of nothing"
        ),
    ],
)
def test_a_malformed_message_is_refused(octets: str, code: str) -> None:
    with pytest.raises(PeerError) as refused:
        apdu.decode(bytes.fromhex(octets))
    assert refused.value.code == code


def test_one_compact_array_of_nothing_is_within_the_budget_of_a_message() -> None:
    message = apdu.decode(bytes.fromhex(f"c403 c1 01 00 {LIST_OF_COMPACT_NOTHING}"))
    assert isinstance(message, s.GetResponseList)
    assert 65_538 < MAX_ELEMENTS < 2 * 65_538


MISUSE: list[Apdu] = [
    s.GetRequest(256, CLOCK),
    s.GetRequest(0, AttributeRef(8, CLOCK.instance, 128)),
    s.GetRequest(0, CLOCK, OtherSelection(256, null())),
    s.GetRequestNext(0, 1 << 32),
    s.SetRequestList(0, ((CLOCK, None),), ()),
    s.ActionRequestList(0, (SWITCH,), ()),
    s.AccessRequest(-1, None, ()),
    s.AccessRequest(0, None, (s.AccessItem(GET, SWITCH, None, null()),)),
    s.AccessRequest(0, None, (s.AccessItem(CALL, SWITCH, ENTRY, null()),)),
    s.AccessResponse(0, None, (s.AccessOutcome(CALL, OK, null()),)),
]


@pytest.mark.parametrize("message", MISUSE, ids=range(len(MISUSE)))
def test_what_cannot_be_said_is_our_misuse(message: Apdu) -> None:
    with pytest.raises(UsageError):
        apdu.encode(message)
