"""Whatever a stranger sends to the listener's port becomes whole frames or a typed error, in bounded memory."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.deadletter import RefusalReason
from openami.network.gateway.check import refusal_of
from openami.network.intake import NIL_TITLE, OfferedFrame, PushIntake, datagram_frames
from openami.protocol.envelope.hdlc import HdlcFrame, build_frame
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.envelope.mbus import build_frames
from openami.protocol.envelope.sealed import build_sealed
from openami.protocol.envelope.wrapper import wrap
from openami.protocol.errors import PeerError

SEALED = build_sealed(b"OAM\0\0\0\0\1", b"\x30\0\0\0\1" + bytes(40))
GENUINE = [
    wrap(1, 103, SEALED),
    build_frames(SEALED, source=1, destination=103),
    build_frame(HdlcFrame(b"\xcf", b"\x02\x23", 0x13, b"\xe6\xe7\x00" + SEALED)),
    wrap(1, 103, b"\x0f\x00\x00\x00\x01\x00\x02\x01\x11\x05"),
    wrap(1, 103, b"\xe0\xc0\x00\x01\x00\x00\x03abc"),
]


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Any octets, behind a first one that is of a framing; and genuine frames altered, cut, doubled or mixed."""
    if draw(st.booleans()):
        return draw(st.sampled_from([b"\x00\x01", b"\x7e\xa0", b"\x68", b""])) + draw(st.binary(max_size=300))
    octets = bytearray(b"".join(draw(st.lists(st.sampled_from(GENUINE), min_size=1, max_size=4))))
    for _ in range(draw(st.integers(0, 4))):
        octets[draw(st.integers(0, len(octets) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(octets[: draw(st.integers(1, len(octets)))])


def checked(found: list[OfferedFrame | PeerError]) -> None:
    for item in found:
        if not isinstance(item, PeerError):
            _, title, _, octets = item
            assert len(octets) <= 8 + MAX_APDU_OCTETS
            if title == NIL_TITLE:
                assert len(octets) == 9
                assert refusal_of(octets, title.octets) in {RefusalReason.DOWNGRADE, RefusalReason.BAD_ENVELOPE}


@pytest.mark.attack("A21")
@settings(max_examples=200, deadline=None)
@given(octets=hostile(), step=st.integers(1, 60))
def test_any_octets_are_frames_or_a_typed_error(octets: bytes, step: int) -> None:
    intake = PushIntake()
    for at in range(0, len(octets), step):
        checked(intake.receive(octets[at : at + step], collected_at_ms=0))
    checked(intake.finish(collected_at_ms=0))
    checked(datagram_frames(octets, collected_at_ms=0))


def size_of(value: object, seen: set[int]) -> int:
    """Return the octets that a value and all it holds take."""
    if id(value) in seen or isinstance(value, type):
        return 0
    seen.add(id(value))
    inside: list[object] = []
    if isinstance(value, list | tuple | set | frozenset):
        inside += value
    elif isinstance(value, dict):
        inside += [*value.keys(), *value.values()]
    inside += [getattr(value, name) for name in getattr(type(value), "__slots__", ()) if hasattr(value, name)]
    return sys.getsizeof(value) + sum(size_of(part, seen) for part in inside)


@pytest.mark.attack("A21")
def test_a_stream_that_never_ends_a_message_holds_no_more_than_one() -> None:
    endless = {
        "wrapper": b"\x00\x01\x00\x01\x00\x67\xff\xff" + bytes(60_000),
        "hdlc": b"\x7e" + b"\xa7\xff" * 100_000,
        "mbus": b"".join(
            build_frames(bytes(250) * 15 + b"x", source=1, destination=103)[: 261 * 15] for _ in range(40)
        ),
        "noise": b"\x68" * 200_000,
    }
    for name, octets in endless.items():
        intake = PushIntake()
        for at in range(0, len(octets), 4096):
            intake.receive(octets[at : at + 4096], collected_at_ms=0)
        assert size_of(intake, set()) < 400_000, name
