"""The gateway passes only what says it is sealed, and the quick look never passes what the careful one refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.network.support import sealed_frame

from openami.contracts.deadletter import RefusalReason
from openami.network.gateway import check
from openami.network.gateway.check import is_association_answer, refusal_of
from openami.network.intake import HdlcIntake
from openami.protocol.envelope.wrapper import wrap
from openami.protocol.errors import PeerError

TITLE = b"OAM\x00\x00\x00\x00\x01"
GOOD = sealed_frame(TITLE, 1)


def with_apdu(apdu: bytes) -> bytes:
    return b"\x00\x01\x00\x01\x00\x67" + len(apdu).to_bytes(2) + apdu


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(GOOD, None, id="sealed"),
        pytest.param(sealed_frame(TITLE, 1, size=200), None, id="sealed and long"),
        pytest.param(sealed_frame(TITLE, 1, control=0x31), None, id="suite 1"),
        pytest.param(sealed_frame(TITLE, 1, control=0x20), RefusalReason.DOWNGRADE, id="A5 encrypted only"),
        pytest.param(sealed_frame(TITLE, 1, control=0x10), RefusalReason.DOWNGRADE, id="A5 authenticated only"),
        pytest.param(sealed_frame(TITLE, 1, control=0x00), RefusalReason.DOWNGRADE, id="A5 neither"),
        pytest.param(sealed_frame(TITLE, 1, control=0x33), RefusalReason.DOWNGRADE, id="A5 a suite that there is not"),
        pytest.param(sealed_frame(TITLE, 1, control=0xB0), RefusalReason.DOWNGRADE, id="A21 compressed"),
        pytest.param(sealed_frame(TITLE, 1, control=0x70), RefusalReason.DOWNGRADE, id="A12 the broadcast key"),
        pytest.param(with_apdu(b"\x0f\x00\x00\x00\x01\x00" + bytes(40)), RefusalReason.DOWNGRADE, id="A5 plain push"),
        pytest.param(with_apdu(b"\xc4" + bytes(60)), RefusalReason.DOWNGRADE, id="A5 plain get-response"),
        pytest.param(with_apdu(b"\xcc\x1a\x30" + bytes(25)), None, id="a service-specific answer"),
        pytest.param(
            with_apdu(b"\xcc\x1a\x10" + bytes(25)), RefusalReason.DOWNGRADE, id="A5 one that is not encrypted"
        ),
        pytest.param(with_apdu(b"\xcc\x10\x30" + bytes(15)), RefusalReason.BAD_ENVELOPE, id="A6 one without a tag"),
        pytest.param(with_apdu(b"\xc8\x1a\x30" + bytes(25)), RefusalReason.DOWNGRADE, id="A1 a sealed request"),
        pytest.param(with_apdu(b"\x99" + bytes(60)), RefusalReason.BAD_ENVELOPE, id="no APDU at all"),
        pytest.param(sealed_frame(b"OAM\x00\x00\x00\x00\x02", 1), RefusalReason.BAD_ENVELOPE, id="A6 another's title"),
        pytest.param(GOOD[:-1], RefusalReason.BAD_ENVELOPE, id="cut"),
        pytest.param(GOOD + b"\x00", RefusalReason.BAD_ENVELOPE, id="too long"),
        pytest.param(b"", RefusalReason.BAD_ENVELOPE, id="nothing"),
        pytest.param(b"\x00\x02" + GOOD[2:], RefusalReason.BAD_ENVELOPE, id="wrapper version 2"),
        pytest.param(sealed_frame(TITLE, 1, size=0)[:-1], RefusalReason.BAD_ENVELOPE, id="no room for a tag"),
        pytest.param(bytes(65_537), RefusalReason.OVERSIZE, id="A21 oversize"),
    ],
)
def test_a_frame_is(octets: bytes, reason: RefusalReason | None) -> None:
    assert refusal_of(octets, TITLE) is reason


@given(st.binary(max_size=300), st.integers(min_value=0), st.binary(max_size=3), st.integers(0, 2))
def test_the_quick_look_agrees_with_the_careful_one(noise: bytes, place: int, patch: bytes, least: int) -> None:
    frame = bytearray(GOOD)
    place %= len(frame)
    frame[place : place + len(patch)] = patch
    for octets in (noise, bytes(frame), with_apdu(noise), with_apdu(b"\xdb\x08" + TITLE + noise)):
        if check._has_usual_shape(octets, TITLE, least):
            assert check._examine(octets, TITLE, least) is None


def test_a_real_landis_gyr_push_over_hdlc_becomes_a_frame_that_passes(shared_data: Path) -> None:
    rows = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())["telegrams"]
    (row,) = [r for r in rows if r["name"] == "dlms_parser/hdlc_landis_gyr_e450"]
    octets, intake = bytes.fromhex(row["hex"]), HdlcIntake()
    found = [item for i in range(len(octets)) for item in intake.receive(octets[i : i + 1], collected_at_ms=5)]
    ((_, title, at_ms, frame),) = [item for item in found if not isinstance(item, PeerError)]
    assert (str(title), at_ms) == (row["security"]["system_title"], 5)
    assert refusal_of(frame, title.octets) is None


def test_a_plain_hdlc_push_is_not_offered(shared_data: Path) -> None:
    rows = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())["telegrams"]
    (row,) = [r for r in rows if r["name"] == "dlms_parser/hdlc_norway_han_1phase"]
    found = HdlcIntake().receive(bytes.fromhex(row["hex"]), collected_at_ms=5)
    assert [type(item) for item in found] == [PeerError]


CONTEXT = bytes.fromhex("a109060760857405080103")
REJECTED, TAKEN = bytes.fromhex("a203020101"), bytes.fromhex("a203020100")
NAMED = bytes.fromhex("a40a0408") + TITLE


def _answer(tag: int, *elements: bytes) -> bytes:
    body = b"".join(elements)
    return wrap(1, 2, bytes([tag, len(body)]) + body)


def _inside(octets: bytes) -> bytes:
    return bytes([0xBE, len(octets) + 2, 4, len(octets)]) + octets


def _sealed_initiate(control: int, *, size: int = 12) -> bytes:
    return bytes([0x28, 5 + size, control]) + bytes(4 + size)


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        pytest.param(_answer(0x61, CONTEXT, TAKEN, NAMED, _inside(_sealed_initiate(0x30))), True, id="sealed"),
        pytest.param(_answer(0x61, CONTEXT, REJECTED, _inside(b"\x0e\1\6\1")), True, id="a refusal in the clear"),
        pytest.param(_answer(0x63, b"\x80\1\0"), True, id="a release"),
        pytest.param(_answer(0x61, CONTEXT, TAKEN, _inside(b"\x08\0\6")), False, id="A5 success in the clear"),
        pytest.param(_answer(0x61, CONTEXT, TAKEN, _inside(_sealed_initiate(0x10))), False, id="A5 authenticated only"),
        pytest.param(_answer(0x61, CONTEXT, TAKEN, _inside(_sealed_initiate(0x70))), False, id="A12 broadcast key"),
        pytest.param(_answer(0x61, CONTEXT, TAKEN, _inside(_sealed_initiate(0x30, size=11))), False, id="A6 short tag"),
        pytest.param(
            _answer(0x61, CONTEXT, TAKEN, NAMED[:-1] + b"\x63", _inside(_sealed_initiate(0x30))),
            False,
            id="A1 another's",
        ),
        pytest.param(_answer(0x60, CONTEXT, _inside(_sealed_initiate(0x30))), False, id="a request from a meter"),
        pytest.param(_answer(0x61, CONTEXT, CONTEXT), False, id="none at all"),
        pytest.param(b"\0\1", False, id="no frame"),
    ],
)
def test_of_what_is_clear_only_the_answer_to_an_association_passes(frame: bytes, *, passes: bool) -> None:
    assert is_association_answer(frame, TITLE) is passes
