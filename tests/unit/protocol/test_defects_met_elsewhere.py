"""What other stacks were seen to do wrong, each as a row: here it must come out right."""

from __future__ import annotations

import pytest

from openami.protocol import apdu
from openami.protocol.apdu import ApduTag, OtherApdu, codec
from openami.protocol.axdr import array, null, octet_string, structure, u8, u32
from openami.protocol.cosem import decode_date_time
from openami.protocol.cosem.profile_buffer import expand_rows
from openami.protocol.envelope.sealed import parse_sealed_header

TITLE = b"OAM\x00\x00\x00\x00\x01"
STAMP = "07ea03010706000000016800"


@pytest.mark.parametrize(
    ("size", "length"), [(127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (4_000, "820fa0")]
)
def test_a_sealed_body_of_128_or_256_octets_has_its_length_in_two_or_three(size: int, length: str) -> None:
    octets = apdu.general_glo(TITLE, bytes(size))
    assert octets[10 : 10 + len(length) // 2].hex() == length
    assert len(octets) - parse_sealed_header(octets).body_offset == size


def test_a_push_says_that_its_date_time_has_twelve_octets() -> None:
    push = apdu.DataNotification(1, decode_date_time(bytes.fromhex(STAMP)), u8(5))
    assert apdu.encode(push).hex() == f"0f000000010c{STAMP}1105"


@pytest.mark.parametrize("stamp", [f"0c{STAMP}", f"090c{STAMP}"], ids=["without a tag", "with a tag, as old firmware"])
def test_a_date_time_of_a_push_reads_in_both_forms(stamp: str) -> None:
    push = apdu.decode(bytes.fromhex(f"0f00000001{stamp}1105"))
    assert push == apdu.DataNotification(1, decode_date_time(bytes.fromhex(STAMP)), u8(5))


def test_null_in_a_column_that_is_not_the_clock_does_not_shift_the_row() -> None:
    clock = octet_string(bytes.fromhex(STAMP))
    rows = expand_rows(array(structure(clock, u8(1), u32(10), u32(20)), structure(clock, null(), u32(11), null())))
    assert rows[1] == (clock, u8(1), u32(11), u32(20))


MISSING_ELSEWHERE = [
    ("general-ded-ciphering", "dc 00 05 3000000001"),
    ("general-ciphering", "dd 00 00 00 00 00 00 05 3000000001"),
    ("general-signing", "df 00 00 00 00 00 01 0f 01 aa"),
    ("event-notification", "c2 00 0008 0000010000ff 02 1101"),
    ("access-request", "d9 00000001 00 00 00"),
    ("access-response", "da 00000001 00 00 00 00"),
    ("data-notification-confirm", "10 00000001"),
    *((tag.name.lower(), f"{tag:02x} 05 3000000000") for tag in ApduTag if tag.name.startswith(("GLO_", "DED_"))),
]


@pytest.mark.parametrize("octets", [pytest.param(o, id=n) for n, o in MISSING_ELSEWHERE])
def test_a_tag_that_others_do_not_know_is_a_message(octets: str) -> None:
    message = apdu.decode(bytes.fromhex(octets))
    assert not isinstance(message, OtherApdu)
    assert apdu.encode(message).hex() == octets.replace(" ", "")


@pytest.mark.parametrize("control", [0x10, 0x20, 0x21, 0x30, 0x31], ids=hex)
def test_a_body_is_carried_whatever_its_protection(control: int) -> None:
    body = bytes((control,)) + bytes(8)
    message = codec.decode(b"\xcc\x09" + body)
    assert message == apdu.ServiceCiphering(ApduTag.GLO_GET_RESPONSE, body)


def test_the_first_counter_may_be_zero() -> None:
    assert parse_sealed_header(apdu.general_glo(TITLE, b"\x30" + bytes(4))).invocation_counter == 0
