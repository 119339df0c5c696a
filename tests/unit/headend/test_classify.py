"""What an APDU would do is read from the APDU, and what cannot be told is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.command import CommandClass, CommandEffect
from openami.headend.command.classify import UnknownCommandError, effect_of
from openami.headend.command.policy import needs_approval
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import Conformance, InitiateRequest
from openami.protocol.apdu.services import (
    AccessItem,
    AccessKind,
    AccessRequest,
    ActionRequest,
    ActionRequestBlock,
    ActionRequestFirstBlock,
    ActionRequestList,
    ActionRequestNext,
    DataBlock,
    GetRequestList,
    GetRequestNext,
    GetResponse,
    SetRequest,
    SetRequestBlock,
    SetRequestFirstBlock,
    SetRequestList,
)
from openami.protocol.axdr import Data, Tag, octet_string
from openami.protocol.cosem.datetime import date_time_from_utc
from openami.protocol.cosem.reference import AttributeRef, MethodRef

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NULL, ON = Data(Tag.NULL, None), Data(Tag.UNSIGNED, 1)
CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
ENERGY = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)
LIMIT = AttributeRef(71, Obis.from_text("0.0.17.0.0.255"), 3)
REPLY = MethodRef(15, Obis.from_text("0.0.40.0.0.255"), 1)
DISCONNECT = MethodRef(70, Obis.from_text("0.0.96.3.10.255"), 1)
RECONNECT = MethodRef(70, Obis.from_text("0.0.96.3.10.255"), 2)
KEY_TRANSFER = MethodRef(64, Obis.from_text("0.0.43.0.0.255"), 2)
SCRIPT = MethodRef(9, Obis.from_text("0.0.10.0.106.255"), 1)
IMAGE = MethodRef(18, Obis.from_text("0.0.44.0.0.255"), 2)
RESET = MethodRef(7, Obis.from_text("1.0.99.1.0.255"), 1)
BLOCK = DataBlock(is_last=False, number=1, octets=b"\x09\x02")


def set_clock(to: datetime) -> bytes:
    return messages.encode(SetRequest(0xC1, CLOCK, None, octet_string(date_time_from_utc(to).encode())))


def get(*hexes: str) -> bytes:
    return bytes.fromhex("".join(hexes))


CASES = [
    # By hand from IEC 62056-5-3, 9.4.
    pytest.param(get("c001c1", "0003", "0100010800ff", "02", "00"), CommandClass.READ, id="a GET by hand"),
    pytest.param(get("c301c1", "0046", "000060030aff", "01", "010f00"), CommandClass.SWITCH, id="a disconnect by hand"),
    pytest.param(
        get("c101c1", "0003", "0100010800ff", "02", "00", "0600000000"), CommandClass.WRITE, id="a SET by hand"
    ),
    pytest.param(messages.encode(InitiateRequest(Conformance.GET, 1200)), CommandClass.ASSOCIATION, id="initiate"),
    pytest.param(
        messages.encode(ActionRequest(0xC1, REPLY, octet_string(bytes(17)))), CommandClass.ASSOCIATION, id="our proof"
    ),
    pytest.param(messages.encode(GetRequestNext(0xC1, 2)), CommandClass.READ, id="the next block"),
    pytest.param(
        messages.encode(GetRequestList(0xC1, ((ENERGY, None), (CLOCK, None)))), CommandClass.READ, id="a list of reads"
    ),
    pytest.param(messages.encode(ActionRequestNext(0xC1, 2)), CommandClass.READ, id="the next block of a return value"),
    pytest.param(set_clock(NOW), CommandClass.WRITE, id="the clock"),
    pytest.param(
        messages.encode(SetRequestList(0xC1, ((CLOCK, None), (LIMIT, None)), (ON, ON))),
        CommandClass.SWITCH,
        id="a list is its gravest part",
    ),
    pytest.param(messages.encode(SetRequest(0xC1, LIMIT, None, ON)), CommandClass.SWITCH, id="the load limit"),
    pytest.param(messages.encode(SetRequestFirstBlock(0xC1, LIMIT, None, BLOCK)), CommandClass.SWITCH, id="its block"),
    pytest.param(messages.encode(ActionRequest(0xC1, DISCONNECT, ON)), CommandClass.SWITCH, id="disconnect"),
    pytest.param(messages.encode(ActionRequest(0xC1, SCRIPT, ON)), CommandClass.SWITCH, id="a script"),
    pytest.param(messages.encode(ActionRequest(0xC1, IMAGE, ON)), CommandClass.FIRMWARE, id="an image block"),
    pytest.param(
        messages.encode(ActionRequestFirstBlock(0xC1, IMAGE, BLOCK)), CommandClass.FIRMWARE, id="the start of one"
    ),
    pytest.param(messages.encode(ActionRequest(0xC1, KEY_TRANSFER, ON)), CommandClass.KEY, id="a key transfer"),
    pytest.param(messages.encode(ActionRequest(0xC1, RESET, ON)), CommandClass.WRITE, id="a profile emptied"),
    pytest.param(
        messages.encode(ActionRequestList(0xC1, (REPLY, KEY_TRANSFER), (ON, ON))),
        CommandClass.KEY,
        id="a key behind a proof",
    ),
    pytest.param(
        messages.encode(
            AccessRequest(
                1, None, (AccessItem(AccessKind.GET, ENERGY, None, NULL), AccessItem(AccessKind.GET, CLOCK, None, NULL))
            )
        ),
        CommandClass.READ,
        id="ACCESS of reads",
    ),
    pytest.param(
        messages.encode(
            AccessRequest(
                1,
                None,
                (AccessItem(AccessKind.GET, ENERGY, None, NULL), AccessItem(AccessKind.ACTION, DISCONNECT, None, ON)),
            )
        ),
        CommandClass.SWITCH,
        id="ACCESS with a disconnect in it",
    ),
    pytest.param(
        messages.encode(InitiateRequest(Conformance.GET, 1200, bytes(range(16)))),
        None,
        id="A16 a dedicated key that would seal past us",
    ),
    pytest.param(
        get("c003c1", "8101", "0003", "0100010800ff", "02", "00"), None, id="A16 a count that is longer than need be"
    ),
    pytest.param(
        get("d940000001", "00", "8101", "01", "0003", "0100010800ff", "02", "8101", "00"),
        None,
        id="A16 ACCESS likewise",
    ),
    pytest.param(messages.encode(SetRequestBlock(0xC1, BLOCK)), None, id="a block of an unknown write"),
    pytest.param(messages.encode(ActionRequestBlock(0xC1, BLOCK)), None, id="a block of an unknown call"),
    pytest.param(messages.encode(GetResponse(0xC1, ON)), None, id="an answer"),
    pytest.param(get("0f00000001", "00", "00"), None, id="a push"),
    pytest.param(messages.encode(AccessRequest(1, None, ())), None, id="ACCESS of nothing"),
    pytest.param(get("db08", "4f414d0000000001", "05", "3000000001"), None, id="something sealed"),
    pytest.param(get("e0", "80000100000000"), None, id="block transfer"),
    pytest.param(b"", None, id="nothing"),
]


@pytest.mark.parametrize(("plaintext", "expected"), CASES)
def test_the_class_comes_from_the_apdu(plaintext: bytes, expected: CommandClass | None) -> None:
    if expected is None:
        with pytest.raises(UnknownCommandError):
            effect_of(plaintext)
    else:
        assert effect_of(plaintext).command_class is expected


SUPPLY = [
    pytest.param(ActionRequest(0xC1, DISCONNECT, ON), CommandEffect.DISCONNECT, 0, id="off"),
    pytest.param(ActionRequest(0xC1, RECONNECT, ON), CommandEffect.RECONNECT, 0, id="on"),
    pytest.param(ActionRequest(0xC1, replace(DISCONNECT, method=3), ON), CommandEffect.OTHER, 0, id="a method unknown"),
    pytest.param(SetRequest(0xC1, replace(LIMIT, class_id=70), None, ON), CommandEffect.OTHER, 0, id="a control mode"),
    pytest.param(
        SetRequest(0xC1, replace(LIMIT, attribute=4), None, Data(Tag.DOUBLE_LONG_UNSIGNED, 5_000)),
        CommandEffect.LIMIT,
        5_000,
        id="a limit",
    ),
    pytest.param(SetRequest(0xC1, replace(LIMIT, attribute=6), None, ON), CommandEffect.OTHER, 0, id="its duration"),
    pytest.param(SetRequest(0xC1, LIMIT, None, octet_string(b"1")), CommandEffect.OTHER, 0, id="a limit of no number"),
    pytest.param(SetRequestFirstBlock(0xC1, LIMIT, None, BLOCK), CommandEffect.OTHER, 0, id="a limit in pieces"),
    pytest.param(
        ActionRequestList(0xC1, (RECONNECT, DISCONNECT), (ON, ON)), CommandEffect.OTHER, 0, id="A15 on and off in one"
    ),
    pytest.param(
        ActionRequestList(0xC1, (KEY_TRANSFER, DISCONNECT), (ON, ON)),
        CommandEffect.OTHER,
        0,
        id="A16 off beside a key",
    ),
    pytest.param(ActionRequest(0xC1, KEY_TRANSFER, ON), CommandEffect.NONE, 0, id="a key"),
    pytest.param(GetRequestNext(0xC1, 2), CommandEffect.NONE, 0, id="a read"),
]


@pytest.mark.parametrize(("message", "effect", "limit"), SUPPLY)
def test_what_it_does_to_the_supply_comes_from_the_apdu(
    message: messages.Apdu, effect: CommandEffect, limit: int
) -> None:
    found = effect_of(messages.encode(message))
    assert (found.on_supply, found.limit) == (effect, limit)


@pytest.mark.attack("A21")
@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda t, b: t + b, st.sampled_from([b"\xc0", b"\xc1\1", b"\xc3\1", b"\xd9"]), st.binary(max_size=40)
        ),
    )
)
def test_any_octets_have_an_effect_or_are_refused(plaintext: bytes) -> None:
    try:
        effect = effect_of(plaintext)
    except UnknownCommandError:
        return
    assert (
        needs_approval(effect, now=NOW)
        == (effect.command_class not in {CommandClass.ASSOCIATION, CommandClass.READ} and effect.clock is None)
        or effect.clock is not None
    )


@pytest.mark.parametrize(
    ("plaintext", "needed"),
    [
        pytest.param(set_clock(NOW + timedelta(seconds=20)), False, id="the right time"),
        pytest.param(set_clock(NOW - timedelta(minutes=6)), True, id="A19 six minutes back"),
        pytest.param(
            messages.encode(
                SetRequest(0xC1, CLOCK, None, octet_string(date_time_from_utc(NOW, deviation_minutes=-720).encode()))
            ),
            True,
            id="A19 the right instant, its local hours half a day off",
        ),
        pytest.param(set_clock(NOW + timedelta(days=30)), True, id="A19 next month"),
        pytest.param(
            messages.encode(SetRequest(0xC1, CLOCK, None, octet_string(bytes.fromhex("07ea0701ff0c0000008000ff")))),
            True,
            id="A19 a time without its deviation",
        ),
        pytest.param(
            messages.encode(SetRequest(0xC1, CLOCK, None, octet_string(bytes.fromhex("ffffffffffffffffff000000")))),
            True,
            id="A19 a time of wildcards",
        ),
        pytest.param(
            messages.encode(SetRequestList(0xC1, ((CLOCK, None),), (octet_string(date_time_from_utc(NOW).encode()),))),
            True,
            id="a list",
        ),
        pytest.param(messages.encode(SetRequest(0xC1, ENERGY, None, ON)), True, id="another attribute"),
        pytest.param(messages.encode(GetRequestNext(0xC1, 2)), False, id="a read"),
    ],
)
def test_of_the_writes_only_the_right_time_needs_nobody(plaintext: bytes, *, needed: bool) -> None:
    assert needs_approval(effect_of(plaintext), now=NOW) is needed
