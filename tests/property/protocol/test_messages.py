"""Laws of all APDUs: round trips, every cut refused, one error family, and no class or tag forgotten."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.protocol.messages import MESSAGES

from openami.protocol import apdu
from openami.protocol.apdu import ApduTag, codec
from openami.protocol.errors import PeerError

every_message = pytest.mark.parametrize("name", sorted(MESSAGES))
TAGS = sorted(ApduTag)


@every_message
@given(dice=st.data())
@settings(max_examples=25)
def test_it_survives_the_wire(name: str, dice: st.DataObject) -> None:
    message = dice.draw(MESSAGES[name])
    assert apdu.decode(apdu.encode(message)) == message


@every_message
@given(dice=st.data())
@settings(max_examples=10)
def test_every_cut_is_refused_and_so_is_an_octet_more(name: str, dice: st.DataObject) -> None:
    octets = apdu.encode(dice.draw(MESSAGES[name]))
    for end in range(len(octets)):
        with pytest.raises(PeerError) as refused:
            apdu.decode(octets[:end])
        assert 0 <= refused.value.offset <= end
    with pytest.raises(PeerError):
        apdu.decode(octets + b"\x00")


@every_message
@given(dice=st.data())
@settings(max_examples=20)
def test_altered_octets_are_a_message_or_a_peer_error(name: str, dice: st.DataObject) -> None:
    octets = bytearray(apdu.encode(dice.draw(MESSAGES[name])))
    for _ in range(dice.draw(st.integers(1, 4))):
        octets[dice.draw(st.integers(1, len(octets) - 1))] = dice.draw(st.integers(0, 255))
    try:
        again = apdu.encode(apdu.decode(bytes(octets)))
    except PeerError as error:
        inside = 0 <= error.offset <= len(octets)
    else:
        inside = apdu.encode(apdu.decode(again)) == again
    assert inside


@given(st.sampled_from(TAGS), st.binary(max_size=120))
@settings(max_examples=400)
def test_any_octets_behind_a_tag_are_a_message_or_a_peer_error(tag: int, octets: bytes) -> None:
    try:
        apdu.decode(bytes((tag,)) + octets)
    except PeerError as error:
        inside = 0 <= error.offset <= len(octets) + 1
    else:
        inside = True
    assert inside


def test_every_class_of_message_has_an_encoder() -> None:
    classes = set(get_args(codec.Apdu)) - {codec.OtherApdu}
    assert classes == set(codec._ENCODERS)


def test_every_tag_but_that_of_the_block_envelope_has_a_decoder() -> None:
    assert set(ApduTag) - set(codec._DECODERS) == {ApduTag.GENERAL_BLOCK_TRANSFER}
