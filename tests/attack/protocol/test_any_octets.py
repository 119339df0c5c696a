"""Whatever arrives, a decoder answers with figures or one typed error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.headend.inspection.telegram import Framing, Keys, decode_telegrams, detect_framing
from openami.headend.profiles import profile_names, rows_of
from openami.headend.profiles.interpret import interpret
from openami.kernel.time import zone_named
from openami.protocol import apdu
from openami.protocol.envelope import parse_sealed_header, parse_wrapper
from openami.protocol.envelope.blocks import Block, build_block, parse_block
from openami.protocol.envelope.hdlc import HdlcFrame, build_frame
from openami.protocol.envelope.mbus import build_frames
from openami.protocol.envelope.wrapper import wrap
from openami.protocol.errors import PeerError
from openami.security.suites.gcm import seal

KEYS = Keys(bytes(16), bytes(range(16)))
TITLE = b"OAM\x00\x00\x00\x00\x01"
ZONE = zone_named("America/Chicago")
octets = st.binary(max_size=300)
notifications = octets.map(lambda o: b"\x0f\x00\x00\x00\x01\x00" + o)
tagged = st.tuples(st.sampled_from(sorted(apdu.ApduTag)), octets).map(lambda p: bytes((p[0],)) + p[1])


def sealed(plain: bytes, counter: int) -> bytes:
    assert KEYS.key is not None
    assert KEYS.auth_key is not None
    return apdu.general_glo(TITLE, seal(TITLE, counter, plain, key=KEYS.key, auth_key=KEYS.auth_key))


messages = st.one_of(octets, notifications, tagged, st.builds(sealed, notifications | tagged, st.integers(0, 9)))
inputs = st.one_of(
    octets,
    st.lists(messages, max_size=3).map(lambda m: b"".join(wrap(1, 103, x) for x in m if x)),
    st.lists(messages, max_size=3).map(
        lambda m: b"".join(build_frame(HdlcFrame(b"\xcf", b"\x03", 0x13, b"\xe6\xe7\x00" + x)) for x in m)
    ),
    messages.filter(bool).map(lambda m: build_frames(m, source=1, destination=103)),
    messages.map(lambda m: wrap(1, 103, build_block(Block(1, 0, m, is_last=True)))),
)


def all_figures(data: bytes, framing: Framing) -> None:
    for telegram in decode_telegrams(data, keys=KEYS, framing=framing, zone=ZONE):
        assert (telegram.error is None) == (telegram.push is not None or telegram.message is not None)
        json.dumps(telegram.document(), allow_nan=False)
        if telegram.push is not None:
            try:
                rows_of(telegram.push, zone=ZONE)
            except PeerError:
                continue


@pytest.mark.attack("A21")
@given(inputs, st.sampled_from(Framing))
@settings(max_examples=300)
def test_any_octets_in_any_framing_are_figures_or_a_typed_error(data: bytes, framing: Framing) -> None:
    all_figures(data, framing)


@pytest.mark.attack("A21")
@given(inputs, st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 255)), max_size=4))
@settings(max_examples=300)
def test_altered_octets_are_figures_or_a_typed_error(data: bytes, changes: list[tuple[int, int]]) -> None:
    altered = bytearray(data)
    for place, octet in changes:
        if altered:
            altered[place % len(altered)] = octet
    all_figures(bytes(altered), detect_framing(data))


@given(notifications, st.sampled_from(profile_names()))
def test_any_body_under_any_profile_is_figures_or_a_peer_error(data: bytes, profile: str) -> None:
    try:
        notification = apdu.decode(data)
        assert isinstance(notification, apdu.DataNotification)
        rows_of(interpret(notification, profile=profile), zone=ZONE)
    except PeerError:
        return


@pytest.mark.attack("A21")
@given(octets)
def test_the_parsers_of_envelopes_raise_nothing_else(data: bytes) -> None:
    for parser in (parse_sealed_header, parse_wrapper, parse_block):
        for head in (b"", b"\xdb\x08", b"\xe0", b"\x00\x01"):
            try:
                parser(head + data)
            except PeerError as error:
                inside = 0 <= error.offset <= len(head + data)
            else:
                inside = True
            assert inside
