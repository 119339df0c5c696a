"""The clear part of association messages: the standard's own examples, and octets that are none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.protocol.envelope.association import parse_association
from openami.protocol.errors import PeerError

# IEC 62056-5-3 (Green Book, annex of encoding examples): AARQ with a ciphered initiate request, and its AARE.
AARQ = bytes.fromhex(
    "6066a109060760857405080103a60a04084d4d4d0000bc614e8a0207808b0760857405080205ac0a80084b35366956616759"
    "be342132"
    "2130300001234801020304050607"
)
BODY = bytes.fromhex("3000000001") + bytes(range(20)) + bytes(12)


def message(tag: int, *elements: bytes) -> bytes:
    body = b"".join(elements)
    return bytes([tag, len(body)]) + body


def user_information(octets: bytes) -> bytes:
    return bytes([0xBE, len(octets) + 2, 4, len(octets)]) + octets


CONTEXT = bytes.fromhex("a109060760857405080103")
RESULT = bytes.fromhex("a203020100")
TITLE = bytes.fromhex("a40a0408") + b"OAM\0\0\0\0\1"
SEALED = bytes([0x28, len(BODY)]) + BODY


def test_a_sealed_aare_says_whose_it_is_and_where_the_sealed_part_begins() -> None:
    apdu = message(0x61, CONTEXT, RESULT, TITLE, user_information(SEALED))
    found = parse_association(apdu)
    assert (found.responding_title, found.result) == (b"OAM\0\0\0\0\1", 0)
    assert found.sealed_at is not None
    assert apdu[found.sealed_at :] == BODY


def test_plain_user_information_is_not_sealed() -> None:
    found = parse_association(message(0x61, CONTEXT, RESULT, user_information(b"\x08\x00")))
    assert (found.sealed_at, found.user_information, found.responding_title) == (None, b"\x08\x00", None)


def test_a_release_may_hold_nothing() -> None:
    found = parse_association(bytes.fromhex("6303800100"))
    assert (found.user_information, found.sealed_at, found.result) == (b"", None, None)


@pytest.mark.parametrize(
    "apdu",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(AARQ, id="lengths that do not fit"),
        pytest.param(b"\xdb\x00", id="another APDU"),
        pytest.param(message(0x61, CONTEXT, user_information(SEALED), RESULT), id="elements after the sealed part"),
        pytest.param(message(0x61, CONTEXT, CONTEXT), id="an element twice"),
        pytest.param(message(0x61, *(bytes([0x80 + i, 0]) for i in range(17))), id="too many elements"),
        pytest.param(
            message(0x61, user_information(bytes([0x28, len(BODY) + 1]) + BODY)), id="a sealed part cut short"
        ),
        pytest.param(message(0x61, user_information(b"\x28\x04\x30\0\0\0")), id="no room for control and counter"),
        pytest.param(message(0x61, bytes([0xBE, 2, 5, 0])), id="user information of another type"),
        pytest.param(message(0x61, bytes([0xBE, 2, 4, 0])), id="empty user information"),
        pytest.param(message(0x61, b"\xbf\x1f\x00"), id="a tag of two octets"),
    ],
)
def test_what_is_no_association_message_is_refused(apdu: bytes) -> None:
    with pytest.raises(PeerError):
        parse_association(apdu)


@settings(max_examples=200)
@given(st.sampled_from([0x60, 0x61, 0x62, 0x63]), st.binary(max_size=80))
def test_any_octets_give_an_envelope_or_a_peer_error(tag: int, octets: bytes) -> None:
    for apdu in (bytes([tag, len(octets)]) + octets, bytes([tag]) + octets):
        try:
            found = parse_association(apdu)
        except PeerError:
            continue
        assert found.sealed_at is None or len(apdu) - found.sealed_at >= 5
